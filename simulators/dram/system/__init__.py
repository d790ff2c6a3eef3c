"""Memory systems of several standards: bank groups, ranks, channels, address mappings, write draining, bank refreshes and power-down.

The controller of each channel is that of `designgym.simulators.dram`, whose arbiter, events and buffers are used as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.dram.system.config import MemorySystemConfig as MemorySystemConfig
    from designgym.simulators.dram.system.simulate import simulate_system as simulate_system
    from designgym.simulators.dram.system.simulator import MemorySystem as MemorySystem
    from designgym.simulators.dram.system.standard import STANDARDS as STANDARDS
    from designgym.simulators.dram.system.standard import MemoryStandard as MemoryStandard

_HOMES = {
    "MemoryStandard": "standard", "MemorySystem": "simulator", "MemorySystemConfig": "config", "STANDARDS": "standard",
    "simulate_system": "simulate",
}  # fmt: skip

__all__ = ["STANDARDS", "MemoryStandard", "MemorySystem", "MemorySystemConfig", "simulate_system"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
