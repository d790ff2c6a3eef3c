"""`Nest`: two-level mappings whose tiles neither overlap nor leave gaps, as loops over outputs: what `exact` counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from designgym.core.errors import InputError
from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.datacentric.batch import ABSENT, Batch, LevelText
from designgym.simulators.accelerator.datacentric.levels import WINDOWS, C, K, R, S, X, Y

__all__ = ["LOOPS", "Nest"]

LOOPS = (K, C, Y, X)
"""Dimensions that have loops: filters are never cut."""


@dataclass(frozen=True)
class Nest:
    """n mappings; float64 arrays by dimension of `LOOPS`, shape (n,) each. Rows and columns are those of the output.

    Attributes:
        depthwise: Whether the layers are depthwise; K then has size 1.
        size: Sizes of the layers.
        tiles: Of each level, outer one first: what a sub-unit works on at a time.
        places: Of each level: the places of the loops.
        spread: Of each level: whether its sub-units share the dimension; bool.
        units: Of each level, shape (n,): its sub-units.
        windows: Rows or columns of the filter, by Y and X.
        strides: Rows or columns that an output has more than the one before, by Y and X: the stride, or the filter's if that is less.
        hardware: As in `Batch`, shape (5, n).
    """

    depthwise: bool
    size: dict[int, Array]
    tiles: tuple[dict[int, Array], dict[int, Array]]
    places: tuple[dict[int, Array], dict[int, Array]]
    spread: tuple[dict[int, Array], dict[int, Array]]
    units: tuple[Array, Array]
    windows: dict[int, Array]
    strides: dict[int, Array]
    hardware: Array

    @classmethod
    def of(cls, batch: Batch) -> Nest:
        """Return mappings as loops over outputs.

        Raises:
            InputError: For mappings of other than two levels, or one of which a level has not exactly one SpatialMap (on K, C, Y or X),
                or whose tiles cut the filter, overlap in outputs, leave gaps, or are larger inside than outside.
        """
        if len(batch.levels) != 2:
            raise InputError(f"the full accounting is of mappings with two levels, got {len(batch.levels)}: MAESTRO's own counts them all")
        xp = namespace(batch.sizes)
        sizes, strides = batch.sizes, {Y: batch.strides[0], X: batch.strides[1]}
        ones = xp.ones_like(sizes[K])
        windows = {d: sizes[w] for d, w in WINDOWS.items()}
        size = {K: ones if batch.depthwise else sizes[K], C: sizes[C]}
        size |= {d: xp.floor((sizes[d] - windows[d]) / strides[d]) + 1 for d in WINDOWS}
        fine = xp.prod(batch.clusters, axis=0) <= batch.hardware[0]
        tiles: list[dict[int, Array]] = []
        bound = size
        for text in batch.levels:
            fine = fine & _one_spread(xp, text) & _whole_filter(xp, text, sizes)
            found = {}
            for d in LOOPS:
                named = text.place[d] != ABSENT
                tile, offset = text.size[d], text.offset[d]
                outputs = tile
                if d in WINDOWS:
                    tile = tile + xp.where(text.in_outputs[d - Y], windows[d] - 1, 0.0)
                    outputs = (tile - windows[d]) / strides[d] + 1
                    offset = offset / strides[d]
                # a tile that takes in all of a dimension never moves on
                fine = fine & (~named | ((outputs == xp.floor(outputs)) & (outputs >= 1) & ((offset == outputs) | (outputs >= bound[d]))))
                found[d] = xp.where(named, xp.minimum(outputs, bound[d]), bound[d])
            if tiles:
                fine = fine & _within(xp, text, batch.levels[0])
            tiles.append(found)
            bound = found
        if not bool(xp.all(fine)):
            (bad,) = xp.nonzero(~fine)
            raise InputError(
                f"mapping {int(bad[0])} of the batch (0 is the first) cannot be counted in full: each of its two levels needs one "
                "SpatialMap on K, C, Y or X, whole filters, and tiles that neither overlap in outputs nor leave gaps nor exceed the outer "
                "ones; with accounting as_printed any mapping can be"
            )
        cluster = batch.clusters[0]
        return cls(
            batch.depthwise,
            size,
            (tiles[0], tiles[1]),
            tuple({d: text.place[d] for d in LOOPS} for text in batch.levels),  # type: ignore[arg-type]
            tuple({d: text.spatial[d] & (text.place[d] != ABSENT) for d in LOOPS} for text in batch.levels),  # type: ignore[arg-type]
            (xp.floor(batch.hardware[0] / cluster), cluster),
            windows,
            {d: xp.minimum(strides[d], windows[d]) for d in WINDOWS},
            batch.hardware,
        )

    @property
    def macs(self) -> Array:
        """Multiply-accumulate operations of the layers, shape (n,)."""
        return self.size[K] * self.size[C] * self.size[Y] * self.size[X] * self.filter

    @property
    def filter(self) -> Array:
        """Elements of a filter of one channel, shape (n,)."""
        return self.windows[Y] * self.windows[X]


def _one_spread(xp: Any, text: LevelText) -> Array:
    spatial = text.spatial & (text.place != ABSENT)
    count = xp.sum(xp.astype(spatial, xp.float64), axis=0)
    return (count == 1) & ~spatial[R] & ~spatial[S]


def _whole_filter(xp: Any, text: LevelText, sizes: Array) -> Array:
    return xp.all(xp.stack([(text.place[d] == ABSENT) | (text.size[d] == sizes[d]) for d in (R, S)]), axis=0)


def _within(xp: Any, inner: LevelText, outer: LevelText) -> Array:
    either_absent = [(inner.place[d] == ABSENT) | (outer.place[d] == ABSENT) for d in LOOPS]
    return xp.all(xp.stack([absent | (inner.size[d] <= outer.size[d]) for absent, d in zip(either_absent, LOOPS, strict=True)]), axis=0)
