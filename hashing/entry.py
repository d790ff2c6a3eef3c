"""One entry of the equivalence cache: the running mean and spread of the measurements of one behaviour."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any, cast

from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, Status

SLOT_BYTES = 210  # one slot of an ordered dict with its link, at the usual load, and the entry's own numbers (tested against tracemalloc)
FLOAT_BYTES = 24
ALIAS_BYTES = 180  # slot of an ordered dict; the two key strings come on top


class Entry:
    """Running mean (Welford) over measurements; ``count`` is 0 for a result that was forgotten.

    Attributes:
        metrics: What is served: the mean of all measurements, or ``infeasible`` if any measurement was.
        count: Measurements that the mean is over.
        taken: Measurements ever made, forgotten ones included: it picks the seed of the next one, so that a forgotten lucky score is not
            drawn again.
        served: How often the result was served since it was last measured.
        size: Estimated bytes in memory.
    """

    __slots__ = ("_squares", "count", "metrics", "served", "size", "taken")

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.count = self.taken = self.served = self.size = 0
        self._squares: dict[str, float] = {}  # sums of squared deviations, kept from the second measurement on

    def add(self, metrics: Metrics) -> None:
        """Add a measurement. The result does not depend on the order in which feasible and infeasible ones come.

        Raises:
            InputError: If it has other metrics than the earlier ones.
        """
        old = self.metrics
        if self.count and old.ok and metrics.ok and old.values.keys() != metrics.values.keys():
            raise InputError(f"measurements of one key have other metrics: {sorted(old.values)} and then {sorted(metrics.values)}")
        self.taken += 1
        self.count += 1
        self.served = 0
        if self.count == 1 or (self.metrics.ok and not metrics.ok):
            self.metrics, self._squares = metrics, {}
        elif metrics.ok and self.metrics.ok:
            self._average(metrics)

    def _average(self, metrics: Metrics) -> None:
        n, old = self.count, self.metrics
        means: dict[str, float] = {}
        for name, mean in old.values.items():
            delta = metrics.values[name] - mean
            means[name] = mean + delta / n
            self._squares[name] = self._squares.get(name, 0.0) + delta * (metrics.values[name] - means[name])
        self.metrics = replace(old, values=means, cost_s=old.cost_s + (metrics.cost_s - old.cost_s) / n)

    def forget(self) -> None:
        """Drop the result, but not how many measurements were made."""
        self.metrics, self.count, self.served, self._squares = Metrics(), 0, 0, {}

    def spread(self) -> dict[str, float]:
        """Return the sample standard deviation of each metric, 0 for a single measurement."""
        n = max(self.count - 1, 1)
        return {name: math.sqrt(max(self._squares.get(name, 0.0), 0.0) / n) for name in self.metrics.values}

    def measure_size(self, key: str) -> int:
        """Return the bytes that this entry takes in memory, its key included."""
        metrics = self.metrics
        size = SLOT_BYTES + sys.getsizeof(key) + sys.getsizeof(metrics) + sys.getsizeof(metrics.__dict__) + FLOAT_BYTES
        size += sys.getsizeof(metrics.values) + FLOAT_BYTES * len(metrics.values) + sum(map(sys.getsizeof, metrics.reasons))
        return size + sys.getsizeof(self._squares) + FLOAT_BYTES * len(self._squares)

    def to_json(self, key: str) -> dict[str, Any]:
        """Return the entry, with its key, as JSON data."""
        metrics = self.metrics
        return {
            "key": key, "status": metrics.status, "values": dict(metrics.values), "reasons": list(metrics.reasons),
            "cost_s": metrics.cost_s, "squares": dict(self._squares), "count": self.count, "taken": self.taken, "served": self.served,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Any) -> tuple[str, Entry]:
        """Return the key and the entry of `to_json`; raises `InputError` for other data."""
        entry = cls()
        try:
            status, values, squares = data["status"], dict(data["values"]), dict(data["squares"])
            entry.count, entry.taken, entry.served = (int(data[name]) for name in ("count", "taken", "served"))
            numbers = [float(x) for x in (*values.values(), *squares.values(), data["cost_s"])]
            if status not in ("ok", "infeasible") or not 0 <= entry.count <= entry.taken or not all(map(math.isfinite, numbers)):
                raise ValueError(status)
            entry.metrics = Metrics(values, cast(Status, status), tuple(map(str, data["reasons"])), "", float(data["cost_s"]))
            entry._squares = squares
            return str(data["key"]), entry
        except (KeyError, TypeError, ValueError):
            raise InputError(f"not an entry of an equivalence cache: {shorten(data)}; expected what LocalCache.snapshot writes") from None
