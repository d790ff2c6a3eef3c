"""How sure a mean is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.statistics.checks import confidence_in, numbers, whole

__all__ = ["Interval", "bootstrap_interval", "paired_difference", "wilson_interval"]


class Interval(NamedTuple):
    """A value and the interval that it lies in with the confidence asked for, two-sided.

    Attributes:
        value: The value found.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def wilson_interval(successes: float, n: int, *, confidence: float = 0.95) -> Interval:
    """Return a share with Wilson's score interval (Wilson 1927).

    Args:
        successes: How many, where a tie may count as half: then the interval is wider than it would have to be.
        n: Of how many.
        confidence: Of the interval.

    Raises:
        InputError: Unless 0 <= successes <= n, 1 <= n and 0 < confidence < 1.
    """
    n = whole("n", n, 1)
    share = float(numbers("successes", [successes], low=0, high=n)[0]) / n
    z = float(special.ndtri((1 + confidence_in(confidence)) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def bootstrap_interval(values: ArrayLike, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """Return a mean with its bootstrap interval, corrected for bias and skew (BCa; Efron 1987).

    If all values are alike both ends are the mean, which says nothing of what was not drawn: take `wilson_interval` for shares near 0 or 1.

    Args:
        values: Two or more.
        confidence: Of the interval.
        resamples: How often is drawn from them.
        seed: Of the draws.

    Raises:
        InputError: If a value cannot be.
    """
    row = numbers("values", values, least=2)
    mean = float(row.mean())
    if np.ptp(row) <= 1e-12 * np.abs(row).max():
        return Interval(mean, mean, mean)
    found = stats.bootstrap(
        (row,), np.mean, n_resamples=whole("resamples", resamples, 1), batch=200, confidence_level=confidence_in(confidence), method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(mean, float(found.low), float(found.high))


def paired_difference(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95, scale: float = 1.0) -> Interval:
    """Return the mean of a - b on the same queries, with an interval.

    It is Student's interval of the differences with two more, the largest that there can be in either direction: without them, few
    differences that happen to be alike would make sure of what they cannot know (as Agresti and Min 2005 do for pairs of yes and no).

    Args:
        a: Grades of one.
        b: Grades of the other, on the same queries in the same order.
        confidence: Of the interval.
        scale: The largest difference that there can be: 1 for grades from 0 to 1.

    Raises:
        InputError: If they are not pairs, or differ by more than that.
    """
    first, second = numbers("a", a), numbers("b", b)
    if len(first) != len(second):
        raise InputError(f"a has {len(first)} grades but b has {len(second)}, expected grades on the same queries")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < np.inf:
        raise InputError(f"scale is {shorten(scale)}, expected the largest difference that there can be, above 0")
    differences = first - second
    if np.abs(differences).max() > scale * (1 + 1e-9):
        raise InputError(f"a and b differ by up to {np.abs(differences).max():g}, expected {scale:g} at most: say how much by scale=...")
    widened = np.append(differences, [-scale, scale])
    half = special.stdtrit(len(widened) - 1, (1 + confidence_in(confidence)) / 2) * widened.std(ddof=1) / np.sqrt(len(widened))
    value = float(differences.mean())
    low, high = widened.mean() - half, widened.mean() + half
    return Interval(value, float(min(max(low, -scale), value)), float(max(min(high, scale), value)))
