"""`KindMapSpace`: mappings of a layer on machines of one kind, drawn and varied in batches, each made to fit a machine of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.accelerator.codesign.machine import Machine
from designgym.simulators.accelerator.codesign.traffic import capacities, words_needed
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.batch import MappingBatch
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.mapspace import Genotypes, MapSpace
from designgym.simulators.accelerator.loopnest.problem import DIMS, INPUTS, OUTPUTS, WEIGHTS, C, M, P, Q, R, S
from designgym.simulators.accelerator.loopnest.variation import mixed

__all__ = ["ARRAY", "DRAM", "ELEMENT", "GLB", "KindMapSpace", "Rooms"]

ELEMENT, GLB, DRAM, ARRAY = range(4)
"""Places of factors: loops in an element, at the global buffer, at DRAM, and over the array."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ORDERS = np.array([
    (P, Q, C, M, R, S), (Q, P, M, C, R, S),  # weights stay
    (M, P, Q, C, R, S), (M, C, R, S, Q, P),  # inputs stay
    (C, R, S, M, Q, P), (R, S, C, P, Q, M),  # outputs stay
])  # fmt: skip
"""Orders of loops, innermost first, that are searched: of each tensor that can stay where it is, the loops that do not move it are
innermost, and then those of the next."""

NEW_ORDER = 0.15  # share of levels with a new order
TO_ARRAY = 0.6  # share of the moves inwards; the others go to a level further in


@dataclass(frozen=True, eq=False)
class Rooms:
    """What B machines have room for.

    Attributes:
        words: In an element, by tensor, and in the global buffer, shape ``(4, B)``.
        longer: Elements along the longer side of the array, which are columns here, ``(B,)``.
        shorter: Elements along the shorter side, ``(B,)``.
    """

    words: Floats
    longer: Floats
    shorter: Floats

    @classmethod
    def of(cls, machines: Sequence[Machine], each: int = 1) -> Rooms:
        """Return the rooms of machines, each so many times in a row."""
        words = np.stack([capacities(machine) for machine in machines], axis=-1)
        sides = np.array([(machine.longer, machine.shorter) for machine in machines], dtype=np.float64).T
        return cls(*(np.repeat(values, each, axis=-1) for values in (words, *sides)))

    def __getitem__(self, which: NDArray[np.int64]) -> Rooms:
        return Rooms(self.words[:, which], self.longer[which], self.shorter[which])


