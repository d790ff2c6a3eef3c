"""`InnerMapper`: the mapping of each layer on each machine, remembered by the problem that a machine poses."""

from __future__ import annotations

import functools
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.codesign.library import BANDWIDTHS, Goal, Library, order_by
from designgym.simulators.accelerator.codesign.machine import Machine
from designgym.simulators.accelerator.codesign.space import EYERISS, MACHINE_PARAMETERS
from designgym.simulators.accelerator.codesign.traffic import Prices, Traffic
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.energy import CactiEnergies, TimeloopEnergies
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping

__all__ = ["Chosen", "InnerMapper", "Scope"]

Scope = Literal["kind", "machine"]
Table = CactiEnergies | TimeloopEnergies

PROBLEMS = 200_000  # remembered, some hundred bytes each
LIBRARIES = 400  # kept, one to five megabytes each


@dataclass(frozen=True)
class Chosen:
    """The mapping of a layer on a machine.

    Attributes:
        number: Of the mapping in its library.
        cycles: Of the layer.
        energy_pj: Of the layer.
        dram_words: Read from and written to DRAM.
        glb_words: Read from and written to the global buffer.
        dram_one_way: Read from DRAM, or written there, whichever is more: what its bandwidth bounds.
    """

    number: int
    cycles: float
    energy_pj: float
    dram_words: float
    glb_words: float
    dram_one_way: float

    @classmethod
    def of(cls, number: int, found: Traffic, cycles: float, energy_pj: float) -> Chosen:
        """Return one mapping, given its traffic alone, with what it costs."""
        return cls(number, cycles, energy_pj, float(found.dram.sum()), float(found.glb.sum()), float(found.dram.max()))


@dataclass(frozen=True)
class _Solved:
    """A choice and the bandwidths it was made for."""

    glb_rate: int
    dram_rate: int
    chosen: Chosen


class InnerMapper:
    """Chooses mappings from libraries, which grow when they are first asked.

    Machines pose the same problem if the same mappings fit them, at the same energies. Then a choice made for more bandwidth is also the
    choice for less, as long as it is not slowed down: every other mapping was worse and gets no faster. So memory changes no result.

    Args:
        goal: What mappings are chosen for: ``latency``, ``energy`` or ``edp``, their product. Ties go to less of the other one.
        evaluations: Mappings that are evaluated for a layer and a kind of machine, see `Library`.
        seed: Of the libraries.
        table: Energies per access.
        scope: Whether mappings are found for all machines of a ``kind`` at once, or for each ``machine`` by itself, whatever its
            bandwidths: better ones, at the price of a search for each machine.

    Attributes:
        hits: Layers whose mapping was known.
        misses: Layers whose mapping was looked for.

    Raises:
        InputError: For an unknown goal, or numbers that cannot be.
    """

    def __init__(self, goal: Goal, *, evaluations: int, seed: int, table: Table, scope: Scope = "kind") -> None:
        if goal not in get_args(Goal):
            raise InputError(f"mapper_goal must be one of {', '.join(get_args(Goal))}, got {shorten(goal)}")
        for name, value, least in (("mapper_evaluations", evaluations, 1), ("mapper_seed", seed, 0)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} must be a whole number, {least} or more, got {shorten(value)}")
        if scope not in get_args(Scope):
            raise InputError(f"mapper_scope must be one of {', '.join(get_args(Scope))}, got {shorten(scope)}")
        self.scope = scope
        self.goal: Goal = goal
        self.evaluations, self.seed, self.table = evaluations, seed, table
        self.hits = self.misses = 0
        self._solved: OrderedDict[tuple[object, ...], list[_Solved]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_solved": OrderedDict()}  # what is remembered is quickly found again

    def library(self, layer: Layer, machine: Machine, evaluations: int) -> Library:
        """Return the mappings of a layer for machines of this kind."""
        fixed = ("dataflow", "weights_in_glb") if self.scope == "kind" else (n for n in MACHINE_PARAMETERS if n not in BANDWIDTHS)
        kind = Machine.of({**EYERISS, **{name: getattr(machine, name) for name in fixed}})
        of_layer = replace(layer, name="")
        return _library(of_layer, kind, self.scope == "kind", self.goal, evaluations, self.seed, self.table)

    def choose(self, layer: Layer, machine: Machine, evaluations: int | None = None) -> Chosen:
        """Return the best mapping of a layer on a machine; ``evaluations``, if it should not be the usual number, is the library's."""
        library = self.library(layer, machine, self.evaluations if evaluations is None else evaluations)
        prices = _prices(machine, self.table)
        key = (library.layer, library.kind, library.asked, library.room(machine), prices)
        rates = machine.glb_words_per_cycle, machine.dram_words_per_cycle
        known = self._solved.setdefault(key, [])
        self._solved.move_to_end(key)
        for solved in known:
            if solved.glb_rate >= rates[0] and solved.dram_rate >= rates[1]:
                at = solved.chosen.number
                if library.traffic[[at]].cycles(machine)[0] == solved.chosen.cycles:
                    self.hits += 1
                    return solved.chosen
        self.misses += 1
        which = np.nonzero(library.traffic.fits(machine))[0]
        fitting = library.traffic[which]
        cycles, energy = fitting.cycles(machine), fitting.energy_pj(prices, layer.macs)
        first, second = order_by(self.goal, cycles, energy)
        best = np.nonzero(first == first.min())[0]
        at = int(best[np.argmin(second[best])])
        chosen = Chosen.of(int(which[at]), fitting[[at]], float(cycles[at]), float(energy[at]))
        known.append(_Solved(*rates, chosen))
        if len(self._solved) > PROBLEMS:
            self._solved.popitem(last=False)
        return chosen

    def mapping(self, layer: Layer, machine: Machine) -> LoopMapping:
        """Return the loops of the mapping that is chosen for a layer."""
        return self.library(layer, machine, self.evaluations).mapping(self.choose(layer, machine).number)


@functools.lru_cache(maxsize=LIBRARIES)  # of the process: simulators share them, and travel without them
def _library(layer: Layer, kind: Machine, sizes: bool, goal: Goal, evaluations: int, seed: int, table: Table) -> Library:
    return Library(layer, kind, goal=goal, evaluations=evaluations, seed=seed, table=table, sizes=sizes)


@functools.lru_cache(maxsize=1024)  # all layers of a network ask for the same
def _prices(machine: Machine, table: Table) -> Prices:
    return Prices.of(machine, table)
