"""Fits `rewards.csv` and `neighbours.csv`: selection, particles, plans and tests; part of ``python -m ...responder.fit``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit, logit, ndtr, ndtri

from designgym.simulators.archon.responder.curves import REWARDED, question_chances, voted
from designgym.simulators.archon.responder.repeated_sampling import Chances
from designgym.simulators.archon.responder.sources import particle_chance
from designgym.simulators.archon.responder.tables import FOLDER, records, table
from designgym.simulators.archon.responder.votes import Reward, best_reward_of_many, weighted

__all__ = ["fit_neighbours", "fit_rewards"]

Array = NDArray[np.float64]
REWARD = np.array(
    [1.0, 0.1, 0.5, 0.2, -0.8, 0.5]
)  # what the reward's parameters are drawn to: gap, log of the tail, doubt, log of the vote, ...
REWARD_WIDTH = np.array([1.0, 0.3, 1.0, 0.3, 1.0, 1.0])


def _fit(residuals: Callable[[Array], Array], start: list[float]) -> list[float]:
    return [float(value) for value in least_squares(residuals, start, diff_step=1e-3, max_nfev=60).x]


def fit_rewards() -> pd.DataFrame:
    """Return and write, for each task, the reward model and how much wrong answers agree (Brown et al. 2024, figure 7)."""
    rows = []
    for task in REWARDED:
        figures = table("figures/selection")
        figures = figures[(figures["task"] == task) & (figures["samples"] > 1)]
        chance = {str(model): question_chances(str(model), task) for model in figures["model"].unique()}

        def residuals(values: Array, figures: pd.DataFrame = figures, chance: dict[str, Array] = chance) -> Array:
            values = np.clip(values, -5, 5)  # a step of the optimiser may go beyond what can be computed
            gap, log_tail, doubt, vote, agreement = (
                values[0],
                values[1],
                values[2],
                np.exp(values[3]),
                (float(expit(values[4])), abs(float(values[5]))),
            )
            reward = Reward(float(gap), float(np.exp(log_tail)), abs(float(doubt)), float(vote))
            errors = []
            for row in records(figures):
                p, k = chance[str(row.model)], int(row.samples)
                match row.method:
                    case "majority":
                        value = voted(p, k, agreement)
                    case "reward":
                        value = float(best_reward_of_many(p, k, reward).mean())
                    case _:
                        value = voted(weighted(p, reward.vote), k, agreement)
                errors.append(100 * value - row.score_pct)
            return np.concatenate([errors, (values - REWARD) / REWARD_WIDTH])

        found = _fit(residuals, [*REWARD])
        numbers = (found[0], np.exp(found[1]), abs(found[2]), np.exp(found[3]), expit(found[4]), abs(found[5]))
        rows.append((task, *numbers, "fitted to Large Language Monkeys, figure 7"))
    rewards = pd.DataFrame(rows, columns=["task", "gap", "tail", "doubt", "vote", "wrong_agreement", "agreement_spread", "source"])
    rewards.to_csv(FOLDER / "rewards.csv", index=False, float_format="%.4g")
    return rewards


def _particles() -> list[float]:
    figures = table("figures/particles")
    figures = figures[figures["method"] != "DVTS"]
    single = figures[figures["budget"] == 1].groupby("model")["score_pct"].mean() / 100
    u = (np.arange(200) + 0.5) / 200

    def residuals(values: Array) -> Array:
        alpha, stages, odds, doubt = float(np.exp(values[0])), float(np.exp(values[1])) + 1, float(values[2]), abs(float(values[3]))
        chance = {name: Chances(1.0, alpha, alpha * (1 - mean) / mean).quantiles(u) for name, mean in single.items()}
        errors = []
        for row in records(figures):
            many = stages if row.method == "particle filter" else 1.0
            errors.append(100 * float(particle_chance(chance[row.model], int(row.budget), many, odds, doubt).mean()) - row.score_pct)
        return np.array(errors)

    log_alpha, log_stages, odds, doubt = _fit(residuals, [-1.0, 1.5, 1.5, 0.5])
    return [float(np.exp(log_stages)) + 1, odds, abs(doubt), float(np.exp(log_alpha))]


def _plan_search() -> list[float]:
    figures = table("figures/plan_search")
    figures = figures[figures["method"] == "plan_search"]

    def residuals(values: Array) -> Array:
        errors = []
        for row in records(figures):
            p = question_chances(str(row.model), str(row.task))
            planned = ndtr((1 - values[1]) * np.clip(ndtri(p), -6, 6) - values[0])
            errors.append(100 * float((1 - (1 - planned) ** int(row.samples)).mean()) - row.score_pct)
        return np.array(errors)

    return _fit(residuals, [0.2, 0.3])


def _plan_verify_code() -> list[float]:
    figures = table("figures/plan_verify_code")
    plain, better = figures["plain_pct"].to_numpy(float) / 100, figures["score_pct"].to_numpy(float)
    return _fit(lambda values: 100 * ndtr(ndtri(plain) + values[0]) - better, [0.4])


def _tests() -> list[float]:
    figures = table("figures/verified")
    p, right = figures["pass_at_1_pct"].to_numpy(float) / 100, figures["accepted_right_pct"].to_numpy(float)

    def residuals(values: Array) -> Array:
        wrong = expit(np.where(figures["task"] == "mbpp", values[2], values[0]) + values[1] * logit(p))
        return 100 * p / (p + (1 - p) * wrong) - right

    return _fit(residuals, [-1.2, 0.75, -0.9])


def fit_neighbours() -> pd.DataFrame:
    """Return and write the parameters of the components beyond Archon's; those that are stated stay."""
    fitted = {
        ("particles", "stages", "log_odds", "doubt", "alpha"): _particles(),
        ("plan_search", "loss", "mixing"): _plan_search(),
        ("plan_verify_code", "check"): _plan_verify_code(),
        ("tests", "false_accept_level", "false_accept_slope", "mbpp_level"): _tests(),
    }
    found = table("neighbours").copy()
    for (name, *parameters), values in fitted.items():
        for parameter, value in zip(parameters, values, strict=True):
            found.loc[(found["rule"] == name) & (found["parameter"] == parameter), "value"] = value
    found.to_csv(FOLDER / "neighbours.csv", index=False, float_format="%.4g")
    return found
