"""What is reached with k samples, told from more samples than k."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.statistics.checks import numbers, whole

__all__ = ["CoverageFit", "coverage", "coverage_fit", "eff_at_k", "pass_at_k"]


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the probability that at least one of k samples is right, without bias, as told by n samples of which c are right.

    It is 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374), as a product without large numbers.

    Raises:
        InputError: Unless 0 <= c <= n and 1 <= k <= n.
    """
    whole("n, the number of samples,", n, 1)
    whole("c, the number of right samples,", c, 0, n)
    whole("k", k, 1, n)
    if n - c < k:
        return 1.0
    few, many = sorted((c, k))  # the ratio is the same with both exchanged
    return float(-np.expm1(np.log1p(-many / np.arange(n - few + 1, n + 1)).sum()))


def coverage(n: int, right: ArrayLike, ks: ArrayLike) -> NDArray[np.float64]:
    """Return the mean of pass@k over problems, for several k.

    Args:
        n: Samples of each problem.
        right: For each problem, how many of them are right.
        ks: Each k.

    Raises:
        InputError: As `pass_at_k`.
    """
    counts = numbers("right", right, low=0, high=whole("n, the number of samples,", n, 1))
    wanted = numbers("ks", ks, low=1, high=n)
    for name, row in (("right", counts), ("ks", wanted)):
        if (row != np.rint(row)).any():
            raise InputError(f"{name} is {shorten(row.tolist())}, expected whole numbers")
    found, members = np.unique(counts.astype(np.int64), return_counts=True)  # of thousands of problems many are alike
    return np.array([np.average([pass_at_k(n, int(c), int(k)) for c in found], weights=members) for k in wanted])


class CoverageFit(NamedTuple):
    """Coverage as 10^(a k^b), with negative a and b for one that grows (Brown et al. 2024, arXiv 2407.21787).

    Their text writes exp(a k^b), but the values of a that it prints are those of base 10.

    Attributes:
        a: Logarithm of the coverage with one sample.
        b: How soon it grows.
    """

    a: float
    b: float

    def at(self, k: ArrayLike) -> NDArray[np.float64]:
        """Return the coverage with k samples."""
        return _power(np.asarray(k, dtype=np.float64), self.a, self.b)


def coverage_fit(k: ArrayLike, coverage: ArrayLike) -> CoverageFit:
    """Return the curve 10^(a k^b) that is nearest to coverages, by least squares.

    Args:
        k: Samples, two different numbers at least.
        coverage: From 0 to 1, between which two must lie at least.

    Raises:
        InputError: If a curve cannot be told from them.
    """
    ks, shares = numbers("k", k, low=1, least=2), numbers("coverage", coverage, low=0, high=1, least=2)
    if len(ks) != len(shares):
        raise InputError(f"there are {len(ks)} numbers k but {len(shares)} coverages, expected one for each")
    inside = (shares > 0) & (shares < 1)
    if len(np.unique(ks[inside])) < 2:
        raise InputError(f"coverage is {shorten(shares.tolist())}, expected two values between 0 and 1, at different k, to fit a curve to")
    slope, height = np.polyfit(np.log(ks[inside]), np.log(-np.log10(shares[inside])), 1)
    (a, b), _ = curve_fit(_power, ks, shares, p0=(-np.exp(height), slope), maxfev=20_000)
    return CoverageFit(float(a), float(b))


def _power(k: NDArray[np.float64], a: float, b: float) -> NDArray[np.float64]:
    return 10.0 ** np.minimum(a * k**b, 300.0)  # an optimiser tries what overflows


def eff_at_k(efficiencies: ArrayLike, k: int) -> float:
    """Return the expected best efficiency of k programs, without bias, as told by n programs.

    It is the sum of C(r - 1, k - 1) / C(n, k) times the r-th smallest efficiency (Qiu et al. 2024, ENAMEL, arXiv 2406.06647, theorem 1).
    With efficiencies that are 1 for right programs and 0 for wrong ones it is pass@k.

    Args:
        efficiencies: Of n programs: 0 for a wrong one, 1 for one as fast as an expert's, more for a faster one.
        k: Programs of which the best counts, at most n.

    Raises:
        InputError: If an efficiency is below 0, or k is not from 1 to n.
    """
    ordered = np.sort(numbers("efficiencies", efficiencies, low=0))
    n = len(ordered)
    whole("k", k, 1, n)
    # the weight of the largest is k / n, that of each before it smaller by 1 - (k - 1) / r
    ranks = np.arange(n - 1, 0, -1)
    weights = np.concatenate([[k / n], k / n * np.cumprod(np.clip(1 - (k - 1) / ranks, 0, None))])
    return float(ordered[::-1] @ weights)
