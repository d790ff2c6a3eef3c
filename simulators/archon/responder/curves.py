"""Curves over the number of samples: majority, best by reward, reward-weighted majority, and particles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.archon.responder.pool import EXACT, of_independent
from designgym.simulators.archon.responder.repeated_sampling import chances
from designgym.simulators.archon.responder.sources import particle_chance
from designgym.simulators.archon.responder.votes import Reward, best_reward_of_many, majority, majority_of_many, weighted
from designgym.simulators.archon.responder.world import reward_row, rule

__all__ = ["REWARDED", "best_of_k", "majority_of_k", "particle_filter", "weighted_majority_of_k"]

Array = NDArray[np.float64]
QUESTIONS = 400
REWARDED = ("gsm8k", "math-oracle")
"""Tasks that figures of a reward model are published of (Brown et al. 2024, figure 7)."""


def _asked(model: str, task: str, k: int) -> tuple[Array, Reward, tuple[float, float]]:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k is {shorten(k)}, expected a whole number of 1 or more samples")
    if task not in REWARDED:
        raise UnknownNameError("task with figures of selection", task, REWARDED)
    gap, tail, doubt, vote, typical, spread = reward_row(task)
    return question_chances(model, task), Reward(gap, tail, doubt, vote), (typical, spread)


def question_chances(model: str, task: str) -> Array:
    """Return the chance of a right sample of equally many questions in each part of the distribution."""
    return chances(model, task).quantiles((np.arange(QUESTIONS) + 0.5) / QUESTIONS)


def voted(p: Array, k: int, agreement: tuple[float, float]) -> float:
    """Return the share of questions that a majority of k samples answers right, by the chance of a right one."""
    if k > EXACT:
        return float(majority_of_many(p, k, *agreement).mean())
    table, pmf = of_independent([(p, k)])
    return float((majority(table, *agreement) @ pmf).mean())


def majority_of_k(model: str, task: str, k: int) -> float:
    """Return the share of questions whose most frequent answer among k samples is right.

    Raises:
        InputError: If there are no figures of the model and task, or k is no whole number of 1 or more.
    """
    p, _, agreement = _asked(model, task, k)
    return voted(p, k, agreement)


def weighted_majority_of_k(model: str, task: str, k: int) -> float:
    """Return the same if votes are weighed by a reward model; raises `InputError` as `majority_of_k`."""
    p, reward, agreement = _asked(model, task, k)
    return voted(p if k == 1 else weighted(p, reward.vote), k, agreement)


def best_of_k(model: str, task: str, k: int) -> float:
    """Return the share of questions where the sample of the highest reward is right; raises `InputError` as `majority_of_k`."""
    p, reward, _ = _asked(model, task, k)
    return float(best_reward_of_many(p, k, reward).mean())


def particle_filter(model: str, particles: int, *, stages: float | None = None) -> float:
    """Return the share of questions of MATH-500 that a particle filter answers right.

    Args:
        model: A model with figures (Puri et al. 2025).
        particles: Particles.
        stages: Stages of a solution in which the reward selects, 1 for best-of-n; as fitted if left out.

    Raises:
        InputError: If there are no figures of the model.
    """
    known = rule("particles", "stages") if stages is None else stages
    p = question_chances(model, "math-500")
    return float(particle_chance(p, particles, known, rule("particles", "log_odds"), rule("particles", "doubt")).mean())
