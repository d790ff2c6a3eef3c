"""The first step of the symmetry finder: which hypotheses random designs, varied in one respect each, leave standing."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.groups import Repeated
from designgym.core.parameters import DiscreteParameter, Float, Integer, Parameter, PowerOfTwo
from designgym.hashing.symmetry_evidence import Evidence
from designgym.hashing.symmetry_hypotheses import Hypotheses, Hypothesis, Pair, clamped_design, other_value, shuffled_design

ALL_VALUES = 4  # of a parameter with so many or fewer, all are tried on each design; of others
SOME_VALUES = 2  # so many other ones
CONDITION_VALUES = 16  # a parameter with more values is no condition, and no two of them are compared: each is seen too rarely
MOST_PAIRS = 60  # of parameters that might be swapped, or clamp each other
FEWEST = 9  # designs, below which nothing is concluded
SIGNIFICANCE = 0.05  # for all hypotheses together

Where = tuple[str, Any]  # a parameter has a value


@dataclass
class _Varied:
    """What varying one parameter showed.

    Attributes:
        events: For each design by its number, whether any two values differed in their metrics.
        contrasts: For each two values by their positions, the same for each design on which both were measured.
    """

    events: dict[int, bool] = field(default_factory=dict)
    contrasts: dict[tuple[int, int], dict[int, bool]] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Share of designs on which the parameter makes a difference."""
        return sum(self.events.values()) / max(len(self.events), 1)


@dataclass(frozen=True)
class _Test:
    """A hypothesis that was not contradicted, and the chance of that if differences were as frequent as elsewhere."""

    chance: float
    name: str
    where: Where | None
    make: Callable[[], Hypothesis]


