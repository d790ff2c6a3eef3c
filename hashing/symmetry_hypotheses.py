"""What the symmetry finder may find: each hypothesis makes pairs of designs that it calls equivalent, and the rule that would say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.groups import Repeated
from designgym.core.parameters import DiscreteParameter
from designgym.core.space import DesignSpace

Pair = tuple[Design, Design]
Condition = tuple[str, tuple[Any, ...]]  # a parameter has one of some values


@dataclass(frozen=True)
class Hypothesis:
    """A statement about all designs.

    Attributes:
        kind: ``no effect``, ``equal values``, ``clamp``, ``interchangeable`` or ``unordered``.
        words: The statement.
        rule: The line that would declare it; empty if it cannot be written.
        pair: Makes two designs that it calls equivalent of any design, or None of one that it says nothing about.
    """

    kind: str
    words: str
    rule: str
    pair: Callable[[Design, np.random.Generator], Pair | None]


class Hypotheses:
    """Makes the hypotheses about a space's parameters, for workloads with some traits."""

    def __init__(self, space: DesignSpace, traits: frozenset[str]) -> None:
        self._space, self._traits = space, " and ".join(f"{trait!r} in traits" for trait in sorted(traits))

    def no_effect(self, name: str, where: Condition | None = None) -> Hypothesis:
        """Say that a parameter makes no difference, where another one has certain values or always."""
        parameter = self._space.parameters[name]

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            base = _forced(design, where, rng)
            return base, Design({**base, name: other_value(parameter, base[name], rng)})

        words = f"{name} makes no difference" + (f" where {_test(where)}" if where else "")
        if where and not self._traits:  # the one kind of rule that cannot ask for traits
            rule = self._line((name, where[0]), f"Condition({name!r}, when={_text(_negation(where, self._space))})")
        elif isinstance(parameter, Repeated) and parameter.default:
            rule = ""  # expressions have no words for the elements of a group
        else:
            rule = self._rewrite(name, repr(parameter.default), where, "")
        return Hypothesis("no effect", words, rule, pair)

    def equal_values(self, name: str, kept: Any, value: Any, where: Condition | None = None) -> Hypothesis:
        """Say that a parameter acts alike with two values."""

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            base = _forced(design, where, rng)
            return Design({**base, name: kept}), Design({**base, name: value})

        words = f"{name} acts alike with {kept!r} and {value!r}" + (f" where {_test(where)}" if where else "")
        return Hypothesis("equal values", words, self._rewrite(name, repr(kept), where, f"{name} == {value!r}"), pair)

    def clamp(self, name: str, bound: str) -> Hypothesis:
        """Say that a parameter acts as the smaller one of itself and another."""

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            clamped = clamped_design(self._space, design, name, bound)
            return None if clamped is None else (design, clamped)

        words = f"{name} above {bound} acts like {name} equal to it"
        return Hypothesis("clamp", words, self._rewrite(name, f"min({name}, {bound})", None, "", others=(bound,)), pair)

    def interchangeable(self, names: Sequence[str]) -> Hypothesis:
        """Say that parameters may swap their values."""

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            order = rng.permutation(len(names))
            return design, Design({**design, **{name: design[names[int(i)]] for name, i in zip(names, order, strict=True)}})

        rule = f"Interchangeable({', '.join(map(repr, names))})"
        return Hypothesis("interchangeable", f"{' and '.join(names)} may swap values", rule, pair)

    def unordered(self, name: str) -> Hypothesis:
        """Say that the elements of a group act alike in any order."""

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            return design, shuffled_design(design, name, rng)

        return Hypothesis("unordered", f"the elements of {name} act alike in any order", f"Unordered({name!r})", pair)

    def _rewrite(self, name: str, to: str, where: Condition | None, own: str, others: tuple[str, ...] = ()) -> str:
        when = " and ".join(filter(None, [self._traits, _test(where) if where else "", own]))
        ending = f", when={_text(when)}" if when else ""
        return self._line((name, *others, *([where[0]] if where else [])), f"Rewrite({name!r}, to={_text(to)}{ending})")

    def _line(self, names: tuple[str, ...], line: str) -> str:
        return line if all(name.isidentifier() for name in names) else ""


def other_value(parameter: Any, value: Any, rng: np.random.Generator) -> Any:
    """Return a random value of a parameter other than the given one; that one if there is no other to be had."""
    if isinstance(parameter, DiscreteParameter):
        values = parameter.values()
        if len(values) < 2:
            return value
        i = int(rng.integers(len(values) - 1))
        return values[i if i < parameter.index(value) else i + 1]
    return next((drawn for drawn in (parameter.sample(rng) for _ in range(20)) if drawn != value), value)


def clamped_design(space: DesignSpace, design: Design, name: str, bound: str) -> Design | None:
    """Return the design with a parameter that is above another one set equal to it; None if it is not, or cannot be."""
    if not design[name] > design[bound]:
        return None
    try:
        return Design({**design, name: space.parameters[name].validate(design[bound])})
    except InputError:
        return None


def shuffled_design(design: Design, name: str, rng: np.random.Generator) -> Design:
    """Return the design with the elements of a group in random order."""
    return Design({**design, name: tuple(design[name][i] for i in rng.permutation(len(design[name])))})


def _forced(design: Design, where: Condition | None, rng: np.random.Generator) -> Design:
    return design if where is None else Design({**design, where[0]: where[1][int(rng.integers(len(where[1])))]})


def _test(where: Condition) -> str:
    name, values = where
    return f"{name} == {values[0]!r}" if len(values) == 1 else f"{name} in {values!r}"


def _negation(where: Condition, space: DesignSpace) -> str:
    """Return the test that a parameter has another value, in the shorter way."""
    name, values = where
    parameter = space.parameters[name]
    others = [value for value in parameter.values() if value not in values] if isinstance(parameter, DiscreteParameter) else []
    if len(others) == 1:
        return f"{name} == {others[0]!r}"
    return f"{name} != {values[0]!r}" if len(values) == 1 else f"{name} not in {values!r}"


def _text(expression: str) -> str:
    """Return an expression, which has its own texts in single quotes, as a Python text in double quotes where that is possible."""
    return f'"{expression}"' if '"' not in expression and "\\" not in expression else repr(expression)
