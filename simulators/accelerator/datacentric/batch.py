"""`Batch`: many mappings, each with its layer and hardware, as arrays: what the model computes with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.accelerator.arrays import Array
from designgym.simulators.accelerator.datacentric.mapping import Mapping
from designgym.simulators.accelerator.datacentric.shape import DIMENSIONS, ConvShape

__all__ = ["ABSENT", "Batch", "Hardware", "LevelText"]

ABSENT = -1.0
"""The place of a dimension that a level does not name."""


@dataclass(frozen=True)
class Hardware:
    """What a mapping runs on.

    Attributes:
        pes: Processing elements.
        noc_bw: Elements per cycle that the network between L2 and the sub-units takes in each direction.
        offchip_bw: Elements per cycle between L2 and the memory.
        hop_latency: Cycles that an element is on its way through the network: hops times latency of a hop.
        lanes: Multipliers of a PE.

    Raises:
        InputError: For a number that is not a positive integer.
    """

    pes: int
    noc_bw: int = 64
    offchip_bw: int = 16
    hop_latency: int = 1
    lanes: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{field.name} of the hardware must be a positive integer, got {value!r}")


@dataclass(frozen=True)
class LevelText:
    """The directives of one level of all mappings, as written. Rows are in the order of `DIMENSIONS`, all arrays float64 but the bools.

    Attributes:
        place: Place in the list from 0 on, `ABSENT` where the level does not name the dimension; shape (6, n).
        size: Tile sizes, shape (6, n); any number where absent.
        offset: Offsets, shape (6, n); any number where absent.
        spatial: Whether the directive is a SpatialMap, shape (6, n), bool.
        in_outputs: Whether Y and X are in output coordinates, shape (2, n), bool.
    """

    place: Array
    size: Array
    offset: Array
    spatial: Array
    in_outputs: Array


@dataclass(frozen=True)
class Batch:
    """Mappings with as many levels each, of layers that are all depthwise or all not.

    All arrays are float64 and of one library (numpy or torch) and device.

    Attributes:
        depthwise: Whether the layers are depthwise.
        sizes: Sizes of the layers in the order of `DIMENSIONS`, shape (6, n).
        strides: Strides along Y and X, shape (2, n).
        hardware: PEs, NoC bandwidth, off-chip bandwidth, hop latency and lanes, shape (5, n).
        levels: The directives, outermost level first.
        clusters: Cluster sizes between the levels, shape (levels - 1, n).
    """

    depthwise: bool
    sizes: Array
    strides: Array
    hardware: Array
    levels: tuple[LevelText, ...]
    clusters: Array

    def __len__(self) -> int:
        return int(self.sizes.shape[1])

    @classmethod
    def of(cls, mappings: Sequence[Mapping], shapes: Sequence[ConvShape], hardware: Sequence[Hardware]) -> Batch:
        """Return a batch of mappings, each with its layer and its hardware.

        Raises:
            InputError: If the sequences are empty or not equally long, or levels or kinds of layers differ.
        """
        if not len(mappings) == len(shapes) == len(hardware) or not mappings:
            raise InputError(
                f"a batch needs as many layers and hardware as mappings, and at least one, got {len(mappings)} mappings, "
                f"{len(shapes)} layers, {len(hardware)} hardware"
            )
        levels, depthwise = len(mappings[0].levels), shapes[0].depthwise
        if any(len(m.levels) != levels for m in mappings) or any(s.depthwise != depthwise for s in shapes):
            raise InputError("mappings of a batch must have equally many levels, and layers be all depthwise or all not: split it")
        n = len(mappings)
        return cls(
            depthwise,
            np.array([shape.sizes for shape in shapes], dtype=np.float64).T.copy(),
            np.array([(shape.stride_y, shape.stride_x) for shape in shapes], dtype=np.float64).T.copy(),
            np.array([(h.pes, h.noc_bw, h.offchip_bw, h.hop_latency, h.lanes) for h in hardware], dtype=np.float64).T.copy(),
            tuple(_level([mapping.levels[i] for mapping in mappings]) for i in range(levels)),
            np.array([mapping.clusters for mapping in mappings], dtype=np.float64).reshape(n, levels - 1).T.copy(),
        )

    def converted(self, convert: Any) -> Batch:
        """Return the batch with ``convert`` applied to every array: ``torch.from_numpy``, or a move to a GPU."""
        levels = tuple(LevelText(*(convert(getattr(level, field.name)) for field in fields(LevelText))) for level in self.levels)
        return Batch(
            self.depthwise, convert(self.sizes), convert(self.strides), convert(self.hardware), levels, convert(self.clusters)
        )  # fmt: skip

    def part(self, chosen: Any) -> Batch:
        """Return the mappings of a slice or an index array."""
        return self.converted(lambda array: array[:, chosen])


def _level(lists: Sequence[Sequence[Any]]) -> LevelText:
    n = len(lists)
    place = np.full((6, n), ABSENT)
    size, offset = np.ones((6, n)), np.ones((6, n))
    spatial, in_outputs = np.zeros((6, n), dtype=bool), np.zeros((2, n), dtype=bool)
    for column, directives in enumerate(lists):
        for i, directive in enumerate(directives):
            row = DIMENSIONS.index(directive.dimension[0])
            place[row, column] = i
            size[row, column], offset[row, column] = directive.size, directive.offset
            spatial[row, column] = directive.spatial
            if directive.dimension.endswith("'"):
                in_outputs[row - 4, column] = True
    return LevelText(place, size, offset, spatial, in_outputs)
