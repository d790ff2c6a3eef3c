"""``designgym/ZigZag-v0``: DNN accelerators on the user's ZigZag, the Python package (Mei et al., IEEE Transactions on Computers 2021)."""

from __future__ import annotations

from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.envs.eyeriss_accelerator import WORKLOADS
from designgym.simulators.accelerator.external.zigzag import PACKAGE, ZigZag

REFERENCE = {"latency_cycles": 1e7, "energy_pj": 3e9}
"""Reference point of the Pareto objective: worse than any of 24 random designs on the default layer."""

OBJECTIVES: dict[str, Objective] = {
    "edp": minimize("energy_pj * latency_cycles", name="edp_pj_cycles"),
    "latency": minimize("latency_cycles"),
    "energy": minimize("energy_pj"),
    "edp_in_1_mib": minimize(
        "energy_pj * latency_cycles", subject_to={"onchip_kib": "<= 1024", "multipliers": "<= 1024"}, name="edp_in_1_mib"
    ),
    "pareto": pareto("latency_cycles", "energy_pj", reference=REFERENCE),
}

register(
    "designgym/ZigZag-v0",
    ZigZag,
    workloads=WORKLOADS,
    objectives=OBJECTIVES,
    default_workload="resnet18/conv2_1",
    description="DNN accelerators like TPU, Eyeriss and others with factors on arrays, buffers and bandwidths, on the package ZigZag",
    installed=lambda: ZigZag().installed(),
    options={
        "goal": "what mappings are chosen for: EDP (default), energy or latency",
        "lpf_limit": "prime factors that loops are split into at most when mappings are searched; default 6",
        "python": f"path of a Python that has zigzag-dse; default: the environment variable {PACKAGE.variable}, else our own",
        "timeout_s": "seconds after which a design's run is stopped; default 1800",
    },
    functional="off",
)
