"""`Memo`: values by the behaviour that they are of, whatever tuner asks."""

from __future__ import annotations

import json
import math
import numbers
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from blake3 import blake3

from designgym.core.errors import InputError, shorten
from designgym.core.fingerprint import Fingerprint, fingerprint
from designgym.core.metrics import Metrics
from designgym.core.protocols import EquivalenceCache, Lookup
from designgym.core.space import DesignSpace
from designgym.hashing.local_cache import LocalCache, check_options

WAIT_S = 5.0  # longest sleep on another asker's measurement before looking again
EXACT_BITS = 52
TWINS_KEPT = 10_000  # alternates of fingerprints whose value may still be on its way

Value = float | tuple[float, ...] | dict[str, float]
KeyOf = Callable[..., Any] | DesignSpace | None


@dataclass
class Counts:
    """What was asked for and what it took.

    Attributes:
        asked: Candidates.
        measured: Values that were measured.
        duplicates: Candidates that needed no measurement; what failed is neither.
    """

    asked: int = 0
    measured: int = 0
    duplicates: int = 0


class Memoised(Protocol):
    """A function whose values are remembered."""

    memo: Memo

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return the value, measured or remembered."""
        ...


class Memo:
    """Looks values up by key, and measures under a reservation what is not known, so that threads measure no behaviour twice.

    Another process gets a copy when it is sent one, with the results of a `LocalCache`; a `SharedCache` stays one and the same.

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
        if not isinstance(name, str):
            raise InputError(f"name is {shorten(name)}, expected a text that keeps these values apart from others")
        check_options(options)
        if cache is not None and not all(hasattr(cache, method) for method in ("lookup", "fill", "fail", "wait", "peek", "resolve")):
            raise InputError(
                f"cache is {shorten(cache)}, expected a LocalCache or a SharedCache of designgym.hashing, or None for one of its own"
            )
        self.name, self.key, self.version = name, key, str(version)
        # no lease: who reserves in this process gives back, however many hours a measurement takes
        given: dict[str, Any] = {"lease_s": math.inf, **options}
        self.cache: EquivalenceCache = LocalCache(**given) if cache is None else cache
        self.counts = Counts()
        self._prepare()

    def _prepare(self) -> None:
        self._prefix = blake3(json.dumps(["tuner", self.name, self.version]).encode())
        self._lock = threading.Lock()
        self._measuring = threading.local()
        self._twins: OrderedDict[str, str] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another process."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what came from another process."""
        vars(self).update(state)
        self._prepare()

    # ---- keys -----------------------------------------------------------------------------------------------------------

    def key_text(self, *candidate: Any, **named: Any) -> str:
        """Return the cache key of a candidate.

        With a `DesignSpace`, that of the canonical form of the design among the candidate's named values. With a function, that of what
        it returns for the candidate: anything that `fingerprint` takes, or a `Fingerprint` such as `functional_hash` gives. With None,
        that of the candidate itself.

        Raises:
            InputError: If that is something that has no fingerprint.
        """
        if isinstance(self.key, DesignSpace):
            return self.text_of(design_form(self.key, *candidate, **named))
        return self.text_of(self.key(*candidate, **named) if self.key is not None else (candidate, named))

    def text_of(self, answer: Any) -> str:
        """Return the cache key of what stands for a behaviour."""
        if isinstance(answer, Fingerprint):
            return self._tolerant(self._hashed(answer.key), self._hashed(answer.alternate))
        try:
            return self._hashed(fingerprint(_exactly(answer), mantissa_bits=EXACT_BITS, atol=0.0).key)
        except InputError as error:
            raise InputError(
                f"no key for {self.name or 'a candidate'}: {error}. Give key=, a function of the candidate, or of all arguments, self of "
                "a method included, that returns numbers and texts which stand for its behaviour"
            ) from None

    def _tolerant(self, key: str, alternate: str) -> str:
        """Return the key under which an answer that is equal but for rounding is known or being measured, or else its own."""
        if self.cache.peek([key])[0] is None:
            # one that lies on the other side of an edge of the first grid; known to all who share the cache, or under way here
            twin = self.cache.resolve([alternate])[0]
            with self._lock:
                twin = twin or self._twins.setdefault(alternate, key)
                while len(self._twins) > TWINS_KEPT:
                    self._twins.popitem(last=False)
            if twin != key:
                return twin
        self.cache.link({alternate: key})
        return key

    def _hashed(self, content: bytes) -> str:
        hasher = self._prefix.copy()
        hasher.update(content)
        return hasher.hexdigest(length=16)

    # ---- values ---------------------------------------------------------------------------------------------------------

    def get(self, key: str, measure: Callable[[], Any]) -> tuple[Value, bool]:
        """Return the key's value and whether it was known; what ``measure`` raises is raised here and remembered by nobody."""
        mine: set[str] = self._measuring.__dict__.setdefault("keys", set())
        if key in mine:  # the function calls itself for an equivalent candidate: waiting for oneself would take for ever
            return from_metrics(to_metrics(measure())), False
        self.count(asked=1)
        while (answer := self.reserve(key)).kind == "busy":
            self.cache.wait(key, WAIT_S)
        if answer.metrics is not None:
            self.count(duplicates=1)
            return from_metrics(answer.metrics), True
        filled = False
        try:
            mine.add(key)
            began = time.perf_counter()
            value = measure()
            [mean] = self.cache.fill([(key, answer.token, to_metrics(value, time.perf_counter() - began))])
            filled = True
        finally:
            mine.discard(key)
            if not filled:
                self.cache.fail({key: answer.token})
        self.count(measured=1)
        return from_metrics(mean), False

    def reserve(self, key: str) -> Lookup:
        """Return the cache's answer for one key."""
        return self.cache.lookup([key])[0]

    def count(self, *, asked: int = 0, measured: int = 0, duplicates: int = 0) -> None:
        """Add to the counts."""
        with self._lock:
            self.counts.asked += asked
            self.counts.measured += measured
            self.counts.duplicates += duplicates


