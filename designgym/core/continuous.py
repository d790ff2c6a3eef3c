"""Parameters with a continuum of values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from designgym.core.errors import InputError
from designgym.core.parameter_base import Column, Encoded, Parameter, refusal


@dataclass(frozen=True)
class Float(Parameter):
    """Real numbers from ``low`` to ``high`` inclusive; ``log`` makes draws and models logarithmic."""

    kind: ClassVar[str] = "float"
    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    default: float = field(default=None, kw_only=True)  # type: ignore[assignment]  # low unless given
    unit: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", float(self.low) + 0.0)
        object.__setattr__(self, "high", float(self.high) + 0.0)
        if not (self.low <= self.high and math.isfinite(self.high - self.low)):
            raise InputError(f"`low <= high`, both finite and a finite distance apart, must hold, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise InputError(f"a log float needs low > 0, got low={self.low}")
        object.__setattr__(self, "default", self.low if self.default is None else self.validate(self.default))

    def validate(self, value: Any) -> float:
        """Return ``value`` as float; booleans and text are refused."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise refusal(value, self.describe())
        return float(value) + 0.0  # -0.0 becomes 0.0: both behave alike and must have one literal key

    def size(self) -> float:
        """Return infinity, or 1 if the interval is a point."""
        return math.inf if self.low < self.high else 1

    def columns(self, name: str) -> list[Column]:
        """Return one continuous column."""
        return [Column(name, "float", 0)]

    def encode(self, value: Any) -> list[float]:
        """Return the position between the bounds."""
        if self.low == self.high:
            return [0.5]
        if self.log:
            return [(math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))]
        return [(value - self.low) / (self.high - self.low)]

    def decode(self, x: Encoded) -> float:
        """Return the number at position ``x[0]`` between the bounds."""
        u = min(max(float(x[0]), 0.0), 1.0)
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp(min(low + u * (high - low), 709.0)) if u < 1 else self.high
        else:
            value = self.low + u * (self.high - self.low)
        return min(max(value, self.low), self.high) + 0.0  # never -0.0

    def neighbours(self, value: Any) -> Iterator[float]:
        """Yield the values 1 % of the range below and above."""
        u = self.encode(value)[0]
        return (near for v in (u - 0.01, u + 0.01) if 0 <= v <= 1 and (near := self.decode((v,))) != value)

    def mutate(self, value: Any, rng: np.random.Generator) -> float:
        """Add Gaussian noise of 10 % of the range, reflected at the bounds."""
        u = abs(self.encode(value)[0] + 0.1 * rng.standard_normal()) % 2
        return self.decode((2 - u if u > 1 else u,))

    def describe(self) -> str:
        """Return the range in words."""
        return f"a number from {self.low:g} to {self.high:g}" + (", on a log scale" if self.log else "")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"low": self.low, "high": self.high, "log": self.log}
