"""Memory systems: ``designgym/DramController-v1`` on our own simulator, ``DramControllerRamulator2-v1`` on the user's Ramulator 2.

v1 has v0's ten parameters and adds the memory, its address mapping, write draining and power-down; Ramulator has a part of that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from designgym.core.errors import InputError, shorten
from designgym.core.objectives import Objective, maximize, minimize, pareto
from designgym.core.protocols import Simulator
from designgym.core.registry import register
from designgym.envs.dram_controller import DramWorkloads
from designgym.envs.dram_peers_validation import MemorySystemValidator
from designgym.simulators.dram.system.ramulator2 import Ramulator2
from designgym.simulators.dram.system.simulator import MemorySystem
from designgym.simulators.dram.system.standard import STANDARDS

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


def make_system(*, memory: str | Sequence[str] = STANDARDS, allow_no_refresh: bool = False, threads: int = 1) -> MemorySystem:
    """Return the simulator; the options are those of the environment."""
    memories = [name.strip() for name in memory.split(",")] if isinstance(memory, str) else memory
    if not isinstance(memories, Sequence) or not all(isinstance(name, str) for name in memories):
        raise InputError(f"option memory must be the name of a memory, or several, got {shorten(memory)}")
    _require("allow_no_refresh", allow_no_refresh, bool, "true or false")
    _require("threads", threads, int, "a whole number")
    return MemorySystem(memories=tuple(memories), allow_no_refresh=allow_no_refresh, threads=threads)


def make_ramulator2(
    *, path: str | os.PathLike[str] | None = None, python: str | os.PathLike[str] | None = None, timeout_s: float = 300.0
) -> Simulator:
    """Return the adapter of the user's Ramulator 2; the options are those of the environment."""
    _require("path", path, str | os.PathLike | None, "the path of a folder")
    _require("python", python, str | os.PathLike | None, "the path of a program")
    _require("timeout_s", timeout_s, int | float, "a number of seconds")
    simulator = Ramulator2(path, python=python, timeout_s=timeout_s)
    return simulator  # pyright: ignore[reportReturnType]  # its version is a cached property


class SaturatingWorkloads(DramWorkloads):
    """The generated traces without pauses, which are all that Ramulator's trace format can express; others are found by name."""

    def names(self) -> list[str]:
        """Return their names."""
        return ["stream-like", "random-like", "cloud-like", "strided", "mixed"]


def _require(option: str, value: object, kind: Any, words: str) -> None:
    """Refuse an option's value of another kind: options come from the command line and from files."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"option {option} must be {words}, got {shorten(value)}")


register(
    "designgym/DramController-v1",
    make_system,
    workloads=DramWorkloads(),
    objectives=OBJECTIVES,
    default_workload="mixed",
    description="Memory systems from DDR3 to HBM2: controller, memory standard, address mapping, write draining, refresh and power-down",
    options={
        "memory": f"memories to choose from, separated by commas; default all: {', '.join(STANDARDS)}",
        "allow_no_refresh": "true: designs that never refresh are legal (real DRAM would lose its data); default false",
        "threads": "designs of a batch that are simulated at a time; default 1",
    },
    validator=MemorySystemValidator(),
    functional="off",  # as for v0: a probe would recognise next to nothing that the canonical key does not
)

register(
    "designgym/DramControllerRamulator2-v1",
    make_ramulator2,
    workloads=SaturatingWorkloads(),
    objectives={
        "low_time": minimize("total_time_ns"),
        "low_latency": minimize("latency_from_accept_avg_ns"),
        "high_bandwidth": maximize("bandwidth_gbps"),
    },
    default_workload="mixed",
    description="DDR3, DDR4 and DDR5 memory systems on the user's Ramulator 2.1: the part of DramController-v1 that it has",
    installed=lambda: Ramulator2().installed(),
    options={
        "path": "folder of a built Ramulator 2.1; default: the environment variable DESIGNGYM_RAMULATOR2",
        "python": "the Python that it was built for; default: the one that runs this",
        "timeout_s": "seconds after which a run is stopped; default 300",
    },
    functional="off",
)
