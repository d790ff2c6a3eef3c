"""The canonical form: one representative per class of designs that a space declares equivalent.

Sound by construction of its inputs: every step is licensed by a declared rule. Steps, repeated until nothing changes: inactive
parameters take their defaults, rewrites apply in order, repeated groups are canonicalised inside, unordered groups and
interchangeable slots are sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.groups import Repeated
from designgym.core.rules import Condition, Interchangeable, Rewrite, Unordered

if TYPE_CHECKING:
    from designgym.core.space import DesignSpace

MAX_ROUNDS = 20  # a chain of rewrites longer than this is a cycle


class Canonicaliser:
    """Applies a space's conditions and symmetries; built once per space, called once per design."""

    def __init__(self, space: DesignSpace) -> None:
        self._space = space
        self._names = frozenset(space.parameters)
        self._conditions = _in_dependency_order(space)
        self._groups = [(name, p) for name, p in space.parameters.items() if isinstance(p, Repeated)]
        self._steps: list[Callable[[dict[str, Any]], None]] = [self._step(rule) for rule in space.symmetries]

    def active(self, values: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the parameters whose conditions hold; a condition on an inactive parameter does not hold."""
        return self._names.difference(self._inactive(values))

    def _inactive(self, values: Mapping[str, Any]) -> set[str]:
        inactive: set[str] = set()
        for condition in self._conditions:
            if condition.parameter not in inactive and (not inactive.isdisjoint(condition.when.names) or not condition.when(values)):
                inactive.add(condition.parameter)
        return inactive

    def __call__(self, design: Mapping[str, Any], traits: frozenset[str]) -> Design:
        """Return the representative of ``design``'s class under a workload with these traits."""
        values = dict(design.items())
        values["traits"] = traits
        parameters = self._space.parameters
        for _ in range(MAX_ROUNDS):
            before = values.copy()
            for name in self._inactive(values):
                values[name] = parameters[name].default
            for name, group in self._groups:
                values[name] = tuple(group.space.canonical(element, traits) for element in values[name])
            for step in self._steps:
                step(values)
            if values == before:
                del values["traits"]
                return Design(values)
        del values["traits"]
        raise InputError(
            f"rewrites do not settle for {Design(design)!r}, after {MAX_ROUNDS} rounds at {Design(values)!r}: they form a cycle"
        )

    def _step(self, rule: Rewrite | Interchangeable | Unordered) -> Callable[[dict[str, Any]], None]:
        if isinstance(rule, Rewrite):
            return self._rewrite(rule)
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

    def _rewrite(self, rule: Rewrite) -> Callable[[dict[str, Any]], None]:
        name, parameter = rule.parameter, self._space.parameters[rule.parameter]

        def rewrite(values: dict[str, Any]) -> None:
            if rule.when(values):
                target = rule.to(values)
                if target != values[name]:
                    try:
                        values[name] = parameter.validate(target)
                    except InputError as error:
                        raise InputError(f"rewrite of {name!r} to {rule.to.text!r}: {error}") from None

        return rewrite


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
