"""`MapSpace`: the mappings of a layer on an architecture, as arrays that can be drawn, varied and made to fit.

Each prime factor of a dimension's bound is an item that lies at a level or on the array: so the factors of a mapping always multiply to
the bounds. What does not fit is repaired by moving items outwards until it does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.fit import fit
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS, C, M, P, Q, R, S, bounds

__all__ = ["Genotypes", "MapSpace", "UnmappableError"]

Integers = NDArray[np.int64]
_D = len(DIMS)


class UnmappableError(InputError):
    """No mapping of any layer fits the architecture, such as where a buffer has no room for a word of each tensor that it must keep."""


@dataclass(frozen=True, eq=False)
class Genotypes:
    """B mappings of T items on L levels, the batch along the last axis.

    Attributes:
        places: Level of each item, or L for the array, shape ``(T, B)``.
        order: Dimensions, innermost first, ``(L, 6, B)``.
        spatial_order: Dimensions of the array, innermost first, ``(6, B)``.
        split: Leading entries of the array's order along X, ``(B,)``.
        keep: Whether a level keeps a tensor, ``(L, 3, B)``.
    """

    places: Integers
    order: Integers
    spatial_order: Integers
    split: Integers
    keep: NDArray[np.bool_]

    def __getitem__(self, which: Any) -> Genotypes:
        return Genotypes(*(getattr(self, f.name)[..., which] for f in fields(self)))

    def __len__(self) -> int:
        return int(self.split.shape[0])

    def joined(self, other: Self) -> Genotypes:
        """Return these and then the others."""
        return Genotypes(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)], axis=-1) for f in fields(self)))


class MapSpace:
    """All mappings of a layer on an architecture.

    Args:
        layer: What is mapped.
        architecture: What it is mapped on.
        keep: Which tensors each level keeps, if that is not part of the search.

    Raises:
        UnmappableError: If a level has no room for a word of each tensor that it must keep.
    """

    def __init__(self, layer: Layer, architecture: Architecture, keep: tuple[frozenset[str], ...] | None = None) -> None:
        self.layer, self.architecture, self.keep = layer, architecture, keep
        self.levels = len(architecture.levels)
        self.items = [(dim, prime) for dim, bound in enumerate(bounds(layer)) for prime in _prime_factors(bound)]
        self._dims = np.array([dim for dim, _ in self.items], dtype=np.int64)
        self._hardware = HardwareBatch.of(architecture)
        self._relevant = _relevant(layer.depthwise)
        fixed = keep if keep is not None else (*([frozenset[str]()] * (self.levels - 1)), frozenset(TENSORS))
        if len(fixed) != self.levels:
            raise InputError(f"kept tensors are given for {len(fixed)} levels, architecture {architecture.name!r} has {self.levels}")
        for level, kept in zip(architecture.levels, fixed, strict=True):
            if level.words < len(kept):
                raise UnmappableError(
                    f"{level.name} keeps {', '.join(sorted(kept))}: it needs room for {len(kept)} words or more, it has {level.words:.0f}"
                )
        self._keep = np.array([[tensor in kept for tensor in TENSORS] for kept in fixed], dtype=np.bool_)

    def size(self) -> float:
        """Return the number of mappings, fitting or not: places of all items, and orders of all levels and the array."""
        ways = 1.0
        for bound in bounds(self.layer):
            primes = _prime_factors(bound)
            ways *= math.prod(math.comb(primes.count(p) + self.levels, self.levels) for p in set(primes))
        orders = float(math.factorial(_D)) ** (self.levels + 1) * (_D + 1)
        return ways * orders * (1.0 if self.keep is not None else 2.0 ** (len(TENSORS) * (self.levels - 1)))

    def sample(self, rng: np.random.Generator, n: int) -> Genotypes:
        """Return ``n`` random mappings that fit."""
        levels = self.levels
        keep = np.repeat(self._keep[..., None], n, axis=-1)
        if self.keep is None:
            keep[:-1] = rng.random((levels - 1, len(TENSORS), n)) < 0.7
        drawn = Genotypes(
            places=rng.integers(levels + 1, size=(len(self.items), n)),
            order=np.argsort(rng.random((levels, _D, n)), axis=1),
            spatial_order=np.argsort(rng.random((_D, n)), axis=0),
            split=rng.integers(_D + 1, size=n),
            keep=keep,
        )
        return self.repaired(drawn, rng)

    def batch(self, genotypes: Genotypes) -> MappingBatch:
        """Return the mappings as the model takes them."""
        n = len(genotypes)
        factors = np.ones((self.levels + 1, _D, n))
        for (dim, prime), places in zip(self.items, genotypes.places, strict=True):
            factors[places, dim, np.arange(n)] *= prime
        return MappingBatch(
            temporal=factors[:-1], order=genotypes.order, spatial=factors[-1], spatial_order=genotypes.spatial_order,
            split=genotypes.split, keep=genotypes.keep, stride=np.full(n, float(self.layer.stride)),
            depthwise=np.full(n, self.layer.depthwise),
        )  # fmt: skip

    def repaired(self, genotypes: Genotypes, rng: np.random.Generator) -> Genotypes:
        """Return the mappings with items moved outwards, and tensors no longer kept where not one word fits, until all fit."""
        places, keep = genotypes.places.copy(), genotypes.keep.copy()
        open_ = np.arange(len(genotypes))
        if self.keep is None:
            words = np.array([level.words for level in self.architecture.levels])
            keep &= np.cumsum(keep, axis=1) <= words[:, None, None]
        while open_.size:
            part = Genotypes(
                places[:, open_], genotypes.order[..., open_], genotypes.spatial_order[:, open_], genotypes.split[open_], keep[..., open_]
            )
            found = fit(self.batch(part), self._hardware)
            misfit = ~found.holds
            open_, part = open_[misfit], part[misfit]
            if not open_.size:
                break
            movable, to = self._movable(part, found.in_levels[:, misfit], found.columns[misfit], found.rows[misfit], rng)
            chosen = np.argmax(np.where(movable, rng.random(movable.shape), -1.0), axis=0)
            places[chosen, open_] = to
        return Genotypes(places, genotypes.order, genotypes.spatial_order, genotypes.split, keep)

    def _movable(
        self, part: Genotypes, in_levels: NDArray[np.bool_], columns: Any, rows: Any, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], Integers]:
        """Return which items may move to make a mapping fit, bool of shape ``(T, B)``, and to which level, ``(B,)``."""
        n, array, outermost = len(part), self.architecture.array, self.levels - 1
        too_wide, too_high = columns > self.architecture.mesh_x, rows > self.architecture.mesh_y
        beyond_array = too_wide | too_high
        position = np.argsort(part.spatial_order, axis=0)[self._dims]  # of each item's dimension in the array's order
        along_x = position < part.split
        on_array = part.places == self.levels
        of_array = on_array & np.where(along_x, too_wide, too_high)
        level = np.argmax(~in_levels, axis=0)  # the innermost that is too small
        matters = np.einsum("tb,td->db", part.keep[level, :, np.arange(n)].T.astype(np.int64), self._relevant) > 0
        inside = (part.places <= level) | (on_array & (level >= array))
        of_level = inside & matters[self._dims]
        outwards = np.where(beyond_array, np.where(rng.random(n) < 0.5, array, outermost), level + 1)
        return np.where(beyond_array, of_array, of_level), np.where(rng.random(n) < 0.5, outwards, outermost)


def _relevant(depthwise: bool) -> Integers:
    """Return which dimensions make a tensor's tile larger, ``(3, 6)``."""
    result = np.zeros((len(TENSORS), _D), dtype=np.int64)
    result[0, [C, M, R, S]] = 1
    result[1, [C, R, S, P, Q]] = 1
    result[2, [C if depthwise else M, P, Q]] = 1
    return result


def _prime_factors(number: int) -> list[int]:
    found: list[int] = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return [*found, number] if number > 1 else found
