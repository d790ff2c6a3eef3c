"""What objectives are made of: expressions over metrics with a direction, and bounds on expressions."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from designgym.core.errors import ExpressionError, InputError, shorten
from designgym.core.expressions import Expression
from designgym.core.metrics import Goal
from designgym.core.scores import clipped


@dataclass(frozen=True)
class Term:
    """One quantity to optimise: an expression over metrics and a direction."""

    expression: Expression
    goal: Goal
    name: str = ""

    @property
    def label(self) -> str:
        """The name as shown."""
        return self.name or self.expression.text

    def signed(self, values: Mapping[str, float]) -> float:
        """Return the value, negated if lower is better."""
        value = self.value(values)
        return -value if self.goal == "min" else value

    def value(self, values: Mapping[str, float]) -> float:
        """Return the value in its own direction; raises `ExpressionError` if it is not a finite number."""
        return _number(self.expression, values)


@dataclass(frozen=True)
class Bound:
    """A constraint ``expression <= limit`` or ``>= limit``."""

    expression: Expression
    at_most: bool
    limit: float

    def excess(self, values: Mapping[str, float]) -> float:
        """Return how far the value lies beyond the limit, relative to it (absolute for limit 0); below 0 where the bound holds.

        Raises:
            ExpressionError: If the expression has no value there.
        """
        value = _number(self.expression, values)
        return clipped(clipped(value - self.limit if self.at_most else self.limit - value) / (abs(self.limit) or 1.0))

    def violation(self, values: Mapping[str, float]) -> float:
        """Return by how much the bound is broken, relative to the limit (absolute for limit 0); 0 if it holds, infinite without a value."""
        try:
            return max(0.0, self.excess(values))
        except ExpressionError:
            return math.inf

    def __str__(self) -> str:
        return f"{self.expression.text} {'<=' if self.at_most else '>='} {self.limit:g}"


def require_number(expression: Expression) -> None:
    """Raise `ExpressionError` if an expression over metrics is no number at all, as far as one try can tell."""
    if not expression.names:
        _number(expression, {})
        return
    try:
        value = expression(dict.fromkeys(expression.names, 1.5))
    except ExpressionError:
        return  # 1.5 may just be where it has no value
    if not isinstance(value, bool | int | float):
        raise ExpressionError(f"expression {expression.text!r} gives {shorten(value)}, expected a number")


def _number(expression: Expression, values: Mapping[str, float]) -> float:
    value = expression(values)
    if isinstance(value, bool | int | float | np.number):
        with contextlib.suppress(OverflowError):  # an integer beyond floating-point numbers
            if math.isfinite(number := float(value)):
                return number
    raise ExpressionError(f"expression {expression.text!r} gives {shorten(value)}, expected a finite number")


def parse_bound(expression: str, bound: str) -> Bound:
    """Return the bound of an expression that a text such as ``<= 2`` states."""
    match = re.fullmatch(r"\s*(<=|>=)\s*(\S+)\s*", bound) if isinstance(bound, str) else None
    try:
        limit = float(match[2]) if match else math.nan
    except ValueError:
        limit = math.nan
    if match is None or not math.isfinite(limit):
        raise InputError(f"bound of {expression!r} must read like '<= 2' or '>= 0.5', got {bound!r}")
    return Bound(Expression(expression), match[1] == "<=", limit)
