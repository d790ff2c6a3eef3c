"""Words that processing elements hand to their neighbours instead of being read again from the level above.

When all tiles move by a vector f, an element needs what its neighbour in that direction has just held. This happens to inputs only: an
array covers a dimension of weights or outputs without gaps, and the loops outside step over all of it, while a row of inputs is reached
along the filter's rows as well as along the output's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.problem import DIMS, INPUTS, C, P, Q, R, S
from designgym.simulators.accelerator.loopnest.reuse import COORDINATES, LoopsOutside, Movement, Tiles

__all__ = ["LinkTransfers", "link_transfers"]

_CHANNEL, _ROW, _COLUMN = COORDINATES[INPUTS]


@dataclass(frozen=True, eq=False)
class LinkTransfers:
    """Traffic of the inputs of K mappings that use links.

    Attributes:
        which: Their numbers in the batch, int64 of shape ``(K,)``.
        words: Words per element that come with steps at which links are used, ``(K,)``.
        sizes: Accesses of the level above in these steps by the size m of the groups that remain, ``(m_max + 1, K)``, index m.
        handed_over: Words over links, all elements together, ``(K,)``.
    """

    which: Array
    words: Array
    sizes: Array
    handed_over: Array


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the elements of K mappings stand: a number per place of the inputs, so that differences of numbers are vectors."""

    codes: Array  # (N, K), N the largest number of elements
    used: Array  # bool, (N, K)
    mesh_x: Array  # (K,)
    row_width: Array  # numbers per row, (K,)

    def __getitem__(self, which: Array) -> _Places:
        return _Places(self.codes[:, which], self.used[:, which], self.mesh_x[which], self.row_width[which])


def link_transfers(
    batch: MappingBatch, hardware: HardwareBatch, found: Tiles, loops: LoopsOutside, movement: Movement
) -> LinkTransfers | None:
    """Return the traffic over links; None if no mapping of the batch uses them."""
    xp = namespace(batch.spatial)
    array = hardware.array
    start = (array - 1) * len(DIMS)
    overlap, alike = movement.overlap[array - 1][INPUTS], movement.alike[array - 1][INPUTS]
    size = found.sizes[array - 1][INPUTS]
    weights = loops.weights[start:]
    vectors = (loops.steps[:, start:] - loops.before[:, start:-1] + loops.before[:, start][:, None])[list(COORDINATES[INPUTS])]
    first = movement.first[array - 1][list(COORDINATES[INPUTS])]
    disjoint = overlap == 0
    # the first entry stands for all steps by v_0, the others for loops that move the tile by another vector
    repeated = xp.sum(xp.where(alike, weights, 0.0), axis=0)
    of_first = xp.sum(xp.where(_first_loops(xp, loops.factors[start:]), weights, 0.0), axis=0)  # w_0
    innermost = loops.outside[start] / (loops.outside[start] - of_first)  # N_0
    by_first = xp.where(disjoint, repeated, innermost * (repeated - of_first))
    weights = xp.concat([by_first[None], xp.where(disjoint & ~alike, weights, 0.0)])
    vectors = xp.concat([first[:, None], vectors], axis=1)
    words = xp.concat([(size - overlap)[None], xp.broadcast_to(size, alike.shape)])
    reach = [_reach(batch, found, array, R, P), _reach(batch, found, array, S, Q)]
    possible = (weights > 0) & (words > 0) & (vectors[0] == 0) & (xp.abs(vectors[1]) <= reach[0]) & (xp.abs(vectors[2]) <= reach[1])
    which = xp.nonzero(xp.any(possible, axis=0))[0]
    if not which.shape[0]:
        return None
    places = _places(xp, batch[which], hardware, found.below[array][:, which], [r[which] for r in reach], which)
    before = xp.sum(_group_sizes(xp, places.codes, places.used) > 0, axis=0)
    step, of = xp.nonzero(possible[:, which])  # all pairs of a kind of step and a mapping, at once
    part, vector = places[of], vectors[:, step, which[of]]
    served = _served(xp, part, vector[1] * part.row_width + vector[2])
    sizes = _group_sizes(xp, part.codes, part.used & ~served)
    amount = words[step, which[of]] * weights[step, which[of]]
    amount = xp.where(xp.sum(sizes > 0, axis=0) < before[of], amount, 0.0)

    def per_mapping(of_pairs: Array) -> Array:
        spread = xp.zeros((possible.shape[0], which.shape[0]), dtype=amount.dtype, device=amount.device)
        spread[step, of] = of_pairs
        return xp.sum(spread, axis=0)

    by_size = xp.zeros((int(places.codes.shape[0]) + 1, which.shape[0]), dtype=amount.dtype, device=amount.device)
    for m in [int(m) for m in xp.unique_values(sizes) if m > 0]:
        by_size[m] = per_mapping(amount * xp.sum(xp.astype(sizes == m, amount.dtype), axis=0))
    handed_over = per_mapping(amount * xp.sum(xp.astype(served, amount.dtype), axis=0))
    return LinkTransfers(which, per_mapping(amount), by_size, handed_over)


