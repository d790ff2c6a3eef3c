"""What an evaluation yields: declared metrics with units, and an outcome that is never mistaken for a number."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from designgym.core.errors import InputError, shorten

Goal = Literal["min", "max"]
Status = Literal["ok", "infeasible", "failed", "timeout"]

UNITS: dict[str, str] = {
    "ps": "ps", "ns": "ns", "us": "us", "ms": "ms", "s": "s", "cycles": "cycles",
    "fj": "fJ", "pj": "pJ", "nj": "nJ", "uj": "uJ", "mj": "mJ", "j": "J", "uw": "uW", "mw": "mW", "w": "W",
    "um2": "um^2", "mm2": "mm^2", "bytes": "B", "kib": "KiB", "mib": "MiB", "gib": "GiB",
    "gbps": "Gb/s", "mhz": "MHz", "ghz": "GHz", "usd": "USD", "tokens": "tokens", "pct": "%",
}  # fmt: skip


def shown_unit(unit: str) -> str:
    """Return a unit as printed: nothing for counts and ratios (``"1"``)."""
    return "" if unit == "1" else unit


def better(goal: Goal | str | None) -> str:
    """Return in words which way is better; nothing if neither is."""
    return {"min": "lower is better", "max": "higher is better"}.get(goal or "", "")


@dataclass(frozen=True)
class MetricSpec:
    """The declaration of a metric: its name, unit, and which way is better.

    Attributes:
        name: Identifier such as ``latency_avg_ns``; a trailing unit is part of the name.
        unit: Unit as printed; ``"1"`` for counts and ratios.
        goal: ``"min"`` or ``"max"`` if one way is better in general, else None.
        doc: One line on how it is defined.
    """

    name: str
    unit: str
    goal: Goal | None = None
    doc: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"name": self.name, "unit": self.unit, "goal": self.goal, "doc": self.doc}


def metric(name: str, *, unit: str | None = None, goal: Goal | None = None, doc: str = "") -> MetricSpec:
    """Declare a metric; without ``unit``, the unit is the one that the name ends in (``area_mm2``), else ``"1"``.

    Raises:
        InputError: If the name is not an identifier or the goal is not ``min``, ``max`` or None.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"metric name {name!r} must be an identifier such as 'latency_ns'")
    if goal not in ("min", "max", None):
        raise InputError(f"goal of metric {name!r} must be 'min', 'max' or None, got {goal!r}")
    if not isinstance(unit, str | None):
        raise InputError(f"unit of metric {name!r} must be a string such as 'ns', got {unit!r}")
    suffix = name.rsplit("_", 1)[-1].lower() if "_" in name else ""
    return MetricSpec(name, UNITS.get(suffix, "1") if unit is None else unit, goal, doc)


class FrozenValues(dict[str, float]):
    """Metric values that nobody can change: caches and records share them. A dict, for the speed of reading it and its plain pickle."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the values of a result cannot be changed: make another one with dataclasses.replace(metrics, values={...})")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> tuple[type, tuple[dict[str, float]]]:
        return FrozenValues, (dict(self),)


@dataclass(frozen=True)
class Metrics:
    """The result of evaluating one design.

    Attributes:
        values: Metric values by name, in the declared units; empty unless ``status`` is ``ok``. Copied, and read-only from then on.
        status: ``ok``; ``infeasible`` (the design is illegal or cannot be built, see ``reasons``); ``failed`` (see ``error``);
            ``timeout``.
        reasons: Why the design is infeasible.
        error: What went wrong.
        cost_s: Seconds that the evaluation took; no part of equality.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    status: Status = "ok"
    reasons: tuple[str, ...] = ()
    error: str = ""
    cost_s: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        # a simulator may fill one dict again and again, and a caller may change what a cache goes on serving
        if type(self.values) is not FrozenValues:
            try:
                object.__setattr__(self, "values", FrozenValues(self.values))
            except (TypeError, ValueError):
                raise TypeError(
                    f"values of a result are {shorten(self.values)}, expected a mapping such as {{'latency_ns': 1.5}}"
                ) from None
        if type(self.reasons) is not tuple:
            object.__setattr__(self, "reasons", tuple(self.reasons))

    @classmethod
    def infeasible(cls, reasons: Sequence[str], cost_s: float = 0.0) -> Metrics:
        """Return the result of a design that is illegal, with the reasons."""
        return cls(status="infeasible", reasons=tuple(reasons), cost_s=cost_s)

    @classmethod
    def failed(cls, error: str, cost_s: float = 0.0) -> Metrics:
        """Return the result of an evaluation that went wrong."""
        return cls(status="failed", error=error, cost_s=cost_s)

    @classmethod
    def timeout(cls, error: str, cost_s: float = 0.0) -> Metrics:
        """Return the result of an evaluation that was stopped for its time."""
        return cls(status="timeout", error=error, cost_s=cost_s)

    @property
    def ok(self) -> bool:
        """Whether there are values."""
        return self.status == "ok"

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def checked(self, specs: Sequence[MetricSpec]) -> Metrics:
        """Return itself if it has exactly the declared metrics, all finite; otherwise a ``failed`` result that says why."""
        if not self.ok:
            return self
        values = self.values
        if len(values) == len(specs) and all(type(value := values.get(spec.name)) is float and math.isfinite(value) for spec in specs):
            return self  # nearly always; what follows finds the words for what is wrong
        declared = {spec.name for spec in specs}
        if declared != self.values.keys():
            missing, extra = sorted(declared - self.values.keys()), sorted(self.values.keys() - declared)
            return Metrics.failed(f"simulator returned other metrics than it declares: missing {missing}, undeclared {extra}", self.cost_s)
        for name, value in self.values.items():
            if not is_number(value):
                return Metrics.failed(f"simulator returned {name} = {shorten(value)}, expected a finite number such as 1.5", self.cost_s)
        return self


def is_number(value: object) -> bool:
    """Return whether a value is a finite number, Python's or NumPy's; truth values, texts and arrays are none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False
