"""Pools of candidates: distributions against counting, and against scipy's."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, nchypergeom_wallenius

from designgym.simulators.archon.responder.pool import EXACT, Pool, fixed, index_of, kept, of_independent
from designgym.simulators.archon.responder.selection import accepted, best_first, top

CHANCES = st.floats(0.0, 1.0).map(lambda p: round(p, 6))  # scipy overflows at the smallest numbers


@given(st.lists(CHANCES, min_size=1, max_size=6))
def test_independent_candidates_are_counted_as_by_enumeration(chances: list[float]) -> None:
    table, pmf = of_independent([(np.array([p]), 1) for p in chances])
    counted = np.zeros(len(chances) + 1)
    for outcome in itertools.product((0, 1), repeat=len(chances)):
        counted[sum(outcome)] += np.prod([p if right else 1 - p for p, right in zip(chances, outcome, strict=True)])
    assert table.right.tolist() == list(range(len(chances) + 1))
    np.testing.assert_allclose(pmf[:, 0], counted, atol=1e-12)


@given(CHANCES, st.integers(1, EXACT))
def test_candidates_of_one_chance_are_binomial(p: float, n: int) -> None:
    _, pmf = of_independent([(np.array([p]), n)])
    np.testing.assert_allclose(pmf[:, 0], binom.pmf(np.arange(n + 1), n, p), atol=1e-9)


@given(CHANCES, st.integers(2, 8), CHANCES, CHANCES)
def test_samples_that_are_all_the_same_are_right_or_wrong_together(p: float, n: int, same: float, other: float) -> None:
    _, pmf = of_independent([(np.array([p]), n), (np.array([other]), 1)], [same, 0.0])
    group = (1 - same) * binom.pmf(np.arange(n + 1), n, p)
    group[0] += same * (1 - p)
    group[n] += same * p
    np.testing.assert_allclose(pmf[:, 0], np.convolve(group, [1 - other, other]), atol=1e-9)


@pytest.mark.parametrize("n", [EXACT + 1, 100, 1000])
def test_of_many_candidates_mean_and_chance_of_none_stay(n: int) -> None:
    p = np.array([0.001, 0.02, 0.3, 0.5, 0.97])
    table, pmf = of_independent([(p, n)])
    pool = Pool(table, pmf)
    np.testing.assert_allclose(pmf.sum(axis=0), 1.0)
    np.testing.assert_allclose(pool.mean_right, p, atol=0.015)
    np.testing.assert_allclose(pool.any_right(), 1 - (1 - p) ** n, atol=1e-9)


def test_states_of_fewer_candidates_are_found_by_their_place() -> None:
    table = kept(7)
    np.testing.assert_array_equal(index_of(table.right, table.wrong), np.arange(len(table.right)))


@given(st.integers(1, 9), st.data(), st.floats(0.1, 10.0))
def test_the_best_of_a_ranking_follow_wallenius(n: int, data: st.DataObject, odds: float) -> None:
    k = data.draw(st.integers(1, n))
    found = top(fixed(n), k, odds)
    for right in range(n + 1):
        expected = nchypergeom_wallenius.pmf(np.arange(k + 1), n, right, k, odds)
        np.testing.assert_allclose(found.matrix[right], expected, atol=1e-6)
    assert found.first is not None
    np.testing.assert_allclose(found.first.sum(axis=1), best_first(fixed(n), odds), atol=1e-12)


def test_ranking_what_a_check_left_keeps_all_if_there_are_too_few() -> None:
    before = kept(4)
    found = top(before, 3, 2.0)
    np.testing.assert_allclose(found.matrix.sum(axis=1), 1.0)
    few = int(index_of(np.array(1.0), np.array(1.0)))
    assert found.matrix[few, int(index_of(np.array(1.0), np.array(1.0)))] == pytest.approx(1.0)
    assert found.first is not None
    assert found.first[few].sum() == pytest.approx(2 / 3)


@given(st.integers(1, 5), st.floats(0.05, 1.0), st.floats(0.0, 0.95))
def test_a_check_leaves_what_it_accepts_and_all_if_it_accepts_none(n: int, true_accept: float, false_accept: float) -> None:
    found = accepted(fixed(n), true_accept, false_accept)
    for right in range(n + 1):
        counted = np.zeros(len(found.table.right))
        rates = [true_accept] * right + [false_accept] * (n - right)
        for outcome in itertools.product((0, 1), repeat=n):
            chance = np.prod([rate if yes else 1 - rate for rate, yes in zip(rates, outcome, strict=True)])
            a, b = float(sum(outcome[:right])), float(sum(outcome[right:]))
            a, b = (a, b) if a + b else (float(right), float(n - right))
            counted[int(index_of(np.array(a), np.array(b)))] += chance
        np.testing.assert_allclose(found.matrix[right], counted, atol=2e-8)  # rates are rounded to be cached


def test_resampling_with_a_check_reaches_its_ceiling_and_no_more() -> None:
    p, true_accept, false_accept, n = 0.3, 0.9, 0.2, 400
    table, pmf = of_independent([(np.array([p]), n)])
    found = accepted(table, true_accept, false_accept)
    right = Pool(found.table, found.matrix.T @ pmf).mean_right[0]
    assert right == pytest.approx(p * true_accept / (p * true_accept + (1 - p) * false_accept), abs=0.01)
