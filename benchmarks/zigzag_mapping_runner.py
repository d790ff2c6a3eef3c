"""Asks ZigZag for its best mapping of a layer: a script for a Python that has ZigZag; reads ``job.json``, writes ``result.json``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import yaml
from zigzag.api import get_hardware_performance_zigzag  # pyright: ignore[reportMissingImports]

job = json.loads(Path("job.json").read_text(encoding="utf-8"))
for name in ("accelerator", "mapping"):
    Path(f"{name}.yaml").write_text(yaml.safe_dump(job[name], sort_keys=False), encoding="utf-8")
started = time.perf_counter()
energy_pj, cycles, evaluated = get_hardware_performance_zigzag(
    workload=[job["layer"]], accelerator="accelerator.yaml", mapping="mapping.yaml", opt="EDP", dump_folder="out",
    pickle_filename="out/all.pickle", loma_show_progress_bar=False,
)  # fmt: skip
found = evaluated[0][1][0][0]
(spatial,) = {
    json.dumps([(str(dim), n) for level in levels for dim, n in level])
    for levels in found.mapping.spatial_mapping.mapping_dict_origin.values()
}
answer = {
    "energy_pj": float(energy_pj),
    "cycles": float(cycles),
    "seconds": time.perf_counter() - started,
    "temporal": {
        str(operand): [[(str(dim), n) for dim, n in level] for level in levels]
        for operand, levels in found.mapping.temporal_mapping.mapping_dic_origin.items()
    },
    "spatial": json.loads(spatial),
}
Path("result.json").write_text(json.dumps(answer), encoding="utf-8")
