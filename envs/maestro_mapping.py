"""``designgym/MaestroMapping-v0``: mappings of DNN layers onto PEs: ArchGym's 17 parameters on a model of our own, equal to MAESTRO's."""

from __future__ import annotations

from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.envs.maestro_validation import MaestroValidator
from designgym.simulators.accelerator.datacentric.maestro_binary import VARIABLE, MaestroBinary
from designgym.simulators.accelerator.datacentric.simulator import DEFAULT_LAYER, MaestroMapping
from designgym.simulators.accelerator.datacentric.workloads import make_workload
from designgym.simulators.accelerator.workloads import NetworkWorkloads

WORKLOADS = NetworkWorkloads(
    make_workload,
    (
        "resnet18/conv2_1", "resnet18/conv4_2", "resnet50/conv3_1_3", "vgg16/conv3_2", "alexnet/conv3", "mobilenetv2/block3_depthwise",
        "mobilenetv2/block3_expand",
    ),
)  # fmt: skip

AREA_MM2 = 50.0
"""Bound of the area-constrained objective; about 300 PEs."""

REFERENCE = {"latency_cycles": 300_000_000.0, "energy_nj": 600_000.0}
"""Reference point of the Pareto objective: a little worse than the worst of 500 random designs on the default layer. For networks and
larger layers make an objective of your own with `designgym.pareto`."""

OBJECTIVES: dict[str, Objective] = {
    "edp": minimize("energy_nj * latency_cycles", name="edp_nj_cycles"),
    "latency": minimize("latency_cycles"),
    "energy": minimize("energy_nj"),
    "area_constrained": minimize("latency_cycles", subject_to={"area_mm2": f"<= {AREA_MM2:g}"}),
    "pareto": pareto("latency_cycles", "energy_nj", reference=REFERENCE),
}

_SHARED_OPTIONS = {
    "layer": f"layer or network whose sizes bound the tiles: a name, or the path of a file; default {DEFAULT_LAYER}",
    "noc_bw": "elements per cycle between L2 and clusters, each way; default 64",
    "offchip_bw": "elements per cycle between DRAM and L2; default 16",
    "hop_latency": "cycles on the way through the network; default 1",
    "lanes": "multipliers of a PE; default 1",
}

register(
    "designgym/MaestroMapping-v0",
    MaestroMapping,
    workloads=WORKLOADS,
    objectives=OBJECTIVES,
    default_workload=DEFAULT_LAYER,
    description="Two-level mapping of a DNN layer or network onto an array of PEs, with ArchGym's 17 parameters, after MAESTRO",
    options=_SHARED_OPTIONS
    | {
        "accounting": "full (default), or as_printed: energy and strides as MAESTRO prints them, with its omissions",
        "device": "numpy (default), or a device of torch: cpu or cuda",
    },
    validator=MaestroValidator(),
    functional="off",  # an evaluation takes microseconds
)

register(
    "designgym/MaestroMappingMaestro-v0",
    MaestroBinary,
    workloads=WORKLOADS,
    objectives=OBJECTIVES,
    default_workload=DEFAULT_LAYER,
    description="The same mappings on the user's MAESTRO program",
    installed=lambda: MaestroBinary().installed(),
    options=_SHARED_OPTIONS
    | {
        "path": f"path of the MAESTRO executable; default: the environment variable {VARIABLE}",
        "timeout_s": "seconds after which a run is stopped; default 60",
    },
    functional="off",
)
