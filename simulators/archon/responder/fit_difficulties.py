"""Fits `difficulties.csv`: how hard questions are, from the published coverage curves; part of ``python -m ...responder.fit``."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares, root_scalar
from scipy.special import expit, logit

from designgym.simulators.archon.responder.repeated_sampling import Chances
from designgym.simulators.archon.responder.tables import FOLDER, table
from designgym.simulators.archon.responder.world import rule

__all__ = ["fit_difficulties"]

COUNTED = "maximum likelihood from counts of 10,000 samples a problem, Schaeffer et al. 2025 (arXiv 2502.17578), data"
CURVE = "least squares on the coverage curve"
EASY_ALPHA, HARD_ALPHA = 1.0, 0.045  # of CodeContests, whose questions are of two sorts: the same for all models
POINT = 0.007  # coverage read from figures, and the sampling of problems: standard error
SHAPE, ALL_SOLVABLE = 0.3, 3.5  # where parameters are drawn to: the alpha of many models on MATH; the logit of a share of 0.97

Array = NDArray[np.float64]


def _one(values: Array) -> Chances:
    alpha, beta = np.exp(values[:2])
    return Chances(float(expit(values[2])), float(alpha), float(beta))


def _two(values: Array) -> Chances:
    return Chances(float(expit(values[0])), EASY_ALPHA, float(np.exp(values[1])), HARD_ALPHA, float(np.exp(values[2])))


def fitted_chances(task: str, k: Array, share: Array) -> Chances:
    """Return the chances whose coverage with k samples is nearest to the shares."""
    two = task.startswith("code-contests")
    make = _two if two else _one
    first = share[0]
    centre = (
        np.array([logit(max(first, 1e-3)), 0.0, 3.0])
        if two
        else np.array([np.log(SHAPE), np.log(SHAPE * (1 - first) / first), ALL_SOLVABLE])
    )
    width = np.array([1.0, 1.5, 2.0]) if two else np.array([1.0, 2.0, 2.0])

    def residuals(values: Array) -> Array:
        error = (make(values).coverage(k) - share) / POINT
        return np.concatenate([error * np.abs(error), (values - centre) / width])  # large errors matter most

    return make(least_squares(residuals, centre, max_nfev=400).x)


def through_two_points(first: float, many: float, k: int) -> Chances:
    """Return the beta distribution whose mean is the first share and whose coverage with k samples is the second."""

    def off(log_size: float) -> float:
        size = np.exp(log_size)
        return float(Chances(1.0, first * size, (1 - first) * size).coverage(k)) - many

    size = float(np.exp(root_scalar(off, bracket=(-8.0, 6.0)).root))
    return Chances(1.0, first * size, (1 - first) * size)


def fit_difficulties() -> pd.DataFrame:
    """Return and write the table of difficulties."""
    rows: list[tuple[str, str, Chances, str]] = []
    stated = {(str(row["task"]), str(row["model"])): row for row in table("counted_difficulties").to_dict("records")}
    for (task, model), group in table("figures/coverage").groupby(["task", "model"], sort=False):
        key = (str(task), str(model))
        if key in stated:
            row = stated[key]
            rows.append((*key, Chances(float(row["easy_share"]), float(row["alpha"]), float(row["beta"])), str(row["source"])))
            continue
        k, share = group["samples"].to_numpy(float), group["coverage_pct"].to_numpy(float) / 100
        rows.append((*key, fitted_chances(key[0], k, share), CURVE))
    planned = table("figures/plan_search")
    for (task, model), group in planned[planned["method"] == "repeated sampling"].groupby(["task", "model"], sort=False):
        shares = dict(zip(group["samples"], group["score_pct"] / 100, strict=True))
        rows.append(
            (str(task), str(model), through_two_points(shares[1], shares[200], 200), "through pass@1 and pass@200 of PlanSearch, table 1")
        )
    weighed = table("figures/particles")
    for model, group in weighed[weighed["budget"] == 1].groupby("model", sort=False):
        mean = float(group["score_pct"].mean()) / 100
        alpha = rule("particles", "alpha")
        source = "pass@1 of Particle-Based Monte Carlo v1, figure 1; the spread is fitted to its curves, the same for all models"
        rows.append(("math-500", str(model), Chances(1.0, alpha, alpha * (1 - mean) / mean), source))
    found = pd.DataFrame(
        [(task, model, c.easy_share, c.alpha, c.beta, c.hard_alpha, c.hard_beta, source) for task, model, c, source in rows],
        columns=["task", "model", "easy_share", "alpha", "beta", "hard_alpha", "hard_beta", "source"],
    )
    found.to_csv(FOLDER / "difficulties.csv", index=False, float_format="%.5g")
    return found
