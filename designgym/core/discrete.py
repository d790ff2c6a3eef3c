"""Parameters with a finite list of values: choices, integers, powers of two."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from designgym.core.errors import InputError, shorten, shorten_list
from designgym.core.parameter_base import Column, Encoded, Parameter, Scalar, refusal

MAX_CELLS = 1 << 50  # so that the cells of an encoding stay apart in double precision


class DiscreteParameter(Parameter):
    """A parameter with a finite, indexed list of values."""

    ordered: ClassVar[bool]

    def values(self) -> tuple[Scalar, ...] | range:
        """Return all values in order."""
        raise NotImplementedError

    def index(self, value: Any) -> int:
        """Return the position of ``value`` among `values`."""
        return self.values().index(value)

    def size(self) -> float:
        """Return the number of values."""
        return len(self.values())

    def sample(self, rng: np.random.Generator) -> Any:
        """Return a value drawn uniformly (log-uniformly if declared so)."""
        return self.decode((rng.random(),))

    def columns(self, name: str) -> list[Column]:
        """Return one column with a cell per value."""
        return [Column(name, "ordinal" if self.ordered else "categorical", len(self.values()))]

    def encode(self, value: Any) -> list[float]:
        """Return the middle of the value's cell."""
        return [(self.index(value) + 0.5) / len(self.values())]

    def decode(self, x: Encoded) -> Any:
        """Return the value whose cell holds ``x[0]``."""
        values = self.values()
        return values[min(max(int(float(x[0]) * len(values)), 0), len(values) - 1)]

    def neighbours(self, value: Any) -> Iterator[Any]:
        """Yield the adjacent values if ordered, all others if not."""
        values, i = self.values(), self.index(value)
        near = [j for j in (i - 1, i + 1) if 0 <= j < len(values)] if self.ordered else range(len(values))
        return (values[j] for j in near if j != i)

    def mutate(self, value: Any, rng: np.random.Generator) -> Any:
        """Step to an adjacent value half of the time if ordered, else draw any other value."""
        values = self.values()
        if len(values) == 1:
            return value
        if self.ordered and rng.random() < 0.5:
            near = list(self.neighbours(value))
            return near[int(rng.integers(len(near)))]
        j = int(rng.integers(len(values) - 1))
        return values[j if j < self.index(value) else j + 1]

    def describe(self) -> str:
        """Return the values in words."""
        return "one of " + shorten_list([repr(value) for value in self.values()])


@dataclass(frozen=True, init=False)
class Categorical(DiscreteParameter):
    """Unordered choices: strings, numbers or booleans."""

    kind: ClassVar[str] = "categorical"
    ordered: ClassVar[bool] = False
    choices: tuple[Scalar, ...]
    default: Scalar
    unit: str = ""

    def __init__(self, *choices: Scalar, default: Scalar | None = None, unit: str = "") -> None:
        object.__setattr__(self, "choices", check_choices(self.kind, choices))
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "default", choices[0] if default is None else self.validate(default))

    def values(self) -> tuple[Scalar, ...]:
        """Return the choices in the order given."""
        return self.choices

    def index(self, value: Any) -> int:
        """Return the position of ``value``, telling 1, 1.0 and True apart."""
        for i, choice in enumerate(self.choices):
            if choice == value and type(choice) is type(value):
                return i
        raise ValueError(value)

    def validate(self, value: Any) -> Scalar:
        """Return the choice equal to ``value``; numpy scalars and equal numbers (1 for 1.0) are accepted."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, str | int | float | bool):
            for same_type in (True, False):
                for choice in self.choices:
                    alike = type(choice) is type(value) or (not same_type and bool not in (type(choice), type(value)))
                    if choice == value and alike:
                        return choice
        raise refusal(value, self.describe())

    def can_equal(self, constant: object) -> bool:
        """Return whether an expression can find a choice equal to a constant."""
        return constant in self.choices

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"choices": list(self.choices)}


class Ordinal(Categorical):
    """Ordered choices: neighbours are adjacent, models see the order."""

    kind: ClassVar[str] = "ordinal"
    ordered: ClassVar[bool] = True


def check_choices(kind: str, choices: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Return the choices of a parameter of this kind; raises `InputError` if they are none, no scalars, or not different."""
    if not choices:
        raise InputError(f"a {kind} parameter needs at least one choice")
    for choice in choices:
        if not isinstance(choice, str | int | float | bool) or (isinstance(choice, float) and not math.isfinite(choice)):
            raise InputError(f"choice {shorten(choice)} of a {kind} parameter must be a string, a finite number or a boolean")
    if len({(type(choice), choice) for choice in choices}) != len(choices):
        raise InputError(f"choices of a {kind} parameter must differ, got {shorten_list([repr(c) for c in choices])}")
    return choices


