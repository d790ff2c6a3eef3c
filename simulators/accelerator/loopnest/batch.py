"""Mappings and hardware as arrays: many at a time, the batch along the last axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.accelerator.arrays import Array
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture, alike
from designgym.simulators.accelerator.loopnest.energy import EnergyTable, TimeloopEnergies
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping, Loops
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS

__all__ = ["HardwareBatch", "MappingBatch"]


class _Arrays:
    """Base of dataclasses of arrays whose last axis is the batch."""

    def map(self, function: Callable[[Array], Array]) -> Self:
        """Return the same with a function applied to every array."""
        return type(self)(**{f.name: v if isinstance(v := getattr(self, f.name), int) else function(v) for f in fields(self)})  # type: ignore[arg-type]

    def __getitem__(self, which: Any) -> Self:
        return self.map(lambda array: array[..., which])


@dataclass(frozen=True, eq=False)
class MappingBatch(_Arrays):
    """B mappings of L levels and D = 6 dimensions; numpy or torch, numbers as float64, so that products are exact up to 2^53.

    Attributes:
        temporal: Factors, shape ``(L, D, B)``, innermost level first.
        order: Dimensions, innermost first, int64 of shape ``(L, D, B)``.
        spatial: Factors over the array, shape ``(D, B)``.
        spatial_order: Dimensions, innermost first, int64 of shape ``(D, B)``.
        split: Leading entries of the array's order that lie along X, int64 of shape ``(B,)``.
        keep: Whether a level keeps a tensor, bool of shape ``(L, 3, B)``.
        stride: Of the convolution, shape ``(B,)``.
        depthwise: Whether output channels are the input channels, bool of shape ``(B,)``.
    """

    temporal: Array
    order: Array
    spatial: Array
    spatial_order: Array
    split: Array
    keep: Array
    stride: Array
    depthwise: Array

    @classmethod
    def of(cls, mappings: Sequence[LoopMapping], layers: Sequence[Layer] | Layer) -> MappingBatch:
        """Return mappings of layers (one each, or one for all) as arrays of numpy.

        Raises:
            InputError: If there is none, they differ in their number of levels, or a mapping is of another layer.
        """
        each = [layers] * len(mappings) if isinstance(layers, Layer) else list(layers)
        if not mappings or len({len(mapping.temporal) for mapping in mappings}) != 1:
            raise InputError("a batch needs one or more mappings with the same number of levels")
        if len(each) != len(mappings):
            raise InputError(f"a batch needs a layer for each of the {len(mappings)} mappings, or one for all, got {len(each)}")
        for number, (mapping, layer) in enumerate(zip(mappings, each, strict=True)):
            if problems := mapping.problems(layer):
                raise InputError(f"mapping {number}: {'; '.join(problems)}")

        def stacked(of: Callable[[LoopMapping], Any], dtype: type) -> Any:
            return np.ascontiguousarray(np.moveaxis(np.array([of(mapping) for mapping in mappings], dtype=dtype), 0, -1))

        def order(loops: Loops) -> list[int]:
            return [DIMS.index(dim) for dim in loops.order]

        return cls(
            temporal=stacked(lambda m: [loops.factors for loops in m.temporal], np.float64),
            order=stacked(lambda m: [order(loops) for loops in m.temporal], np.int64),
            spatial=stacked(lambda m: m.spatial.factors, np.float64),
            spatial_order=stacked(lambda m: order(m.spatial), np.int64),
            split=stacked(lambda m: m.split, np.int64),
            keep=stacked(lambda m: [[tensor in kept for tensor in TENSORS] for kept in m.keep], np.bool_),
            stride=np.array([layer.stride for layer in each], dtype=np.float64),
            depthwise=np.array([layer.depthwise for layer in each], dtype=np.bool_),
        )

    def __len__(self) -> int:
        return int(self.split.shape[0])

    @property
    def levels(self) -> int:
        """Levels of storage."""
        return int(self.temporal.shape[0])

    def mapping(self, number: int) -> LoopMapping:
        """Return one of the mappings."""

        def loops(factors: Array, order: Array) -> Loops:
            return Loops(tuple(int(f) for f in factors), "".join(DIMS[int(d)] for d in order))

        one = self[number]
        return LoopMapping(
            tuple(loops(one.temporal[level], one.order[level]) for level in range(self.levels)),
            loops(one.spatial, one.spatial_order),
            int(one.split),
            tuple(frozenset(t for t, kept in zip(TENSORS, one.keep[level], strict=True) if kept) for level in range(self.levels)),
        )


@dataclass(frozen=True, eq=False)
class HardwareBatch(_Arrays):
    """What mappings are evaluated on: one architecture for all (a last axis of 1), or one each; L levels.

    Attributes:
        array: Index of the level right above the array, the same for all.
        words: Capacity of an instance, shape ``(L, B)``, infinite without a limit.
        block: Words of an access, shape ``(L, B)``.
        read_bandwidth: Words per cycle and instance, shape ``(L, B)``.
        write_bandwidth: Words per cycle and instance, shape ``(L, B)``.
        access_pj: Energy of an access of `block` words, shape ``(L, B)``.
        mac_pj: Energy of a multiply-accumulate, shape ``(B,)``.
        pes: Processing elements, shape ``(B,)``.
        mesh_x: Columns of the array, shape ``(B,)``.
        links: Whether elements can hand words to their neighbours.
    """

    array: int
    words: Array
    block: Array
    read_bandwidth: Array
    write_bandwidth: Array
    access_pj: Array
    mac_pj: Array
    pes: Array
    mesh_x: Array
    links: bool = True

    @classmethod
    def of(cls, architectures: Sequence[Architecture] | Architecture, energies: EnergyTable | None = None) -> HardwareBatch:
        """Return architectures as arrays of numpy, with the energies of a table (Timeloop's built-in one by default).

        Raises:
            InputError: If there is none, or they have other levels than the first.
        """
        every = [architectures] if isinstance(architectures, Architecture) else list(architectures)
        if not every or not alike(every):
            raise InputError("a batch needs one or more architectures with the same levels and array")
        table = TimeloopEnergies() if energies is None else energies

        def levels(of: Callable[[Any], float]) -> Any:
            return np.array([[of(architecture.levels[c]) for architecture in every] for c in range(len(every[0].levels))], dtype=np.float64)

        def each(of: Callable[[Architecture], float]) -> Any:
            return np.array([of(architecture) for architecture in every], dtype=np.float64)

        return cls(
            array=every[0].array,
            words=levels(lambda level: level.words),
            block=levels(lambda level: level.block),
            read_bandwidth=levels(lambda level: level.read_bandwidth),
            write_bandwidth=levels(lambda level: level.write_bandwidth),
            access_pj=levels(table.access_pj),
            mac_pj=each(lambda architecture: table.mac_pj(architecture.mac_bits)),
            pes=each(lambda architecture: architecture.pes),
            mesh_x=each(lambda architecture: architecture.mesh_x),
        )

    def __len__(self) -> int:
        return int(self.pes.shape[0])
