"""A surrogate of boosted trees: a bootstrap ensemble says how good a design may be, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.searchers.base import BaseSearcher, option
from designgym.searchers.candidates import Score, best_candidate, model_columns, same_sign_log
from designgym.searchers.observations import Observation, best, model_targets

MIN_RESULTS = 4  # results with metrics before a model is worth fitting
PARENTS = 6  # best designs around which candidates are made


@dataclass(frozen=True)
class XGBoostOptions:
    """Options of `XGBoostSurrogate`."""

    initial: int = option(20, "random designs before the model is used", low=2, high=100_000)
    members: int = option(6, "models in the ensemble, each fitted to its own bootstrap sample", low=2, high=200)
    trees: int = option(50, "boosting rounds per model", low=1, high=10_000)
    depth: int = option(4, "depth of a tree", low=1, high=20)
    learning_rate: float = option(0.2, "shrinkage of a boosting round", low=1e-4, high=1.0)
    acquisition: str = option("ei", "expected improvement, or mean plus kappa standard deviations", choices=("ei", "ucb"))
    kappa: float = option(1.5, "weight of the uncertainty in ucb", low=0.0, high=100.0)
    candidates: int = option(
        300, "random designs screened per proposal, besides as many mutants of the best and the climb", low=8, high=1_000_000
    )


class XGBoostSurrogate(BaseSearcher):
    """Screens random designs, mutants of the best and their neighbours by the ensemble; one thread, deterministic.

    A Pareto objective is turned into one score per batch by random weights (augmented Chebyshev; Knowles 2006, "ParEGO"). Within a batch
    each further design trusts a random mixture of the members, so that the batch spreads.
    """

    name = "xgboost"
    Options = XGBoostOptions

    def _propose(self) -> Design | None:
        return self._random()

    def _propose_batch(self, n: int) -> list[Design]:
        known = list(self.observations.values())
        enough = sum(not each.failed for each in known) >= MIN_RESULTS
        if not enough or (self.asked < self.options.initial and len(known) < self.options.initial):
            return super()._propose_batch(n)
        targets = self._targets(known)
        if np.ptp(targets) <= 1e-12 * np.abs(targets).max():
            return super()._propose_batch(n)  # all equal: nothing to learn, explore
        boosters = self._fit(self._features(model_columns(self, [each.design for each in known])), targets)
        designs: list[Design] = []
        parents = [each.design for each in best(known, PARENTS, self.multi)]
        while len(designs) < n:
            weights = np.ones(len(boosters)) if not designs else self.rng.dirichlet(np.ones(len(boosters))) * len(boosters)
            score = self._score(boosters, weights, float(targets.max()))
            count = self.options.candidates
            if (design := best_candidate(self, score, parents, random=count, mutants=count)) is None:
                break
            self._note(design)
            designs.append(design)
        return designs

    def _targets(self, known: list[Observation]) -> NDArray[np.float64]:
        """Return one number per observation, scaled to a spread of 1."""
        numbers = model_targets(known, self.multi)
        if self.multi:
            low, span = numbers.min(axis=0), np.ptp(numbers, axis=0)
            relative = (numbers - low) / np.where(span > 0, span, 1.0)
            weights = self.rng.dirichlet(np.ones(numbers.shape[1]))
            values = (weights * (relative - 1)).min(axis=1) + 0.05 * (weights * relative).sum(axis=1)
        else:
            values = same_sign_log(numbers[:, 0])
        return (values - values.mean()) / (values.std() or 1.0)

    def _features(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the columns with unordered ones spread out, one per cell."""
        parts: list[NDArray[Any]] = []
        for i, column in enumerate(self.space.columns):
            if column.kind == "categorical" and column.cells > 2:
                parts.append(np.floor(x[:, i, None] * column.cells) == np.arange(column.cells))
            else:
                parts.append(x[:, i, None])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _fit(self, features: NDArray[np.float32], targets: NDArray[np.float64]) -> list[Any]:
        import xgboost

        settings = {
            "max_depth": self.options.depth, "eta": self.options.learning_rate, "nthread": 1, "verbosity": 0, "tree_method": "hist",
            "seed": self.seed % 2**31, "base_score": 0.0, "min_child_weight": 1.0, "lambda": 1.0,
        }  # fmt: skip
        boosters = []
        for _ in range(self.options.members):
            rows = self.rng.integers(len(targets), size=len(targets))
            data = xgboost.DMatrix(features[rows], label=targets[rows], nthread=1)
            boosters.append(xgboost.train(settings, data, num_boost_round=self.options.trees))
        return boosters

    def _score(self, boosters: list[Any], weights: NDArray[np.float64], reached: float) -> Score:
        from scipy.special import ndtr

        def score(x: NDArray[np.float64]) -> NDArray[np.float64]:
            features = self._features(x)
            predicted = np.array([booster.inplace_predict(features) for booster in boosters], dtype=np.float64)
            mean = (weights[:, None] * predicted).mean(axis=0)
            deviation = np.maximum(predicted.std(axis=0, ddof=1), 1e-3)
            if self.options.acquisition == "ucb":
                return np.asarray(mean + self.options.kappa * deviation)
            z = (mean - reached) / deviation
            density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
            # where the improvement is too small for a float, the mean still tells candidates apart
            return np.asarray(deviation * (density + z * ndtr(z)) + 1e-9 * mean)

        return score
