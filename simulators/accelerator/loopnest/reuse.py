"""Words moved into an instance of a level: the closed form of Timeloop's delta analysis, for whole batches.

Timeloop walks the loops outside a tile and counts, at each step, the words that the tile did not hold a step before, but only as long as
the tile moves by the same vector. With T the words of the tile, A the product of the loops outside, v_j the vector by which a step of loop
j moves it (its own step minus the steps of all loops further in, which start again), w_j how often that happens, and o the words that
the tile shares with itself moved by v_0, that is

    moved = T A - o sum of w_j over the loops j with v_j = v_0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.loopnest.batch import MappingBatch
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS, C, M, P, Q, R, S

__all__ = ["COORDINATES", "LoopsOutside", "Tiles", "loops_outside", "moved_words", "tiles"]

COORDINATES: tuple[tuple[int, ...], ...] = ((0, 1, 2, 3), (0, 4, 5), (6, 7, 8))
"""Columns of `Tiles.extents` and of `LoopsOutside.steps` that are a tensor's coordinates, by tensor: the six dimensions' own are
C, M, R, S; the inputs' rows and columns; the channels, rows and columns of the outputs."""

_COLUMNS = 9


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles of a batch of B mappings with L levels.

    Attributes:
        below: Product of all factors below the temporal loops of a level, spatial ones included where the array is below, ``(L, 6, B)``.
        sizes: Words per tensor, ``(L + 1, 3, B)``: of level 0 to L - 1, each with the loops of its own level; last, that of the
            level below the array times the spatial loops.
        extents: Of the coordinates in `COORDINATES`, ``(L + 1, 9, B)``.
    """

    below: Array
    sizes: Array
    extents: Array


@dataclass(frozen=True, eq=False)
class LoopsOutside:
    """The temporal loops of levels 1 to L - 1, innermost first: J = 6 (L - 1) of them, with those of factor 1.

    Attributes:
        factors: Shape ``(J, B)``.
        weights: How often a step of the loop is taken, ``(J, B)``: its factor minus 1, times all factors further out.
        outside: Product of the factors of loop j and all further out, ``(J + 1, B)``.
        steps: Movement of each coordinate by one step, ``(9, J, B)``.
        before: Sum of the steps of the loops further in, ``(9, J + 1, B)``.
    """

    factors: Array
    weights: Array
    outside: Array
    steps: Array
    before: Array


def coordinates_of(batch: MappingBatch, per_dim: Array) -> Array:
    """Return values of the nine coordinates, ``(9, ..., B)``, from those of the six dimensions, ``(6, ..., B)``, linearly."""
    xp = namespace(per_dim)
    rows = per_dim[R] + batch.stride * per_dim[P]
    columns = per_dim[S] + batch.stride * per_dim[Q]
    outputs = xp.where(batch.depthwise, per_dim[C], per_dim[M])
    return xp.stack([per_dim[C], per_dim[M], per_dim[R], per_dim[S], rows, columns, outputs, per_dim[P], per_dim[Q]])


def tiles(batch: MappingBatch, array: int) -> Tiles:
    """Return the tiles of all levels; the array lies below level ``array``."""
    xp = namespace(batch.temporal)
    inside = with_array = xp.ones_like(batch.spatial)
    below, products = [], []
    for level in range(batch.levels):
        if level == array:
            inside = inside * batch.spatial
            with_array = inside
        below.append(inside)
        inside = inside * batch.temporal[level]
        products.append(inside)
    products.append(with_array)
    stacked = xp.stack(products)
    extents = 1 + xp.moveaxis(coordinates_of(batch, xp.moveaxis(stacked - 1, 1, 0)), 0, 1)
    sizes = [_product(extents[:, k] for k in COORDINATES[tensor]) for tensor in range(len(TENSORS))]
    return Tiles(xp.stack(below), xp.stack(sizes, axis=1), extents)


def loops_outside(batch: MappingBatch, found: Tiles) -> LoopsOutside:
    """Return the loops of all levels but the innermost, in their order."""
    xp = namespace(batch.temporal)
    n = len(batch)
    order = xp.reshape(batch.order[1:], (-1, n))
    factors = xp.reshape(xp.take_along_axis(batch.temporal[1:], batch.order[1:], axis=1), (-1, n))
    step = xp.reshape(xp.take_along_axis(found.below[1:], batch.order[1:], axis=1), (-1, n))
    step = xp.where(factors > 1, step, 0.0)
    one = xp.ones_like(factors[:1])
    outside = xp.concat([xp.flip(xp.cumulative_prod(xp.flip(factors, axis=0), axis=0), axis=0), one])
    per_dim = xp.stack([xp.where(order == d, step, 0.0) for d in range(len(DIMS))])
    steps = coordinates_of(batch, per_dim)
    before = xp.concat([xp.zeros_like(steps[:, :1]), xp.cumulative_sum(steps, axis=1)], axis=1)
    return LoopsOutside(factors, outside[:-1] - outside[1:], outside, steps, before)


@dataclass(frozen=True, eq=False)
class Movement:
    """What moves into level b - 1, by b from 1 to L - 1 and tensor.

    Attributes:
        words: Shape ``(L - 1, 3, B)``; index b - 1.
        first: Vector v_0 by b, each ``(9, B)``.
        overlap: Words shared with the tile moved by v_0, by b, each ``(3, B)``.
        alike: Whether v_j = v_0, by b, for the loops from b outwards, each ``(3, J_b, B)``.
    """

    words: Array
    first: tuple[Array, ...]
    overlap: tuple[Array, ...]
    alike: tuple[Array, ...]


def moved_words(batch: MappingBatch, array: int, found: Tiles, loops: LoopsOutside) -> Movement:
    """Return the words that move into one instance of each level but the outermost, all loops outside it over."""
    xp = namespace(batch.temporal)
    first = _first_steps(xp, loops)
    vectors = loops.steps - loops.before[:, :-1]
    words: list[Array] = []
    overlaps: list[Array] = []
    alikes: list[Array] = []
    for b in range(1, batch.levels):
        start = (b - 1) * len(DIMS)
        size, extents = found.sizes[b - 1], found.extents[b - 1]
        same = vectors[:, start:] == (first[b - 1] - loops.before[:, start])[:, None]
        kept = xp.maximum(extents - xp.abs(first[b - 1]), 0.0)
        overlap = xp.stack([_product(kept[k] for k in COORDINATES[t]) for t in range(len(TENSORS))])
        alike = xp.stack([_every(same[k] for k in COORDINATES[t]) for t in range(len(TENSORS))])
        repeated = xp.sum(xp.where(alike, loops.weights[start:], 0.0), axis=1)
        words.append(size * loops.outside[start] - overlap * repeated)
        overlaps.append(overlap)
        alikes.append(alike)
    return Movement(xp.stack(words), tuple(first), tuple(overlaps), tuple(alikes))


def _first_steps(xp: Any, loops: LoopsOutside) -> list[Array]:
    """Return, for b = 1, 2, ..., the step of the innermost loop outside level b - 1 that has more than one iteration, ``(9, B)``."""
    current = xp.zeros_like(loops.steps[:, 0])
    result: list[Array] = []
    for j in reversed(range(loops.factors.shape[0])):
        current = xp.where(loops.factors[j] > 1, loops.steps[:, j], current)
        if j % len(DIMS) == 0:
            result.append(current)
    return result[::-1]


def _product(values: Any) -> Array:
    result, *others = values
    for other in others:
        result = result * other
    return result


def _every(values: Any) -> Array:
    result, *others = values
    for other in others:
        result = result & other
    return result
