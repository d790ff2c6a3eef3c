"""Repeated sampling: per-question chances of being right as mixtures of beta distributions, and the coverage that follows.

Published figures: Brown et al. 2024, Large Language Monkeys (arXiv 2407.21787). A question's chance p that a sample is right is drawn from
``w Beta(a, b) + (1 - w) Beta(a', b')``; with ``a' = 0`` the second part is never solved. Coverage with k samples is the mean of
``1 - (1 - p)^k``, which is ``1 - B(a, b + k) / B(a, b)`` for a beta distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, betaln

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.archon.responder.tables import table

__all__ = ["Chances", "chances", "coverage"]

Array = NDArray[np.float64]
GRID = 4001


@dataclass(frozen=True)
class Chances:
    """How the chance of a right sample is distributed over questions.

    Attributes:
        easy_share: Share w of questions in the first part.
        alpha: Of the first part.
        beta: Of the first part.
        hard_alpha: Of the second part; 0 if its questions are never solved.
        hard_beta: Of the second part.
    """

    easy_share: float
    alpha: float
    beta: float
    hard_alpha: float = 0.0
    hard_beta: float = 1.0

    def coverage(self, k: ArrayLike) -> Array:
        """Return the expected share of questions with a right one among k samples."""
        tries = np.asarray(k, dtype=np.float64)
        easy = -np.expm1(betaln(self.alpha, self.beta + tries) - betaln(self.alpha, self.beta))
        hard = np.zeros_like(tries)
        if self.hard_alpha > 0:
            hard = -np.expm1(betaln(self.hard_alpha, self.hard_beta + tries) - betaln(self.hard_alpha, self.hard_beta))
        return self.easy_share * easy + (1 - self.easy_share) * hard

    def quantiles(self, u: ArrayLike) -> Array:
        """Return the chances below which shares u of the questions lie."""
        shares = np.asarray(u, dtype=np.float64)
        if self.hard_alpha <= 0 or self.easy_share >= 1:
            inside = np.clip((shares - (1 - self.easy_share)) / self.easy_share, 0, 1)
            return np.asarray(betaincinv(self.alpha, self.beta, inside), dtype=np.float64)
        # the sum of two has no inverse in closed form: a grid that is fine near 0, where hard questions lie, and near 1
        p = np.concatenate([np.geomspace(1e-12, 0.5, GRID), 1 - np.geomspace(0.5, 1e-9, GRID)[1:]])
        below = self.easy_share * betainc(self.alpha, self.beta, p) + (1 - self.easy_share) * betainc(self.hard_alpha, self.hard_beta, p)
        return np.interp(shares, below, p, left=0.0)


@cache
def known_chances() -> dict[tuple[str, str], Chances]:
    """Return all known distributions by task and model."""
    return {
        (str(row["task"]), str(row["model"])): Chances(
            *(float(row[name]) for name in ("easy_share", "alpha", "beta", "hard_alpha", "hard_beta"))
        )
        for row in table("difficulties").to_dict("records")
    }


def chances(model: str, task: str) -> Chances:
    """Return the distribution of a model's chances on a task of repeated sampling; raises `InputError` if it is not known."""
    known = known_chances()
    if task not in {name for name, _ in known}:
        raise UnknownNameError("task of repeated sampling", task, {name for name, _ in known})
    if (task, model) not in known:
        raise UnknownNameError(f"model with figures of {task}", model, [name for other, name in known if other == task])
    return known[task, model]


def coverage(model: str, task: str, k: int) -> float:
    """Return the expected share of a task's questions that k samples of a model solve at least once (pass@k, with an oracle to select).

    Raises:
        InputError: If the model has no figures on the task, or k is no whole number of 1 or more.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k is {shorten(k)}, expected a whole number of 1 or more samples")
    return float(chances(model, task).coverage(k))
