"""The first step of the symmetry finder: which hypotheses random designs, varied in one respect each, leave standing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.parameters import DiscreteParameter, Parameter
from designgym.hashing.symmetry_candidates import Candidates, Varied
from designgym.hashing.symmetry_evidence import BudgetSpentError, Scope
from designgym.hashing.symmetry_hypotheses import Hypotheses, Hypothesis, other_value
from designgym.hashing.symmetry_regions import Region

ALL_VALUES = 4  # of a parameter with so many or fewer, all are tried on each design; of others
SOME_VALUES = 2  # so many other ones
CONDITION_VALUES = 16  # of a parameter with more values, none is a condition of its own, and no two are compared: each is seen too rarely
FEWEST = 9  # designs, below which nothing is concluded
SIGNIFICANCE = 0.05  # for all hypotheses together

Where = tuple[str, Any]  # a parameter has a value


@dataclass(frozen=True)
class _Test:
    """A hypothesis that was not contradicted, and the chance of that if differences were as frequent as elsewhere."""

    chance: float
    name: str
    where: Where | None
    alike: tuple[Any, ...] = ()  # values that it says are alike; none if it says that there is no effect


class Screening:
    """Varies designs of a scope and asks what never made a difference.

    Attributes:
        cost: Evaluations per design, at most, that vary one parameter each; what is found out on fewer designs comes on top.
        screened: Hypotheses looked at.
        dead: Parameters that never made a difference.
        left_out: What there were not enough evaluations for, in words.
    """

    def __init__(self, scope: Scope, make: Hypotheses, rng: np.random.Generator) -> None:
        self._scope, self._make, self._rng, self._space = scope, make, rng, scope.space
        self._names = [name for name, parameter in self._space.parameters.items() if parameter.size() > 1]
        self.cost = 1 + sum(_tried(self._space.parameters[name]) for name in self._names)
        self.screened = 0
        self.left_out, self.dead = "", tuple[str, ...]()

    def run(self, designs: Sequence[Design]) -> list[Hypothesis]:
        """Measure the designs and their variations; return what they leave standing, broad statements first."""
        varied = {name: [self._variations(design, name) for design in designs] for name in self._names}
        self._scope.measure(design for found in varied.values() for one in found for design in one.values())
        seen = {name: self._look(varied[name]) for name in self._names}
        alive = {name: seen[name] for name in self._names if seen[name].rate}
        self.screened += len(self._names)
        self.dead = tuple(name for name in self._names if len(seen[name].events) >= FEWEST and not seen[name].rate)
        conditional = [test for name in alive for test in self._without_effect(designs, name, seen[name])]
        equal = [test for name in alive for test in self._equal_values(designs, name, seen[name])]

        candidates = Candidates(self._scope, self._make, self._rng, designs, alive)
        self.screened += candidates.count
        limit = SIGNIFICANCE / self.screened
        conditional = [test for test in conditional if test.chance <= limit]
        equal = [test for test in equal if test.chance <= limit]
        found: list[Hypothesis] = []
        try:
            for hypothesis in candidates.run(limit):
                found.append(hypothesis)
        except BudgetSpentError:
            self.left_out = "parameters that may be swapped, bounds, sums and products"
        values: dict[tuple[str, str], list[Any]] = {}
        for test in conditional:
            if test.where is not None and not _inside(candidates.regions.get((test.name, test.where[0]), ()), test.where[1]):
                values.setdefault((test.name, test.where[0]), []).append(test.where[1])
        return [
            *map(self._make.no_effect, self.dead),
            *(self._make.no_effect(name, Region(other, tuple(given))) for (name, other), given in values.items()),
            *found,
            *self._alike(test for test in equal if not self._explained(test, conditional, candidates)),
        ]

    # ---- designs -------------------------------------------------------------------------------------------------------

    def _variations(self, design: Design, name: str) -> dict[int, Design]:
        """Return legal designs with several values of a parameter, its own among them, by the values' positions (or any numbers)."""
        parameter = self._space.parameters[name]
        if not isinstance(parameter, DiscreteParameter):
            values = {i: other_value(parameter, design[name], self._rng) for i in range(1, 1 + _tried(parameter))} | {0: design[name]}
        elif parameter.size() <= ALL_VALUES:
            values = dict(enumerate(parameter.values()))
        else:
            drawn = [design[name], *(other_value(parameter, design[name], self._rng) for _ in range(SOME_VALUES))]
            values = {parameter.index(value): value for value in drawn}
        designs = {position: Design({**design, name: value}) for position, value in values.items()}
        return {position: one for position, one in designs.items() if self._scope.legal(one)}

    # ---- what they showed ----------------------------------------------------------------------------------------------

    def _look(self, variations: Sequence[dict[int, Design]]) -> Varied:
        seen = Varied()
        for number, designs in enumerate(variations):
            for i, j in itertools.combinations(sorted(designs), 2):
                if designs[i] != designs[j] and (same := self._scope.equal(designs[i], designs[j])) is not None:
                    seen.contrasts.setdefault((i, j), {})[number] = not same
                    seen.events[number] = seen.events.get(number, False) or not same
        return seen

    def _wheres(self, name: str) -> Iterator[Where]:
        for other, parameter in self._space.parameters.items():
            if other != name and isinstance(parameter, DiscreteParameter) and 1 < parameter.size() <= CONDITION_VALUES:
                yield from ((other, value) for value in parameter.values())

    def _without_effect(self, designs: Sequence[Design], name: str, seen: Varied) -> Iterator[_Test]:
        for where in self._wheres(name):
            inside = [number for number in seen.events if _holds(designs[number], where)]
            if len(inside) >= FEWEST:
                self.screened += 1
                if not any(seen.events[number] for number in inside):
                    yield _Test(_chance_of_none(len(inside), seen.events.values()), name, where)

    def _equal_values(self, designs: Sequence[Design], name: str, seen: Varied) -> Iterator[_Test]:
        parameter = self._space.parameters[name]
        if not isinstance(parameter, DiscreteParameter) or parameter.size() > CONDITION_VALUES:
            return
        values = parameter.values()
        everything = [differs for contrast in seen.contrasts.values() for differs in contrast.values()]
        for (i, j), contrast in seen.contrasts.items():
            if len(contrast) < FEWEST:
                continue
            self.screened += 1
            if not any(contrast.values()):
                yield _Test(_chance_of_none(len(contrast), everything), name, None, (values[i], values[j]))
            elif len(values) <= ALL_VALUES:
                for where in self._wheres(name):
                    inside = [number for number in contrast if _holds(designs[number], where)]
                    if len(inside) >= FEWEST:
                        self.screened += 1
                        if not any(contrast[number] for number in inside):
                            chance = _chance_of_none(len(inside), contrast.values())
                            yield _Test(chance, name, where, (values[i], values[j]))

    def _alike(self, tests: Iterable[_Test]) -> Iterator[Hypothesis]:
        """Yield one hypothesis for all values of a parameter that are alike."""
        groups: dict[tuple[str, Where | None], list[set[int]]] = {}
        for test in tests:
            parameter = self._space.parameters[test.name]
            assert isinstance(parameter, DiscreteParameter)
            new = set(map(parameter.index, test.alike))
            known = groups.setdefault((test.name, test.where), [])
            touched = [group for group in known if group & new]
            known[:] = [group for group in known if group not in touched] + [new.union(*touched)]
        for (name, where), found in groups.items():
            parameter = self._space.parameters[name]
            assert isinstance(parameter, DiscreteParameter)
            for group in found:
                values = [parameter.values()[i] for i in sorted(group)]
                # the default is kept where it is one of them, else the first one
                kept = parameter.default if parameter.index(parameter.default) in group else values[0]
                others = [value for value in values if type(value) is not type(kept) or value != kept]
                yield self._make.equal_values(name, kept, others, None if where is None else Region(where[0], (where[1],)))

    def _explained(self, test: _Test, conditional: Sequence[_Test], candidates: Candidates) -> bool:
        """Return whether that two values are alike follows from what else was found."""
        if test.where is not None:
            known = any((other.name, other.where) == (test.name, test.where) for other in conditional)
            return known or _inside(candidates.regions.get((test.name, test.where[0]), ()), test.where[1])
        return any(region.name == test.name and all(map(region.holds, test.alike)) for region in candidates.saturated)


def _inside(regions: Iterable[Region], value: Any) -> bool:
    return any(region.holds(value) for region in regions)


def _tried(parameter: Parameter) -> int:
    size = parameter.size()
    return int(size) - 1 if isinstance(parameter, DiscreteParameter) and size <= ALL_VALUES else SOME_VALUES


def _holds(design: Design, where: Where) -> bool:
    value = design[where[0]]
    return type(value) is type(where[1]) and value == where[1]


def _chance_of_none(drawn: int, outcomes: Collection[bool]) -> float:
    """Return the chance that none of ``drawn`` outcomes, drawn from all without putting back, is a difference (Fisher's exact test)."""
    total, events = len(outcomes), sum(outcomes)
    if drawn > total - events:
        return 0.0
    parts = (total - events, total - drawn), (total - events - drawn, total)
    return math.exp(sum(math.lgamma(n + 1) for n in parts[0]) - sum(math.lgamma(n + 1) for n in parts[1]))
