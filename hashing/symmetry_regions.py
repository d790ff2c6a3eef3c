"""`Region`: where a parameter has certain values, or lies beyond a bound; and the search for that bound."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from designgym.core.parameters import DiscreteParameter, Float, Integer, Ordinal, Parameter, PowerOfTwo

Side = Literal["", "<=", ">="]

AT_BOUND = 0.25  # of the draws from a region, where it would be wrong first
STEPS = 12  # of halving, to find the bound of real numbers


@dataclass(frozen=True)
class Region:
    """Values of a parameter.

    Attributes:
        name: The parameter.
        values: Some of its values; or
        side: of all values, those on this side of
        bound: a number, itself included.
    """

    name: str
    values: tuple[Any, ...] = ()
    side: Side = ""
    bound: Any = None

    def holds(self, value: Any) -> bool:
        """Return whether a value is inside."""
        if self.side:
            return bool(value <= self.bound if self.side == "<=" else value >= self.bound)
        return any(type(value) is type(one) and value == one for one in self.values)

    def draw(self, parameter: Parameter, rng: np.random.Generator) -> Any:
        """Return a random value inside; rather often the bound."""
        if not self.side:
            return self.values[int(rng.integers(len(self.values)))]
        if rng.random() < AT_BOUND:
            return self.bound
        if isinstance(parameter, DiscreteParameter):
            values = parameter.values()
            low, high = (
                (0, bisect.bisect_right(values, self.bound)) if self.side == "<=" else (bisect.bisect_left(values, self.bound), None)
            )
            inside = values[low:high]
            return inside[int(rng.integers(len(inside)))]
        [edge] = parameter.encode(self.bound)
        drawn = parameter.decode([rng.uniform(0, edge) if self.side == "<=" else rng.uniform(edge, 1)])
        return drawn if self.holds(drawn) else self.bound

    @property
    def test(self) -> str:
        """The expression that asks whether a design is inside."""
        if self.side:
            return f"{self.name} {self.side} {self.bound!r}"
        return f"{self.name} == {self.values[0]!r}" if len(self.values) == 1 else f"{self.name} in {self.values!r}"

    def negation(self, parameter: Parameter) -> str:
        """Return the expression that asks whether a design is outside, in the shorter way."""
        if self.side:
            return f"{self.name} {'>' if self.side == '<=' else '<'} {self.bound!r}"
        others = [value for value in parameter.values() if not self.holds(value)] if isinstance(parameter, DiscreteParameter) else []
        if len(others) == 1:
            return f"{self.name} == {others[0]!r}"
        return f"{self.name} != {self.values[0]!r}" if len(self.values) == 1 else f"{self.name} not in {self.values!r}"


def is_ordered(parameter: Parameter) -> bool:
    """Return whether a parameter's values are numbers in ascending order."""
    if isinstance(parameter, Ordinal):
        values = parameter.choices
        return all(type(value) in (int, float) for value in values) and list(values) == sorted(values)
    return isinstance(parameter, Integer | PowerOfTwo | Float)


def ends(parameter: Parameter) -> tuple[Any, Any]:
    """Return the lowest and the highest value of an ordered parameter."""
    if isinstance(parameter, Float):
        return parameter.low, parameter.high
    assert isinstance(parameter, DiscreteParameter)
    return parameter.values()[0], parameter.values()[-1]


def next_inside(parameter: Parameter, side: Side) -> Any:
    """Return a value near the end of an ordered parameter: the last one but one, or 1 % of the range from it."""
    if isinstance(parameter, Float):
        return parameter.decode([0.01 if side == "<=" else 0.99])
    assert isinstance(parameter, DiscreteParameter)
    return parameter.values()[1 if side == "<=" else -2]


def find_bound(parameter: Parameter, outside: Any, inside: Any, differs: Callable[[Any], bool]) -> Any:
    """Return the value nearest to ``outside`` at which nothing differs, on the way there from ``inside``.

    Of real numbers it is the shortest one beyond which nothing differs, within a small share of the range.

    Args:
        parameter: An ordered parameter.
        outside: A value where something differs.
        inside: A value where nothing does.
        differs: Whether something differs at a value.
    """
    if isinstance(parameter, DiscreteParameter):
        values = parameter.values()
        bad, good = values.index(outside), values.index(inside)
        while abs(good - bad) > 1:
            middle = (bad + good) // 2
            bad, good = (middle, good) if differs(values[middle]) else (bad, middle)
        return values[good]
    [bad_x], [good_x] = parameter.encode(outside), parameter.encode(inside)
    for _ in range(STEPS):
        middle_x = (bad_x + good_x) / 2
        bad_x, good_x = (middle_x, good_x) if differs(parameter.decode([middle_x])) else (bad_x, middle_x)
    bad_value, good_value = parameter.decode([bad_x]), parameter.decode([good_x])
    short = _shortest(bad_value, good_value)
    # a bound that is itself outside ("> 0.5") has no neighbour to be named: the number a little further on is as good
    return short if not differs(short) else good_value


def _shortest(outside: float, inside: float) -> float:
    """Return the number with the fewest digits between two, the second included."""
    low, high = min(outside, inside), max(outside, inside)
    for digits in range(1, 17):
        for candidate in (float(f"{inside:.{digits}g}"), float(f"{(low + high) / 2:.{digits}g}")):
            if low <= candidate <= high and candidate != outside:
                return candidate
    return inside
