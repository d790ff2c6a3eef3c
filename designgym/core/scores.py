"""The bands of scores: feasible above bound-breaking above illegal above failed, for all finite numbers.

Lexicographic feasibility (Deb 2000, "An efficient constraint handling method for genetic algorithms") as one number, higher is better::

    feasible                  down to -1e299 the raw value itself; values below are compressed to stay above -1e300
    breaks bounds             from -1e300 to -2e300, the lower the more it violates
    illegal (`infeasible`)    -3e300
    failed, timeout, no value -inf
"""

from __future__ import annotations

import math
import sys

INFEASIBLE_SCORE = -1e300
"""Feasible scores lie above it, whatever their units; others at or below it."""
ILLEGAL_SCORE = -3e300
"""Score of a design that is illegal or cannot be built, of which nothing was measured."""

_LARGEST_KEPT = 1e299  # feasible costs up to here are scores as they are
_DECADES_LEFT = 10  # from there to the largest float there are 9.3
LARGEST = sys.float_info.max


def feasible_score(value: float) -> float:
    """Return a finite raw value as the score of a feasible result: itself, unless it lies below -1e299.

    Lower values map to ``-1e299 - 9e299 * log10(-value / 1e299) / 10``: continuous, rising with the value, above `INFEASIBLE_SCORE`.
    """
    if value >= -_LARGEST_KEPT:
        return value
    return -_LARGEST_KEPT + (INFEASIBLE_SCORE + _LARGEST_KEPT) * math.log10(-value / _LARGEST_KEPT) / _DECADES_LEFT


def infeasible_score(violation: float) -> float:
    """Return the score of a result whose relative violations add up to this.

    With ``d = log10(violation)`` it is ``-1e300 * (1.5 + 0.5 * d / (1 + abs(d)))``: -1.5e300 for a violation of 100 %, -2e300 for an
    infinite one. It falls over all magnitudes of violations, and fastest around 100 %, where results have to be told apart.
    """
    if violation <= 0 or violation == math.inf:
        return INFEASIBLE_SCORE * (1 if violation <= 0 else 2)
    decades = math.log10(violation)
    return INFEASIBLE_SCORE * (1.5 + 0.5 * decades / (1 + abs(decades)))


def clipped(number: float) -> float:
    """Return a number, the largest float in place of an overflow, so that finite results keep finite violations."""
    return min(max(number, -LARGEST), LARGEST)
