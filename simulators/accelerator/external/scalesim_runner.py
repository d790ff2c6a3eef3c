"""Runs SCALE-Sim on the layers of a job: a script of its own for whichever Python has the package; it imports nothing of ours.

Reads ``job.json``, writes ``result.json``. Layers are simulated one by one, each in a folder of its own.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

CONFIG = """\
[general]
run_name = run
[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {columns}
IfmapSramSzkB: {ifmap_sram_kib}
FilterSramSzkB: {filter_sram_kib}
OfmapSramSzkB: {ofmap_sram_kib}
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Dataflow: {dataflow}
Bandwidth: {ofmap_words_per_cycle}
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: {ifmap_words_per_cycle}
IfmapSRAMBankNum: 1
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: {filter_words_per_cycle}
FilterSRAMBankNum: 1
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40
[run_presets]
InterfaceBandwidth: {interface}
UseRamulatorTrace: False
"""
LAYOUT_COLUMNS = 30  # numbers of the file of layouts, which must be there though layouts are off
REPORTS = {
    "COMPUTE_REPORT.csv": {"Total Cycles (incl. prefetch)": "latency_cycles", "Total Cycles": "cycles", "Stall Cycles": "stall_cycles"},
    "DETAILED_ACCESS_REPORT.csv": {
        "SRAM IFMAP Reads": "ifmap_sram_reads", "SRAM Filter Reads": "filter_sram_reads", "SRAM OFMAP Writes": "ofmap_sram_writes",
        "DRAM IFMAP Reads": "ifmap_dram_reads", "DRAM Filter Reads": "filter_dram_reads", "DRAM OFMAP Writes": "ofmap_dram_writes",
    },
}  # fmt: skip


def topology(layer: dict[str, int]) -> str:
    """Return a layer as SCALE-Sim reads it, padding included; of a depthwise layer one channel."""
    height = (layer["p"] - 1) * layer["stride"] + layer["r"]
    width = (layer["q"] - 1) * layer["stride"] + layer["s"]
    channels = 1 if layer["depthwise"] else layer["c"]
    numbers = (height, width, layer["r"], layer["s"], channels, layer["k"], layer["stride"])
    header = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
    return f"{header}\nlayer, {', '.join(map(str, numbers))},\n"


def figures(folder: Path, repeated: int) -> dict[str, float]:
    """Return the figures of a layer's reports, as often as the layer is repeated."""
    found = {}
    for report, columns in REPORTS.items():
        with (folder / "run" / report).open(encoding="utf-8", newline="") as file:
            header, row = (next(csv.reader([line])) for line in file.read().splitlines()[:2])
        cells = dict(zip((name.strip() for name in header), row, strict=False))
        found.update({name: float(cells[column]) * repeated for column, name in columns.items()})
    found["prefetch_cycles"] = found["latency_cycles"] - found.pop("cycles")
    return found


def main() -> None:
    """Run the job."""
    from scalesim.scale_sim import scalesim  # pyright: ignore[reportMissingImports]

    job = json.loads(Path("job.json").read_text(encoding="utf-8"))
    interface = "USER" if "ifmap_words_per_cycle" in job["design"] else "CALC"
    unlimited = {f"{name}_words_per_cycle": 10 for name in ("ifmap", "filter", "ofmap")}  # not looked at
    Path("config.cfg").write_text(CONFIG.format(**{**unlimited, **job["design"]}, interface=interface), encoding="utf-8")
    Path("layout.csv").write_text(f"Layer name,\nlayer{', 1' * LAYOUT_COLUMNS},\n", encoding="utf-8")
    layers = []
    for number, layer in enumerate(job["layers"]):
        Path("topology.csv").write_text(topology(layer), encoding="utf-8")
        folder = Path(f"layer{number}")
        run = scalesim(save_disk_space=True, verbose=False, config="config.cfg", topology="topology.csv", layout="layout.csv")
        run.run_scale(top_path=str(folder))
        layers.append(figures(folder, layer["c"] if layer["depthwise"] else 1))
    Path("result.json").write_text(json.dumps({"layers": layers}), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except SystemExit as ended:  # the library's doing: an exit code of 0 would look like success
        sys.exit(f"SCALE-Sim ended its process with exit({ended.code!r})")
