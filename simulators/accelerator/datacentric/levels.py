"""From written directives to complete levels: what is left out is filled in, coordinates and strides are resolved, constants computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.datacentric.batch import ABSENT, Batch, LevelText
from designgym.simulators.accelerator.datacentric.rejection import FILTER_TILED, K_IN_DEPTHWISE, SPATIAL_COUNT, TOO_FEW_PES

__all__ = ["DIMS", "Level", "complete"]

K, C, R, S, Y, X = DIMS = range(6)
WINDOWS = {Y: R, X: S}
_APPENDED = {C: 0, K: 1, R: 2, S: 3, X: 4, Y: 5}  # alphabetical order of dimensions that nobody names


@dataclass(frozen=True)
class Level:
    """One level of all mappings of a batch; float64 arrays of shape (6, n) in the order of dimensions unless said otherwise.

    Attributes:
        place: Place in the loop order; only its order counts.
        tile: Size of the tile (M).
        offset: Step from tile to tile (O).
        fresh: Elements of a tile that the tile before did not hold (u).
        edge: Size of the last, incomplete tile; the tile if all are complete (me).
        edge_fresh: Elements of the last tile that the one before did not hold (ue).
        out: Tile in output coordinates, rows Y and X only, shape (2, n); likewise out_fresh, out_edge, out_edge_fresh.
        units: Sub-units, shape (n,).
        edge_units: Sub-units that have work in the last round, shape (n,).
        first: Dimension of the first SpatialMap, shape (n,), integers.
        second: That of the second one, 6 where there is none, shape (n,), integers.
    """

    place: Array
    tile: Array
    offset: Array
    fresh: Array
    edge: Array
    edge_fresh: Array
    out: Array
    out_fresh: Array
    out_edge: Array
    out_edge_fresh: Array
    units: Array
    edge_units: Array
    first: Array
    second: Array


def complete(batch: Batch) -> tuple[list[Level], Array]:
    """Return the levels of a batch, and a code per mapping, shape (n,), float64: 0, or why upstream refuses what is written.

    Levels of refused mappings hold numbers without meaning.
    """
    xp = namespace(batch.sizes)
    rejected, outermost = xp.zeros_like(batch.sizes[0]), batch.levels[0]
    refuse = _Refusals(xp, rejected)
    if batch.depthwise and len(batch.levels) > 1:
        named = [level.place[K] != ABSENT for level in batch.levels]
        refuse(_any(named), K_IN_DEPTHWISE)
    for text in batch.levels:
        for d in (R, S):
            whole = (text.size[d] == batch.sizes[d]) & (text.offset[d] == batch.sizes[d])
            refuse((text.place[d] != ABSENT) & ~text.spatial[d] & ~whole, FILTER_TILED)
    product = xp.prod(batch.clusters, axis=0) if len(batch.levels) > 1 else xp.ones_like(rejected)
    refuse(product > batch.hardware[0], TOO_FEW_PES)
    units: list[Array] = [
        xp.maximum(xp.floor(batch.hardware[0] / product), 1.0),
        *(batch.clusters[i] for i in range(len(batch.levels) - 1)),
    ]
    nominal = batch.sizes
    if batch.depthwise:  # K is no dimension of it, unless a directive says so
        unnamed = outermost.place[K] == ABSENT
        nominal = xp.stack([xp.where(unnamed, 1.0, nominal[K]), *(nominal[d] for d in DIMS[1:])])
    levels: list[Level] = []
    above: tuple[Array, Array, Array] | None = None
    for number, text in enumerate(batch.levels):
        spatial = text.spatial & (text.place != ABSENT)
        count = xp.sum(xp.astype(spatial, xp.float64), axis=0)
        refuse((count < 1) | (count > 2), SPATIAL_COUNT)
        place, tile, offset = _filled(xp, text, nominal, above)
        tile, offset = _strided(xp, tile, offset, batch, inner=number > 0)
        levels.append(_constants(xp, place, tile, offset, nominal, units[number], spatial))
        above = place, tile, offset
        nominal = xp.minimum(tile, nominal)
    return levels, refuse.codes


class _Refusals:
    """Collects codes; the first reason of a mapping stays."""

    def __init__(self, xp: Any, codes: Array) -> None:
        self._xp, self.codes = xp, codes

    def __call__(self, where: Array, code: int) -> None:
        self.codes = self._xp.where((self.codes == 0) & where, float(code), self.codes)


def _any(masks: list[Array]) -> Array:
    found = masks[0]
    for mask in masks[1:]:
        found = found | mask
    return found


def _filled(xp: Any, text: LevelText, nominal: Array, above: tuple[Array, Array, Array] | None) -> tuple[Array, Array, Array]:
    """Return places, tiles and offsets with output coordinates resolved and what is left out filled in."""
    named = text.place != ABSENT
    rows = [text.size[d] for d in DIMS]
    for d, window in WINDOWS.items():
        rows[d] = xp.where(text.in_outputs[d - Y], rows[d] + rows[window] - 1, rows[d])
    tile = xp.stack(rows)
    if above is None:  # appended as they are
        key = xp.stack([xp.where(named[d], text.place[d], 10.0 + _APPENDED[d]) for d in DIMS])
        tile, offset = xp.where(named, tile, nominal), xp.where(named, text.offset, nominal)
    else:  # put in front one by one, so that they end up in reverse order
        place_above, tile_above, offset_above = above
        key = xp.where(named, text.place, -1.0 - place_above)
        tile, offset = xp.where(named, tile, tile_above), xp.where(named, text.offset, offset_above)
    place = xp.stack([sum(xp.astype(key[e] < key[d], xp.float64) for e in DIMS if e != d) for d in DIMS])
    return place, tile, offset


def _strided(xp: Any, tile: Array, offset: Array, batch: Batch, *, inner: bool) -> tuple[Array, Array]:
    """Return tiles and offsets of Y and X in steps of the stride, where a tile holds a window at least."""
    tiles, offsets = [tile[d] for d in DIMS], [offset[d] for d in DIMS]
    for d, w in WINDOWS.items():
        stride, window = batch.strides[d - Y], batch.sizes[w]
        applies = (stride > 1) & (tiles[d] >= window)
        outputs = xp.floor((tiles[d] + stride - window) / stride)
        strided = outputs * xp.minimum(stride, window) + xp.maximum(window - stride, 0.0)
        step = outputs * (xp.minimum(window, stride) if inner else stride)
        tiles[d], offsets[d] = xp.where(applies, strided, tiles[d]), xp.where(applies, step, offsets[d])
    return xp.stack(tiles), xp.stack(offsets)


def _constants(xp: Any, place: Array, tile: Array, offset: Array, nominal: Array, units: Array, spatial: Array) -> Level:
    """Return a level. Quirk: a tile of several rows has an output per row, whatever the stride."""
    beyond = nominal - tile
    steps = xp.where(beyond > 0, xp.floor(beyond / offset), 0.0)
    partial = (steps * offset < beyond) | (beyond < 0)
    rest = nominal - (steps + 1) * offset
    rest = xp.where(rest < 0, nominal, rest)
    fresh = xp.where(~spatial & (beyond <= 0), 0.0, xp.minimum(tile, offset))
    edge = xp.where(partial, rest, tile)
    edge_fresh = xp.maximum(offset - (tile - rest), 0.0)
    windows = xp.stack([tile[R], tile[S]])
    out, out_edge = tile[Y:] - windows + 1, edge[Y:] - xp.stack([edge[R], edge[S]]) + 1
    # places of SpatialMaps, of others beyond all of them
    order = xp.where(spatial, place, 99.0)
    ranked = xp.argsort(order, axis=0, stable=True)
    two = xp.sum(xp.astype(spatial, xp.int64), axis=0) > 1
    first, second = ranked[0], xp.where(two, ranked[1], 6)

    def of_first(rows: Array) -> Array:
        found = rows[0]
        for d in DIMS[1:]:
            found = xp.where(first == d, rows[d], found)
        return found

    return Level(
        place, tile, offset, fresh, edge, edge_fresh,
        out=out,
        out_fresh=xp.minimum(offset[Y:], tile[Y:]),
        out_edge=out_edge,
        out_edge_fresh=xp.minimum(offset[Y:], out_edge),
        units=units,
        edge_units=_edge_units(xp, of_first(nominal), of_first(tile), of_first(offset), units),
        first=first, second=second,
    )  # fmt: skip


def _edge_units(xp: Any, size: Array, tile: Array, offset: Array, units: Array) -> Array:
    """Return how many sub-units have work in the last round. Quirk: a last, partly filled unit of several rounds is not counted."""
    several = size > tile + offset * (units - 1)
    steps = xp.floor((size - tile) / offset)
    rest = size - xp.floor((steps + 1) / units) * offset * units
    last_of_several = xp.where(rest < tile, 1.0, xp.floor((rest - tile) / offset) + 1)
    of_one = steps + 1 + xp.astype(steps * offset + tile < size, xp.float64)
    return xp.where(several, last_of_several, xp.where(size <= tile, 1.0, of_one))
