"""The canonical form: one representative per class of designs that a space declares equivalent.

Sound by construction of its inputs: every step is licensed by a declared rule. Steps, repeated until nothing changes: inactive
parameters take their defaults, rewrites and canonical forms apply in order, repeated groups are canonicalised inside, unordered groups
and interchangeable slots are sorted.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from designgym.core.canonical_form import CanonicalForm
from designgym.core.design import Design
from designgym.core.errors import ExpressionError, InputError
from designgym.core.groups import Repeated
from designgym.core.parameters import DiscreteParameter
from designgym.core.rules import Condition, Rewrite, Symmetry, Unordered, unevaluable

if TYPE_CHECKING:
    from designgym.core.space import DesignSpace

MAX_ROUNDS = 20  # a chain of rewrites longer than this is a cycle
ELEMENTS_KEPT = 1 << 14  # canonical forms of elements of a repeated group that are kept instead of made again
TABLE_LIMIT = 4096  # combinations of the values that a rule reads, up to which its outcomes are kept instead of computed again


class Canonicaliser:
    """Applies a space's conditions and symmetries; built once per space, called once per design."""

    def __init__(self, space: DesignSpace) -> None:
        self._space = space
        self._names = frozenset(space.parameters)
        self._conditions = _in_dependency_order(space)
        read = {name for condition in self._conditions for name in condition.when.names}
        self._inactive = _tabulated(self._find_inactive, sorted(read), space)
        # the elements of a group are few different ones, met in one design after another
        self._groups = [
            (name, lru_cache(maxsize=ELEMENTS_KEPT)(p.space.canonical)) for name, p in space.parameters.items() if isinstance(p, Repeated)
        ]
        self._steps: list[tuple[Callable[[dict[str, Any]], None], frozenset[str]]] = [
            (self._step(rule), _reads(rule)) for rule in space.symmetries
        ]

    def active(self, values: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the parameters whose conditions hold; a condition on an inactive parameter does not hold."""
        return self._names.difference(self._inactive(values))

    def _find_inactive(self, values: Mapping[str, Any]) -> frozenset[str]:
        inactive: set[str] = set()
        for condition in self._conditions:
            try:
                if condition.parameter not in inactive and (not inactive.isdisjoint(condition.when.names) or not condition.when(values)):
                    inactive.add(condition.parameter)
            except ExpressionError as error:
                raise unevaluable(f"condition of {condition.parameter!r}", condition.when, values, error) from None
        return frozenset(inactive)

    def __call__(self, design: Mapping[str, Any], traits: frozenset[str]) -> Design:
        """Return the representative of ``design``'s class under a workload with these traits."""
        values = dict(design.items())
        for name, _ in self._groups:
            values[name] = tuple(element if isinstance(element, Design) else Design(element) for element in values[name])
        values["traits"] = traits
        parameters = self._space.parameters
        if not self._steps and not self._groups:  # defaults of what is inactive change nothing else: one round is all
            return self._without_inactive(design, values)
        settled: dict[int, Design] = {}  # elements of groups that are canonical already, by identity
        changed = self._names
        for _ in range(MAX_ROUNDS):
            before = values.copy()
            for name in self._inactive(values):
                values[name] = parameters[name].default
            for name, canonical in self._groups:
                elements = [element if id(element) in settled else canonical(element, traits) for element in values[name]]
                settled.update((id(element), element) for element in elements)
                values[name] = tuple(elements)
            for step, reads in self._steps:
                if not reads.isdisjoint(changed):  # otherwise it would do again what it did
                    step(values)
            if values == before:
                del values["traits"]
                return Design(values)
            changed = frozenset(name for name, value in values.items() if value != before[name])
        del values["traits"]
        raise InputError(
            f"rewrites do not settle for {Design(design)!r}, after {MAX_ROUNDS} rounds at {Design(values)!r}: they form a cycle"
        )

    def _without_inactive(self, design: Mapping[str, Any], values: dict[str, Any]) -> Design:
        inactive = self._inactive(values)
        if not inactive and isinstance(design, Design):
            return design  # with its literal form, if that has been made
        for name in inactive:
            values[name] = self._space.parameters[name].default
        del values["traits"]
        return Design(values)

    def _step(self, rule: Symmetry) -> Callable[[dict[str, Any]], None]:
        if isinstance(rule, Rewrite):
            return self._rewrite(rule)
        if isinstance(rule, CanonicalForm):
            return self._form(rule)
        if isinstance(rule, Unordered):
            name = rule.parameter

            def sort_group(values: dict[str, Any]) -> None:
                values[name] = tuple(sorted(values[name], key=lambda element: element.literal))

            return sort_group
        slots = rule.slots

        def sort_slots(values: dict[str, Any]) -> None:
            contents = sorted(([values[name] for name in slot] for slot in slots), key=_sort_key)
            for slot, content in zip(slots, contents, strict=True):
                values.update(zip(slot, content, strict=True))

        return sort_slots

    def _form(self, rule: CanonicalForm) -> Callable[[dict[str, Any]], None]:
        parameters = self._space.parameters

        def apply(values: dict[str, Any]) -> None:
            for name, value in rule(values, values["traits"]).items():
                if value != values[name]:
                    try:
                        values[name] = parameters[name].validate(value)
                    except InputError as error:
                        raise InputError(f"canonical form {rule.name} gives {name!r} an illegal value: {error}") from None

        return apply

    def _rewrite(self, rule: Rewrite) -> Callable[[dict[str, Any]], None]:
        name, parameter = rule.parameter, self._space.parameters[rule.parameter]

        def target(values: Mapping[str, Any]) -> Any:
            expression = rule.when
            try:
                if not rule.when(values):
                    return values[name]
                expression = rule.to
                if (value := rule.to(values)) == values[name]:
                    return values[name]
            except ExpressionError as error:
                raise unevaluable(f"rewrite of {name!r}", expression, values, error) from None
            try:
                return parameter.validate(value)
            except InputError as error:
                raise InputError(f"rewrite of {name!r} to {rule.to.text!r}: {error}") from None

        find = _tabulated(target, sorted({name} | rule.when.names | rule.to.names), self._space)

        def rewrite(values: dict[str, Any]) -> None:
            values[name] = find(values)

        return rewrite


def _reads(rule: Symmetry) -> frozenset[str]:
    """Return the parameters that the outcome of a rule depends on."""
    if isinstance(rule, Rewrite):
        return rule.when.names | rule.to.names | {rule.parameter}
    if isinstance(rule, CanonicalForm):
        return frozenset(rule.parameters)
    return frozenset({rule.parameter} if isinstance(rule, Unordered) else (name for slot in rule.slots for name in slot))


def _tabulated(function: Callable[[Mapping[str, Any]], Any], names: list[str], space: DesignSpace) -> Callable[[Mapping[str, Any]], Any]:
    """Return ``function`` of the values of ``names``, with its results kept in a table if they have few combinations.

    Looking up is several times faster than evaluating a rule's expressions, which happens for each rule and each design.
    """
    parameters = [space.parameters[name] for name in names if name != "traits"]
    few = math.prod(parameter.size() for parameter in parameters) <= TABLE_LIMIT
    # values that compare equal but are not the same (1 and True) would share an entry
    apart = all(isinstance(p, DiscreteParameter) and len(set(p.values())) == len(p.values()) for p in parameters) if few else False
    if not names or not apart:
        return function
    key, table = operator.itemgetter(*names), dict[Any, Any]()

    def look_up(values: Mapping[str, Any]) -> Any:
        found = key(values)
        if found not in table:
            table[found] = function(values)
        return table[found]

    return look_up


def _sort_key(content: list[Any]) -> list[tuple[int, Any, str]]:
    """Return a total order over values of mixed kinds: numbers first (1 and 1.0 apart), then the others as text."""
    return [
        (1, Design({"": value}).literal, "") if isinstance(value, str | tuple | bool) else (0, value, type(value).__name__)
        for value in content
    ]


def _in_dependency_order(space: DesignSpace) -> list[Condition]:
    """Return the conditions so that each comes after those about the parameters it reads."""
    ordered: list[Condition] = []
    remaining = list(space.conditions)
    while remaining:
        waiting = {condition.parameter for condition in remaining}
        ready = [condition for condition in remaining if waiting.isdisjoint(condition.when.names)]
        if not ready:
            raise InputError(f"conditions of {sorted(waiting)} depend on each other in a circle: remove one of them")
        ordered += ready
        remaining = [condition for condition in remaining if condition not in ready]
    return ordered