def design_form(space: DesignSpace, *candidate: Any, **named: Any) -> Any:
    """Return what stands for a design: its canonical form, and other values that come with it as they are.

    Args:
        space: Whose parameters are the design.
        *candidate: One mapping of all values, or nothing.
        **named: The values, or more of them.

    Raises:
        InputError: If there is no design among them.
    """
    if len(candidate) > 1 or (candidate and not isinstance(candidate[0], Mapping)):
        raise InputError(f"got {shorten(candidate)}, expected one mapping of {', '.join(space.parameters)}, or these by name")
    values = {**(candidate[0] if candidate else {}), **named}
    design = space.validate({name: value for name, value in values.items() if name in space.parameters})
    others = {name: value for name, value in values.items() if name not in space.parameters}
    return [space.version, space.canonical(design).literal, others]


def _exactly(value: Any) -> Any:
    """Return a value with lists in place of arrays: a fingerprint forgives an array the last bits of its small elements, a key must not."""
    if isinstance(value, Mapping):
        return {name: _exactly(item) for name, item in value.items()}
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        return [str(getattr(value, "dtype", "")), *value.shape, _exactly(value.tolist())] if value.shape else value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview | range):
        return [_exactly(item) for item in value]
    return value


def to_metrics(value: Any, cost_s: float = 0.0) -> Metrics:
    """Return a value as it is cached: a number, a sequence of numbers, or numbers by name; infinities and NaN as well.

    Raises:
        InputError: For another value.
    """
    given = value
    if hasattr(value, "tolist"):  # of numpy or torch
        value = value.tolist()
    if isinstance(value, Mapping):
        items = {f"={name}": number for name, number in value.items()}
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = {f"[{i}]": number for i, number in enumerate(value)}
    else:
        items = {"value": value}
    values = {name: real for name, number in items.items() if (real := to_real(number)) is not None}
    if not items or len(values) < len(items):
        raise InputError(
            f"cannot remember {shorten(given)}: expected a number, a sequence of numbers, or a mapping of names to numbers, "
            "for instance {'latency_ns': 1.5}"
        )
    if all(map(math.isfinite, values.values())):
        return Metrics(values, cost_s=cost_s)
    # a mean over measurements, of which one is NaN or infinite, must be just that, and JSON holds neither: so it goes as a text
    return Metrics.infeasible([f"{name}={number!r}" for name, number in values.items()], cost_s)


def to_real(number: Any) -> float | None:
    """Return a real number, NaN and infinities included, as a float, and None for anything else."""
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        return None
    try:
        return float(number)
    except OverflowError:
        return None


def from_metrics(metrics: Metrics) -> Value:
    """Return the value that `to_metrics` was given, whole numbers as floats."""
    values = dict(metrics.values)
    if not metrics.ok:
        values = {name: float(number) for name, _, number in (reason.rpartition("=") for reason in metrics.reasons)}
    if values.keys() == {"value"}:
        return values["value"]
    if next(iter(values)).startswith("["):
        return tuple(values.values())
    return {name[1:]: number for name, number in values.items()}
