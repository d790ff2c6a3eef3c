"""`Library`: mappings of one layer for all machines of one kind, found once. A machine's mapping is the best of them that it has room for.

What a mapping needs and moves does not depend on a machine's sizes and bandwidths, only whether it fits and what that costs. So every
mapping that is evaluated serves all machines. The library evolves: in each generation the best mappings for some machines, drawn from
the space, have children that fit these machines.

Since all machines of a kind choose from the same mappings, what holds for each mapping holds for the best one: bandwidth never does
harm, nor do elements, nor, if latency is the goal, room in buffers; and a library that was given more evaluations contains the smaller one.
"""

from __future__ import annotations

from dataclasses import replace
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
FILLING, REFILLING = 24, 6  # moves
VISITED, PARENTS, CHILDREN = 16, 8, 24  # machines of any other generation, and for each of them


class Library:
    """Mappings of a layer.

    Args:
        layer: The layer.
        kind: A machine whose elements and global buffer hold what all machines of the library do.
        goal: What mappings are bred for.
        evaluations: Mappings that are evaluated; the last generation may exceed it.
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
        genotypes = self._space.filled(self._space.sample(rng, rooms), rooms, rng, FILLING)
        found = traffic(self._space.batch(genotypes), kind)
        self.evaluations = len(found)
        while self.evaluations < evaluations:
            machines = _machines(kind, rng, VISITED, sizes)
            rooms = Rooms.of(machines, CHILDREN)
            families = [self._space.children(genotypes[self._best(found, machine, PARENTS)], rng, CHILDREN) for machine in machines]
            young = self._space.filled(self._space.repaired(_joined(families), rooms, rng), rooms, rng, REFILLING)
            found, genotypes = found.joined(traffic(self._space.batch(young), kind)), genotypes.joined(young)
            self.evaluations += len(young)
        left = np.sort(np.unique(found.rows(), axis=1, return_index=True)[1])  # of equal ones the first
        self.traffic, self._genotypes = found[left], _small(genotypes[left])
        self._needs = [np.unique(needs) for needs in (*self.traffic.words, self.traffic.longer, self.traffic.shorter)]

    def mapping(self, number: int) -> LoopMapping:
        """Return one of the mappings."""
        return self._space.mapping(self._genotypes[[number]])

    def room(self, machine: Machine) -> tuple[int, ...]:
        """Return numbers that are equal for two machines if the same mappings fit them: the needs of the library that they meet."""
        there = (*capacities(machine), machine.longer, machine.shorter)
        return tuple(int(np.searchsorted(needs, have, side="right")) for needs, have in zip(self._needs, there, strict=True))

    def _best(self, found: Traffic, machine: Machine, n: int) -> NDArray[np.int64]:
        which = np.nonzero(found.fits(machine))[0]
        fitting = found[which]
        energy = fitting.energy_pj(Prices.of(machine, self._table), self.layer.macs)
        first, second = order_by(self.goal, fitting.cycles(machine), energy)
        order = np.lexsort((second, first))
        new = np.concatenate([[True], (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)])
        return which[order[new][:n]]


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


def _joined(parts: list[Genotypes]) -> Genotypes:
    return Genotypes(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in vars(parts[0])))


def _small(genotypes: Genotypes) -> Genotypes:
    """Return the same in bytes: every number is a place or a dimension."""
    return Genotypes(*(values if values.dtype == np.bool_ else values.astype(np.int8) for values in vars(genotypes).values()))
