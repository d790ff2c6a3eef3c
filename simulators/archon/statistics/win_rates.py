"""Who wins how often, with and without the advantage of longer answers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit, ndtri

from designgym.core.errors import InputError
from designgym.simulators.archon.statistics.checks import confidence_in, numbers
from designgym.simulators.archon.statistics.intervals import Interval, wilson_interval

__all__ = ["LengthControlled", "length_controlled_win_rate", "win_rate"]

RIDGE = 1.0  # of the coefficient of length: a normal prior of deviation 1, on a logarithm of odds


def win_rate(outcomes: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Return the mean of wins, in which a tie is half a win, with Wilson's interval, which ties make wider than it would have to be.

    Args:
        outcomes: 1 for a win, 0.5 for a tie, 0 for a loss; or how probable a win is.
        confidence: Of the interval.

    Raises:
        InputError: If an outcome is not from 0 to 1, or there is none.
    """
    row = numbers("outcomes", outcomes, low=0, high=1)
    return wilson_interval(float(row.sum()), len(row), confidence=confidence)


class LengthControlled(NamedTuple):
    """A win rate as if answers were as long as those that they are compared with.

    Attributes:
        value: The win rate.
        low: Lower end of its interval.
        high: Upper end.
        length_effect: Change of the logarithm of the odds of a win by answers that are much longer.
        raw: The win rate as it is.
    """

    value: float
    low: float
    high: float
    length_effect: float
    raw: float


def length_controlled_win_rate(
    outcomes: ArrayLike, lengths: ArrayLike, other_lengths: ArrayLike, *, confidence: float = 0.95
) -> LengthControlled:
    """Return a win rate without what longer answers win by being longer, as AlpacaEval 2 does (Dubois et al. 2024, arXiv 2404.04475).

    The logarithm of the odds of a win is a constant and a multiple of tanh(difference in length / deviation of the differences); the win
    rate is that of the constant alone. A simplification: the original also has a term for how hard an instruction is, told from many
    models that are judged on the same instructions, and regularises by cross-validation; here a normal prior of deviation 1 is on the
    effect of length, so that it is also finite where length decides everything.

    Args:
        outcomes: 1 for a win, 0.5 for a tie, 0 for a loss; or how probable a win is.
        lengths: Of the answers, in any unit.
        other_lengths: Of those that they are compared with.
        confidence: Of the interval, which is the usual one of the constant.

    Raises:
        InputError: If the three are not as many, or a value cannot be.
    """
    won = numbers("outcomes", outcomes, low=0, high=1)
    ours, theirs = numbers("lengths", lengths, low=0), numbers("other_lengths", other_lengths, low=0)
    if not len(won) == len(ours) == len(theirs):
        raise InputError(f"there are {len(won)} outcomes, {len(ours)} lengths and {len(theirs)} other lengths, expected as many of each")
    z = ndtri((1 + confidence_in(confidence)) / 2)
    raw, difference = win_rate(won, confidence=confidence), ours - theirs
    spread = difference.std()
    if raw.value in (0.0, 1.0) or not spread:  # nothing to tell length by
        return LengthControlled(*raw, length_effect=0.0, raw=raw.value)
    features = np.column_stack([np.ones(len(won)), np.tanh(difference / spread)])
    prior = np.array([0.0, RIDGE])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = features @ weights
        return float(np.logaddexp(0, logits).sum() - won @ logits + prior @ weights**2 / 2), features.T @ (
            expit(logits) - won
        ) + prior * weights

    weights = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    chance = expit(features @ weights)
    information = (features.T * (chance * (1 - chance))) @ features + np.diag(prior)
    deviation = float(np.sqrt(np.linalg.inv(information)[0, 0]))
    low, value, high = expit(weights[0] + np.array([-z, 0.0, z]) * deviation).tolist()
    return LengthControlled(value, low, high, float(weights[1]), raw.value)