@dataclass(frozen=True)
class Integer(DiscreteParameter):
    """Integers from ``low`` to ``high`` inclusive, ``step`` apart; ``log`` makes draws and models logarithmic."""

    kind: ClassVar[str] = "integer"
    ordered: ClassVar[bool] = True
    low: int
    high: int
    step: int = field(default=1, kw_only=True)
    log: bool = field(default=False, kw_only=True)
    default: int = field(default=None, kw_only=True)  # type: ignore[assignment]  # low unless given
    unit: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, _whole(f"{name} of an Integer", getattr(self, name)))
        if not self.low <= self.high or self.step < 1:
            raise InputError(f"`low <= high` and `step >= 1` must hold, got low={self.low}, high={self.high}, step={self.step}")
        if self.log and (self.low < 1 or self.step != 1):
            raise InputError(f"a log integer needs low >= 1 and step 1, got low={self.low}, step={self.step}")
        if (self.high if self.log else (self.high - self.low) // self.step) >= (1 << 40 if self.log else MAX_CELLS):
            raise InputError(
                f"an Integer may have up to 2^50 values, a log one reach up to 2^40, got low={self.low}, high={self.high}: use a Float"
            )
        object.__setattr__(self, "high", self.low + (self.high - self.low) // self.step * self.step)
        object.__setattr__(self, "default", self.low if self.default is None else self.validate(self.default))

    def values(self) -> range:
        """Return the integers as a range."""
        return range(self.low, self.high + 1, self.step)

    def validate(self, value: Any) -> int:
        """Return ``value`` as int; a float is accepted only if whole, a boolean never."""
        number = _as_int(value)
        if number is None or number not in self.values():
            raise refusal(value, self.describe())
        return number

    def columns(self, name: str) -> list[Column]:
        """Return one column: ordered cells, or a continuum on a log scale, whose cells are not equally wide."""
        return [Column(name, "float", 0)] if self.log else super().columns(name)

    def encode(self, value: Any) -> list[float]:
        """Return the middle of the value's cell, on a log scale if declared."""
        if not self.log:
            return super().encode(value)
        span = math.log(self.high + 1) - math.log(self.low)
        return [((math.log(value) + math.log(value + 1)) / 2 - math.log(self.low)) / span]

    def decode(self, x: Encoded) -> int:
        """Return the integer whose cell holds ``x[0]``."""
        if not self.log:
            return int(super().decode(x))
        span = math.log(self.high + 1) - math.log(self.low)
        return min(max(int(math.exp(float(x[0]) * span + math.log(self.low))), self.low), self.high)

    def describe(self) -> str:
        """Return the range in words."""
        more = f" in steps of {self.step}" if self.step > 1 else ", on a log scale" if self.log else ""  # a log one has steps of 1
        return f"an integer from {self.low} to {self.high}{more}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"low": self.low, "high": self.high, "step": self.step, "log": self.log}


@dataclass(frozen=True)
class PowerOfTwo(DiscreteParameter):
    """Powers of two from ``low`` to ``high`` inclusive."""

    kind: ClassVar[str] = "power_of_two"
    ordered: ClassVar[bool] = True
    low: int
    high: int
    default: int = field(default=None, kw_only=True)  # type: ignore[assignment]  # low unless given
    unit: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = _whole(f"{name} of a PowerOfTwo", getattr(self, name))
            object.__setattr__(self, name, bound)
            if bound < 1 or bound & (bound - 1):
                raise InputError(f"{name} of a PowerOfTwo must be a power of two, got {bound}")
        if self.low > self.high:
            raise InputError(f"`low <= high` must hold, got low={self.low}, high={self.high}")
        object.__setattr__(self, "default", self.low if self.default is None else self.validate(self.default))

    def values(self) -> tuple[int, ...]:
        """Return the powers in ascending order."""
        return tuple(1 << k for k in range(self.low.bit_length() - 1, self.high.bit_length()))

    def index(self, value: Any) -> int:
        """Return the exponent's distance from the lowest one."""
        return int(value).bit_length() - self.low.bit_length()

    def validate(self, value: Any) -> int:
        """Return ``value`` as int."""
        number = _as_int(value)
        if number is None or not self.low <= number <= self.high or number & (number - 1):
            raise refusal(value, self.describe())
        return number

    def describe(self) -> str:
        """Return the range in words."""
        return f"a power of two from {self.low} to {self.high}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"low": self.low, "high": self.high}


def _whole(what: str, value: Any) -> int:
    number = _as_int(value)
    if number is None:
        raise InputError(f"{what} must be a whole number, got {shorten(value)}")
    return number


def _as_int(value: Any) -> int | None:
    """Return ``value`` as int if it is a whole number (numpy included), else None."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if isinstance(value, int) or value.is_integer() else None
