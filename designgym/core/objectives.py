"""What makes one result better than another.

A term is an expression over metrics with a direction; constraints bound expressions. Inside, higher is better; `Objective.describe`
always states the direction. Feasible results always score above those that break bounds, and these are ordered by how much they violate
(lexicographic feasibility, see `scores`); then come illegal designs; failures score -inf, and so do results of which the objective has
no value, such as ``1 / x`` at 0: those are results like others, and end no run.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from designgym.core.errors import ExpressionError, InputError, UnknownNameError, shorten
from designgym.core.expressions import Expression
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.pareto import hypervolume
from designgym.core.scores import ILLEGAL_SCORE, clipped, feasible_score, infeasible_score
from designgym.core.terms import Term, parse_bound, require_number


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
        self.bounds = tuple(parse_bound(expression, bound) for expression, bound in (subject_to or {}).items())

    def score(self, metrics: Metrics) -> float:
        """Return one number, higher is better: any feasible result beats any that breaks bounds, and that any illegal design.

        All beat a failure (-inf), and a result of which a term or a constraint has no value (-inf; see `problem`).
        """
        if not metrics.ok:
            return ILLEGAL_SCORE if metrics.status == "infeasible" else -math.inf
        try:
            value = self._finite_value(metrics.values)
            broken = sum(max(0.0, bound.excess(metrics.values)) for bound in self.bounds)
        except ExpressionError:
            return -math.inf
        return infeasible_score(clipped(broken)) if broken > 0 else feasible_score(value)

    def unbounded_score(self, metrics: Metrics) -> float:
        """Return the raw score, constraints left aside; -inf without metrics, or if a term has no value."""
        if not metrics.ok:
            return -math.inf
        try:
            return self._finite_value(metrics.values)
        except ExpressionError:
            return -math.inf

    def vector(self, metrics: Metrics) -> tuple[float, ...]:
        """Return one number per term, higher is better, constraints aside; all -inf for a failure, or if one has no value."""
        if metrics.ok:
            with contextlib.suppress(ExpressionError):
                return tuple(term.signed(metrics.values) for term in self.terms)
        return (-math.inf,) * len(self.terms)

    def violations(self, metrics: Metrics) -> dict[str, float]:
        """Return the broken constraints of an ``ok`` result with their relative violation, infinite for one that has no value."""
        if not metrics.ok:
            return {}
        amounts = {str(bound): bound.violation(metrics.values) for bound in self.bounds}
        return {text: amount for text, amount in amounts.items() if amount > 0}

    def problem(self, metrics: Metrics) -> str:
        """Return why the objective has no value for an ``ok`` result (``1 / x`` at 0, an overflow); empty if it has one."""
        if metrics.ok:
            try:
                self._finite_value(metrics.values)
                for bound in self.bounds:
                    bound.excess(metrics.values)
            except ExpressionError as error:
                return str(error)
        return ""

    def feasible(self, metrics: Metrics) -> bool:
        """Return whether the result exists, has a score and keeps all constraints."""
        return metrics.ok and not self.violations(metrics) and self.unbounded_score(metrics) > -math.inf

    def shown(self, metrics: Metrics) -> dict[str, float]:
        """Return the terms' values as people read them, in their own direction and units; empty for a failure, or if one has none."""
        if metrics.ok:
            with contextlib.suppress(ExpressionError):
                return {term.label: term.value(metrics.values) for term in self.terms}
        return {}

    def describe(self) -> str:
        """Return the objective in words, directions included."""
        return self._words() + (" subject to " + ", ".join(map(str, self.bounds)) if self.bounds else "")

    def check(self, specs: Iterable[MetricSpec]) -> None:
        """Refuse what has no value for any result.

        Raises:
            UnknownNameError: If a term or constraint reads a metric that is not among ``specs``.
            ExpressionError: If it is no number, whatever the metrics: text, a list, a constant division by zero.
        """
        known = {spec.name for spec in specs}
        for expression in [*(term.expression for term in self.terms), *(bound.expression for bound in self.bounds)]:
            expression.require(known, "metric")
            require_number(expression)

    def contradictions(self, specs: Iterable[MetricSpec]) -> list[str]:
        """Return, in words, the terms that ask for less of a metric of which more is declared to be better, or the reverse."""
        goals = {spec.name: spec.goal for spec in specs}
        return [
            f"{term.expression.text} is {'minimised' if term.goal == 'min' else 'maximised'}, although its metric is declared with "
            f"goal={goals[term.expression.text]!r}: {self._remedy(term)}"
            for term in self.terms
            if goals.get(term.expression.text) not in (None, term.goal)
        ]

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

    def _remedy(self, term: Term) -> str:
        """Return how to turn a term's direction round."""
        return f"write {'maximize' if term.goal == 'min' else 'minimize'}({term.expression.text!r})"

    def _finite_value(self, values: Mapping[str, float]) -> float:
        try:
            value = self._value(values)
        except ArithmeticError as error:  # of a kind's own formula; those of expressions are ExpressionErrors already
            raise ExpressionError(f"the score of {self._words()!r} cannot be computed: {error}") from None
        if not math.isfinite(value):
            raise ExpressionError(f"the score of {self._words()!r} is {value}: its terms are too large together")
        return value

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

    def _remedy(self, term: Term) -> str:
        return f"turn the sign of its weight {self.weights[term.expression.text]:g} round"

    def _words(self) -> str:
        return "minimise " + " + ".join(f"{w:g} * {t} / {self.scales[t]:g}" for t, w in self.weights.items())

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return super().to_json() | {"weights": self.weights, "scales": self.scales}


