"""Votes and rewards: the majority of answers, and the best by a reward whose errors on wrong answers have the longer tail.

Wrong answers agree with each other too: the most frequent one has a share v of them, the next a share v of the rest, and so on. That is why
a majority stops rising: it is right where the chance p of a right sample exceeds v (1 - p).

A reward is normal with mean d and deviation 1 for right answers, with mean 0 and deviation s for wrong ones; between questions, d has the
deviation t. With s above 1 the best of many is a wrong answer ever more often: selection by reward falls (Brown et al. 2024, figure 7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import expit, gammaln, log_ndtr, logit, ndtr, xlogy
from scipy.stats import binom

from designgym.simulators.archon.responder.pool import EXACT, Table, fixed, kept

__all__ = ["Reward", "best_reward_first", "best_reward_of_many", "majority", "majority_of_many", "weighted"]

Array = NDArray[np.float64]
CLUSTERS = 16
SPREAD = 5
POINTS = np.linspace(-9.0, 12.0, 421)


@dataclass(frozen=True)
class Reward:
    """A reward model on a task.

    Attributes:
        gap: Mean reward of right answers over that of wrong ones, in deviations of right ones.
        tail: Deviation of wrong ones.
        doubt: Deviation of the gap between questions.
        vote: Weight of a right answer in a weighted vote, in those of a wrong one.
    """

    gap: float
    tail: float
    doubt: float
    vote: float


@lru_cache(maxsize=64)
def _largest(v: float, wrong: int) -> Array:
    """Return the probability that the most frequent of so many wrong answers occurs at most m times, for m from 0 to ``wrong``."""
    shares = v * (1 - v) ** np.arange(CLUSTERS)
    shares[-1] = max(1 - shares[:-1].sum(), 0.0)
    counts = np.arange(wrong + 1)
    below = np.zeros(wrong + 1)
    terms = np.exp(xlogy(counts, shares[:, None]) - gammaln(counts + 1.0))
    for most in range(wrong + 1):
        product = np.zeros(wrong + 1)
        product[0] = 1.0
        for row in terms:
            product = np.convolve(product, row[: most + 1])[: wrong + 1]
        below[most] = product[wrong] * np.exp(gammaln(wrong + 1.0))
    return np.clip(below, 0.0, 1.0)


@lru_cache(maxsize=256)
def _majority(key: tuple[str, int], v: float) -> Array:
    table = fixed(key[1]) if key[0] == "fixed" else kept(key[1])
    found = np.zeros(len(table.right))
    for i, (right, wrong) in enumerate(zip(table.right, table.wrong, strict=True)):
        if right == 0 or wrong == 0:
            found[i] = float(right > 0)
        elif table.size.max() > EXACT:
            found[i] = binom.cdf(right - 1, wrong, v) + 0.5 * binom.pmf(right, wrong, v)
        else:
            below = _largest(v, int(wrong))
            least, same = below[min(int(right) - 1, int(wrong))], below[min(int(right), int(wrong))]
            # one vote each: the first of all wins; otherwise a draw is mostly between two
            found[i] = same / (1 + wrong) if right == 1 else least + 0.5 * (same - least)
    return found


def _agreements(typical: float, spread: float) -> Iterator[tuple[float, float]]:
    """Yield shares v of the most frequent wrong answer, and of how many questions each holds."""
    nodes, weights = hermegauss(SPREAD)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        yield round(float(expit(logit(typical) + spread * node)), 9), float(weight)


def majority(table: Table, typical: float, spread: float) -> Array:
    """Return the probability that most candidates agree on the right answer, for each state.

    Args:
        table: The states.
        typical: Share v of the most frequent wrong answer among wrong ones, at the median question.
        spread: Deviation of its logit between questions.
    """
    return np.sum([weight * _majority(table.key, v) for v, weight in _agreements(typical, spread)], axis=0)


def majority_of_many(p: Array, k: int, typical: float, spread: float) -> Array:
    """Return the same for k samples that are right with chance p, k large: right votes against those of the most frequent wrong answer."""
    found = np.zeros_like(p)
    for v, weight in _agreements(typical, spread):
        gap, both = p - v * (1 - p), p + v * (1 - p)
        deviation = np.sqrt(np.maximum(both - gap**2, 1e-12) / k)
        found += weight * ndtr(gap / deviation)
    return found


def weighted(p: Array, weight: float) -> Array:
    """Return chances as they count if each right vote has a weight."""
    return p * weight / (p * weight + 1 - p)


@lru_cache(maxsize=128)
def _best_first(key: tuple[str, int], reward: Reward) -> Array:
    table = fixed(key[1]) if key[0] == "fixed" else kept(key[1])
    right, wrong = table.right[:, None], table.wrong[:, None]
    nodes, weights = hermegauss(SPREAD)
    found = np.zeros(len(table.right))
    lower = log_ndtr(POINTS / reward.tail)[None, :]
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        x = POINTS - reward.gap - reward.doubt * node
        density = -0.5 * x**2 - 0.5 * np.log(2 * np.pi)
        inside = np.where(right > 0, right * np.exp(density + np.maximum(right - 1, 0) * log_ndtr(x) + wrong * lower), 0.0)
        found += weight * np.trapezoid(inside, POINTS, axis=1)
    found[table.wrong == 0] = 1.0
    return np.clip(np.where(table.right == 0, 0.0, found), 0.0, 1.0)


def best_reward_first(table: Table, reward: Reward) -> Array:
    """Return the probability that the candidate of the highest reward is right, for each state."""
    return _best_first(table.key, reward)


def best_reward_of_many(p: Array, k: int, reward: Reward) -> Array:
    """Return the same for k samples that are right with chance p, for each question, however large k."""
    nodes, weights = hermegauss(SPREAD)
    points = np.linspace(-9.0, 12.0, 421)
    found = np.zeros(len(p))
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        gap = reward.gap + reward.doubt * node
        density = np.exp(-0.5 * (points - gap) ** 2) / np.sqrt(2 * np.pi)
        below = p[:, None] * ndtr(points - gap)[None, :] + (1 - p)[:, None] * ndtr(points / reward.tail)[None, :]
        best = k * p[:, None] * density[None, :] * below ** (k - 1)
        found += weight * np.trapezoid(best, points, axis=1)
    return np.clip(found, 0.0, 1.0)
