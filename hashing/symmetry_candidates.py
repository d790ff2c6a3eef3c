"""Hypotheses that the symmetry finder tries one after the other: most are refuted by the first design or two that they are tried on."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.groups import Repeated
from designgym.core.parameters import DiscreteParameter, Parameter
from designgym.hashing.symmetry_combinations import OPERATIONS, is_possible
from designgym.hashing.symmetry_evidence import Scope, compare
from designgym.hashing.symmetry_hypotheses import Hypotheses, Hypothesis
from designgym.hashing.symmetry_regions import Region, Side, ends, find_bound, is_ordered, next_inside

MOST_PAIRS = 200  # of parameters of each kind of hypothesis about pairs
MOST_JOINT = 100  # sets of parameters that might be swapped together
FEWEST_PAIRS, MOST_TRIED = 9, 300  # pairs of designs
ROUNDS = (1, 2, 6)  # pairs measured at a time, at first
AT_BOUND = 6, 30  # fewest and most pairs that show whether something differs at a value
FEW_DESIGNS, FAIR_SHARE = 60, 0.3
CHANCE_AT_BOUND = 1e-3  # of seeing no difference there though there is one

Swap = tuple[tuple[str, str], ...]  # pairs of parameters that are swapped together


@dataclass
class Varied:
    """What varying one parameter showed.

    Attributes:
        events: For each design by its number, whether any two values differed in their metrics.
        contrasts: For each two values by their positions, the same for each design on which both were measured.
    """

    events: dict[int, bool] = field(default_factory=dict)
    contrasts: dict[tuple[int, int], dict[int, bool]] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Share of pairs of values, on a design each, that make a difference."""
        outcomes = [differs for contrast in self.contrasts.values() for differs in contrast.values()]
        return sum(outcomes) / max(len(outcomes), 1)


