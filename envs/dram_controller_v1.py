"""The memory system environment ``designgym/DramController-v1``: v0's ten parameters, the memory, its address mapping and power-down."""

from __future__ import annotations

from designgym.core.errors import InputError, shorten
from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.envs.dram_controller import DramWorkloads
from designgym.simulators.dram.system.simulator import MemorySystem

REFERENCE = {"total_time_ns": 2_000_000.0, "energy_pj": 2_000_000_000.0}
"""Reference point of the Pareto objective: worse than any design on any generated workload of 10,000 requests."""

OBJECTIVES: dict[str, Objective] = {
    "energy_delay": minimize("energy_pj * total_time_ns", name="energy_delay_pj_ns"),
    "low_latency": minimize("latency_from_arrival_avg_ns"),
    "low_time": minimize("total_time_ns"),
    "low_energy": minimize("energy_pj"),
    "low_power": minimize("power_mw"),
    "pareto": pareto("total_time_ns", "energy_pj", reference=REFERENCE),
}


def make_system(*, allow_no_refresh: bool = False, threads: int = 1) -> MemorySystem:
    """Return the simulator; the options are those of the environment."""
    for option, value, kind, words in (
        ("allow_no_refresh", allow_no_refresh, bool, "true or false"),
        ("threads", threads, int, "a whole number"),
    ):
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InputError(f"option {option} must be {words}, got {shorten(value)}")
    return MemorySystem(allow_no_refresh=allow_no_refresh, threads=threads)


register(
    "designgym/DramController-v1",
    make_system,
    workloads=DramWorkloads(),
    objectives=OBJECTIVES,
    default_workload="mixed",
    description="Memory systems from DDR3 to HBM2: controller, memory standard, address mapping, write draining, refresh and power-down",
    options={
        "allow_no_refresh": "true: designs that never refresh are legal (real DRAM would lose its data); default false",
        "threads": "designs of a batch that are simulated at a time; default 1",
    },
    functional="off",  # as for v0: a probe would recognise next to nothing that the canonical key does not
)
