"""The DRAM controller environments: ten parameters of a DDR3 controller, as in ArchGym (Krishnan et al., ISCA 2023).

``designgym/DramController-v0`` runs on our own simulator, ``designgym/DramControllerDramSys-v0`` on the user's DRAMSys program; same
space, workloads and objectives.
"""

from __future__ import annotations

import os
from typing import Any

from designgym.core.errors import InputError, shorten
from designgym.core.objectives import ArchGymReward, Objective, minimize, pareto
from designgym.core.protocols import Simulator
from designgym.core.registry import register
from designgym.core.workload import Workload
from designgym.envs.dram_validation import DramValidator
from designgym.simulators.dram.dramsys_binary import DramSysBinary
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.simulator import DramController, make_workload
from designgym.simulators.dram.workloads.library import available_workloads, find_workload

REFERENCE = {"total_time_ns": 500_000.0, "energy_pj": 500_000_000.0}
"""Reference point of the Pareto objective: a little worse than the worst design on any generated workload of 10,000 requests
(481,000 ns, 469,000,000 pJ). For much longer traces make an objective of your own with `designgym.pareto`."""

_POWER, _TIME = {"power_mw": 1.0}, {"total_time_ns": 0.1}  # ArchGym's targets: 1 W and 0.1 s
_WATT, _SECOND = {"power_mw": 1e-3}, {"total_time_ns": 1e-9}

OBJECTIVES: dict[str, Objective] = {
    "energy_delay": minimize("energy_pj * total_time_ns", name="energy_delay_pj_ns"),
    "low_latency": minimize("total_time_ns"),
    "low_energy": minimize("energy_pj"),
    "low_power": minimize("power_mw"),
    "pareto": pareto("total_time_ns", "energy_pj", reference=REFERENCE),
    # ArchGym's own rewards, for comparison with the paper. They prefer hitting a target to beating it, and 0.1 s is so far from
    # the time of these traces (about 0.0001 s) that the latency reward hardly tells designs apart: see `ArchGymReward`.
    "archgym_low_power": ArchGymReward(_POWER, _WATT),
    "archgym_low_latency": ArchGymReward(_TIME, _SECOND),
    "archgym_both": ArchGymReward(_POWER | _TIME, _WATT | _SECOND),
}


class DramWorkloads:
    """Generated traces by name, those found in the folders of ``DESIGNGYM_DATA``, and trace files by path."""

    def names(self) -> list[str]:
        """Return the names that can be had now."""
        return list(available_workloads())

    def get(self, name: str) -> Workload:
        """Return the trace of that name as a workload, marked as read-only if it is."""
        return make_workload(find_workload(name))


def make_controller(*, allow_no_refresh: bool = False, memory: str | os.PathLike[str] | None = None, threads: int = 1) -> DramController:
    """Return our own simulator; the options are those of the environment."""
    _require("allow_no_refresh", allow_no_refresh, bool, "true or false")
    _require("threads", threads, int, "a whole number")
    return DramController(_memory(memory), allow_no_refresh=allow_no_refresh, threads=threads)


def make_dramsys(
    *,
    path: str | os.PathLike[str] | None = None,
    allow_no_refresh: bool = False,
    memory: str | os.PathLike[str] | None = None,
    timeout_s: float = 300.0,
) -> Simulator:
    """Return the adapter of the user's DRAMSys program; the options are those of the environment."""
    _require("allow_no_refresh", allow_no_refresh, bool, "true or false")
    _require("path", path, str | os.PathLike | None, "the path of a program")
    _require("timeout_s", timeout_s, int | float, "a number of seconds")
    simulator = DramSysBinary(path, memory=_memory(memory), timeout_s=timeout_s, allow_no_refresh=allow_no_refresh)
    return simulator  # pyright: ignore[reportReturnType]  # its version is a cached property


def _require(option: str, value: object, kind: Any, words: str) -> None:
    """Refuse an option's value of another kind: options come from the command line and from files."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"option {option} must be {words}, got {shorten(value)}")


def _memory(path: str | os.PathLike[str] | None) -> MemorySpec | None:
    _require("memory", path, str | os.PathLike | None, "the path of a JSON file")
    return None if path is None else MemorySpec.load(os.fspath(path))


_SHARED_OPTIONS = {
    "allow_no_refresh": "true: designs that never refresh are legal, as in ArchGym (real DRAM would lose its data); default false",
    "memory": "path of a JSON file with organisation, timings and currents of another memory; default DDR3-1600",
}

register(
    "designgym/DramController-v0",
    make_controller,
    workloads=DramWorkloads(),
    objectives=OBJECTIVES,
    default_workload="cloud-like",
    description="DDR3 memory controller with ArchGym's ten parameters, simulated cycle by cycle",
    options=_SHARED_OPTIONS | {"threads": "designs of a batch that are simulated at a time; default 1"},
    validator=DramValidator(),
    functional="off",  # measured: a probe recognises next to nothing that the canonical key does not (docs/benchmarks.md)
)

register(
    "designgym/DramControllerDramSys-v0",
    make_dramsys,
    workloads=DramWorkloads(),
    objectives=OBJECTIVES,
    default_workload="cloud-like",
    description="The same memory controller on the user's DRAMSys 4.0 program",
    installed=lambda: DramSysBinary().installed(),
    options=_SHARED_OPTIONS
    | {
        "path": "path of the DRAMSys executable; default: the environment variable DESIGNGYM_DRAMSYS",
        "timeout_s": "seconds after which a run is stopped; default 300",
    },
    functional="off",
)
