"""Which mappings fit their hardware, and for those that do not, why."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.problem import DIMS
from designgym.simulators.accelerator.loopnest.reuse import tiles

__all__ = ["Fit", "fit", "refusals"]


@dataclass(frozen=True, eq=False)
class Fit:
    """What B mappings need of L levels and of the array, and whether they get it.

    Attributes:
        words: Words of the tiles that an instance of a level keeps, shape ``(L, B)``.
        columns: Columns of the array, ``(B,)``.
        rows: Rows of the array, ``(B,)``.
        in_levels: Whether the tiles fit, bool of shape ``(L, B)``.
        in_array: Whether the loops over the array fit, bool of shape ``(B,)``.
    """

    words: Array
    columns: Array
    rows: Array
    in_levels: Array
    in_array: Array

    @property
    def holds(self) -> Array:
        """Whether a mapping fits, bool of shape ``(B,)``."""
        return namespace(self.in_array).all(self.in_levels, axis=0) & self.in_array


def fit(batch: MappingBatch, hardware: HardwareBatch) -> Fit:
    """Return what the mappings need: of a level the sum of its kept tiles, of the array the loops along X and along Y."""
    xp = namespace(batch.temporal)
    sizes = tiles(batch, hardware.array).sizes[: batch.levels]
    words = xp.sum(xp.where(batch.keep, sizes, 0.0), axis=1)
    columns, rows = xp.ones_like(batch.stride), xp.ones_like(batch.stride)
    factors = xp.take_along_axis(batch.spatial, batch.spatial_order, axis=0)
    for position in range(len(DIMS)):
        along_x = position < batch.split
        columns = columns * xp.where(along_x, factors[position], 1.0)
        rows = rows * xp.where(along_x, 1.0, factors[position])
    mesh_y = xp.floor(hardware.pes / hardware.mesh_x)
    return Fit(words, columns, rows, words <= hardware.words, (columns <= hardware.mesh_x) & (rows <= mesh_y))


def refusals(mapping: LoopMapping, layer: Layer, architecture: Architecture) -> list[str]:
    """Return in words why a mapping of a layer cannot run on an architecture; empty if it can."""
    if len(mapping.temporal) != len(architecture.levels):
        return [f"the mapping has {len(mapping.temporal)} levels, architecture {architecture.name!r} {len(architecture.levels)}"]
    if problems := mapping.problems(layer):
        return problems
    found = fit(MappingBatch.of([mapping], layer), HardwareBatch.of(architecture))
    reasons = [
        f"{level.name} would keep {found.words[index, 0]:.0f} words, it has room for {level.words:.0f}"
        for index, level in enumerate(architecture.levels)
        if not found.in_levels[index, 0]
    ]
    for what, needed, there in (("columns", found.columns, architecture.mesh_x), ("rows", found.rows, architecture.mesh_y)):
        if needed[0] > there:
            reasons.append(f"the array would need {needed[0]:.0f} {what}, it has {there}")
    return reasons
