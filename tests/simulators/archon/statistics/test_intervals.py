from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from designgym.core.errors import InputError
from designgym.simulators.archon.statistics import bootstrap_interval, paired_difference, wilson_interval


@settings(max_examples=40)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    successes, n = counts
    known = stats.binomtest(successes, n).proportion_ci(confidence, "wilson")
    found = wilson_interval(successes, n, confidence=confidence)
    assert found == pytest.approx((successes / n, known.low, known.high), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_bootstrap_is_near_students_for_many_values_and_repeats_by_seed() -> None:
    values = np.random.default_rng(5).normal(3, 2, 400)
    found = bootstrap_interval(values, confidence=0.9)
    known = stats.t.interval(0.9, 399, values.mean(), values.std(ddof=1) / 20)
    assert found == pytest.approx((values.mean(), *known), abs=0.03)
    assert found == bootstrap_interval(values, confidence=0.9) != bootstrap_interval(values, confidence=0.9, seed=1)
    assert bootstrap_interval([2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_the_bootstrap_follows_skew() -> None:
    low, high = (
        np.array(bootstrap_interval(np.random.default_rng(2).exponential(1, 40))[1:]) - np.random.default_rng(2).exponential(1, 40).mean()
    )
    assert high > -low > 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_a_paired_difference_turns_with_its_sides(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert there == pytest.approx((-back.value, -back.high, -back.low), abs=1e-12)
    assert -1 <= there.low <= there.value <= there.high <= 1


def test_a_paired_difference_is_students_for_many_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(5000), rng.random(5000)
    known = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert paired_difference(a, b) == pytest.approx(((a - b).mean(), known.low, known.high), abs=1e-3)


@pytest.mark.parametrize("n", [1, 8, 20, 60])
@pytest.mark.parametrize(("better", "worse"), [(0.5, 0.5), (0.1, 0.1), (0.95, 0.0)])
@pytest.mark.parametrize("confidence", [0.95, 0.998])
def test_few_pairs_are_not_trusted_too_much(n: int, better: float, worse: float, confidence: float) -> None:
    """How often the interval has the true difference, of pairs that differ by 1, 0 or -1: at most a little less often than it says."""
    drawn = np.random.default_rng(n).multinomial(n, [better, worse, 1 - better - worse], 4000)
    counts, times = np.unique(drawn, axis=0, return_counts=True)
    ends = [
        paired_difference([1] * up + [0] * (n - up), [0] * up + [1] * down + [0] * same, confidence=confidence) for up, down, same in counts
    ]
    held = np.average([end.low <= better - worse <= end.high for end in ends], weights=times)
    assert held >= confidence - 0.012


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(InputError, match="a has 2 grades but b has 1"):
        paired_difference([1, 0], [1])
    with pytest.raises(InputError, match=r"differ by up to 5, expected 1 at most: say how much by scale"):
        paired_difference([5], [0])
    assert math.isclose(paired_difference([5], [0], scale=5).value, 5)
    for successes, n, confidence in ((2, 1, 0.9), (1, 0, 0.9), (1, 2, 1.0), (1, 2, 0.0), (1, 2, float("nan"))):
        with pytest.raises(InputError, match="expected"):
            wilson_interval(successes, n, confidence=confidence)
    for values in ([], [1.0], [1.0, math.inf], [[1.0, 2.0]], "ab"):
        with pytest.raises(InputError, match="expected a list"):
            bootstrap_interval(values)
