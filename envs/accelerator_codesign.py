"""``designgym/AcceleratorCodesign-v0``: hardware for a whole network, each layer with the best mapping known for it."""

from __future__ import annotations

from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.simulators.accelerator.codesign.simulator import AcceleratorCodesign
from designgym.simulators.accelerator.workloads import NetworkWorkloads

AREA_MM2 = 2.5
"""Bound of the area-constrained objectives: a little more than an Eyeriss-like chip's 2.2 mm² at the default node."""

REFERENCE = {"latency_ns": 5e8, "energy_pj": 1e11}
"""Reference point of the Pareto objective: worse than nearly all random designs on ResNet-18. For much larger or smaller networks make
an objective of your own with `designgym.pareto`."""

OBJECTIVES: dict[str, Objective] = {
    "edp": minimize("edp_pj_ns"),
    "latency": minimize("latency_ns"),
    "energy": minimize("energy_pj"),
    "edp_in_area": minimize("edp_pj_ns", subject_to={"area_mm2": f"<= {AREA_MM2}"}, name="edp_in_area_pj_ns"),
    "latency_in_area": minimize("latency_ns", subject_to={"area_mm2": f"<= {AREA_MM2}"}, name="latency_in_area_ns"),
    "pareto": pareto("latency_ns", "energy_pj", reference=REFERENCE),
    "pareto_area": pareto(
        "edp_pj_ns", "area_mm2", reference={"edp_pj_ns": REFERENCE["latency_ns"] * REFERENCE["energy_pj"], "area_mm2": 50.0}
    ),
}

register(
    "designgym/AcceleratorCodesign-v0",
    AcceleratorCodesign,
    workloads=NetworkWorkloads(),
    objectives=OBJECTIVES,
    default_workload="resnet18",
    description="Hardware of a DNN accelerator for a whole network: dataflow, array, buffers, bandwidths; layers are mapped by a mapper",
    options={
        "mapper_goal": "what mappings are chosen for: latency, energy or edp; default edp",
        "mapper_evaluations": "mappings per layer and kind of machine, once for all sizes; default 4000 (row_stationary: six times that)",
        "mapper_seed": "seed of the mapper; default 0",
        "mapper_scope": "kind (default): one search of mappings for all machines of a dataflow; or machine: one for each, slow and better",
        "energies": "cacti (a power law at the node, the default) or timeloop (its built-in table)",
        "node_nm": "technology node of areas, and of cacti's energies; default 45",
        "clock_ghz": "clock; default 1",
        "dram_words_per_cycle": "bandwidth of DRAM, reading and writing each, if it is given and no parameter",
        "mapping": "inner (default): chosen by the mapper; outer: part of the design, with parameters for each layer of network=",
        "network": "network whose layers have parameters, with mapping=outer: a name or the path of a file",
    },
    functional="off",  # there is no probe: choosing a mapping takes a fraction of a millisecond
)
