from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.statistics import coverage, coverage_fit, eff_at_k, pass_at_k

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 2), (6, 1, 3), (4, 0, 2), (4, 4, 1), (7, 3, 7), (6, 5, 2)])
def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample(n: int, c: int, k: int) -> None:
    subsets = list(itertools.combinations([i < c for i in range(n)], k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)


@given(COUNTS)
def test_pass_at_k_is_the_formula_with_exact_numbers(counts: tuple[int, int, int]) -> None:
    n, c, k = counts
    exact = 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
    assert pass_at_k(n, c, k) == pytest.approx(float(exact), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("c", "k"), [(1, 1), (1, 9_999), (3, 5_000), (5_000, 3), (9_000, 999), (100, 100)])
def test_pass_at_k_is_exact_with_ten_thousand_samples(c: int, k: int) -> None:
    exact = 1 - Fraction(math.comb(10_000 - c, k), math.comb(10_000, k))
    assert pass_at_k(10_000, c, k) == pytest.approx(float(exact), rel=1e-11)


@given(COUNTS)
def test_more_samples_reach_more(counts: tuple[int, int, int]) -> None:
    n, c, k = counts
    values = [pass_at_k(n, c, i) for i in range(1, k + 1)]
    assert values == sorted(values) and all(0 <= value <= 1 for value in values)
    assert values[0] == pytest.approx(c / n)


def test_pass_at_k_has_no_bias() -> None:
    rng, p, n, k = np.random.default_rng(3), 0.1, 20, 5
    found = [pass_at_k(n, int(c), k) for c in rng.binomial(n, p, 4_000)]
    assert np.mean(found) == pytest.approx(1 - (1 - p) ** k, abs=4 * float(np.std(found)) / math.sqrt(len(found)))


def test_coverage_is_the_mean_over_problems() -> None:
    found = coverage(10, [0, 3, 3, 10], [1, 4, 10])
    assert found == pytest.approx([np.mean([pass_at_k(10, c, k) for c in (0, 3, 3, 10)]) for k in (1, 4, 10)])
    with pytest.raises(InputError, match="whole numbers"):
        coverage(10, [0.5], [1])


@settings(max_examples=30, deadline=None)
@given(st.floats(-3, -0.1), st.floats(-0.8, -0.1))
def test_a_curve_is_found_again(a: float, b: float) -> None:
    k = np.array([1, 3, 10, 30, 100, 1000])
    fit = coverage_fit(k, 10 ** (a * k**b))
    assert fit == pytest.approx((a, b), rel=1e-3, abs=1e-4)
    assert fit.at(k) == pytest.approx(10 ** (a * k**b), abs=1e-6)


@pytest.mark.parametrize(
    ("percent", "a", "b"),
    [
        ((25.7, 58.3, 79.8, 90.3, 95.3), -0.59, -0.39),
        ((45.6, 73.2, 89.3, 93.8, 95.3), -0.34, -0.40),
        ((2.3, 15.7, 48.3, 72.3, 87.5), -1.70, -0.35),
        ((7.4, 13.8, 21.6, 28.9, 37.8), -1.11, -0.11),
    ],
)
def test_published_coverages_give_the_published_curves(percent: tuple[float, ...], a: float, b: float) -> None:
    """Large Language Monkeys (arXiv 2407.21787 v1), figures 2 and 5, read at k = 1 to 10,000; the paper fits all k, so not exactly."""
    k, shares = [1, 10, 100, 1000, 10_000], np.array(percent) / 100
    fit = coverage_fit(k, shares)
    assert fit.a == pytest.approx(a, rel=0.12) and fit.b == pytest.approx(b, abs=0.045)
    assert np.abs(fit.at(k) - shares).max() < 0.03


@pytest.mark.parametrize(
    ("k", "shares"), [([1, 2], [0.5]), ([1, 2], [0, 1]), ([3, 3], [0.4, 0.5]), ([1, 2], [0.5, 1.5]), ([0, 2], [0.1, 0.2])]
)
def test_no_curve_without_two_different_points(k: list[int], shares: list[float]) -> None:
    with pytest.raises(InputError, match="expected"):
        coverage_fit(k, shares)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=7), st.data())
def test_eff_at_k_is_the_mean_best_of_all_subsets(efficiencies: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(efficiencies)))
    best = [max(subset) for subset in itertools.combinations(efficiencies, k)]
    assert eff_at_k(efficiencies, k) == pytest.approx(sum(best) / len(best), abs=1e-9)


@given(COUNTS)
def test_eff_at_k_of_right_and_wrong_is_pass_at_k(counts: tuple[int, int, int]) -> None:
    n, c, k = counts
    assert eff_at_k([1.0] * c + [0.0] * (n - c), k) == pytest.approx(pass_at_k(n, c, k), abs=1e-9)


@pytest.mark.parametrize(("n", "c", "k"), [(0, 0, 1), (5, 6, 1), (5, -1, 1), (5, 2, 0), (5, 2, 6), (5, True, 1), (5.0, 2, 1)])
def test_counts_that_cannot_be(n: int, c: int, k: int) -> None:
    with pytest.raises(InputError, match="expected a whole number"):
        pass_at_k(n, c, k)


def test_efficiencies_that_cannot_be() -> None:
    for values, k in (([], 1), ([-1.0], 1), ([1.0], 2), ([float("nan")], 1), (["a"], 1)):
        with pytest.raises(InputError, match="expected"):
            eff_at_k(values, k)
