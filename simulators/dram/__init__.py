"""Memory controllers: our own simulation, exact to the cycle, and the user's DRAMSys program behind the same space and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.dram.dramsys_binary import DramSysBinary as DramSysBinary
    from designgym.simulators.dram.memory import MemorySpec as MemorySpec
    from designgym.simulators.dram.simulator import DramController as DramController
    from designgym.simulators.dram.simulator import make_workload as make_workload
    from designgym.simulators.dram.trace import Trace as Trace

_HOMES = {
    "DramController": "simulator", "DramSysBinary": "dramsys_binary", "MemorySpec": "memory", "Trace": "trace",
    "make_workload": "simulator",
}  # fmt: skip

__all__ = ["DramController", "DramSysBinary", "MemorySpec", "Trace", "make_workload"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