class KindMapSpace:
    """All mappings of a layer on machines that hold the same tensors in the same places.

    Args:
        layer: The layer.
        kind: One of the machines.
    """

    def __init__(self, layer: Layer, kind: Machine) -> None:
        self._space = MapSpace(layer, kind.architecture(), kind.keep)
        self.items = self._space.items
        self.keep = kind.keep
        self._dims = np.array([dim for dim, _ in self.items], dtype=np.int64)
        relevant = np.zeros((3, len(DIMS)), dtype=np.bool_)  # which dimensions make a tensor's tile larger
        relevant[WEIGHTS, [C, M, R, S]] = relevant[INPUTS, [C, R, S, P, Q]] = relevant[OUTPUTS, [C if layer.depthwise else M, P, Q]] = True
        self._larger = relevant[:, self._dims]

    def batch(self, genotypes: Genotypes) -> MappingBatch:
        """Return the mappings as the model takes them."""
        return self._space.batch(genotypes)

    def mapping(self, genotypes: Genotypes) -> LoopMapping:
        """Return the only mapping of a batch of one."""
        return self.batch(genotypes).mapping(0)

    def sample(self, rng: np.random.Generator, rooms: Rooms) -> Genotypes:
        """Return a random mapping for each room."""
        n = len(rooms.longer)
        drawn = self._space.sample(rng, 1)[np.zeros(n, dtype=np.int64)]
        every = replace(
            drawn,
            places=rng.integers(ARRAY + 1, size=(len(self.items), n)),
            order=np.moveaxis(ORDERS[rng.integers(len(ORDERS), size=(DRAM + 1, n))], -1, 1),
            spatial_order=np.argsort(rng.random((len(DIMS), n)), axis=0),
            split=rng.integers(len(DIMS) + 1, size=n),
        )
        return self.repaired(every, rooms, rng)

    def children(self, mothers: Genotypes, fathers: Genotypes, rng: np.random.Generator) -> Genotypes:
        """Return a mapping made of each mother and father; it may not fit yet. Orders are a parent's or new."""
        n = len(mothers)
        born = mixed(self._space, mothers, fathers, rng)
        drawn = np.moveaxis(ORDERS[rng.integers(len(ORDERS), size=(DRAM + 1, n))], -1, 1)
        of_parent = np.where(rng.random((DRAM + 1, 1, n)) < 0.5, fathers.order, mothers.order)
        return replace(born, order=np.where(rng.random((DRAM + 1, 1, n)) < NEW_ORDER, drawn, of_parent))

    def repaired(self, genotypes: Genotypes, rooms: Rooms, rng: np.random.Generator) -> Genotypes:
        """Return mappings with factors moved outwards until each fits its room."""
        places = genotypes.places.copy()
        open_ = np.arange(len(genotypes))
        while open_.size:
            part = replace(genotypes[open_], places=places[:, open_])
            small, too_long, too_short = self._lacks(part, rooms[open_])
            misfit = np.nonzero(small.any(axis=0) | too_long | too_short)[0]
            open_, part, small = open_[misfit], part[misfit], small[:, misfit]
            if not open_.size:
                break
            along_columns = np.argsort(part.spatial_order, axis=0)[self._dims] < part.split
            of_array = (part.places == ARRAY) & np.where(along_columns, too_long[misfit], too_short[misfit])
            in_array = of_array.any(axis=0)
            in_element = ~in_array & small[:3].any(axis=0)
            larger = np.einsum("tb,ti->ib", small[:3].astype(np.int64), self._larger.astype(np.int64)) > 0
            of_element = (part.places == ELEMENT) & larger
            movable = np.where(in_array, of_array, np.where(in_element, of_element, part.places != DRAM))
            chosen = np.argmax(np.where(movable, rng.random(movable.shape), -1.0), axis=0)
            inner = np.where(in_array & (rng.random(len(open_)) < 0.3), ELEMENT, GLB)
            places[chosen, open_] = np.where(in_array | in_element, np.where(rng.random(len(open_)) < 0.5, inner, DRAM), DRAM)
        return replace(genotypes, places=places)

    def filled(self, genotypes: Genotypes, rooms: Rooms, rng: np.random.Generator, moves: int) -> Genotypes:
        """Return mappings that fit with factors moved onto the array and to inner levels where they fit; so many moves are tried.

        A drawn mapping leaves most of an array idle and most of a buffer empty.
        """
        current, n = genotypes, len(genotypes)
        every = np.arange(n)
        for _ in range(moves if self.items else 0):
            item = rng.integers(len(self.items), size=n)
            at = current.places[item, every]
            inwards = np.where(at < ARRAY, rng.integers(ARRAY, size=n) % np.maximum(at, 1), at)
            places = current.places.copy()
            places[item, every] = np.where(rng.random(n) < TO_ARRAY, ARRAY, inwards)
            moved = replace(current, places=places, split=np.where(rng.random(n) < 0.3, rng.integers(len(DIMS) + 1, size=n), current.split))
            small, too_long, too_short = self._lacks(moved, rooms)
            holds = ~(small.any(axis=0) | too_long | too_short)
            current = replace(
                current, places=np.where(holds, moved.places, current.places), split=np.where(holds, moved.split, current.split)
            )  # fmt: skip
        return current

    def _lacks(self, part: Genotypes, rooms: Rooms) -> tuple[Bools, Bools, Bools]:
        """Return where words do not fit, ``(4, B)``, and where columns and rows are not enough, ``(B,)``."""
        batch = self.batch(part)
        factors = np.take_along_axis(batch.spatial, batch.spatial_order, axis=0)
        along_columns = np.arange(len(DIMS))[:, None] < batch.split
        columns, rows = (np.where(side, factors, 1.0).prod(axis=0) for side in (along_columns, ~along_columns))
        return words_needed(batch) > rooms.words, columns > rooms.longer, rows > rooms.shorter