class Candidates:
    """Tries hypotheses about pairs of parameters, bounds and orders.

    Args:
        scope: Where they are tried.
        make: Makes them.
        rng: Draws.
        designs: Designs to try them on; more are drawn.
        alive: What varying each parameter showed, of those that make a difference.

    Attributes:
        count: Number of hypotheses.
        regions: Found bounds of a parameter beyond which another one makes no difference, by the two names, that one first.
        saturated: Found bounds beyond which a parameter acts alike with all values.
    """

    def __init__(
        self, scope: Scope, make: Hypotheses, rng: np.random.Generator, designs: Sequence[Design], alive: Mapping[str, Varied]
    ) -> None:
        self._scope, self._make, self._rng, self._designs = scope, make, rng, designs
        self._parameters: Mapping[str, Parameter] = scope.space.parameters
        self._rates = {name: seen.rate for name, seen in alive.items()}
        self._alive = alive
        ordered = [name for name, parameter in self._parameters.items() if parameter.size() > 2 and is_ordered(parameter)]
        live = [name for name in ordered if name in alive]
        self._alike = [(a, b) for a, b in itertools.combinations(alive, 2) if self._form(a) == self._form(b)][:MOST_PAIRS]
        self._joint = list(itertools.islice(_joint_swaps(self._alike), MOST_JOINT))
        self._groups = [name for name in alive if isinstance(p := self._parameters[name], Repeated) and p.high > 1]
        self._clamps = [*itertools.permutations(live, 2)][:MOST_PAIRS]
        self._ends: list[tuple[str, Side]] = [(name, side) for name in live for side in _SIDES]
        beyond: list[tuple[str, str, Side]] = [
            (name, other, side) for name in alive for other in ordered for side in _SIDES
            if other != name and self._may_end(name, other, side)
        ]  # fmt: skip
        self._beyond = beyond[: 2 * MOST_PAIRS]
        self._combined = [
            (a, b, operation) for a, b in itertools.combinations(live, 2) for operation in OPERATIONS
            if is_possible([self._parameters[a], self._parameters[b]], operation)
        ][:2 * MOST_PAIRS]  # fmt: skip
        kinds: tuple[Sequence[Any], ...] = self._alike, self._joint, self._groups, self._ends, self._beyond, self._combined
        self.count = sum(map(len, kinds)) + 2 * len(self._clamps)
        self.regions: dict[tuple[str, str], list[Region]] = {}
        self.saturated: list[Region] = []
        self._limit = 0.0

    def run(self, limit: float) -> Iterator[Hypothesis]:
        """Yield what survives.

        Args:
            limit: Chance, below which seeing no difference is none.

        Raises:
            BudgetSpentError: When there are not enough evaluations.
        """
        self._limit = limit
        yield from self._edges()
        yield from self._swaps()
        for name in self._groups:
            if self._survives(order := self._make.unordered(name), self._rates[name]):
                yield order
        for (name, bound), function in itertools.product(self._clamps, ("min", "max")):
            clamp = self._make.clamp(name, bound, function)  # type: ignore[arg-type]
            if not self._follows(name, bound, function) and self._survives(clamp, self._rates[name]):
                yield clamp
        for a, b, operation in self._combined:
            combination = self._make.combination(a, b, operation)
            if self._says_much(combination) and self._survives(combination, min(self._rates[a], self._rates[b])):
                yield combination

    # ---- kinds of hypotheses -------------------------------------------------------------------------------------------

    def _edges(self) -> Iterator[Hypothesis]:
        """Yield what is alike beyond a bound: a parameter's own values, and all values of another one."""
        for name, side in self._ends:
            parameter = self._parameters[name]
            start, rate = next_inside(parameter, side), self._rates[name]
            if self._survives(self._make.saturation(name, start, side), rate):
                outside = ends(parameter)[0 if side == ">=" else 1]

                def beyond(value: Any, name: str = name, side: Side = side) -> Hypothesis:
                    return self._make.saturation(name, value, side)

                bound = find_bound(parameter, outside, start, lambda value: self._differs(beyond(value), rate))  # noqa: B023 - called now
                self.saturated.append(Region(name, side=side, bound=bound))
                yield beyond(bound)
        for name, other, side in self._beyond:
            parameter, rate = self._parameters[other], self._rates[name]
            end = ends(parameter)[0 if side == "<=" else 1]

            def at(value: Any, name: str = name, other: str = other) -> Hypothesis:
                return self._make.no_effect(name, Region(other, (value,)))

            if self._survives(at(end), rate):
                outside = self._last_event(name, other, side)
                bound = find_bound(parameter, outside, end, lambda value: self._differs(at(value), rate))  # noqa: B023 - called now
                if bound == end and not isinstance(parameter, DiscreteParameter):
                    continue  # a single real number is met by nobody
                region = Region(other, (end,)) if bound == end else Region(other, side=side, bound=bound)
                self.regions.setdefault((name, other), []).append(region)
                yield self._make.no_effect(name, region)

    def _swaps(self) -> Iterator[Hypothesis]:
        """Yield slots that may be swapped: single parameters first, then those of which none may be swapped alone."""
        single = _Joined()
        for a, b in self._alike:
            if not single.joined((a,), (b,)) and self._survives(
                self._make.interchangeable([(a,), (b,)]), min(self._rates[a], self._rates[b])
            ):
                single.join((a,), (b,))
        yield from map(self._make.interchangeable, single.groups())
        joint = _Joined()
        found: list[set[str]] = []
        for swap in self._joint:
            pairs = [(a, b) for a, b in swap if not single.joined((a,), (b,))]
            first, second = (tuple(names) for names in zip(*pairs, strict=True)) if pairs else ((), ())
            names = {*first, *second}
            if len(pairs) < 2 or joint.joined(first, second) or any(names < known for known in found):
                continue
            if self._survives(self._make.interchangeable([first, second]), min(self._rates[name] for name in names)):
                joint.join(first, second)
                found.append(names)
        yield from map(self._make.interchangeable, joint.groups())

    # ---- trying ---------------------------------------------------------------------------------------------------------

    def _survives(self, hypothesis: Hypothesis, rate: float) -> bool:
        """Return whether pairs of designs show no difference, so many that chance is no explanation if each shows one at a rate."""
        wanted = FEWEST_PAIRS if rate >= 1 else max(FEWEST_PAIRS, math.ceil(math.log(self._limit) / math.log1p(-rate)))
        return wanted <= MOST_TRIED and self._alike_on(hypothesis, wanted) >= wanted

    def _differs(self, hypothesis: Hypothesis, rate: float) -> bool:
        least, most = AT_BOUND
        wanted = least if rate >= 1 else min(max(least, math.ceil(math.log(CHANCE_AT_BOUND) / math.log1p(-rate))), most)
        return self._alike_on(hypothesis, wanted) < wanted

    def _alike_on(self, hypothesis: Hypothesis, wanted: int) -> int:
        """Return on how many pairs of designs nothing differs, up to those wanted; -1 if something does."""
        agreed, rounds = 0, iter(ROUNDS)
        pairs = self._pairs(hypothesis, 4 * wanted)
        while agreed < wanted:
            some = list(itertools.islice(pairs, min(next(rounds, wanted), wanted - agreed)))
            if not some:
                break
            outcomes = compare(self._scope, some)
            if False in outcomes:
                return -1
            agreed += outcomes.count(True)
        return agreed

    def _pairs(self, hypothesis: Hypothesis, most: int) -> Iterator[tuple[Design, Design]]:
        fresh = (design for _ in itertools.repeat(None) for design in self._scope.sample(self._rng, 8))
        for design in itertools.islice(itertools.chain(self._designs, fresh), len(self._designs) + most):
            pair = hypothesis.pair(design, self._rng)
            if pair is not None and pair[0] != pair[1] and all(map(self._scope.legal, pair)):
                yield pair

    def _says_much(self, hypothesis: Hypothesis) -> bool:
        """Return whether a hypothesis says something about a fair share of designs; others are true for reasons of arithmetic."""
        designs = self._designs[:FEW_DESIGNS]
        return sum(hypothesis.pair(design, self._rng) is not None for design in designs) >= FAIR_SHARE * len(designs)

    # ---- what is known already ------------------------------------------------------------------------------------------

    def _form(self, name: str) -> str:
        return json.dumps(self._parameters[name].to_json())  # 1, 1.0 and True are not alike

    def _may_end(self, name: str, other: str, side: Side) -> bool:
        """Return whether a parameter made no difference on the designs that have the outermost values of another one."""
        events = self._alive[name].events
        ordered = sorted(events, key=lambda number: self._designs[number][other], reverse=side == ">=")
        return not events[ordered[0]]

    def _last_event(self, name: str, other: str, side: Side) -> Any:
        """Return the outermost value of a parameter at which another one made a difference."""
        values = [self._designs[number][other] for number, differs in self._alive[name].events.items() if differs]
        return min(values) if side == "<=" else max(values)

    def _follows(self, name: str, bound: str, function: str) -> bool:
        """Return whether a clamp follows from a bound of the parameter's own."""
        low, high = ends(self._parameters[bound])
        return any(
            region.name == name and (region.bound <= low if (region.side, function) == (">=", "min") else region.bound >= high)
            for region in self.saturated if (region.side, function) in ((">=", "min"), ("<=", "max"))
        )  # fmt: skip


