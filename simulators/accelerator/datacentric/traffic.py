"""What the steps of a level move and compute: per tensor, per innermost loop that moved, per edge of the SpatialMaps.

A step is known by the dimensions that are at their edge and by the innermost loop that moved. Elements that come in depend on the
SpatialMaps' edges and on what moved; elements that go out, partial sums and operations on the edges alone.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.datacentric.levels import DIMS, Y
from designgym.simulators.accelerator.datacentric.shape import DIMENSIONS, coupled
from designgym.simulators.accelerator.datacentric.states import Kind, Packed, States

__all__ = ["Edges", "Tensors", "Traffic"]

Edges = tuple[int, ...]
"""Dimensions at their edge position, ascending."""


class Tensors:
    """The dimensions of the tensors, as numbers."""

    def __init__(self, depthwise: bool) -> None:
        names = coupled(depthwise)
        self.input, self.weight, self.output = (tuple(sorted(map(DIMENSIONS.index, names[t]))) for t in ("input", "weight", "output"))


class _Picked:
    """Rows of a table for some columns, picked when they are first asked for."""

    def __init__(self, rows: Array, columns: Array) -> None:
        self._rows, self._columns, self._found = rows, columns, dict[int, Array]()

    def __getitem__(self, row: int) -> Array:
        if row not in self._found:
            self._found[row] = namespace(self._rows).take(self._rows[row], self._columns)
        return self._found[row]


class Traffic:
    """Tables of one kind of items; all arrays have shape (n,), n the items of the kind.

    Args:
        packed: The level.
        owner: The mapping of each item of the kind.
        kind: The kind.
        found: The states of all items.
        live: Dimensions with more than one position in some item.
        tensors: Dimensions of the tensors.
    """

    def __init__(self, packed: Packed, owner: Array, kind: Kind, found: States, live: Sequence[int], tensors: Tensors) -> None:
        self.xp = xp = namespace(packed.rows)
        self.spatial, self.edges, self.live, self.tensors = kind.spatial, kind.edges, tuple(live), tensors
        self.place, self.tile, self.fresh, self.edge, self.edge_fresh = (
            _Picked(packed.rows[start : start + 6], owner) for start in (0, 6, 18, 24, 30)
        )
        self._out, self._out_fresh, self._out_edge, self._out_edge_fresh = (
            _Picked(packed.rows[start : start + 2], owner) for start in (36, 38, 40, 42)
        )
        self.units, self.edge_units, self.noc_bw, self.hop_latency, self.lanes = (xp.take(packed.rows[i], owner) for i in range(44, 49))
        self.count, self.short = _Picked(found.count, kind.members), _Picked(found.short, kind.members)
        self.has_edge = _Picked(found.has_edge, kind.members)
        self.zeros, self.ones = xp.zeros_like(self.units), xp.ones_like(self.units)
        self.part = {d: xp.take(found.part[i], kind.members) for i, d in enumerate(self.spatial)}
        self.alone = self.edge_units == 1
        self.temporal = tuple(d for d in DIMS if d not in self.spatial)
        # a temporal tile is incomplete in the only position it has, or has its full size wherever nothing else is said
        self._short_somewhere = {d: found.short_somewhere[d] and bool(xp.any(self.short[d])) for d in DIMS}
        self.held = {
            d: xp.where(self.short[d], self.edge[d], self.tile[d]) if self._short_somewhere[d] else self.tile[d] for d in self.temporal
        }
        self.some_short = any(self._short_somewhere[d] for d in self.spatial)
        self.spatial_edges: list[Edges] = _subsets(tuple(d for d in self.edges if d in self.spatial))

    def delay(self, elements: Array) -> Array:
        """Return cycles to move elements through the network."""
        return self.hop_latency + self.xp.ceil(elements / self.noc_bw) - 1

    # ---- order of loops ------------------------------------------------------------------------------------------------------

    def inside(self, d: int, other: int) -> Array:
        """Return whether the loop over ``d`` is inside the one over ``other``."""
        return self._inside[d, other]

    def moves(self, d: int) -> Array:
        """Return whether a loop has more than one position."""
        return (self.count[d] > 0) | self.has_edge[d]

    def restarted(self, d: int, tensor: Sequence[int]) -> Array:
        """Return whether loops of the tensor inside the one over ``d`` begin anew when it moves."""
        found = None
        for other in tensor:
            if other != d and other in self.live:
                again = self._moving[other] & self.inside(other, d)
                found = again if found is None else found | again
        return self._never if found is None else found

    @cached_property
    def _moving(self) -> dict[int, Array]:
        return {d: self.moves(d) for d in self.live}

    @cached_property
    def _never(self) -> Array:
        return self.units < 0

    @cached_property
    def _inside(self) -> dict[tuple[int, int], Array]:
        return {(d, other): self.place[d] > self.place[other] for d in DIMS for other in self.live if other != d}

    def units_of(self, at_edge: Edges) -> Array:
        """Return how many sub-units have work, with these SpatialMaps at their edge."""
        first = self.spatial[0]
        if first in at_edge:
            return self.edge_units
        return self.xp.where(self.short[first], self.edge_units, self.units) if self._short_somewhere[first] else self.units

    # ---- sums over sub-units ---------------------------------------------------------------------------------------------------

    def over_units(self, dims: Sequence[int], at_edge: Edges, volume: Callable[[bool, bool], Array]) -> Array:
        """Return the sum over the sub-units of ``volume(first, part)``, with what neighbours share counted once.

        Args:
            dims: SpatialMaps of the tensor, not none.
            at_edge: SpatialMaps at their edge position.
            volume: Elements of the first sub-unit or a further one, whole or part.
        """
        xp, n, edge_units = self.xp, self.units, self.edge_units
        whole = any(d in at_edge for d in dims)
        usual = None if whole else volume(True, False) + (n - 1) * volume(False, False)
        if usual is not None and not self.some_short:
            return usual
        part = self.part_of(dims[-1], at_edge)
        further = volume(False, False)
        rest = xp.where(part, volume(False, True) + xp.maximum(edge_units - 2, 0.0) * further, (edge_units - 1) * further)
        total = xp.where(self.alone & part, volume(True, True), volume(True, False)) + xp.where(self.alone, 0.0, rest)
        return total if usual is None else xp.where(self.short_of(dims), total, usual)

    def part_of(self, d: int, at_edge: Edges) -> Array:
        """Return whether the last active sub-unit holds less than a tile of a SpatialMap."""
        return self.part[d] if d in at_edge else self.short[d]

    def short_of(self, dims: Iterable[int]) -> Array:
        """Return whether some SpatialMap of ``dims`` is at an edge from the first position on."""
        masks = [self.short[d] for d in dims]
        return masks[0] if len(masks) == 1 else masks[0] | masks[1]

    # ---- what comes in ---------------------------------------------------------------------------------------------------------

    def incoming(self, tensor: Sequence[int], moved: int | None, at_edge: Edges) -> tuple[Array, Array | None]:
        """Return the elements of a tensor that a step brings in, and where upstream ends with an error (None: nowhere).

        Args:
            tensor: Its dimensions.
            moved: The innermost loop that moved; None for the first step.
            at_edge: SpatialMaps at their edge position.
        """
        xp = self.xp
        if moved is not None and moved not in tensor:
            return self.zeros, None
        total, error = self.ones, None
        restarted = None if moved is None else self.restarted(moved, tensor)
        for d in tensor:
            if d in self.held:
                if d == moved:
                    assert restarted is not None
                    error = (self.fresh[d] == 0) & ~restarted & self._moving[d]
                    total = total * xp.where(restarted, self.tile[d], self.fresh[d])
                else:
                    total = total * self.held[d]
        shared = [d for d in tensor if d in self.spatial]
        if not shared:
            return total, error
        factors = [self._first_step(d) if moved is None else self._later_step(d, moved, restarted) for d in shared]
        volumes = {key: _product(factor[key] for factor in factors) for key in factors[0]}
        return total * self.over_units(shared, at_edge, lambda first, part: volumes[first, part]), error

    def _first_step(self, d: int) -> dict[tuple[bool, bool], Array]:
        """Return a SpatialMap's elements by (first, part). Quirk: no overlap between neighbours is discounted in the first step."""
        if not self.some_short:
            return {(first, part): self.tile[d] for first in (True, False) for part in (True, False)}
        whole = self.xp.where(self.short[d] & self.alone, self.edge[d], self.tile[d])
        part = self.xp.where(self.short[d], self.edge[d], self.tile[d])
        return {(first, is_part): part if is_part else whole for first in (True, False) for is_part in (True, False)}

    def _later_step(self, d: int, moved: int, restarted: Array | None) -> dict[tuple[bool, bool], Array]:
        assert restarted is not None
        new = ~restarted if d == moved else self.inside(d, moved)
        where = self.xp.where
        return {
            (True, False): self.tile[d],
            (True, True): self.edge[d],
            (False, False): where(new, self.fresh[d], self.tile[d]),
            (False, True): where(new, self.edge_fresh[d], self.edge[d]),
        }

    # ---- what is computed and goes out ---------------------------------------------------------------------------------------------

    def factor(self, d: int, edge: bool) -> Array:
        """Return the factor of a TemporalMap in outputs and operations, in output coordinates."""
        if d not in self.tensors.output or d < Y:
            return self.edge[d] if edge else self.held[d]
        if edge:
            return self._out_edge[d - Y]
        if not self._short_somewhere[d]:
            return self._out[d - Y]
        return self.xp.where(self.short[d], self._out_edge[d - Y], self._out[d - Y])

    def _unit_factor(self, d: int, first: bool, part: bool, at_edge: Edges, keep: bool) -> Array:
        """Return the factor of a SpatialMap for one sub-unit."""
        where, inner = self.xp.where, d in self.tensors.output
        in_outputs = inner and d >= Y
        tile, edge = (self._out[d - Y], self._out_edge[d - Y]) if in_outputs else (self.tile[d], self.edge[d])
        fresh, edge_fresh = (self._out_fresh[d - Y], self._out_edge_fresh[d - Y]) if in_outputs else (self.fresh[d], self.edge_fresh[d])
        usual = tile if first else fresh
        if d in at_edge:
            only = self.edge[d] if first or part else self.ones  # quirk: in input coordinates
            return where(self.alone, only, edge_fresh if part else usual)
        if part and self.some_short:
            return where(self.short[d], where(self.alone, edge, edge_fresh) if inner and not keep else edge, usual)
        return usual

    def outgoing(self, at_edge: Edges) -> Array | None:
        """Return the SpatialMaps' factor in the elements that go out; None for 1."""
        dims = [d for d in self.tensors.output if d in self.spatial]
        if not dims:
            return None
        return self.over_units(dims, at_edge, lambda first, part: _product(self._unit_factor(d, first, part, at_edge, False) for d in dims))

    def critical(self, at_edge: Edges) -> Array:
        """Return the SpatialMaps' factor in the partial sums of the sub-unit that has most to do."""
        dims = [d for d in self.tensors.output if d in self.spatial]
        whole = _product(self._unit_factor(d, True, False, at_edge, False) for d in self.spatial)
        if not dims or not (self.some_short or any(d in at_edge for d in dims)):
            return whole
        part = self.alone & self.part_of(dims[-1], at_edge)
        if not any(d in at_edge for d in dims):
            part = part & self.short_of(dims)
        return self.xp.where(part, _product(self._unit_factor(d, True, True, at_edge, False) for d in self.spatial), whole)

    def operations(self, at_edge: Edges) -> Array:
        """Return the SpatialMaps' factor in the operations of all sub-units."""

        def volume(first: bool, part: bool) -> Array:
            if first or not part:
                return _product(self._unit_factor(d, True, part, at_edge, False) for d in self.spatial)
            return _product(self._unit_factor(d, False, True, at_edge, True) for d in self.spatial)

        return self.over_units(self.spatial, at_edge, volume)

    # ---- how often -----------------------------------------------------------------------------------------------------------------

    def occurrences(self, moved: int) -> dict[Edges, Array]:
        """Return how often each set of edges occurs when ``moved`` is the innermost loop that moved."""
        times = self.ones
        for d in self.live:
            if d != moved and d not in self.edges:
                times = times * (self._outside[moved, d] * self.count[d] + 1)
        if moved not in self.edges:
            times = times * self.count[moved]
        branches: dict[Edges, Array] = {(): times}
        for d in self.edges:
            if d == moved:
                usual, edge = self.count[d], self._edge_times[d]
            else:
                usual, edge = self._outside[moved, d] * self.count[d] + 1, self._outside[moved, d] * self._edge_times[d]
            branches = _grown(branches, d, usual, edge)
        return branches

    @cached_property
    def all_occurrences(self) -> dict[Edges, Array]:
        """How often each set of edges occurs, the first step included."""
        times = self.ones
        for d in self.live:
            if d not in self.edges:
                times = times * (self.count[d] + 1)
        branches: dict[Edges, Array] = {(): times}
        for d in self.edges:
            branches = _grown(branches, d, self.count[d] + 1, self._edge_times[d])
        return branches

    @cached_property
    def _outside(self) -> dict[tuple[int, int], Array]:
        """Whether the loop over the second dimension is outside the one over the first, as 0 or 1."""
        pairs = itertools.permutations(self.live, 2)
        return {(moved, d): self.xp.astype(self.inside(moved, d), self.xp.float64) for moved, d in pairs}

    @cached_property
    def _edge_times(self) -> dict[int, Array]:
        return {d: self.xp.astype(self.has_edge[d], self.xp.float64) for d in self.edges}

    def exists(self, edges: Edges) -> Array | None:
        """Return whether a step with these edges exists; None for everywhere."""
        masks = [self.has_edge[d] for d in edges if not self._edge_everywhere[d]]
        return functools.reduce(operator.and_, masks) if masks else None

    @cached_property
    def _edge_everywhere(self) -> dict[int, bool]:
        return {d: bool(self.xp.all(self.has_edge[d])) for d in self.edges}

    @cached_property
    def products(self) -> dict[Edges, tuple[Array, Array]]:
        """By edges of TemporalMaps: their factor in the outputs, and that in partial sums."""
        ones = self.ones
        out, other = ones, ones
        for d in self.temporal:
            if d not in self.edges:
                if d in self.tensors.output:
                    out = out * self.factor(d, False)
                else:
                    other = other * self.factor(d, False)
        outs: dict[Edges, Array] = {(): out}
        others: dict[Edges, Array] = {(): other}
        for d in self.edges:
            if d in self.spatial:
                continue
            if d in self.tensors.output:
                outs = _grown(outs, d, self.factor(d, False), self.factor(d, True))
            else:
                others = _grown(others, d, self.factor(d, False), self.factor(d, True))
        return {tuple(sorted(a + b)): (x, x * y) for a, x in outs.items() for b, y in others.items()}


def _grown(branches: dict[Edges, Array], d: int, usual: Array, edge: Array) -> dict[Edges, Array]:
    """Return products by edges with one dimension more: a factor without its edge, and one with it."""
    grown = dict[Edges, Array]()
    for edges, product in branches.items():
        grown[edges] = product * usual
        grown[(*edges, d)] = product * edge
    return grown


def _product(factors: Iterable[Any]) -> Any:
    total = None
    for factor in factors:
        total = factor if total is None else total * factor
    return total


def _subsets(dims: Edges) -> list[Edges]:
    return [chosen for size in range(len(dims) + 1) for chosen in itertools.combinations(dims, size)]
