from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from designgym.core.errors import InputError
from designgym.simulators.archon.statistics import length_controlled_win_rate, wilson_interval, win_rate

OUTCOMES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=40)


@settings(max_examples=30)
@given(OUTCOMES)
def test_a_tie_is_half_a_win(outcomes: list[float]) -> None:
    assert win_rate(outcomes) == wilson_interval(outcomes.count(1.0) + outcomes.count(0.5) / 2, len(outcomes))
    assert win_rate([1 - outcome for outcome in outcomes]).value == pytest.approx(1 - win_rate(outcomes).value)


def drawn(strength: float, effect: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return outcomes, lengths and other lengths of a model that writes longer answers."""
    rng = np.random.default_rng(seed)
    ours, theirs = rng.gamma(4, 100, n) + 150, rng.gamma(4, 100, n)
    features = np.tanh((ours - theirs) / (ours - theirs).std())
    return (rng.random(n) < expit(strength + effect * features)).astype(float), ours, theirs


@pytest.mark.parametrize(("strength", "effect"), [(0.0, 1.0), (-0.8, 1.5), (0.7, 0.0), (0.5, -0.6)])
def test_the_advantage_of_length_is_taken_away(strength: float, effect: float) -> None:
    found = length_controlled_win_rate(*drawn(strength, effect, 8000, 1))
    assert found.value == pytest.approx(expit(strength), abs=0.03)
    assert found.length_effect == pytest.approx(effect, abs=0.15)
    assert (found.raw > found.value + 0.02) == (effect > 0.5) and found.low < found.value < found.high


def test_it_is_a_logistic_regression() -> None:
    outcomes, ours, theirs = drawn(0.3, 1.0, 300, 2)
    features = np.tanh((ours - theirs) / (ours - theirs).std())[:, None]
    known = LogisticRegression(C=1.0, tol=1e-10).fit(features, outcomes)
    found = length_controlled_win_rate(outcomes, ours, theirs)
    assert found.value == pytest.approx(expit(known.intercept_[0]), abs=1e-5)
    assert found.length_effect == pytest.approx(known.coef_[0, 0], abs=1e-4)


def test_the_interval_holds_what_it_says() -> None:
    found = [length_controlled_win_rate(*drawn(0.4, 1.0, 150, seed), confidence=0.9) for seed in range(80)]
    held = np.mean([one.low <= expit(0.4) <= one.high for one in found])
    assert 0.82 < held < 0.97


@settings(max_examples=30, deadline=None)
@given(st.data(), OUTCOMES)
def test_it_is_finite_for_all_outcomes(data: st.DataObject, outcomes: list[float]) -> None:
    lengths = st.lists(st.integers(0, 1000), min_size=len(outcomes), max_size=len(outcomes))
    ours, theirs = data.draw(lengths), data.draw(lengths)
    found = length_controlled_win_rate(outcomes, ours, theirs)
    assert np.isfinite(found).all() and 0 <= found.low <= found.value <= found.high <= 1
    back = length_controlled_win_rate([1 - outcome for outcome in outcomes], theirs, ours)
    assert back.value == pytest.approx(1 - found.value, abs=1e-4)


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(InputError, match="2 outcomes, 1 lengths and 2 other lengths"):
        length_controlled_win_rate([1, 0], [5], [5, 6])
    for outcomes in ([], [2.0], [-0.5]):
        with pytest.raises(InputError, match="expected"):
            win_rate(outcomes)
