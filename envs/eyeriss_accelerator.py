"""``designgym/EyerissAccelerator-v0``: ArchGym's 26 Timeloop parameters (Krishnan et al., ISCA 2023) on our loop-nest model and mapper."""

from __future__ import annotations

from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.envs.eyeriss_validation import EyerissValidator
from designgym.simulators.accelerator.loopnest.accelerator import EyerissAccelerator, make_workload
from designgym.simulators.accelerator.loopnest.timeloop_binary import VARIABLE, TimeloopModel
from designgym.simulators.accelerator.workloads import NetworkWorkloads

REFERENCE = {"latency_ns": 2e10, "energy_uj": 2e6}
"""Reference point of the Pareto objective: a little worse than nearly all random designs on any of the built-in networks. For a single
layer make an objective of your own with `designgym.pareto`."""

OBJECTIVES: dict[str, Objective] = {
    "edp": minimize("edp_uj_ns"),
    "latency": minimize("latency_ns"),
    "energy": minimize("energy_uj"),
    "edp_in_10_mm2": minimize("edp_uj_ns", subject_to={"area_mm2": "<= 10"}),
    "edp_area": minimize("edp_uj_ns * area_mm2", name="edp_area_uj_ns_mm2"),
    "pareto": pareto("latency_ns", "energy_uj", reference=REFERENCE),
}

WORKLOADS = NetworkWorkloads(
    make_workload, ("resnet18/conv2_1", "resnet18/conv3_1", "alexnet/conv3", "vgg16/conv3_2", "mobilenetv2/block2_depthwise")
)


_SHARED_OPTIONS = {
    "mapper_goal": "what mappings are chosen for: latency, energy or edp; default edp",
    "mapper_evaluations": "mappings that are evaluated per layer; default 2000",
    "mapper_seed": "seed of the mapper; default 0",
    "clock_ghz": "clock; default 1",
}

register(
    "designgym/EyerissAccelerator-v0",
    EyerissAccelerator,
    workloads=WORKLOADS,
    objectives=OBJECTIVES,
    default_workload="resnet18/conv2_1",
    description="DNN accelerator like Eyeriss with ArchGym's 26 Timeloop parameters, each design with the mappings found for it",
    options=_SHARED_OPTIONS
    | {
        "energies": "timeloop (its built-in table, the default) or cacti (a power law at the node)",
        "node_nm": "technology node of areas, and of cacti's energies; default 45",
    },
    validator=EyerissValidator(),
    functional="off",  # there is no probe: what a design does is only seen once it is mapped
)

register(
    "designgym/EyerissAcceleratorTimeloop-v0",
    TimeloopModel,
    workloads=WORKLOADS,
    objectives=OBJECTIVES,
    default_workload="resnet18/conv2_1",
    description="The same hardware with the same mappings on the user's timeloop-model program",
    installed=lambda: TimeloopModel().installed(),
    options=_SHARED_OPTIONS
    | {
        "node_nm": "technology node of areas; default 45",
        "path": f"path of the executable timeloop-model; default: the environment variable {VARIABLE}",
        "timeout_s": "seconds after which a run is stopped; default 60",
    },
    functional="off",
)