_SIDES: tuple[Side, Side] = ("<=", ">=")


class _Joined:
    """Which slots may be swapped, from which pairs of them may."""

    def __init__(self) -> None:
        self._groups: list[list[tuple[str, ...]]] = []

    def joined(self, a: tuple[str, ...], b: tuple[str, ...]) -> bool:
        """Return whether two slots are in one group."""
        return any(a in group and b in group for group in self._groups)

    def join(self, a: tuple[str, ...], b: tuple[str, ...]) -> None:
        """Put two slots, and what each is joined to, into one group."""
        touched = [group for group in self._groups if a in group or b in group]
        self._groups = [group for group in self._groups if group not in touched]
        self._groups.append(list(dict.fromkeys([*(slot for group in touched for slot in group), a, b])))

    def groups(self) -> Iterable[list[tuple[str, ...]]]:
        """Return the groups."""
        return self._groups


def _joint_swaps(alike: Sequence[tuple[str, str]]) -> Iterator[Swap]:
    """Yield sets of pairs that might be swapped together, likely ones and large ones first, without telling any twice.

    Names show what belongs together: ``kind0`` is to ``kind1`` as ``width0`` to ``width1``. Where they do not, all pairs of pairs are told.
    """
    by_names: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for a, b in alike:
        one, other = _difference(a, b)
        pair, key = ((a, b), (one, other)) if one <= other else ((b, a), (other, one))
        by_names.setdefault(key, []).append(pair)
    sets = [tuple(pairs) for pairs in by_names.values() if len(pairs) > 1]
    sets += [tuple(pair for pair in pairs if pair != left_out) for pairs in sets if len(pairs) > 2 for left_out in pairs]
    told: set[frozenset[frozenset[str]]] = set()
    for swap in itertools.chain(sets, itertools.combinations(alike, 2)):
        names = [name for pair in swap for name in pair]
        key_of_set = frozenset(frozenset(pair) for pair in swap)
        if len(set(names)) == len(names) and key_of_set not in told:
            told.add(key_of_set)
            yield swap


def _difference(a: str, b: str) -> tuple[str, str]:
    """Return what is left of two names without what they begin and end with alike."""
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[start:], b[start:]
    end = next((i for i, (x, y) in enumerate(zip(reversed(a), reversed(b), strict=False)) if x != y), min(len(a), len(b)))
    return a[: len(a) - end], b[: len(b) - end]
