"""`LoopMapping`: how a layer's loops are split over the levels of an architecture, in which order, and which tensors each level keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS, bounds

__all__ = ["LoopMapping", "Loops"]


@dataclass(frozen=True)
class Loops:
    """The loops of one level, or of the array.

    Attributes:
        factors: Iterations per dimension, in the order of `DIMS`.
        order: The dimensions, innermost first.

    Raises:
        InputError: If a factor is not a positive integer, or the order is not one of all dimensions.
    """

    factors: tuple[int, ...]
    order: str = DIMS

    def __post_init__(self) -> None:
        if len(self.factors) != len(DIMS) or any(not isinstance(f, int) or isinstance(f, bool) or f < 1 for f in self.factors):
            raise InputError(f"factors must be {len(DIMS)} positive integers, for {', '.join(DIMS)}, got {shorten(self.factors)}")
        if sorted(self.order) != sorted(DIMS):
            raise InputError(
                f"an order must name each of the dimensions {', '.join(DIMS)} once, innermost first, got {shorten(self.order)}"
            )

    @property
    def iterations(self) -> int:
        """Product of all factors."""
        return math.prod(self.factors)


@dataclass(frozen=True)
class LoopMapping:
    """A mapping of one layer.

    Attributes:
        temporal: Loops of each level, innermost level first.
        spatial: Loops over the array; the innermost is the one whose steps are neighbours.
        split: How many of the leading entries of the array's order lie along its columns (X); the rest lies along its rows.
        keep: Per level, the tensors that are kept there; the others pass it by. The last level keeps all.

    Raises:
        InputError: If the parts do not fit each other.
    """

    temporal: tuple[Loops, ...]
    spatial: Loops
    split: int
    keep: tuple[frozenset[str], ...]

    def __post_init__(self) -> None:
        if len(self.keep) != len(self.temporal) or len(self.temporal) < 2:
            raise InputError(f"a mapping needs loops and kept tensors per level, got {len(self.temporal)} and {len(self.keep)}")
        if not isinstance(self.split, int) or isinstance(self.split, bool) or not 0 <= self.split <= len(DIMS):
            raise InputError(f"split must be a whole number from 0 to {len(DIMS)}, got {shorten(self.split)}")
        for kept in self.keep:
            if unknown := sorted(set(kept) - set(TENSORS)):
                raise InputError(f"unknown tensor {unknown[0]!r}: expected {', '.join(TENSORS)}")
        if self.keep[-1] != frozenset(TENSORS):
            raise InputError(f"the outermost level must keep {', '.join(TENSORS)}, it keeps {', '.join(sorted(self.keep[-1])) or 'none'}")

    @property
    def bounds(self) -> tuple[int, ...]:
        """Product of the factors of each dimension: the layer that is mapped."""
        every = (*self.temporal, self.spatial)
        return tuple(math.prod(loops.factors[d] for loops in every) for d in range(len(DIMS)))

    def problems(self, layer: Layer) -> list[str]:
        """Return in words where the mapping is not one of this layer; empty if it is."""
        return [
            f"the factors of {dim} multiply to {mine}, layer {layer.name!r} has {theirs}"
            for dim, mine, theirs in zip(DIMS, self.bounds, bounds(layer), strict=True)
            if mine != theirs
        ]
