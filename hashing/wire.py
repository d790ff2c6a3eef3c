"""How results travel to and from the actor of a `SharedCache`: as tuples, which Ray pickles ten times as fast as objects of our classes."""

from __future__ import annotations

from typing import Any

from designgym.core.metrics import Metrics
from designgym.core.protocols import Lookup
from designgym.hashing.local_cache import BUSY

PackedMetrics = tuple[Any, ...]  # the fields of `Metrics`
PackedLookup = tuple[Any, ...] | None  # None: busy; token and measurements: reserved; packed metrics: a hit

RESERVED_FIELDS = 2


def pack(metrics: Metrics) -> PackedMetrics:
    """Return metrics as a tuple."""
    return dict(metrics.values), metrics.status, metrics.reasons, metrics.error, metrics.cost_s


def unpack(packed: PackedMetrics) -> Metrics:
    """Return the metrics of `pack`."""
    return Metrics(*packed)


def pack_lookup(answer: Lookup) -> PackedLookup:
    """Return an answer as a tuple, or None."""
    if answer.metrics is not None:
        return pack(answer.metrics)
    return None if answer.kind == "busy" else (answer.token, answer.measurements)


def unpack_lookup(packed: PackedLookup) -> Lookup:
    """Return the answer of `pack_lookup`."""
    if packed is None:
        return BUSY
    if len(packed) == RESERVED_FIELDS:
        return Lookup("reserved", None, *packed)
    return Lookup("hit", unpack(packed))
