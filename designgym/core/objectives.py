"""What makes one result better than another.

A term is an expression over metrics with a direction; constraints bound expressions. Inside, higher is better; `Objective.describe`
always states the direction. Feasible results always score above infeasible ones, and those are ordered by how much they violate
(lexicographic feasibility; Deb 2000, "An efficient constraint handling method for genetic algorithms"); failures score -inf.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.errors import ExpressionError, InputError, UnknownNameError, shorten
from designgym.core.expressions import Expression
from designgym.core.metrics import Goal, Metrics, MetricSpec
from designgym.core.pareto import hypervolume

INFEASIBLE_SCORE = -1e300  # feasible scores lie above it, whatever their units


def infeasible_score(violation: float) -> float:
    """Return the score of a result whose relative violations add up to this: from once to twice the limit, for an infinite one."""
    return INFEASIBLE_SCORE * (2 - 1 / (1 + violation))


@dataclass(frozen=True)
class Term:
    """One quantity to optimise: an expression over metrics and a direction."""

    expression: Expression
    goal: Goal
    name: str = ""

    @property
    def label(self) -> str:
        """The name as shown."""
        return self.name or self.expression.text

    def signed(self, values: Mapping[str, float]) -> float:
        """Return the value, negated if lower is better."""
        value = self.value(values)
        return -value if self.goal == "min" else value

    def value(self, values: Mapping[str, float]) -> float:
        """Return the value in its own direction; raises `ExpressionError` if it is not a finite number."""
        return _number(self.expression, values)


@dataclass(frozen=True)
class Bound:
    """A constraint ``expression <= limit`` or ``>= limit``."""

    expression: Expression
    at_most: bool
    limit: float

    def excess(self, values: Mapping[str, float]) -> float:
        """Return how far the value lies beyond the limit, relative to it (absolute for limit 0); below 0 where the bound holds."""
        value = _number(self.expression, values)
        return (value - self.limit if self.at_most else self.limit - value) / (abs(self.limit) or 1.0)

    def violation(self, values: Mapping[str, float]) -> float:
        """Return by how much the bound is broken, relative to the limit (absolute for limit 0); 0 if it holds."""
        return max(0.0, self.excess(values))

    def __str__(self) -> str:
        return f"{self.expression.text} {'<=' if self.at_most else '>='} {self.limit:g}"


class Objective:
    """One or several terms under constraints. Subclasses say how a feasible result becomes one number.

    Attributes:
        terms: What is optimised.
        bounds: The constraints.
        name: Name under which an environment offers it; empty for one made on the fly.
    """

    name: str = ""

    def __init__(self, terms: Sequence[Term], subject_to: Mapping[str, str] | None = None) -> None:
        if not terms:
            raise InputError("an objective needs at least one metric")
        if not isinstance(subject_to, Mapping | None):
            raise InputError(f"subject_to is {shorten(subject_to)}, expected bounds by metric such as {{'area_mm2': '<= 2'}}")
        self.terms = tuple(terms)
        self.bounds = tuple(_parse_bound(expression, bound) for expression, bound in (subject_to or {}).items())

    def score(self, metrics: Metrics) -> float:
        """Return one number, higher is better: any feasible result beats any infeasible one, any result beats a failure (-inf)."""
        broken = sum(self.violations(metrics).values())
        return infeasible_score(broken) if broken > 0 else self.unbounded_score(metrics)

    def unbounded_score(self, metrics: Metrics) -> float:
        """Return the score with the constraints left aside."""
        return self._value(metrics.values) if metrics.ok else -math.inf

    def vector(self, metrics: Metrics) -> tuple[float, ...]:
        """Return one number per term, higher is better, constraints aside; all -inf for a failure."""
        if not metrics.ok:
            return (-math.inf,) * len(self.terms)
        return tuple(term.signed(metrics.values) for term in self.terms)

    def violations(self, metrics: Metrics) -> dict[str, float]:
        """Return the broken constraints of an ``ok`` result with their relative violation."""
        if not metrics.ok:
            return {}
        amounts = {str(bound): bound.violation(metrics.values) for bound in self.bounds}
        return {text: amount for text, amount in amounts.items() if amount > 0}

    def feasible(self, metrics: Metrics) -> bool:
        """Return whether the result exists and keeps all constraints."""
        return metrics.ok and not self.violations(metrics)

    def shown(self, metrics: Metrics) -> dict[str, float]:
        """Return the terms' values as people read them, in their own direction and units."""
        return {term.label: term.value(metrics.values) for term in self.terms} if metrics.ok else {}

    def describe(self) -> str:
        """Return the objective in words, directions included."""
        return self._words() + (" subject to " + ", ".join(map(str, self.bounds)) if self.bounds else "")

    def check(self, specs: Iterable[MetricSpec]) -> None:
        """Raise `UnknownNameError` if a term or constraint reads a metric that is not among ``specs``."""
        known = {spec.name for spec in specs}
        for expression in [*(term.expression for term in self.terms), *(bound.expression for bound in self.bounds)]:
            expression.require(known, "metric")

    def named(self, name: str) -> Objective:
        """Return a copy that goes by ``name``."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, name=name)
        return copy

    def to_json(self) -> dict[str, Any]:
        """Return the objective as JSON data; equal data means equal scores."""
        return {
            "kind": type(self).__name__,
            "terms": [[term.expression.text, term.goal, term.name] for term in self.terms],
            "subject_to": [[bound.expression.text, "<=" if bound.at_most else ">=", bound.limit] for bound in self.bounds],
        }

    def _value(self, values: Mapping[str, float]) -> float:
        raise NotImplementedError

    def _words(self) -> str:
        return " and ".join(f"{'minimise' if term.goal == 'min' else 'maximise'} {term.label}" for term in self.terms)


class SingleObjective(Objective):
    """One term."""

    def _value(self, values: Mapping[str, float]) -> float:
        return self.terms[0].signed(values)


class WeightedObjective(Objective):
    """The weighted sum of minimised terms, each divided by its scale so that units do not mix."""

    def __init__(self, weights: Mapping[str, float], scales: Mapping[str, float], subject_to: Mapping[str, str] | None = None) -> None:
        if weights.keys() != scales.keys():
            raise InputError(f"each weighted term needs a scale: weights for {sorted(weights)}, scales for {sorted(scales)}")
        for term in weights:
            if not (math.isfinite(weights[term]) and math.isfinite(scales[term]) and scales[term] > 0):
                raise InputError(f"term {term!r} needs a finite weight and a scale > 0, got {weights[term]!r} and {scales[term]!r}")
        super().__init__([Term(Expression(term), "min" if weight >= 0 else "max") for term, weight in weights.items()], subject_to)
        self.weights, self.scales = dict(weights), dict(scales)

    def _value(self, values: Mapping[str, float]) -> float:
        return -sum(
            weight * term.value(values) / self.scales[term.expression.text]
            for term, weight in zip(self.terms, self.weights.values(), strict=True)
        )

    def _words(self) -> str:
        return "minimise " + " + ".join(f"{w:g} * {t} / {self.scales[t]:g}" for t, w in self.weights.items())

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"weights": self.weights, "scales": self.scales}


class TargetObjective(Objective):
    """Terms that should be no more than their targets.

    Above the target a term costs its relative excess; below it earns ``bonus`` times its relative slack: strictly falling
    everywhere, so beating a target is never worse than meeting it.
    """

    def __init__(self, targets: Mapping[str, float], bonus: float = 0.1, subject_to: Mapping[str, str] | None = None) -> None:
        for term, limit in targets.items():
            if not (isinstance(limit, int | float | np.number) and math.isfinite(limit) and limit > 0):
                raise InputError(f"target of {term!r} must be a number > 0, got {limit!r}")
        if not 0 <= bonus <= 1:
            raise InputError(f"bonus must be in [0, 1], got {bonus!r}")
        super().__init__([Term(Expression(term), "min") for term in targets], subject_to)
        self.targets, self.bonus = dict(targets), bonus

    def _value(self, values: Mapping[str, float]) -> float:
        slacks = [1 - term.value(values) / self.targets[term.expression.text] for term in self.terms]
        return sum(slack * (self.bonus if slack > 0 else 1.0) for slack in slacks)

    def _words(self) -> str:
        return "bring " + " and ".join(f"{term} to at most {limit:g}" for term, limit in self.targets.items())

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"targets": self.targets, "bonus": self.bonus}


class ParetoObjective(Objective):
    """Several terms at once. The score of one result is the volume it dominates alone, relative to the reference point.

    Attributes:
        reference: The worst value of interest per term, in its own units; hypervolume counts from there.
    """

    def __init__(self, terms: Sequence[Term], reference: Mapping[str, float], subject_to: Mapping[str, str] | None = None) -> None:
        super().__init__(terms, subject_to)
        labels = [term.label for term in self.terms]
        if len(terms) < 2 or sorted(reference) != sorted(labels):
            raise InputError(
                f"a Pareto objective needs two or more terms and a reference value for each of {labels}, got {dict(reference)}"
            )
        self.reference = {label: float(reference[label]) for label in labels}

    @property
    def reference_vector(self) -> tuple[float, ...]:
        """The reference point with higher-is-better signs."""
        return tuple(-self.reference[t.label] if t.goal == "min" else self.reference[t.label] for t in self.terms)

    def hypervolume(self, results: Iterable[Metrics]) -> float:
        """Return the hypervolume of the feasible results, as a fraction of the box from the reference point to zero.

        For a maximised term the box ends at twice the reference.
        """
        vectors = [self._relative(metrics.values) for metrics in results if self.feasible(metrics)]
        return hypervolume(np.array(vectors).reshape(-1, len(self.terms)), np.zeros(len(self.terms)))

    def _relative(self, values: Mapping[str, float]) -> list[float]:
        """Return how far each term is inside the reference, 1 at zero (at twice the reference when maximised)."""
        return [
            (term.signed(values) - reference) / (abs(reference) or 1.0)
            for term, reference in zip(self.terms, self.reference_vector, strict=True)
        ]

    def _value(self, values: Mapping[str, float]) -> float:
        inside = self._relative(values)
        # outside the reference box nothing is dominated: rank by the distance to the box, so that searchers find the way in
        return math.prod(inside) if min(inside) > 0 else sum(min(0.0, x) for x in inside)

    def _words(self) -> str:
        return super()._words() + " (Pareto; reference " + ", ".join(f"{k} = {v:g}" for k, v in self.reference.items()) + ")"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"reference": self.reference}


class ArchGymReward(Objective):
    """ArchGym's reward, the product of ``target / |target - x|`` (Krishnan et al., ISCA 2023, section 5), for comparison only.

    Flaw, kept on purpose: it peaks at hitting the target and falls again beyond it, so a design that beats the target scores
    lower than one that just meets it. Use `TargetObjective` for real work. ``scales`` convert our units to the targets'.
    """

    def __init__(self, targets: Mapping[str, float], scales: Mapping[str, float]) -> None:
        super().__init__([Term(Expression(metric), "min") for metric in targets])
        self.targets, self.scales = dict(targets), dict(scales)

    def _value(self, values: Mapping[str, float]) -> float:
        factors = []
        for term in self.terms:
            target = self.targets[term.expression.text]
            distance = abs(target - term.value(values) * self.scales[term.expression.text])
            factors.append(target / max(distance, target * 1e-12))
        return math.prod(factors)

    def _words(self) -> str:
        return "maximise ArchGym's reward for hitting " + " and ".join(f"{t} * {self.scales[t]:g} = {x:g}" for t, x in self.targets.items())

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"targets": self.targets, "scales": self.scales}


def minimize(expression: str, *, subject_to: Mapping[str, str] | None = None, name: str = "") -> Objective:
    """Minimise a metric, or an expression over metrics such as ``energy_pj * total_time_ns``.

    Args:
        expression: What to minimise.
        subject_to: Bounds by expression: ``{"area_mm2": "<= 2"}``.
        name: How the quantity is shown, with its unit (``edp_pj_ns``).
    """
    return SingleObjective([Term(Expression(expression), "min", name)], subject_to)


def maximize(expression: str, *, subject_to: Mapping[str, str] | None = None, name: str = "") -> Objective:
    """Maximise a metric or an expression over metrics; see `minimize`."""
    return SingleObjective([Term(Expression(expression), "max", name)], subject_to)


def weighted(weights: Mapping[str, float], *, scales: Mapping[str, float], subject_to: Mapping[str, str] | None = None) -> Objective:
    """Minimise ``sum(weight * term / scale)``; a negative weight rewards a term. Scales carry the terms' units."""
    return WeightedObjective(weights, scales, subject_to)


