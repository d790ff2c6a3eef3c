"""Pairs of numbers that act through their sum, difference, product or ratio only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.errors import InputError
from designgym.core.parameters import DiscreteParameter, Integer, Parameter

DRAWS = 40  # of one number, to find another with which a second one gives the same
MOST_IN_RULE = 1024  # pairs of values that a rule looks through for the first one of a class


@dataclass(frozen=True)
class Operation:
    """A way to make one number of two.

    Attributes:
        sign: Its sign.
        word: Its result.
        second: Of the result of two numbers and another first one: the second one that gives the same result.
        same: Whether (x, y) gives the same as (a, b), in Python, without rounding.
    """

    sign: str
    word: str
    second: Callable[[Any, Any, Any], Any]
    same: str


OPERATIONS = (
    Operation("+", "sum", lambda a, b, x: a + b - x, "x + y == a + b"),
    Operation("-", "difference", lambda a, b, x: x - a + b, "x - y == a - b"),
    Operation("*", "product", lambda a, b, x: a * b / x, "x * y == a * b"),
    Operation("/", "ratio", lambda a, b, x: x * b / a, "x * b == a * y"),
)


def is_possible(kinds: Sequence[Parameter], operation: Operation) -> bool:
    """Return whether an operation has a result for all values (0 has no part in products and ratios: it is looked at as a value)."""
    return operation.sign in "+-" or not any(kind.can_equal(0) for kind in kinds)


def other_pair(
    kinds: Sequence[Parameter], values: tuple[Any, Any], operation: Operation, rng: np.random.Generator
) -> tuple[Any, Any] | None:
    """Return two other values that give the same, and not by being swapped; None if none are found."""
    first, second = kinds
    if isinstance(first, DiscreteParameter) and first.size() <= DRAWS:
        choices = [first.values()[int(i)] for i in rng.permutation(len(first.values()))]
    else:
        choices = [first.sample(rng) for _ in range(DRAWS)]
    for x in choices:
        try:
            y = second.validate(operation.second(*values, x))
        except InputError:
            continue
        if x != values[0] and (x, y) != (values[1], values[0]):
            return x, y
    return None


def rule_of_combination(a: str, b: str, kinds: Sequence[Parameter], operation: Operation, traits: Sequence[str]) -> str:
    """Return Python that declares it; empty for real numbers, whose sums and products are equal up to rounding only."""
    if not all(isinstance(kind, DiscreteParameter) and _exact(kind) for kind in kinds) or kinds[0].size() * kinds[1].size() > MOST_IN_RULE:
        return ""
    plain = [name if name.isidentifier() else "parameter" for name in (a, b)]
    function = f"same_{operation.word}_of_{plain[0]}_and_{plain[1]}"
    guard = "".join(f"    if {trait!r} not in traits:\n        return values\n" for trait in traits)
    return (
        f"@cache\ndef {function}(values, traits):\n"
        f'    """Return the first values that give the same {operation.word}."""\n{guard}'
        f"    a, b = values\n"
        f"    return next((x, y) for x in {_listed(kinds[0])} for y in {_listed(kinds[1])} if {operation.same})\n\n"
        f"CanonicalForm({function}, [{a!r}, {b!r}], version='1')"
    )


def _exact(kind: DiscreteParameter) -> bool:
    return all(type(value) is int for value in kind.values())


def _listed(kind: Parameter) -> str:
    assert isinstance(kind, DiscreteParameter)
    if isinstance(kind, Integer):
        step = f", {kind.step}" if kind.step != 1 else ""
        return f"range({kind.low}, {kind.high + 1}{step})"
    return repr(tuple(kind.values()))
