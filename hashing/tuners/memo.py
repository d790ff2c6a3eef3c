"""`Memo`: values by the behaviour that they are of, whatever tuner asks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from designgym.core.errors import InputError, shorten
from designgym.core.fingerprint import Fingerprint, fingerprint
from designgym.core.metrics import Metrics, is_number
from designgym.core.protocols import EquivalenceCache, Lookup
from designgym.core.space import DesignSpace
from designgym.hashing.local_cache import LocalCache

WAIT_S = 5.0  # longest sleep on another asker's measurement before looking again
EXACT_BITS = 52

Value = float | tuple[float, ...] | dict[str, float]
KeyOf = Callable[..., Any] | DesignSpace | None


@dataclass
class Counts:
    """What was asked for and what it took."""

    asked: int = 0
    measured: int = 0
    duplicates: int = 0


class Memo:
    """Looks values up by key, and measures under a reservation what is not known, so that threads measure no behaviour twice.

    Args:
        name: What the values are of; with ``version``, part of every key.
        key: How equivalent candidates are recognised; see `key_text`.
        version: Raise it when what is measured changes.
        cache: Where values are kept; a `LocalCache` with ``options`` unless given.
        **options: Options of `LocalCache`: measurements, forget, max_bytes ...

    Raises:
        InputError: If a cache is given together with options, or without a name of one's own.
    """

    def __init__(self, name: str, key: KeyOf, *, version: str = "1", cache: EquivalenceCache | None = None, **options: Any) -> None:
        if cache is not None and options:
            raise InputError(
                f"got cache= and {sorted(options)}: these are options of a cache that is made here, leave one or the other out"
            )
        if cache is not None and not name:
            raise InputError("a cache may be shared with other functions: give name=, which keeps their values apart")
        if not (key is None or callable(key) or isinstance(key, DesignSpace)):
            raise InputError(f"key is {shorten(key)}, expected a function, a DesignSpace, or None for the candidates themselves")
        self.name, self.key, self.version = name, key, version
        self._options = None if cache is not None else options
        self.cache: EquivalenceCache = LocalCache(**options) if cache is None else cache
        self.counts = Counts()
        self._prefix = blake3(f"tuner:{name}:{version}:".encode())

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles search algorithms: a cache of our own goes along with its results, another one as it pickles itself."""
        own = self.cache.snapshot() if self._options is not None and isinstance(self.cache, LocalCache) else None
        cache = self.cache if own is None else None
        return _rebuild, (self.name, self.key, self.version, cache, self._options or {}, own, self.counts)

    def key_text(self, *candidate: Any, **named: Any) -> str:
        """Return the cache key of a candidate.

        With a `DesignSpace`, that of its canonical design. With a function, that of what it returns for the candidate: anything that
        `fingerprint` takes, or a `Fingerprint` such as `functional_hash` gives. With None, that of the candidate itself.
        """
        if isinstance(self.key, DesignSpace):
            given = named if not candidate else candidate[0]
            answer: Any = self.key.canonical(self.key.validate(given)).literal
        else:
            answer = (candidate, named) if self.key is None else self.key(*candidate, **named)
        if not isinstance(answer, Fingerprint):
            return self._hashed(fingerprint(answer, mantissa_bits=EXACT_BITS, atol=0.0).key)
        key, alternate = self._hashed(answer.key), self._hashed(answer.alternate)
        if self.cache.peek([key])[0] is None and (twin := self.cache.resolve([alternate])[0]) is not None:
            return twin  # equal but for rounding, on two sides of an edge of the first grid
        self.cache.link({alternate: key})
        return key

    def get(self, key: str, measure: Callable[[], Value]) -> tuple[Value, bool]:
        """Return the key's value and whether it was known; what ``measure`` raises is raised here and remembered by nobody."""
        self.counts.asked += 1
        while (answer := self.reserve(key)).kind == "busy":
            self.cache.wait(key, WAIT_S)
        if answer.metrics is not None:
            self.counts.duplicates += 1
            return from_metrics(answer.metrics), True
        filled = False
        try:
            began = time.perf_counter()
            metrics = to_metrics(measure(), time.perf_counter() - began)
            self.counts.measured += 1
            [mean] = self.cache.fill([(key, answer.token, metrics)])
            filled = True
        finally:
            if not filled:
                self.cache.fail({key: answer.token})
        return from_metrics(mean), False

    def reserve(self, key: str) -> Lookup:
        """Return the cache's answer for one key."""
        return self.cache.lookup([key])[0]

    def _hashed(self, content: bytes) -> str:
        hasher = self._prefix.copy()
        hasher.update(content)
        return hasher.hexdigest(length=16)


def to_metrics(value: Any, cost_s: float = 0.0) -> Metrics:
    """Return a value as it is cached: a number, a sequence of numbers, or numbers by name; infinities and NaN as well.

    Raises:
        InputError: For another value.
    """
    if isinstance(value, Mapping):
        items = {f"={name}": number for name, number in value.items()}
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = {f"[{i}]": number for i, number in enumerate(value)}
    else:
        items = {"value": value}
    values: dict[str, float] = {}
    for name, number in items.items():
        if not (is_number(number) or (isinstance(number, float) and not math.isfinite(number))):
            raise InputError(
                f"cannot remember {shorten(value)}: expected a number, a sequence of numbers, or a mapping of names to numbers"
            )
        values[name] = float(number)
    return Metrics(values, cost_s=cost_s)


def from_metrics(metrics: Metrics) -> Value:
    """Return the value that `to_metrics` was given, whole numbers as floats."""
    values = dict(metrics.values)
    if values.keys() == {"value"}:
        return values["value"]
    if not values or next(iter(values)).startswith("["):
        return tuple(values.values())
    return {name[1:]: number for name, number in values.items()}


def _rebuild(name: str, key: KeyOf, version: str, cache: Any, options: dict[str, Any], results: Any, counts: Counts) -> Memo:
    memo = Memo(name, key, version=version, cache=cache, **options)
    if results is not None and isinstance(memo.cache, LocalCache):
        memo.cache.load(results)
    memo.counts = counts
    return memo
