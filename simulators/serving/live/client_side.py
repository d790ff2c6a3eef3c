"""Parameters of designs that a client decides on: they never take a start of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designgym.core.discrete import Ordinal, PowerOfTwo
from designgym.simulators.serving.request_trace import RequestTrace

__all__ = ["CLIENT_SIDE", "MAX_CONCURRENCY", "RATE_FACTOR", "as_sent"]

MAX_CONCURRENCY = PowerOfTwo(1, 1024, default=1024, unit="requests")
"""Most requests that the client has under way; more wait on its side."""

RATE_FACTOR = Ordinal(0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, default=1.0)
"""How many times as fast as in the workload requests arrive."""

CLIENT_SIDE = ("max_concurrency", "rate_factor")


def as_sent(trace: RequestTrace, design: Mapping[str, Any]) -> RequestTrace:
    """Return the requests as the client of a design sends them."""
    if "rate_factor" in design and not trace.users:
        trace = trace.faster(design["rate_factor"])
    if "max_concurrency" in design:
        limits = (design["max_concurrency"], trace.max_concurrency or design["max_concurrency"])
        trace = trace.limited(min(limits))
    return trace
