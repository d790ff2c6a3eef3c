"""Which files the compiled simulation is made of."""

from __future__ import annotations

from pathlib import Path

from designgym.simulators import compiling
from designgym.simulators.serving import compiled as serving

_SOURCES = ("autoscaling", "batching", "compiled", "event_queue", "iteration_time", "kernel", "machine", "placement", "state", "waiting")


def source_digest() -> int:
    """Return a positive number that changes with any source file of the compiled code."""
    return compiling.source_digest(Path(__file__).parent, _SOURCES) ^ serving.source_digest() | 1
