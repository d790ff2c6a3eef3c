"""Which positions the loops of a level take for actual sizes, and items of the same kind brought together.

An item is one analysis: a level of a mapping with the sizes that are handed down to it. Per directive upstream tells three positions
apart: the first one, the steady ones, the one at the edge. First and steady ones cost the same unless they are the innermost that
moved, so they are one here, with a count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from designgym.simulators.accelerator.arrays import Array, namespace, on_cpu, to_numpy
from designgym.simulators.accelerator.datacentric.levels import DIMS, Level

__all__ = ["NO_DIM", "Kind", "Packed", "States", "kinds", "states"]

NO_DIM = 6

FEW = 1500
"""Items of a kind below which kinds are not told apart by their edges. On a GPU they never are: it computes edges that are not there
in less time than it takes to start more, smaller kernels."""


@dataclass(frozen=True)
class Packed:
    """A level's numbers in one array, so that an item's are picked in one go.

    Attributes:
        rows: Shape (49, n): six rows each of place, tile, offset, fresh, edge, edge_fresh, then two each of out, out_fresh, out_edge and
            out_edge_fresh, then units, edge_units, NoC bandwidth, hop latency, lanes.
        first: As in `Level`.
        second: As in `Level`.
    """

    rows: Array
    first: Array
    second: Array

    @classmethod
    def of(cls, level: Level, hardware: Array) -> Packed:
        """Pack a level and the hardware, shape (5, n)."""
        xp = namespace(level.tile)
        blocks = [level.place, level.tile, level.offset, level.fresh, level.edge, level.edge_fresh]
        blocks += [level.out, level.out_fresh, level.out_edge, level.out_edge_fresh]
        rows = xp.concat([*blocks, xp.stack([level.units, level.edge_units, hardware[1], hardware[3], hardware[4]])])
        return cls(rows, level.first, level.second)


@dataclass(frozen=True)
class States:
    """The states of all directives of n items, in the order of dimensions.

    Attributes:
        count: Steady positions, float64, shape (6, n).
        has_edge: Whether there is an edge position after the first, bool, shape (6, n).
        short: Whether the first position is an edge already: the actual size is less than a tile, or than the tiles of all sub-units;
            bool, shape (6, n).
        part: Per SpatialMap, whether the last active sub-unit of the edge position holds less than a tile; bool, shape (2, n).
    """

    count: Array
    has_edge: Array
    short: Array
    part: Array

    @cached_property
    def short_somewhere(self) -> tuple[bool, ...]:
        """Whether the first position of a dimension is an edge for some item."""
        some = namespace(self.short).any(self.short, axis=1)
        return tuple(bool(some[d]) for d in DIMS)


def states(packed: Packed, owner: Array, sizes: Array) -> States:
    """Return the states of items.

    Args:
        packed: The level.
        owner: The mapping of each item, integers, shape (n,).
        sizes: Actual sizes of each item, shape (6, n).
    """
    xp = namespace(sizes)
    numbers = xp.take(packed.rows[6:18], owner, axis=1)
    tile, offset = numbers[:6], numbers[6:]
    beyond = sizes - tile
    count = xp.where(beyond > 0, xp.floor(beyond / offset), 0.0)
    has_edge = (beyond >= 0) & (count * offset < beyond)
    short = beyond < 0
    units = xp.take(packed.rows[44], owner)
    part = [has_edge[0] & False, has_edge[0] & False]
    for i, spatial in enumerate((packed.first, packed.second)):
        named = [d for d in DIMS if bool(xp.any(spatial == d))]
        if not named:
            continue
        dim = xp.take(spatial, owner)
        size, of_tile, of_offset = _pick(xp, dim, named, sizes, tile, offset)
        of_units = _spatial(xp, size, of_tile, of_offset, units)
        for d in named:
            here = dim == d
            count[d], has_edge[d] = xp.where(here, of_units[0], count[d]), xp.where(here, of_units[1], has_edge[d])
            short[d] = xp.where(here, of_units[2], short[d])
        part[i] = of_units[3] & (dim != NO_DIM)
    return States(count, has_edge, short, xp.stack(part))


def _pick(xp: Any, dim: Array, named: Sequence[int], *tables: Array) -> list[Array]:
    """Return, of each table of shape (6, n), each item's entry of its dimension, which is one of ``named``, or of any if it has none."""
    found = [table[named[-1]] for table in tables]
    for d in named[:-1]:
        here = dim == d
        found = [xp.where(here, table[d], values) for table, values in zip(tables, found, strict=True)]
    return found


def _spatial(xp: Any, size: Array, tile: Array, offset: Array, units: Array) -> tuple[Array, Array, Array, Array]:
    """Return count, has_edge, short and part of a SpatialMap."""
    cover = tile + offset * (units - 1)
    beyond = size > cover
    rounds = xp.floor((xp.floor((size - tile) / offset) + 1) / units) - 1
    count = xp.where(beyond, rounds, 0.0)
    has_edge = beyond & (count * offset * units + cover != size)
    rest = size - (count + 1) * offset * units
    active = xp.where(rest < tile, 1.0, xp.floor((rest - tile) / offset) + 1)
    return count, has_edge, size < cover, has_edge & ((active - 1) * offset + tile < rest)


@dataclass(frozen=True)
class Kind:
    """Items with the same SpatialMaps, and much the same edges.

    Attributes:
        spatial: Dimensions of the SpatialMaps, in list order.
        edges: Dimensions with an edge position in some item.
        members: Positions of the items, integers.
    """

    spatial: tuple[int, ...]
    edges: tuple[int, ...]
    members: Array


def kinds(packed: Packed, owner: Array, found: States) -> Iterator[Kind]:
    """Yield the items by kind, in a fixed order; results do not depend on how finely they are told apart."""
    xp = namespace(found.count)
    key = xp.take(packed.first, owner) * 7 + xp.take(packed.second, owner)
    for d in DIMS:
        key = key * 2 + xp.astype(found.has_edge[d], key.dtype)
    keys = to_numpy(key).astype(np.int16)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    few = FEW if on_cpu(key) else math.inf
    if len(ordered) and len(np.unique(ordered)) * few > len(ordered):
        ordered = ordered >> 6  # arrays of few items cost as much as larger ones: do without the edges
    ends = (np.flatnonzero(np.diff(ordered)) + 1).tolist()
    for start, end in zip([0, *ends], [*ends, len(order)], strict=True):
        members = order[start:end]
        edges = int(np.bitwise_or.reduce(keys[members], initial=0)) & 63
        spatial = tuple(d for d in divmod(int(keys[members[0]]) >> 6, 7) if d != NO_DIM) if len(members) else ()
        if len(members):
            yield Kind(spatial, tuple(d for d in DIMS if edges >> (5 - d) & 1), xp.asarray(members, device=key.device))