class TargetObjective(Objective):
    """Terms that should be no more than their targets.

    With ``excess = (value - target) / target`` of each term, the score is

    - ``-sum(excess)`` over the missed targets if any is missed: below 0, and the higher the less is missed;
    - ``bonus * sum(-excess)`` over all terms once all are met: 0 for meeting each exactly, more for beating any.

    So missing any target ranks below meeting all of them, however far the others are beaten; beating a target is never worse than
    meeting it, and meeting one more never worse than missing it. With several targets the score steps up where the last one is met, by
    the bonus of the others: without the step, the bonus could not count for a design that meets one target exactly.
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
        excesses = []
        for term in self.terms:
            limit = self.targets[term.expression.text]
            excesses.append(clipped((term.value(values) - limit) / limit))  # the difference first: above 0 for any miss, however small
        missed = [excess for excess in excesses if excess > 0]
        return -clipped(sum(missed)) if missed else self.bonus * clipped(sum(-excess for excess in excesses))

    def _remedy(self, term: Term) -> str:
        return f"targets are upper limits; bound it from below with subject_to={{{term.expression.text!r}: '>= ...'}}"

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
        """Return the hypervolume of the feasible results with respect to the reference point, each term in units of its reference.

        So it is the usual volume, divided by the product of the absolute reference values (1 for a reference of 0), and has no
        unit. It is at most 1 where all terms are minimised and not negative, since no result can be better than 0 then.
        """
        vectors = [self._relative(metrics.values) for metrics in results if self.feasible(metrics)]
        return hypervolume(np.array(vectors).reshape(-1, len(self.terms)), np.zeros(len(self.terms)))

    def _relative(self, values: Mapping[str, float]) -> list[float]:
        """Return how far each term is inside the reference, in units of that: 1 at zero, or at twice the reference when maximised."""
        return [
            (term.signed(values) - reference) / (abs(reference) or 1.0)
            for term, reference in zip(self.terms, self.reference_vector, strict=True)
        ]

    def _value(self, values: Mapping[str, float]) -> float:
        inside = self._relative(values)
        # outside the reference box nothing is dominated: rank by the distance to the box, so that searchers find the way in
        return math.prod(inside) if min(inside) > 0 else sum(min(0.0, x) for x in inside)

    def _remedy(self, term: Term) -> str:
        if term.goal == "min":
            return f"list it in maximize=[{term.expression.text!r}]"
        return "leave it out of maximize="

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

    def contradictions(self, specs: Iterable[MetricSpec]) -> list[str]:
        """Return nothing: a target is to be hit, from whichever side."""
        return []

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
    """Bring each term to at most its target, in the term's unit.

    A design that misses any target ranks below all that meet every one. Among the latter, beating a target earns ``bonus`` times the
    relative slack; see `TargetObjective` for the formula.
    """
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