def _first_loops(xp: Any, factors: Array) -> Array:
    """Return which loop is the innermost of more than one iteration, bool of the shape of the factors."""
    active = xp.astype(factors > 1, xp.int64)
    return (active == 1) & (xp.cumulative_sum(active, axis=0) == 1)


def _reach(batch: MappingBatch, found: Tiles, array: int, filter_dim: int, output_dim: int) -> Array:
    """Return the distance between the elements that are furthest apart along the inputs' rows or columns, ``(B,)``."""
    filters, outputs = batch.spatial[filter_dim], batch.spatial[output_dim]
    below = found.below[array]
    return below[filter_dim] / filters * (filters - 1) + batch.stride * below[output_dim] / outputs * (outputs - 1)


def _places(xp: Any, batch: MappingBatch, hardware: HardwareBatch, below: Array, reach: list[Array], which: Array) -> _Places:
    n = batch.spatial[0]
    for d in range(1, len(DIMS)):
        n = n * batch.spatial[d]
    number = xp.arange(int(xp.max(n)), dtype=n.dtype, device=n.device)[:, None]
    row_width = 2 * reach[1] + 1
    channel_width = (2 * reach[0] + 1) * row_width
    steps = below / batch.spatial
    per_dim = xp.stack([
        channel_width * steps[C], 0 * n, row_width * steps[R], steps[S], row_width * steps[P] * batch.stride, steps[Q] * batch.stride
    ])  # fmt: skip
    codes, inside = xp.zeros((number.shape[0], n.shape[0]), dtype=n.dtype, device=n.device), xp.ones_like(n)
    for i in range(len(DIMS)):
        dim = batch.spatial_order[i][None]
        factor, step = (xp.take_along_axis(of, dim, axis=0)[0] for of in (batch.spatial, per_dim))
        codes = codes + xp.floor(number / inside) % factor * step
        inside = inside * factor
    mesh_x = hardware.mesh_x if hardware.mesh_x.shape[0] == 1 else hardware.mesh_x[which]
    return _Places(codes, number < n, xp.broadcast_to(mesh_x, n.shape), row_width)


def _served(xp: Any, places: _Places, difference: Array) -> Array:
    """Return which elements have an adjacent one whose place is the given difference away, bool of shape ``(N, K)``."""
    n_most = places.codes.shape[0]
    number = xp.arange(n_most, dtype=places.codes.dtype, device=places.codes.device)[:, None]
    column = number % places.mesh_x
    result = xp.zeros_like(places.used)
    for step, exists in (
        (1.0, column < places.mesh_x - 1), (-1.0, column > 0), (places.mesh_x, True), (-places.mesh_x, True)
    ):  # fmt: skip
        target = number + step
        index = xp.astype(xp.broadcast_to(xp.clip(target, 0.0, n_most - 1.0), places.codes.shape), xp.int64)
        there = (target >= 0) & (target < n_most) & xp.take_along_axis(places.used, index, axis=0)
        result = result | (places.used & there & exists & (xp.take_along_axis(places.codes, index, axis=0) - places.codes == difference))
    return result


def _group_sizes(xp: Any, codes: Array, among: Array) -> Array:
    """Return the sizes of the groups of equal codes, each at the position of one of its elements in sorted order, else 0: ``(N, K)``."""
    n_most = codes.shape[0]
    nowhere = xp.max(codes) + 1
    ordered = xp.sort(xp.where(among, codes, nowhere), axis=0)
    opens = xp.concat([xp.ones_like(among[:1]), ordered[1:] != ordered[:-1]])
    position = xp.broadcast_to(xp.arange(n_most, dtype=codes.dtype, device=codes.device)[:, None], codes.shape)
    # the next opening behind each position is a running minimum from the end
    following = xp.concat([xp.where(opens, position, 1.0 * n_most)[1:], xp.full_like(position[:1], n_most)])
    following = _running_minimum_from_end(xp, following)
    return xp.where(opens & (ordered < nowhere), following - position, 0.0)


def _running_minimum_from_end(xp: Any, values: Array) -> Array:
    step = 1
    while step < values.shape[0]:
        shifted = xp.concat([values[step:], values[-1:] + xp.zeros_like(values[:step])])
        values = xp.minimum(values, shifted)
        step *= 2
    return values
