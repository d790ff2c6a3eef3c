"""`Confirm`: measure what a study on a simulator found, and let what was measured correct the simulator."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics
from designgym.searchers.base import BaseSearcher, option
from designgym.searchers.observations import Observation, observe
from designgym.studies.results import StudyResult
from designgym.studies.store import Store, open_store

__all__ = ["Confirm"]

MIN_PAIRS = 3  # designs both simulated and measured before their differences are modelled


@dataclass(frozen=True)
class ConfirmOptions:
    """Options of `Confirm`."""

    study: str = option("", "name of the study on the simulator, which must have finished")
    store: str = option("", "path or URL of its store; the default store if it is not given")
    candidates: int = option(200, "its best designs to choose from", low=1, high=100_000)


class Confirm(BaseSearcher):
    """Chooses among the best designs of a study on a cheaper simulator of the same parameters and metrics: multi-fidelity search.

    The default design comes first, so that gains are over something measured, then the best two of the simulator. From then on a
    Gaussian process models how far measurements are from the simulator, in the objective and in each of its bounds, and the design
    with the largest expected improvement over the best measured one is next, weighted by the probability that it keeps the bounds
    (additive discrepancy of Kennedy and O'Hagan, Biometrika 2000, with the factor 1; constrained improvement of Gardner et al., ICML
    2014). Parameters that the simulator does not have keep their defaults. When all candidates are measured there is no more to propose.

    Raises:
        InputError: If the study is not finished, or has no design of this space with metrics for this objective.
    """

    name = "confirm"
    Options = ConfirmOptions

    def _setup(self) -> None:
        if self.multi:
            raise InputError("searcher 'confirm' needs an objective with one score, got a Pareto objective")
        with open_store(self.options.store or None, create=False, read_only=True) as store:
            self._simulated = self._read_candidates(store)
        self._keys = list(self._simulated)
        every = list(self._simulated.values())
        self._x = self.space.encode([each.design for each in every])
        self._expected = np.array([[each.value, *each.slacks] for each in every])
        self._categorical = tuple(i for i, column in enumerate(self.space.columns) if column.kind == "categorical")

    def _read_candidates(self, store: Store) -> dict[str, Observation]:
        """Return what the simulator says of its best designs in this space, best first."""
        result = StudyResult.load(store, self.options.study)
        if not result.finished:
            raise InputError(f"study {self.options.study!r} has not finished: run it to its end first")
        found: dict[str, Observation] = {}
        for trial in result.best(self.options.candidates):
            values = {name: trial.design.get(name, parameter.default) for name, parameter in self.space.parameters.items()}
            design = Design(values)
            if not self.space.holds(design) or self.space.violations(design):
                continue
            observation = observe(design, Metrics(dict(trial.metrics)), self.objective)
            if not observation.failed:
                found.setdefault(self._key(design), observation)
        if not found:
            raise InputError(
                f"study {shorten(self.options.study)} has no design that is legal here with metrics for the objective "
                f"{self.objective.name!r}: it must be on a simulator with the same parameters and metrics"
            )
        return dict(sorted(found.items(), key=lambda item: (not item[1].feasible, -(item[1].value or 0.0))))

    def _propose(self) -> Design | None:
        default = self.space.default()
        if not self._known(default) and not self.space.violations(default):
            return default
        left = [i for i, key in enumerate(self._keys) if key not in self.observations and key not in self.pending]
        if not left:
            return None
        gains = self._gains(np.array(left))
        return self._simulated[self._keys[left[0 if gains is None else int(np.argmax(gains))]]].design

    def _gains(self, left: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Return the expected improvement by each candidate; None while too little has been measured to say."""
        pairs = [i for i, key in enumerate(self._keys) if key in self.observations and not self.observations[key].failed]
        if len(pairs) < MIN_PAIRS:
            return None
        measured = [self.observations[self._keys[i]] for i in pairs]
        outcomes = np.array([[each.value, *each.slacks] for each in measured])
        mean, deviation = self._corrected(np.array(pairs), outcomes, left)
        kept = [each.value for each in self.observations.values() if each.feasible and each.value is not None]
        possible = stats.norm.cdf(-mean[:, 1:] / deviation[:, 1:]).prod(axis=1)
        if not kept:
            return possible
        z = (mean[:, 0] - max(kept)) / deviation[:, 0]
        return deviation[:, 0] * (z * stats.norm.cdf(z) + stats.norm.pdf(z)) * possible

    def _corrected(
        self, pairs: NDArray[np.int64], outcomes: NDArray[np.float64], left: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of what measuring would give, in the objective and each bound."""
        from designgym.searchers.botorch_model import NUMERICAL, Data, Surrogate, controlled

        errors = outcomes - self._expected[pairs]
        with controlled(self.seed):
            try:
                data = Data(self._x[pairs], errors[:, :1], errors[:, 1:], self._categorical)
                mean, deviation = Surrogate(data, None, fit=True).predict(self._x[left])
            except NUMERICAL:  # one error for all designs, then
                mean = np.broadcast_to(errors.mean(axis=0), (len(left), errors.shape[1]))
                deviation = np.broadcast_to(errors.std(axis=0, ddof=1), mean.shape)
        return self._expected[left] + mean, np.maximum(deviation, 1e-9 * (1 + np.abs(self._expected[left])))

    @classmethod
    def of(cls, study: str, store: str | os.PathLike[str], *, candidates: int = 200) -> Any:
        """Return the recipe for a study in a store; a path is made absolute, so that every worker finds it."""
        place = os.fspath(store)
        return cls(study=study, store=place if "://" in place else os.path.abspath(place), candidates=candidates)
