"""Which files the compiled simulation is made of."""

from __future__ import annotations

from pathlib import Path

from designgym.simulators import compiling

_SOURCES = (
    "block_pool",
    "classic_schedulers",
    "compiled",
    "kernel",
    "state",
    "step_costs",
    "vllm_output",
    "vllm_scheduler",
    "waiting_queue",
)


def source_digest() -> int:
    """Return a positive number that changes with any source file of the compiled code."""
    return compiling.source_digest(Path(__file__).parent, _SOURCES)
