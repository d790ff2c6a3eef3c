"""Votes and rewards against drawing them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.responder.pool import fixed, of_independent
from designgym.simulators.archon.responder.votes import (
    CLUSTERS,
    Reward,
    best_reward_first,
    best_reward_of_many,
    majority,
    majority_of_many,
    weighted,
)


def test_a_majority_agrees_with_drawn_votes() -> None:
    right, wrong, v = 3, 6, 0.4
    rng = np.random.default_rng(0)
    shares = v * (1 - v) ** np.arange(CLUSTERS)
    shares[-1] = 1 - shares[:-1].sum()
    counts = rng.multinomial(wrong, shares, size=200_000).max(axis=1)
    drawn = (counts < right).mean() + 0.5 * (counts == right).mean()
    assert majority(fixed(right + wrong), v, 0.0)[right] == pytest.approx(drawn, abs=0.005)


@given(st.floats(0.0, 1.0), st.floats(0.05, 0.9), st.floats(0.0, 1.5))
def test_a_majority_of_one_is_that_one(p: float, v: float, spread: float) -> None:
    table, pmf = of_independent([(np.array([p]), 1)])
    assert (majority(table, v, spread) @ pmf)[0] == pytest.approx(p)


def test_a_majority_of_many_is_right_where_right_answers_outnumber_the_most_frequent_wrong_one() -> None:
    p, v = np.array([0.1, 0.4, 0.6]), 0.5
    np.testing.assert_allclose(majority_of_many(p, 10_000, v, 0.0), [0.0, 1.0, 1.0], atol=1e-6)
    table, pmf = of_independent([(p, 32)])
    np.testing.assert_allclose(majority(table, v, 0.0) @ pmf, majority_of_many(p, 32, v, 0.0), atol=0.06)


def test_the_best_reward_agrees_with_drawn_rewards() -> None:
    reward = Reward(gap=0.8, tail=1.3, doubt=0.5, vote=1.0)
    rng = np.random.default_rng(1)
    right, wrong, count = 2, 5, 200_000
    gap = reward.gap + reward.doubt * rng.standard_normal((count, 1))
    best_right = (gap + rng.standard_normal((count, right))).max(axis=1)
    best_wrong = (reward.tail * rng.standard_normal((count, wrong))).max(axis=1)
    assert best_reward_first(fixed(right + wrong), reward)[right] == pytest.approx((best_right > best_wrong).mean(), abs=0.01)


@given(st.floats(0.02, 0.98))
def test_the_best_of_a_few_is_the_same_by_number_of_right_ones_and_by_chance(p: float) -> None:
    reward = Reward(gap=1.0, tail=1.2, doubt=0.6, vote=1.0)
    table, pmf = of_independent([(np.array([p]), 6)])
    assert (best_reward_first(table, reward) @ pmf)[0] == pytest.approx(best_reward_of_many(np.array([p]), 6, reward)[0], abs=0.005)


def test_selection_by_reward_falls_with_many_samples_only_if_wrong_answers_have_the_longer_tail() -> None:
    p = np.array([0.5])
    long, short = (Reward(gap=0.8, tail=tail, doubt=0.0, vote=1.0) for tail in (1.3, 0.9))
    ks = (1, 10, 10_000)
    one, few, many = (best_reward_of_many(p, k, long)[0] for k in ks)
    assert one < few > many
    assert np.all(np.diff([best_reward_of_many(p, k, short)[0] for k in ks]) > 0)


@given(st.floats(0.01, 0.99), st.floats(1.0, 5.0))
def test_weighted_votes_favour_right_answers(p: float, weight: float) -> None:
    heavier = float(weighted(np.array(p), weight))
    assert heavier >= p - 1e-12
    assert heavier / (1 - heavier) == pytest.approx(weight * p / (1 - p))
