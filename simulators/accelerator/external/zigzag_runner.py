"""Runs ZigZag on the layers of a job: a script of its own for whichever Python has the package; it imports nothing of ours.

Reads ``job.json``, writes ``result.json``. Layers are evaluated one by one, each in a folder of its own. Accelerators are ZigZag's own
descriptions, which come with the package, with the job's factors on them.
"""

from __future__ import annotations

import copy
import json
import math
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

MAPPINGS = {"meta_prototype": "meta_prototype_like", "eyeriss_like": "default"}
"""Mappings that are not called like the accelerator that they are for."""
REFUSALS = ("MemoryHierarchyTooSmallException", "MemoryTooSmallException", "NoValidLoopOrderingFoundException")
"""What ZigZag raises where a design cannot run a layer."""


def scaled(accelerator: dict[str, Any], factors: dict[str, float]) -> dict[str, Any]:
    """Return the accelerator with the factors on array, registers, buffers and bandwidths, and what that does to the energy of accesses.

    An access costs as much more as it has more bits, and grows with the square root of the memory's size.
    """
    array = accelerator["operational_array"]
    for axis, factor in enumerate((factors["rows"], factors["columns"])):
        array["sizes"][axis] = _whole(array["sizes"][axis] * factor)
    for name, memory in accelerator["memories"].items():
        kind = kind_of(name, memory, array)
        size = {"dram": 1.0, "buffer": factors["buffer"], "register": factors["register"]}[kind]
        width = {"dram": factors["dram_bandwidth"], "buffer": factors["buffer_bandwidth"], "register": 1.0}[kind]
        memory["size"] = _whole(memory["size"] * size)
        for cost in ("r_cost", "w_cost"):
            memory[cost] = memory[cost] * math.sqrt(size) * width
        for port in memory["ports"]:
            port["bandwidth_max"] = _whole(port["bandwidth_max"] * width)
            port["bandwidth_min"] = min(port["bandwidth_min"], port["bandwidth_max"])
    return accelerator


def kind_of(name: str, memory: dict[str, Any], array: dict[str, Any]) -> str:
    """Return whether a memory is the dram, a buffer, which serves the whole array, or a register file in it."""
    if name.startswith("dram"):
        return "dram"
    return "buffer" if len(memory["served_dimensions"]) == len(array["dimensions"]) else "register"


def scaled_mapping(mapping: list[dict[str, Any]], factors: dict[str, float], *, depthwise: bool) -> list[dict[str, Any]]:
    """Return the default mapping, with as much more to unroll along rows and columns as there are more of them.

    A depthwise layer has groups in place of output channels.
    """
    (default,) = [entry for entry in copy.deepcopy(mapping) if entry["name"] == "default"]
    for axis, loops in default["spatial_mapping"].items():
        dimension, _, number = loops[0].partition(",")
        factor = {"D1": factors["rows"], "D2": factors["columns"]}.get(axis, 1.0)
        loops[0] = f"{'G' if depthwise and dimension == 'K' else dimension}, {_whole(int(number) * factor)}"
    return [default]


def bits_on_chip(accelerator: dict[str, Any]) -> int:
    """Return the bits of all memories on the chip: one of each for every set of the array's units that share it."""
    array = accelerator["operational_array"]
    sizes = dict(zip(array["dimensions"], array["sizes"], strict=True))
    total = 0
    for name, memory in accelerator["memories"].items():
        if not name.startswith("dram"):
            shared = math.prod(sizes[dimension] for dimension in memory["served_dimensions"])
            total += memory["size"] * math.prod(array["sizes"]) // shared
    return total


def zigzag_layer(layer: dict[str, Any], bits: dict[str, int]) -> dict[str, Any]:
    """Return a layer as ZigZag writes it; inputs are as large as the outputs need, padding included."""
    depthwise = layer["depthwise"]
    sizes = {"B": 1, "K": layer["k"], "C": layer["c"], "OY": layer["p"], "OX": layer["q"], "FY": layer["r"], "FX": layer["s"]}
    equation = "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]"
    if depthwise:
        sizes |= {"G": layer["c"], "K": 1, "C": 1}
        equation = "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]"
    stride = layer["stride"]
    return {
        "id": 0, "name": "layer", "operator_type": "Conv", "equation": equation,
        "dimension_relations": [f"ix={stride}*ox+1*fx", f"iy={stride}*oy+1*fy"],
        "loop_dims": list(sizes), "loop_sizes": list(sizes.values()), "operand_precision": bits, "operand_source": {"I": 0, "W": 0},
    }  # fmt: skip


def _whole(number: float) -> int:
    return max(round(number), 1)


def main() -> None:
    """Run the job."""
    import yaml
    from zigzag.api import get_hardware_performance_zigzag  # pyright: ignore[reportMissingImports]

    job = json.loads(Path("job.json").read_text(encoding="utf-8"))
    inputs = files("zigzag") / "inputs"
    template = job["template"]
    accelerator = yaml.safe_load((inputs / "hardware" / f"{template}.yaml").read_text(encoding="utf-8"))
    mapping = yaml.safe_load((inputs / "mapping" / f"{MAPPINGS.get(template, template)}.yaml").read_text(encoding="utf-8"))
    accelerator = scaled(accelerator, job["factors"])
    Path("accelerator.yaml").write_text(yaml.safe_dump(accelerator, sort_keys=False), encoding="utf-8")  # levels are in order
    layers = []
    for number, layer in enumerate(job["layers"]):
        folder = f"layer{number}"
        spread = scaled_mapping(mapping, job["factors"], depthwise=layer["depthwise"])
        Path("mapping.yaml").write_text(yaml.safe_dump(spread), encoding="utf-8")
        try:
            answer: Any = get_hardware_performance_zigzag(
                workload=[zigzag_layer(layer, job["bits"])], accelerator="accelerator.yaml", mapping="mapping.yaml", opt=job["goal"],
                dump_folder=folder, pickle_filename=f"{folder}/all.pickle", lpf_limit=job["lpf_limit"], nb_spatial_mappings_generated=1,
                loma_show_progress_bar=False,
            )  # fmt: skip
        except Exception as error:
            if type(error).__name__ not in REFUSALS:
                raise
            why = "a memory is too small for it, or smaller than all those inside of it together"
            words = f"layer {layer['name']!r} has no mapping on it ({type(error).__name__}): {why}"
            Path("result.json").write_text(json.dumps({"refused": words}), encoding="utf-8")
            return
        energy_pj, cycles, evaluated = answer
        found = evaluated[0][0]
        layers.append({"energy_pj": float(energy_pj), "latency_cycles": float(cycles), "mac_energy_pj": float(found.mac_energy)})
    multipliers = math.prod(accelerator["operational_array"]["sizes"])
    result = {"layers": layers, "multipliers": multipliers, "onchip_kib": bits_on_chip(accelerator) / 8192}
    Path("result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except SystemExit as ended:  # the library's doing: an exit code of 0 would look like success
        sys.exit(f"ZigZag ended its process with exit({ended.code!r})")