def target(targets: Mapping[str, float], *, bonus: float = 0.1, subject_to: Mapping[str, str] | None = None) -> Objective:
    """Bring each term to at most its target, in the term's unit; beating a target is never worse than meeting it."""
    return TargetObjective(targets, bonus, subject_to)


def pareto(
    *terms: str, reference: Mapping[str, float], maximize: Sequence[str] = (), subject_to: Mapping[str, str] | None = None
) -> ParetoObjective:
    """Find the trade-off between several terms.

    Args:
        *terms: Metrics or expressions, minimised unless listed in ``maximize``.
        reference: The worst value of interest of each term; hypervolume is measured from it.
        maximize: The terms of which more is better.
        subject_to: See `minimize`.
    """
    if unknown := [term for term in maximize if term not in terms]:
        raise UnknownNameError("term to maximise", unknown[0], terms)
    return ParetoObjective([Term(Expression(t), "max" if t in maximize else "min") for t in terms], reference, subject_to)


def _number(expression: Expression, values: Mapping[str, float]) -> float:
    value = expression(values)
    if isinstance(value, bool | int | float | np.number) and math.isfinite(value):
        return float(value)
    raise ExpressionError(f"expression {expression.text!r} gives {shorten(value)}, expected a finite number")


def _parse_bound(expression: str, bound: str) -> Bound:
    match = re.fullmatch(r"\s*(<=|>=)\s*(\S+)\s*", bound) if isinstance(bound, str) else None
    try:
        limit = float(match[2]) if match else math.nan
    except ValueError:
        limit = math.nan
    if match is None or not math.isfinite(limit):
        raise InputError(f"bound of {expression!r} must read like '<= 2' or '>= 0.5', got {bound!r}")
    return Bound(Expression(expression), match[1] == "<=", limit)
