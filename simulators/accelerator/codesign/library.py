"""`Library`: mappings of one layer for all machines of one kind, found once. A machine's mapping is the best of them that it has room for.

What a mapping needs and moves does not depend on a machine's sizes and bandwidths, only whether it fits and what that costs. So every
mapping that is evaluated serves all machines. The library evolves: in each generation the best mappings for some machines, drawn from
the space, have children that fit these machines. A child that is among the best for one of them may have children itself; all are kept
for machines to choose from.

Elements with three buffers come in 225 times as many sizes as those with one, and good tiles differ between them: such a library takes
`EFFORT` times as many evaluations, for mappings that come close to those found for one machine (`benchmarks/accelerator.py`).

Since all machines of a kind choose from the same mappings, what holds for each mapping holds for the best one: bandwidth never does
harm, nor do elements, nor, if latency is the goal, room in buffers; and a library that was given more evaluations contains the smaller one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.codesign.kind_mapspace import KindMapSpace, Rooms
from designgym.simulators.accelerator.codesign.machine import HELD, Machine
from designgym.simulators.accelerator.codesign.space import MACHINE_PARAMETERS
from designgym.simulators.accelerator.codesign.traffic import Floats, Prices, Traffic, capacities, traffic
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.energy import EnergyTable
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.mapspace import Genotypes
from designgym.simulators.accelerator.loopnest.problem import bounds

__all__ = ["Goal", "Library", "order_by"]

Goal = Literal["latency", "energy", "edp"]

BANDWIDTHS = ("glb_words_per_cycle", "dram_words_per_cycle")
_OF_KIND = ("dataflow", "weights_in_glb")

MACHINES, FIRST = 24, 24  # of the first generation, and random mappings for each of them
FILLING, REFILLING = 24, 12  # moves
VISITED, PARENTS, CHILDREN = 16, 4, 12  # machines of any other generation, and for each of them
ELITE = 8  # mappings for a machine that its children have to be among to have children
TIES = 4  # for each wanted mapping, among which equal ones are passed over
EFFORT = 6


@dataclass(frozen=True, eq=False)
class _Mappings:
    genotypes: Genotypes
    traffic: Traffic

    def __getitem__(self, which: NDArray[np.int64]) -> _Mappings:
        return _Mappings(self.genotypes[which], self.traffic[which])

    def __len__(self) -> int:
        return len(self.traffic)

    def joined(self, other: _Mappings) -> _Mappings:
        return _Mappings(self.genotypes.joined(other.genotypes), self.traffic.joined(other.traffic))


class Library:
    """Mappings of a layer.

    Args:
        layer: The layer.
        kind: A machine whose elements and global buffer hold what all machines of the library do.
        goal: What mappings are bred for.
        evaluations: Mappings that are evaluated, `EFFORT` times as many if ``sizes`` and elements hold all tensors; the last generation may
            exceed it.
        seed: Of all random choices.
        table: Energies per access.
        sizes: Whether the mappings are for machines of all sizes, or only for those of this one's, with any bandwidths.

    Attributes:
        traffic: Of all different ones.
        asked: Evaluations that were asked for.
        evaluations: Mappings that were evaluated.
    """

    def __init__(
        self, layer: Layer, kind: Machine, *, goal: Goal, evaluations: int, seed: int, table: EnergyTable, sizes: bool = True
    ) -> None:  # fmt: skip
        self.goal: Goal = goal
        self.layer, self.kind, self.asked, self._table = layer, kind, evaluations, table
        rng = np.random.default_rng(
            [seed, *bounds(layer), layer.stride, layer.depthwise, list(HELD).index(kind.dataflow), kind.weights_in_glb]
        )
        self._space = KindMapSpace(layer, kind)
        rooms = Rooms.of(_machines(kind, rng, MACHINES, sizes, ends=True), FIRST)
        parents = self._fitting(self._space.sample(rng, rooms), rooms, rng, FILLING)
        found, self.evaluations = [parents], len(parents)
        effort = EFFORT if sizes and len(HELD[kind.dataflow]) > 1 else 1
        while self.evaluations < evaluations * effort:
            machines = _machines(kind, rng, VISITED * effort, sizes)
            young, new = self._generation(parents, machines, rng)
            parents = parents.joined(young[new])
            found.append(young)
            self.evaluations += len(young)
        every = functools.reduce(_Mappings.joined, found)
        left = np.sort(np.unique(every.traffic.rows(), axis=1, return_index=True)[1])  # of equal ones the first
        self.traffic, self._genotypes = every.traffic[left], _small(every.genotypes[left])
        self._needs = [np.unique(needs) for needs in (*self.traffic.words, self.traffic.longer, self.traffic.shorter)]

    def mapping(self, number: int) -> LoopMapping:
        """Return one of the mappings."""
        return self._space.mapping(self._genotypes[[number]])

    def room(self, machine: Machine) -> tuple[int, ...]:
        """Return numbers that are equal for two machines if the same mappings fit them: the needs of the library that they meet."""
        there = (*capacities(machine), machine.longer, machine.shorter)
        return tuple(int(np.searchsorted(needs, have, side="right")) for needs, have in zip(self._needs, there, strict=True))

    def _generation(
        self, parents: _Mappings, machines: list[Machine], rng: np.random.Generator
    ) -> tuple[_Mappings, NDArray[np.int64]]:  # fmt: skip
        """Return children of the parents that are best for machines, and which of them are among the best themselves."""
        elites = [self._elite(parents.traffic, machine) for machine in machines]
        drawn = [elite[rng.integers(min(len(elite), PARENTS), size=(2, CHILDREN))] for elite in elites]
        mothers, fathers = (parents.genotypes[which] for which in np.concatenate(drawn, axis=1))
        rooms = Rooms.of(machines, CHILDREN)
        young = self._fitting(self._space.children(mothers, fathers, rng), rooms, rng, REFILLING)
        new = [
            self._elite(parents.traffic[elite].joined(young.traffic), machine) - len(elite)
            for elite, machine in zip(elites, machines, strict=True)
        ]
        which = np.unique(np.concatenate(new))
        return young, which[which >= 0]

    def _fitting(self, genotypes: Genotypes, rooms: Rooms, rng: np.random.Generator, moves: int) -> _Mappings:
        filled = self._space.filled(self._space.repaired(genotypes, rooms, rng), rooms, rng, moves)
        return _Mappings(filled, traffic(self._space.batch(filled), self.kind))

    def _elite(self, found: Traffic, machine: Machine) -> NDArray[np.int64]:
        """Return the best mappings for a machine, all different there."""
        which = np.nonzero(found.fits(machine))[0]
        fitting = found[which]
        energy = fitting.energy_pj(Prices.of(machine, self._table), self.layer.macs)
        first, second = order_by(self.goal, fitting.cycles(machine), energy)
        if len(first) > (most := TIES * ELITE):  # only those that could be among the best, where not too many are equal
            few = np.nonzero(first <= np.partition(first, most)[most])[0]
            which, first, second = which[few], first[few], second[few]
        order = np.lexsort((second, first))
        new = np.concatenate([[True], (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)])
        return which[order[new][:ELITE]]


def order_by(goal: Goal, cycles: Floats, energy_pj: Floats) -> tuple[Floats, Floats]:
    """Return the goal of mappings and what decides among equals."""
    match goal:
        case "latency":
            return cycles, energy_pj
        case "energy":
            return energy_pj, cycles
        case "edp":
            return energy_pj * cycles, energy_pj
    raise InputError(f"goal of a mapper must be one of {', '.join(get_args(Goal))}, got {shorten(goal)}")


def _machines(kind: Machine, rng: np.random.Generator, n: int, sizes: bool, *, ends: bool = False) -> list[Machine]:
    """Return random machines of a kind, ``n`` in all; with ``ends`` the smallest and the largest are the first of them."""
    free = {name for name in MACHINE_PARAMETERS if name not in _OF_KIND and (sizes or name in BANDWIDTHS)}
    varied: dict[str, Any] = {name: MACHINE_PARAMETERS[name].values() for name in MACHINE_PARAMETERS if name in free}  # type: ignore[attr-defined]
    chosen = [{name: values[end] for name, values in varied.items()} for end in ((0, -1) if ends else ())]
    chosen += [{name: values[rng.integers(len(values))] for name, values in varied.items()} for _ in range(n - len(chosen))]
    return [replace(kind, **values) for values in chosen]


def _small(genotypes: Genotypes) -> Genotypes:
    """Return the same in bytes: every number is a place or a dimension."""
    return Genotypes(*(values if values.dtype == np.bool_ else values.astype(np.int8) for values in vars(genotypes).values()))
