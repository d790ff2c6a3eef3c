"""What searchers remember of told trials, how they rank it, and how models are given finite numbers for results that have none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.core.errors import ExpressionError
from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective, ParetoObjective
from designgym.core.pareto import non_dominated
from designgym.core.scores import ILLEGAL_SCORE, clipped, feasible_score, infeasible_score
from designgym.core.space import DesignSpace

MARGIN = 0.1  # of the feasible results' spread: how far below the worst of them an infeasible or failed result is placed


@dataclass(frozen=True)
class Observation:
    """A told result in the objective's numbers, higher is better.

    Attributes:
        design: As told.
        value: `Objective.unbounded_score`; None for a result without metrics.
        vector: `Objective.vector`; None for a result without metrics.
        slacks: Per bound of the objective, its signed excess relative to the limit: above 0 means broken. Empty without metrics.
        violation: Sum of the relative violations; None for a result without metrics.
        illegal: Whether there are no metrics because the design is illegal, which ranks above a failure.
    """

    design: Design
    value: float | None
    vector: tuple[float, ...] | None
    slacks: tuple[float, ...] = ()
    violation: float | None = None
    illegal: bool = False

    @property
    def failed(self) -> bool:
        """Whether there are no metrics (infeasible, failed, timeout, or a score that is not a finite number)."""
        return self.vector is None

    @property
    def feasible(self) -> bool:
        """Whether there are metrics and they keep the objective's bounds."""
        return self.violation == 0

    def to_json(self) -> list[Any]:
        """Return the JSON form."""
        vector = None if self.vector is None else list(self.vector)
        return [self.design.to_dict(), self.value, vector, list(self.slacks), self.violation, self.illegal]

    @classmethod
    def from_json(cls, data: Sequence[Any], space: DesignSpace) -> Observation:
        """Return the observation of its JSON form."""
        design, value, vector, slacks, violation, *illegal = data  # states of earlier versions end with the violation
        return cls(space.validate(design), value, None if vector is None else tuple(vector), tuple(slacks), violation, *illegal)


def observe(design: Design, metrics: Metrics, objective: Objective) -> Observation:
    """Return the observation of a result; one whose objective cannot be computed as finite numbers counts as failed."""
    failure = Observation(design, None, None, illegal=metrics.status == "infeasible")
    if not metrics.ok:
        return failure
    try:
        vector, value = objective.vector(metrics), objective.unbounded_score(metrics)
        violation = clipped(sum(objective.violations(metrics).values()))
        slacks = tuple(bound.excess(metrics.values) for bound in objective.bounds)
    except ExpressionError:
        return failure
    if not np.isfinite([*vector, *slacks, violation, value]).all():
        return failure
    return Observation(design, value, vector, slacks, violation)


def is_multi(objective: Objective) -> bool:
    """Return whether there is a front to find; weighted and target objectives have several terms but one score."""
    return isinstance(objective, ParetoObjective)


def fitness(observations: Sequence[Observation], multi: bool) -> list[float]:
    """Return one number per observation, higher is better: feasible above bound-breaking (by violation) above illegal above failed.

    For one score it is the score; for several terms, minus the position in the order by front and crowding distance (Deb et al.
    2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II"). Comparable within one call only.
    """
    feasible = [i for i, each in enumerate(observations) if each.feasible]
    result = [ILLEGAL_SCORE if each.illegal else -math.inf for each in observations]
    for i, each in enumerate(observations):
        if not each.feasible and each.violation is not None:
            result[i] = infeasible_score(each.violation)
    if not multi:
        for i in feasible:
            result[i] = feasible_score(observations[i].value or 0.0)
        return result
    vectors = np.array([observations[i].vector for i in feasible], dtype=np.float64)
    position = 0
    left = np.arange(len(feasible))
    while len(left):
        front = left[non_dominated(vectors[left])]
        for k in front[np.argsort(-crowding(vectors[front]), kind="stable")]:
            result[feasible[int(k)]] = -float(position)
            position += 1
        left = np.setdiff1d(left, front)
    return result


def crowding(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the crowding distance of each row of an ``(n, m)`` array; infinite at the ends of each column."""
    distance = np.zeros(len(vectors))
    for column in vectors.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def best(observations: Sequence[Observation], count: int, multi: bool) -> list[Observation]:
    """Return the best ``count`` observations, best first; ties in the order told."""
    values = fitness(observations, multi)
    order = sorted(range(len(observations)), key=lambda i: -values[i])
    return [observations[i] for i in order[:count]]


def model_targets(observations: Sequence[Observation], multi: bool, *, bounds_modelled: bool = False) -> NDArray[np.float64]:
    """Return finite numbers to model, shape ``(n, m)``, higher is better; m is 1 unless there are several terms.

    Feasible results keep their numbers. The others lie below the worst feasible one by `MARGIN` of the feasible spread, the more so
    the more they violate, illegal ones below these, failures lowest. Without any feasible result only the order of violations remains.

    Args:
        observations: What was told.
        multi: Whether to model the vector rather than the score.
        bounds_modelled: Whether bounds are modelled apart: then results that only break bounds keep their numbers too.
    """

    def numbers(each: Observation) -> tuple[float, ...] | None:
        if each.vector is None or each.value is None or not (each.feasible or bounds_modelled):
            return None
        return each.vector if multi else (each.value,)

    rows = [numbers(each) for each in observations]
    known = np.array([row for row in rows if row is not None], dtype=np.float64)
    width = len(known[0]) if len(known) else 1
    worst, span = (known.min(axis=0), known.max(axis=0) - known.min(axis=0)) if len(known) else (np.zeros(width), np.ones(width))
    margin = MARGIN * np.where(span > 0, span, np.maximum(np.abs(worst), 1.0) * 1e-3)
    targets = np.empty((len(rows), width))
    for i, (row, each) in enumerate(zip(rows, observations, strict=True)):
        depth = (2.0 if each.illegal else 2.5) if each.violation is None else 1.0 + each.violation / (1.0 + each.violation)
        targets[i] = row if row is not None else worst - margin * depth
    return targets
