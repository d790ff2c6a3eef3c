"""Bayesian optimisation with BoTorch, over real designs only: no rounding of a continuous optimum."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.core.objectives import ParetoObjective
from designgym.searchers.base import BaseSearcher, option
from designgym.searchers.candidates import best_candidate, model_columns, same_sign_log
from designgym.searchers.observations import Observation, best, model_targets
from designgym.searchers.sobol import Sobol

if TYPE_CHECKING:
    from designgym.searchers.botorch_model import Acquisition, Data, Surrogate

MIN_RESULTS = 4  # results with metrics before a model is worth fitting
PARENTS = 6  # best designs around which candidates are made
BASELINE = 16  # best designs beyond whose front hypervolume is sought
PENDING = 32  # latest designs without results that are taken into account
REFIT = 1.1  # growth of the results after which the kernel parameters are fitted anew, starting from the last ones
SLACK_LIMIT = 3.0  # relative excess beyond which a broken bound is no worse to the model
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BoTorchOptions:
    """Options of `BoTorchSearcher`."""

    initial: int = option(12, "Sobol designs before the model is used", low=2, high=100_000)
    max_points: int = option(
        160, "results the model is fitted to: half are the best, the others are spread over the history", low=8, high=2_000
    )
    candidates: int = option(
        160, "random designs looked at per proposal, besides as many mutants of the best and the climb", low=8, high=100_000
    )
    samples: int = option(64, "quasi-random samples of the acquisition function", low=8, high=4_096)


class BoTorchSearcher(BaseSearcher):
    """A Gaussian process with categorical and ordered columns; qLogEI for one score, qLogNEHVI for a Pareto objective.

    Designs asked but not yet told are passed as pending. Bounds of the objective are modelled as outcome constraints; failures get a
    finite value below all others. The acquisition function is climbed through legal, new designs. Costs (scores of one sign) are
    modelled on a log scale. Where no model can be had - too few results, all of them equal, or numerical trouble - the next design is
    the next Sobol point instead; ``fallbacks`` counts the last kind and a warning is logged.
    """

    name = "botorch"
    Options = BoTorchOptions

    def _setup(self) -> None:
        self.fallbacks = 0
        self._parameters: dict[str, Any] | None = None
        self._fitted_at = 0
        self._initial = Sobol(self.space, self.objective, seed=self.seed)
        # one memory and one generator, so that Sobol points skip what is known here
        self._initial.observations, self._initial.pending, self._initial.rng = self.observations, self.pending, self.rng

    def _propose_batch(self, n: int) -> list[Design]:
        if not self._ready():
            return super()._propose_batch(n)
        from designgym.searchers import botorch_model

        seed = int(np.random.SeedSequence([self.seed, self.asked]).generate_state(1)[0])
        designs: list[Design] = []
        with botorch_model.controlled(seed):
            try:
                used = self._used()
                surrogate = self._surrogate(self._data(used))
                while len(designs) < n:
                    score = self._acquisition(surrogate, used, seed + len(designs))
                    parents = [each.design for each in best(used, PARENTS, self.multi)]
                    count = self.options.candidates
                    if (design := best_candidate(self, score, parents, random=count, mutants=count)) is None:
                        break
                    self._note(design)
                    designs.append(design)
            except botorch_model.NUMERICAL as error:
                self.fallbacks += 1
                log.warning("the Gaussian process failed (%s: %s); Sobol points are asked instead", type(error).__name__, error)
                designs += super()._propose_batch(n - len(designs))
        return designs

    def _surrogate(self, data: Data) -> Surrogate:
        """Return the model, its kernel parameters fitted anew when the results have grown by `REFIT` since the last fit."""
        from designgym.searchers.botorch_model import Surrogate

        due = self._parameters is None or len(self.observations) >= REFIT * self._fitted_at
        surrogate = Surrogate(data, self._parameters, due)
        if due:
            self._parameters, self._fitted_at = surrogate.parameters, len(self.observations)
        return surrogate

    def _propose(self) -> Design | None:
        return self._initial._propose()

    def _ready(self) -> bool:
        """Return whether there are enough results, not all equal, for a model."""
        results = [each for each in self.observations.values() if not each.failed]
        if len(results) < MIN_RESULTS or (self.asked < self.options.initial and len(self.observations) < self.options.initial):
            return False
        values = np.array([[each.value or 0.0, each.violation or 0.0, *(each.vector or ())] for each in results])
        return bool((np.ptp(values, axis=0) > 1e-12 * np.abs(values).max(axis=0)).any())

    def _used(self) -> list[Observation]:
        """Return the observations to fit: all up to ``max_points``, else the best half and an even spread over the others."""
        everything = list(self.observations.values())
        limit = self.options.max_points
        if len(everything) <= limit:
            return everything
        top = best(everything, limit // 2, self.multi)
        chosen = {id(each) for each in top}
        others = [each for each in everything if id(each) not in chosen]
        spread = np.linspace(0, len(others) - 1, limit - len(top)).round().astype(int)
        return top + [others[i] for i in spread]

    def _data(self, used: list[Observation]) -> Data:
        from designgym.searchers.botorch_model import Data

        bounds = len(self.objective.bounds)
        slacks = np.array([each.slacks if not each.failed else (SLACK_LIMIT,) * bounds for each in used]).reshape(len(used), bounds)
        categorical = tuple(i for i, column in enumerate(self.space.columns) if column.kind == "categorical")
        return Data(self._x(used), self._targets(used), np.clip(slacks, -SLACK_LIMIT, SLACK_LIMIT), categorical)

    def _x(self, used: list[Observation]) -> NDArray[np.float64]:
        return model_columns(self, [each.design for each in used])

    def _targets(self, used: list[Observation]) -> NDArray[np.float64]:
        ok = [each for each in used if not each.failed]
        if self.multi:
            return model_targets(used, True, bounds_modelled=True)
        logs = same_sign_log(np.array([each.value for each in ok], dtype=np.float64))
        scaled = iter([Observation(each.design, float(value), each.vector, (), 0.0) for each, value in zip(ok, logs, strict=True)])
        return model_targets([each if each.failed else next(scaled) for each in used], False)

    def _acquisition(self, surrogate: Surrogate, used: list[Observation], seed: int) -> Acquisition:
        pending = model_columns(self, list(self.pending.values())[-PENDING:])
        targets = self._targets(used)
        feasible = np.array([each.feasible for each in used])
        if not self.multi:
            # without a feasible result any feasible one improves: then the constraints alone decide
            reached = targets[feasible, 0].max() if feasible.any() else targets.min() - np.ptp(targets)
            return surrogate.improvement(float(reached), pending, self.options.samples, seed)
        assert isinstance(self.objective, ParetoObjective)
        reference = np.array(self.objective.reference_vector)
        if not (targets[feasible] > reference).all(axis=1).any():
            # nothing is inside the reference box yet: seek the front from the worst of what there is, so that there is a way in
            shown = targets[feasible] if feasible.any() else targets
            reference = np.minimum(reference, shown.min(axis=0) - 0.1 * np.ptp(shown, axis=0))
        baseline = self._x(best(used, BASELINE, True))
        return surrogate.hypervolume(reference.tolist(), baseline, pending, self.options.samples, seed)

    def _own_state(self) -> dict[str, Any]:
        fitted = {"parameters": self._parameters, "fitted_at": self._fitted_at}
        return {"initial": self._initial._own_state(), "fallbacks": self.fallbacks, **fitted}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        self._initial._restore_own(own["initial"])
        self.fallbacks = int(own["fallbacks"])
        self._parameters = None if own["parameters"] is None else {name: list(values) for name, values in own["parameters"].items()}
        self._fitted_at = int(own["fitted_at"])
