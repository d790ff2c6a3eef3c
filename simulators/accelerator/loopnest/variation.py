"""New mappings from old ones: parents' places and orders are mixed, and a few items, orders, splits or kept tensors changed."""

from __future__ import annotations

import numpy as np

from designgym.simulators.accelerator.loopnest.mapspace import Genotypes, MapSpace
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS

__all__ = ["children", "mixed"]

_D = len(DIMS)
MIXED = 0.5  # share of children with two parents
CHANGES = 2  # at most
JUMPS = 0.3  # share of children in which two places of a dimension change roles, and in which a dimension is spread anew


def children(space: MapSpace, parents: Genotypes, rng: np.random.Generator, n: int) -> Genotypes:
    """Return ``n`` mappings made of the parents, of which the first are the best; they may not fit yet.

    Small changes alone get stuck: from 5 x 8 to 8 x 5 of a dimension on the array and above it, step by step, leads over worse mappings.
    """
    # of two drawn parents the better one: the parents are sorted
    first, second = (np.min(rng.integers(len(parents), size=(2, n)), axis=0) for _ in range(2))
    second = np.where(rng.random(n) < MIXED, second, first)
    young = mixed(space, parents[first], parents[second], rng)
    return Genotypes(_jumped(space, young.places, rng), young.order, young.spatial_order, young.split, young.keep)


def mixed(space: MapSpace, mother: Genotypes, father: Genotypes, rng: np.random.Generator) -> Genotypes:
    """Return a mapping made of each mother and father, which may be the same one; it may not fit yet."""
    n = len(mother)
    from_father = rng.random((_D, n)) < 0.5  # each dimension's items come from one parent, and each level's order
    dims = np.array([dim for dim, _ in space.items], dtype=np.int64)
    orders_from_father = rng.random((space.levels, 1, n)) < 0.5
    array_from_father = rng.random(n) < 0.5
    places = np.where(from_father[dims], father.places, mother.places)
    order = np.where(orders_from_father, father.order, mother.order)
    spatial_order = np.where(array_from_father, father.spatial_order, mother.spatial_order)
    split = np.where(array_from_father, father.split, mother.split)
    keep = np.where(rng.random((space.levels, 1, n)) < 0.5, father.keep, mother.keep)
    every = np.arange(n)
    changes = rng.integers(1, CHANGES + 1, size=n)
    for change in range(CHANGES):
        kind = np.where(change < changes, rng.random(n), 2.0)  # 2: no more changes
        if space.items:
            item = rng.integers(len(space.items), size=n)
            place = rng.integers(space.levels + 1, size=n)
            swap = rng.integers(len(space.items), size=n)
            moves, swaps = kind < 0.45, (kind >= 0.45) & (kind < 0.6)
            other = places[swap, every]
            places[swap, every] = np.where(swaps, places[item, every], other)
            places[item, every] = np.where(moves, place, np.where(swaps, other, places[item, every]))
        level = rng.integers(space.levels, size=n)
        _move_within(order, level, (kind >= 0.6) & (kind < 0.85), rng)
        of_array = (kind >= 0.85) & (kind < 0.95)
        _move_within(spatial_order[None], np.zeros(n, dtype=np.int64), of_array, rng)
        split = np.where(of_array & (rng.random(n) < 0.5), rng.integers(_D + 1, size=n), split)
        if space.keep is None and space.levels > 1:
            tensor, level = rng.integers(len(TENSORS), size=n), rng.integers(space.levels - 1, size=n)
            keep[level, tensor, every] ^= (kind >= 0.95) & (kind < 1)
    return Genotypes(places, order, spatial_order, split, keep)


def _jumped(space: MapSpace, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return places where for a dimension of some mappings two have changed roles (often the array is one), or all are drawn anew."""
    n, levels = places.shape[1], space.levels
    dims = np.array([dim for dim, _ in space.items], dtype=np.int64)[:, None]
    of = (dims == rng.integers(_D, size=n)) & (rng.random(n) < JUMPS)
    one, two = rng.integers(levels + 1, size=(2, n))
    one = np.where(rng.random(n) < 0.5, levels, one)
    exchanged = np.where(of & (places == one), two, np.where(of & (places == two), one, places))
    anew = (dims == rng.integers(_D, size=n)) & (rng.random(n) < JUMPS)
    return np.where(anew, rng.integers(levels + 1, size=places.shape), exchanged)


def _move_within(order: np.ndarray, level: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> None:
    """Swap two entries of a level's order where chosen; one of them is often the innermost, which matters most."""
    n = level.shape[0]
    every = np.arange(n)
    a = np.where(rng.random(n) < 0.5, 0, rng.integers(_D, size=n))
    b = rng.integers(_D, size=n)
    one, two = order[level, a, every], order[level, b, every]
    order[level, a, every] = np.where(chosen, two, one)
    order[level, b, every] = np.where(chosen, one, two)
