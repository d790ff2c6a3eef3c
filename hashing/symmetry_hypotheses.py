"""What the symmetry finder may find: each hypothesis makes pairs of designs that it calls equivalent, and the rule that would say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.groups import Repeated
from designgym.core.parameters import DiscreteParameter, Parameter
from designgym.core.space import DesignSpace
from designgym.hashing.symmetry_combinations import Operation, other_pair, rule_of_combination
from designgym.hashing.symmetry_regions import Region, Side, ends, is_ordered

Pair = tuple[Design, Design]


@dataclass(frozen=True)
class Hypothesis:
    """A statement about all designs.

    Attributes:
        kind: ``no effect``, ``equal values``, ``clamp``, ``interchangeable``, ``unordered`` or ``combination``.
        words: The statement.
        rules: Python texts, each of which would declare it; the first one that fits in with other rules is meant. Empty if it cannot be
            declared.
        pair: Makes two designs that it calls equivalent of any design, or None of one that it says nothing about.
        for_all: Whether the rules say more than was looked at, that it holds for all workloads, since they cannot ask for traits.
        group: The group inside of whose elements it was found, ``outer.inner`` for one inside of another; empty outside of groups.
    """

    kind: str
    words: str
    rules: tuple[str, ...]
    pair: Callable[[Design, np.random.Generator], Pair | None]
    for_all: bool = False
    group: str = ""


class Hypotheses:
    """Makes the hypotheses about a space's parameters, for workloads with some traits.

    Args:
        space: The parameters.
        traits: Those of the workload.
        group: The group whose elements the designs are; empty outside of groups.
    """

    def __init__(self, space: DesignSpace, traits: frozenset[str], group: str) -> None:
        self._space, self._group = space, group
        self._traits = [] if group else sorted(traits)  # rules of a group's elements cannot ask for them
        self._has_traits = bool(traits)

    def no_effect(self, name: str, where: Region | None = None) -> Hypothesis:
        """Say that a parameter makes no difference, where another one has certain values or always."""
        parameter = self._space.parameters[name]

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            base = design if where is None else Design({**design, where.name: where.draw(self._space.parameters[where.name], rng)})
            return base, Design({**base, name: other_value(parameter, base[name], rng)})

        rules = []
        if where and not self._traits:  # the one kind of rule that cannot ask for traits
            rules.append(self._line(f"Condition({name!r}, when={_text(where.negation(self._space.parameters[where.name]))})", where.name))
        if not (isinstance(parameter, Repeated) and parameter.default):  # expressions have no words for the elements of a group
            rules.append(self._rewrite(name, repr(parameter.default), where, ""))
        return self._hypothesis("no effect", f"{name} makes no difference", where, rules, pair)

    def equal_values(self, name: str, kept: Any, others: Sequence[Any], where: Region | None = None) -> Hypothesis:
        """Say that a parameter acts alike with some values."""
        alike, gone = [kept, *others], Region(name, tuple(others))

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            base = design if where is None else Design({**design, where.name: where.draw(self._space.parameters[where.name], rng)})
            i, j = rng.choice(len(alike), 2, replace=False)
            return Design({**base, name: alike[i]}), Design({**base, name: alike[j]})

        rules = [self._rewrite(name, repr(kept), where, gone.test)]
        words = f"{name} acts alike with {', '.join(map(repr, alike[:-1]))} and {alike[-1]!r}"
        return self._hypothesis("equal values", words, where, rules, pair)

    def saturation(self, name: str, bound: Any, side: Side) -> Hypothesis:
        """Say that a parameter acts alike with all values beyond a bound, itself included."""
        parameter, region = self._space.parameters[name], Region(name, side=side, bound=bound)

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            return Design({**design, name: bound}), Design({**design, name: region.draw(parameter, rng)})

        clamped = f"{'min' if side == '>=' else 'max'}({name}, {bound!r})"
        words = f"{name} {'above' if side == '>=' else 'below'} {bound!r} acts like {bound!r}"
        return self._hypothesis("clamp", words, None, [self._rewrite(name, clamped, None, "")], pair)

    def clamp(self, name: str, bound: str, function: Literal["min", "max"]) -> Hypothesis:
        """Say that a parameter acts as the smaller, or larger, one of itself and another."""
        parameter = self._space.parameters[name]

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            wanted = design[bound]
            if not (design[name] > wanted if function == "min" else design[name] < wanted):
                return None
            try:
                return design, Design({**design, name: parameter.validate(wanted)})
            except InputError:
                return None

        words = f"{name} {'above' if function == 'min' else 'below'} {bound} acts like {name} equal to it"
        clamped = f"{function}({name}, {bound})"
        rules = [self._rewrite(name, clamped, None, "", bound)]
        if is_ordered(parameter):  # where the bound is beyond all values of the parameter, that cannot be set to it
            low, high = ends(parameter)
            rules.append(self._rewrite(name, clamped, None, f"{bound} >= {low!r}" if function == "min" else f"{bound} <= {high!r}", bound))
        return self._hypothesis("clamp", words, None, rules, pair)

    def interchangeable(self, slots: Sequence[tuple[str, ...]]) -> Hypothesis:
        """Say that slots, each of one parameter or several, may swap their values."""

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            order = rng.permutation(len(slots))
            taken = [slots[int(i)] for i in order]
            moved = {to: design[fro] for slot, other in zip(slots, taken, strict=True) for to, fro in zip(slot, other, strict=True)}
            return design, Design({**design, **moved})

        single = len(slots[0]) == 1
        texts = [repr(slot[0]) if single else repr(list(slot)) for slot in slots]
        names = [slot[0] if single else f"({', '.join(slot)})" for slot in slots]
        rules = [f"Interchangeable({', '.join(texts)})"]
        return self._hypothesis("interchangeable", f"{' and '.join(names)} may swap values", None, rules, pair)

    def unordered(self, name: str) -> Hypothesis:
        """Say that the elements of a group act alike in any order."""

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            return design, Design({**design, name: tuple(design[name][i] for i in rng.permutation(len(design[name])))})

        rules = [f"Unordered({name!r})"]
        return self._hypothesis("unordered", f"the elements of {name} act alike in any order", None, rules, pair)

    def combination(self, a: str, b: str, operation: Operation) -> Hypothesis:
        """Say that two numbers act through their sum, difference, product or ratio only."""
        kinds = self._space.parameters[a], self._space.parameters[b]

        def pair(design: Design, rng: np.random.Generator) -> Pair | None:
            found = other_pair(kinds, (design[a], design[b]), operation, rng)
            return None if found is None else (design, Design({**design, a: found[0], b: found[1]}))

        words = f"{a} and {b} act through {a} {operation.sign} {b} only"
        return self._hypothesis("combination", words, None, [rule_of_combination(a, b, kinds, operation, self._traits)], pair)

    # ---- inside ---------------------------------------------------------------------------------------------------------

    def _hypothesis(
        self, kind: str, words: str, where: Region | None, rules: Sequence[str], pair: Callable[[Design, np.random.Generator], Pair | None]
    ) -> Hypothesis:
        for_all = self._has_traits and (bool(self._group) or kind in ("interchangeable", "unordered"))
        said = f"{f'in {self._group}: ' if self._group else ''}{words}{f' where {where.test}' if where else ''}"
        return Hypothesis(kind, said, tuple(filter(None, rules)), pair, for_all, self._group)

    def _rewrite(self, name: str, to: str, where: Region | None, own: str, *others: str) -> str:
        traits = [f"{trait!r} in traits" for trait in self._traits]
        when = " and ".join(filter(None, [*traits, where.test if where else "", own]))
        ending = f", when={_text(when)}" if when else ""
        return self._line(f"Rewrite({name!r}, to={_text(to)}{ending})", *others, *([where.name] if where else []), *([name] if own else []))

    def _line(self, line: str, *read: str) -> str:
        return line if all(name.isidentifier() for name in read) else ""


def other_value(parameter: Parameter, value: Any, rng: np.random.Generator) -> Any:
    """Return a random value of a parameter other than the given one; that one if there is no other to be had."""
    if isinstance(parameter, DiscreteParameter):
        values = parameter.values()
        if len(values) < 2:
            return value
        i = int(rng.integers(len(values) - 1))
        return values[i if i < parameter.index(value) else i + 1]
    return next((drawn for drawn in (parameter.sample(rng) for _ in range(20)) if drawn != value), value)


def _text(expression: str) -> str:
    """Return an expression, which has its own texts in single quotes, as a Python text in double quotes where that is possible."""
    return f'"{expression}"' if '"' not in expression and "\\" not in expression else repr(expression)