class Screening:
    """Varies designs and asks what never made a difference.

    Attributes:
        cost: Evaluations per design, at most.
        screened: Hypotheses looked at.
    """

    def __init__(self, evidence: Evidence, rng: np.random.Generator) -> None:
        self._evidence, self._rng, self._space = evidence, rng, evidence.space
        self._make = Hypotheses(evidence.space, evidence.traits)
        parameters = self._space.parameters
        self._names = [name for name, parameter in parameters.items() if parameter.size() > 1]
        self._alike = self._pairs(lambda a, b: json.dumps(a.to_json()) == json.dumps(b.to_json()))
        numbers = Integer, PowerOfTwo, Float
        self._clamps = [
            ordered for a, b in self._pairs(lambda a, b: isinstance(a, numbers) and isinstance(b, numbers)) for ordered in ((a, b), (b, a))
        ]
        self._groups = [name for name, parameter in parameters.items() if isinstance(parameter, Repeated) and parameter.high > 1]
        variations = sum(_tried(parameters[name]) for name in self._names)
        self.cost = 1 + variations + len(self._alike) + len(self._clamps) + len(self._groups)
        self.screened = 0

    def run(self, designs: Sequence[Design]) -> list[Hypothesis]:
        """Measure the designs and their variations; return what they leave standing, broad statements first."""
        varied = {name: [self._variations(design, name) for design in designs] for name in self._names}
        swaps = {(a, b): self._legal((d, Design({**d, a: d[b], b: d[a]})) for d in designs) for a, b in self._alike}
        clamps = {(a, b): self._legal((d, clamped_design(self._space, d, a, b)) for d in designs) for a, b in self._clamps}
        orders = {name: self._legal((d, shuffled_design(d, name, self._rng)) for d in designs) for name in self._groups}
        pairs = [pair for found in (*swaps.values(), *clamps.values(), *orders.values()) for pair in found]
        self._evidence.measure(design for found in varied.values() for one in found for design in one.values())
        self._evidence.measure(design for pair in pairs for design in pair)

        seen = {name: self._look(varied[name]) for name in self._names}
        alive = [name for name in self._names if seen[name].rate]
        self.screened += len(self._names)
        dead = [self._make.no_effect(name) for name in self._names if len(seen[name].events) >= FEWEST and not seen[name].rate]
        conditional = [test for name in alive for test in self._without_effect(designs, name, seen[name])]
        equal = [test for name in alive for test in self._equal_values(designs, name, seen[name])]
        swapped = [(pair, self._chance(found, min(seen[name].rate for name in pair))) for pair, found in swaps.items()]
        clamped = [(pair, self._chance(found, seen[pair[0]].rate)) for pair, found in clamps.items()]
        reordered = [(name, self._chance(found, seen[name].rate)) for name, found in orders.items()]

        limit = SIGNIFICANCE / self.screened
        conditional = [test for test in conditional if test.chance <= limit]
        explained = {(test.name, test.where) for test in conditional}
        return [
            *dead,
            *self._joined(conditional),
            *(self._make.interchangeable(names) for names in _components([pair for pair, chance in swapped if chance <= limit])),
            *(self._make.unordered(name) for name, chance in reordered if chance <= limit),
            *(self._make.clamp(*pair) for pair, chance in clamped if chance <= limit),
            *(test.make() for test in equal if test.chance <= limit and (test.name, test.where) not in explained),
        ]

    # ---- designs -------------------------------------------------------------------------------------------------------

    def _pairs(self, fit: Callable[[Parameter, Parameter], bool]) -> list[tuple[str, str]]:
        parameters = self._space.parameters
        fitting = ((a, b) for a, b in itertools.combinations(self._names, 2) if fit(parameters[a], parameters[b]))
        return list(itertools.islice(fitting, MOST_PAIRS))

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
        return {position: one for position, one in designs.items() if not self._space.violations(one)}

    def _legal(self, pairs: Iterable[tuple[Design, Design | None]]) -> list[Pair]:
        return [(a, b) for a, b in pairs if b is not None and a != b and not self._space.violations(b)]

    # ---- what they showed ----------------------------------------------------------------------------------------------

    def _look(self, variations: Sequence[dict[int, Design]]) -> _Varied:
        seen = _Varied()
        for number, designs in enumerate(variations):
            for i, j in itertools.combinations(sorted(designs), 2):
                if designs[i] != designs[j] and (same := self._evidence.equal(designs[i], designs[j])) is not None:
                    seen.contrasts.setdefault((i, j), {})[number] = not same
                    seen.events[number] = seen.events.get(number, False) or not same
        return seen

    def _wheres(self, name: str) -> Iterator[Where]:
        for other, parameter in self._space.parameters.items():
            if other != name and isinstance(parameter, DiscreteParameter) and 1 < parameter.size() <= CONDITION_VALUES:
                yield from ((other, value) for value in parameter.values())

    def _without_effect(self, designs: Sequence[Design], name: str, seen: _Varied) -> Iterator[_Test]:
        for where in self._wheres(name):
            inside = [number for number in seen.events if _holds(designs[number], where)]
            if len(inside) >= FEWEST:
                self.screened += 1
                if not any(seen.events[number] for number in inside):
                    yield _Test(_chance_of_none(len(inside), seen.events.values()), name, where, lambda: self._make.no_effect(name))

    def _equal_values(self, designs: Sequence[Design], name: str, seen: _Varied) -> Iterator[_Test]:
        parameter = self._space.parameters[name]
        if not isinstance(parameter, DiscreteParameter) or parameter.size() > CONDITION_VALUES:
            return
        values = parameter.values()
        everything = [differs for contrast in seen.contrasts.values() for differs in contrast.values()]
        for (i, j), contrast in seen.contrasts.items():
            if len(contrast) < FEWEST:
                continue
            # the default is kept where it is one of the two, else the first one
            kept, value = (values[j], values[i]) if values[j] == parameter.default else (values[i], values[j])
            self.screened += 1
            if not any(contrast.values()):
                yield _Test(_chance_of_none(len(contrast), everything), name, None, self._equal(name, kept, value, None))
            elif len(values) <= ALL_VALUES:
                for where in self._wheres(name):
                    inside = [number for number in contrast if _holds(designs[number], where)]
                    if len(inside) >= FEWEST:
                        self.screened += 1
                        if not any(contrast[number] for number in inside):
                            chance = _chance_of_none(len(inside), contrast.values())
                            yield _Test(chance, name, where, self._equal(name, kept, value, where))

    def _equal(self, name: str, kept: Any, value: Any, where: Where | None) -> Callable[[], Hypothesis]:
        return lambda: self._make.equal_values(name, kept, value, None if where is None else (where[0], (where[1],)))

    def _joined(self, tests: Iterable[_Test]) -> Iterator[Hypothesis]:
        """Yield one hypothesis for all the values of one parameter under which another one has no effect."""
        values: dict[tuple[str, str], list[Any]] = {}
        for test in tests:
            if test.where is not None:
                values.setdefault((test.name, test.where[0]), []).append(test.where[1])
        for (name, other), found in values.items():
            yield self._make.no_effect(name, (other, tuple(found)))

    def _chance(self, pairs: Sequence[Pair], rate: float) -> float:
        """Return the chance that pairs show no difference if each does at a rate; 1 if they do show one, or are too few."""
        self.screened += 1
        outcomes = [same for a, b in pairs if (same := self._evidence.equal(a, b)) is not None]
        return 1.0 if len(outcomes) < FEWEST or not all(outcomes) else (1 - rate) ** len(outcomes)


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


def _components(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the parameters that pairs connect, group by group."""
    groups: list[list[str]] = []
    for a, b in pairs:
        touched = [group for group in groups if a in group or b in group]
        groups = [group for group in groups if group not in touched]
        groups.append(list(dict.fromkeys([*(name for group in touched for name in group), a, b])))
    return groups
