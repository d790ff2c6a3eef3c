"""``designgym/EyerissAccelerator-v0``: ArchGym's 26 Timeloop parameters (Krishnan et al., ISCA 2023) on our loop-nest model and mapper."""

from __future__ import annotations

import os

from designgym.core.errors import UnknownNameError
from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.core.workload import Workload
from designgym.envs.eyeriss_validation import EyerissValidator
from designgym.simulators.accelerator.loopnest.accelerator import EyerissAccelerator, make_workload
from designgym.simulators.accelerator.loopnest.network_table import read_network
from designgym.simulators.accelerator.loopnest.timeloop_binary import VARIABLE, TimeloopModel
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import NETWORKS, layer, network

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

LAYERS = ("resnet18/conv2_1", "resnet18/conv3_1", "alexnet/conv3", "vgg16/conv3_2", "mobilenetv2/block2_depthwise")
"""Single layers that are listed by name; any other layer of a network goes by ``network/layer`` too."""


class NetworkWorkloads:
    """Built-in networks, their layers as ``network/layer``, and files of the user's own by path."""

    def names(self) -> list[str]:
        """Return the listed layers and all built-in networks."""
        return [*LAYERS, *NETWORKS]

    def get(self, name: str) -> Workload:
        """Return a network or a layer; raises `UnknownNameError` if there is neither, nor a file of that name."""
        if name in NETWORKS:
            return make_workload(network(name))
        of, slash, single = name.partition("/")
        if slash and of in NETWORKS:
            return make_workload(Network(name, ((layer(of, single), 1),)))
        if os.path.isfile(name):
            return make_workload(read_network(name))
        raise UnknownNameError("workload", name, self.names(), "(also any NETWORK/LAYER, or the path of a CSV file with a layer per line)")


_SHARED_OPTIONS = {
    "mapper_goal": "what mappings are chosen for: latency, energy or edp; default edp",
    "mapper_evaluations": "mappings that are evaluated per layer; default 2000",
    "mapper_seed": "seed of the mapper; default 0",
    "clock_ghz": "clock; default 1",
}

register(
    "designgym/EyerissAccelerator-v0",
    EyerissAccelerator,
    workloads=NetworkWorkloads(),
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
    workloads=NetworkWorkloads(),
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
