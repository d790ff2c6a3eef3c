"""What the steps of a level move and compute: per tensor, per innermost loop that moved, per edge of the SpatialMaps.

A step is known by the dimensions that are at their edge and by the innermost loop that moved. Elements that come in depend on the
SpatialMaps' edges and on what moved; elements that go out, partial sums and operations on the edges alone.
"""

from __future__ import annotations

import itertools
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
        rows = xp.take(packed.rows, owner, axis=1)
        self.place, self.tile, self.fresh = rows[0:6], rows[6:12], rows[18:24]
        self.edge, self.edge_fresh = rows[24:30], rows[30:36]
        self._out, self._out_fresh, self._out_edge, self._out_edge_fresh = rows[36:38], rows[38:40], rows[40:42], rows[42:44]
        self.units, self.edge_units, self.noc_bw, self.hop_latency, self.lanes = (rows[i] for i in range(44, 49))
        self.count = xp.take(found.count, kind.members, axis=1)
        self.short = xp.take(found.short, kind.members, axis=1)
        self.part = dict(zip(self.spatial, xp.take(found.part, kind.members, axis=1), strict=False))
        self.alone = self.edge_units == 1
        self.temporal = tuple(d for d in DIMS if d not in self.spatial)
        self.some_short = bool(xp.any(xp.stack([self.short[d] for d in self.spatial])))
        # a temporal tile is incomplete in the only position it has, or has its full size wherever nothing else is said
        self.held = {d: xp.where(self.short[d], self.edge[d], self.tile[d]) for d in self.temporal}
        self.spatial_edges: list[Edges] = _subsets(tuple(d for d in self.edges if d in self.spatial))

    def delay(self, elements: Array) -> Array:
        """Return cycles to move elements through the network."""
        return self.hop_latency + self.xp.ceil(elements / self.noc_bw) - 1

    # ---- order of loops ------------------------------------------------------------------------------------------------------

    def inside(self, d: int, other: int) -> Array:
        """Return whether the loop over ``d`` is inside the one over ``other``."""
        return self.place[d] > self.place[other]

    def moves(self, d: int) -> Array:
        """Return whether a loop has more than one position."""
        return self.count[d] >= 0 if d in self.edges else self.count[d] > 0

    def restarted(self, d: int, tensor: Sequence[int]) -> Array:
        """Return whether loops of the tensor inside the one over ``d`` begin anew when it moves."""
        found = self.count[d] < 0  # of none
        for other in tensor:
            if other != d and other in self.live:
                found = found | (self.moves(other) & self.inside(other, d))
        return found

    # ---- sums over sub-units ---------------------------------------------------------------------------------------------------

    def over_units(self, dims: Sequence[int], at_edge: Edges, volume: Callable[[bool, bool], Array], *, last: int | None = None) -> Array:
        """Return the sum over the sub-units of ``volume(first, part)``, with what neighbours share counted once.

        Args:
            dims: SpatialMaps of the tensor, not none.
            at_edge: SpatialMaps at their edge position.
            volume: Elements of the first sub-unit or a further one, whole or part.
            last: The SpatialMap whose last sub-unit decides; the last of ``dims`` by default.
        """
        xp, n, edge_units = self.xp, self.units, self.edge_units
        whole = any(d in at_edge for d in dims)
        usual = None if whole else volume(True, False) + (n - 1) * volume(False, False)
        if usual is not None and not self.some_short:
            return usual
        part = self.part_of(dims[-1] if last is None else last, at_edge)
        rest = xp.where(part, volume(False, True) + xp.clip(edge_units - 2, 0.0, None) * volume(False, False),
                        (edge_units - 1) * volume(False, False))  # fmt: skip
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
            return xp.zeros_like(self.units), None
        total, error = xp.ones_like(self.units), None
        restarted = None if moved is None else self.restarted(moved, tensor)
        for d in tensor:
            if d in self.held:
                if d == moved:
                    assert restarted is not None
                    error = (self.fresh[d] == 0) & ~restarted & self.moves(d)
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
            return dict.fromkeys(itertools.product((True, False), repeat=2), self.tile[d])
        whole = self.xp.where(self.short[d] & self.alone, self.edge[d], self.tile[d])
        part = self.xp.where(self.short[d], self.edge[d], self.tile[d])
        return {(first, is_part): part if is_part else whole for first, is_part in itertools.product((True, False), repeat=2)}

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
        return self.xp.where(self.short[d], self._out_edge[d - Y], self._out[d - Y])

    def _unit_factor(self, d: int, first: bool, part: bool, at_edge: Edges, keep: bool) -> Array:
        """Return the factor of a SpatialMap for one sub-unit."""
        where, inner = self.xp.where, d in self.tensors.output
        in_outputs = inner and d >= Y
        tile, edge = (self._out[d - Y], self._out_edge[d - Y]) if in_outputs else (self.tile[d], self.edge[d])
        fresh, edge_fresh = (self._out_fresh[d - Y], self._out_edge_fresh[d - Y]) if in_outputs else (self.fresh[d], self.edge_fresh[d])
        usual = tile if first else fresh
        if d in at_edge:
            only = self.edge[d] if first or part else self.xp.ones_like(tile)  # quirk: in input coordinates
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
        """Return how often each set of edges occurs when ``moved`` is the innermost loop that moved; sets that never do are left out."""
        start, branches = None, dict[Edges, Array]()
        for d in self.live:
            if d == moved or d in self.edges:
                continue
            outside = self.xp.where(self.inside(moved, d), self.count[d] + 1, 1.0)
            start = outside if start is None else start * outside
        branches = {(): self.xp.ones_like(self.units) if start is None else start}
        for d in self.edges:
            if d == moved:
                usual, edge = self.count[d], None
            else:
                edge = self.xp.astype(self.inside(moved, d), self.xp.float64)
                usual = 1 + edge * self.count[d]
            grown = {}
            for edges, times in branches.items():
                grown[edges] = times * usual
                grown[(*edges, d)] = times if edge is None else times * edge
            branches = grown
        if moved not in self.edges:
            branches = {edges: times * self.count[moved] for edges, times in branches.items()}
        return branches

    @cached_property
    def products(self) -> dict[Edges, tuple[Array, Array]]:
        """By edges of TemporalMaps: their factor in the outputs, and that in partial sums."""
        ones = self.xp.ones_like(self.units)
        out, other = ones, ones
        for d in self.temporal:
            if d not in self.edges:
                if d in self.tensors.output:
                    out = out * self.factor(d, False)
                else:
                    other = other * self.factor(d, False)
        branches = {(): (out, other)}
        for d in self.edges:
            if d in self.spatial:
                continue
            which = 0 if d in self.tensors.output else 1
            grown = {}
            for edges, pair in branches.items():
                for edge in (False, True):
                    values = list(pair)
                    values[which] = values[which] * self.factor(d, edge)
                    grown[(*edges, d) if edge else edges] = (values[0], values[1])
            branches = grown
        return {edges: (out, out * other) for edges, (out, other) in branches.items()}


def _product(factors: Iterable[Any]) -> Any:
    total = None
    for factor in factors:
        total = factor if total is None else total * factor
    return total


def _subsets(dims: Edges) -> list[Edges]:
    return [chosen for size in range(len(dims) + 1) for chosen in itertools.combinations(dims, size)]
