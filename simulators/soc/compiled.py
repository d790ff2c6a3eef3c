"""How the functions of the simulation are compiled: they may make arrays."""

from __future__ import annotations

from pathlib import Path

from designgym.simulators import compiling
from designgym.simulators.compiling import Array
from designgym.simulators.compiling import allocating as compiled
from designgym.simulators.compiling import allocating_entry_point as entry_point

__all__ = ["Array", "compiled", "entry_point", "source_digest"]

_SOURCES = ("canonical", "compiled", "genome", "kernel", "schedule", "systems", "topology")


def source_digest() -> int:
    """Return a positive number that changes with any source file of the compiled code."""
    return compiling.source_digest(Path(__file__).parent, _SOURCES)
