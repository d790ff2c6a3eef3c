"""What the level above the array reads or writes: words go once to all elements that want the same, and may come from a neighbour.

Elements at the same place of a tensor form a group. Weights and outputs have one dimension per coordinate, so all groups are of one
size. Rows of inputs move with the filter's rows and with the output's, so groups lie along diagonals, and differ in size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.links import LinkTransfers, link_transfers
from designgym.simulators.accelerator.loopnest.problem import DIMS, INPUTS, OUTPUTS, TENSORS, WEIGHTS, C, M, P, Q, R, S
from designgym.simulators.accelerator.loopnest.reuse import LoopsOutside, Movement, Tiles

__all__ = ["ArrayTraffic", "array_traffic"]


@dataclass(frozen=True, eq=False)
class ArrayTraffic:
    """Traffic between the array and the level above it, by tensor, each of shape ``(3, B)``.

    Attributes:
        accesses: Words that the level above reads or writes.
        delivered: Words that reach an element from above.
        handed_over: Words that elements get from neighbours, all elements together.
    """

    accesses: Array
    delivered: Array
    handed_over: Array


def array_traffic(batch: MappingBatch, hardware: HardwareBatch, found: Tiles, loops: LoopsOutside, movement: Movement) -> ArrayTraffic:
    """Return the traffic of all tensors; words go over links wherever that saves accesses."""
    xp = namespace(batch.spatial)
    moved = movement.words[hardware.array - 1]
    spatial = batch.spatial
    n = product(spatial[d] for d in range(len(DIMS)))
    chains = (_chains(xp, batch, found, hardware.array, R, P), _chains(xp, batch, found, hardware.array, S, Q))
    groups: list[Any] = [None] * len(TENSORS)
    groups[WEIGHTS] = product(spatial[d] for d in (C, M, R, S))
    groups[OUTPUTS] = xp.where(batch.depthwise, spatial[C], spatial[M]) * spatial[P] * spatial[Q]
    groups[INPUTS] = spatial[C] * chains[0].number(1) * chains[1].number(1)
    accesses = moved * xp.stack(groups)
    delivered, handed_over = 1.0 * moved, xp.zeros_like(moved)
    uneven = xp.nonzero((chains[0].uneven & (spatial[R] * spatial[P] > 1)) | (chains[1].uneven & (spatial[S] * spatial[Q] > 1)))[0]
    if uneven.shape[0]:
        sizes = plain_sizes(xp, spatial[:, uneven], chains[0][uneven], chains[1][uneven])
        delivered[INPUTS, uneven] = ascending_share(xp, sizes * moved[INPUTS, uneven], n[uneven])
    linked = link_transfers(batch, hardware, found, loops, movement) if hardware.links else None
    if linked is not None:
        _replace_linked(xp, linked, batch, chains, moved[INPUTS], n, accesses, delivered, handed_over)
    return ArrayTraffic(accesses, delivered, handed_over)


@dataclass(frozen=True, eq=False)
class Chains:
    """Elements along a filter's and an output's dimension, i < r and j < p, that stand at the same place: a i + b j is the same.

    Such elements are (i, j), (i + alpha, j - beta), ...; alpha and beta are the smallest steps with a alpha = b beta.
    """

    r: Array
    p: Array
    alpha: Array
    beta: Array

    def __getitem__(self, which: Any) -> Chains:
        return Chains(self.r[which], self.p[which], self.alpha[which], self.beta[which])

    @property
    def uneven(self) -> Array:
        """Whether some chain has more than one element, bool of shape ``(B,)``."""
        return (self.alpha < self.r) & (self.beta < self.p)

    def starts(self, length: int) -> Array:
        """Return how many elements have at least ``length - 1`` more behind them."""
        xp = namespace(self.r)
        return xp.maximum(self.r - (length - 1) * self.alpha, 0.0) * xp.maximum(self.p - (length - 1) * self.beta, 0.0)

    def number(self, at_least: int) -> Array:
        """Return the number of chains with that many elements or more."""
        return self.starts(at_least) - self.starts(at_least + 1)

    def longest(self) -> int:
        """Return the elements of the longest chain of the batch."""
        xp = namespace(self.r)
        return 1 + int(xp.max(xp.minimum((self.r - 1) // self.alpha, (self.p - 1) // self.beta)))


def _chains(xp: Any, batch: MappingBatch, found: Tiles, array: int, filter_dim: int, output_dim: int) -> Chains:
    r, p = batch.spatial[filter_dim], batch.spatial[output_dim]
    # steps over the array: what is below its loops, which are the lowest at level `array`
    a = found.below[array][filter_dim] / r
    b = batch.stride * found.below[array][output_dim] / p
    alpha, beta = 1.0 * r, 1.0 * p  # beyond the array: every element is a chain
    for candidate in reversed(range(1, int(xp.max(xp.where(p > 1, r, 1.0))))):
        fits = (candidate * a) % b == 0
        alpha = xp.where(fits, 1.0 * candidate, alpha)
        beta = xp.where(fits, candidate * a / b, beta)
    return Chains(r, p, alpha, beta)


def plain_sizes(xp: Any, spatial: Array, rows: Chains, columns: Chains) -> Array:
    """Return how many groups of inputs have m elements, shape ``(m_max + 1, B)``, index m."""
    across = spatial[M]
    n_rows, n_columns = rows.longest(), columns.longest()
    result = xp.zeros((int(xp.max(across)) * n_rows * n_columns + 1, spatial.shape[1]), dtype=spatial.dtype, device=spatial.device)
    every = xp.arange(spatial.shape[1], device=spatial.device)
    for i in range(1, n_rows + 1):
        for j in range(1, n_columns + 1):
            count = (rows.number(i) - rows.number(i + 1)) * (columns.number(j) - columns.number(j + 1)) * spatial[C]
            size = xp.astype(across * i * j, xp.int64)
            result[size, every] = result[size, every] + count
    return result


def ascending_share(xp: Any, accesses: Array, n: Array) -> Array:
    """Return the sum of accesses[m] m / n, ``(B,)``, term by term from the smallest m.

    A fraction of this sum is cut, and in doubles a sum of thirds can end just below a whole number: Timeloop's order gives its errors.
    """
    sizes = xp.arange(accesses.shape[0], dtype=accesses.dtype, device=accesses.device)[:, None]
    return xp.cumulative_sum(accesses * sizes / n, axis=0)[-1]


def _replace_linked(
    xp: Any, linked: LinkTransfers, batch: MappingBatch, chains: tuple[Chains, Chains], moved: Array, n: Array,
    accesses: Array, delivered: Array, handed_over: Array,
) -> None:  # fmt: skip
    """Put the inputs' traffic of mappings that use links in the place of that without."""
    which = linked.which
    plain = plain_sizes(xp, batch.spatial[:, which], chains[0][which], chains[1][which]) * (moved[which] - linked.words)
    total = xp.concat([linked.sizes, xp.zeros_like(plain[: max(plain.shape[0] - linked.sizes.shape[0], 0)])])
    total[: plain.shape[0]] = total[: plain.shape[0]] + plain
    accesses[INPUTS, which] = xp.sum(total, axis=0)
    delivered[INPUTS, which] = ascending_share(xp, total, n[which])
    handed_over[INPUTS, which] = linked.handed_over


def product(values: Any) -> Array:
    """Return the product of arrays."""
    result, *others = values
    for other in others:
        result = result * other
    return result
