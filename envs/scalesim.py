"""``designgym/ScaleSim-v0``: systolic arrays on the user's SCALE-Sim, the Python package (Samajdar et al., ISPASS 2020)."""

from __future__ import annotations

from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.envs.eyeriss_accelerator import WORKLOADS
from designgym.simulators.accelerator.external.scalesim import PACKAGE, ScaleSim

REFERENCE = {"latency_cycles": 5e7, "dram_accesses": 5e7}
"""Reference point of the Pareto objective: worse than any of 16 random designs on the default layer."""

OBJECTIVES: dict[str, Objective] = {
    "latency": minimize("latency_cycles"),
    "small": minimize("latency_cycles", subject_to={"pes": "<= 1024", "sram_kib": "<= 192"}),
    "traffic": minimize("dram_accesses"),
    "pareto": pareto("latency_cycles", "dram_accesses", reference=REFERENCE),
}

register(
    "designgym/ScaleSim-v0",
    ScaleSim,
    workloads=WORKLOADS,
    objectives=OBJECTIVES,
    default_workload="mobilenetv2/block2_depthwise",
    description="Systolic arrays with three dataflows and three SRAMs, simulated cycle by cycle by the package SCALE-Sim",
    installed=lambda: ScaleSim().installed(),
    options={
        "interface": "given (default): bandwidths to DRAM are parameters; calculated: they are what is needed",
        "python": f"path of a Python that has scalesim; default: the environment variable {PACKAGE.variable}, else our own",
        "timeout_s": "seconds after which a design's run is stopped; default 1800",
    },
    functional="off",
)
