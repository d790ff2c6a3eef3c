"""A pool of candidates: how many are right and how many are wrong, as a distribution for each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

__all__ = ["EXACT", "Pool", "Table", "fixed", "kept", "of_independent"]

EXACT = 32
"""Candidates up to which every number of right ones is told apart; of more, a grid of numbers."""
STEPS = 24
SHARES = 16

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """The states that a pool can be in.

    Attributes:
        key: What tells it from others.
        right: Right candidates in each state.
        wrong: Wrong ones.
    """

    key: tuple[str, int]
    right: Array
    wrong: Array

    @cached_property
    def size(self) -> Array:
        """Candidates in each state."""
        return self.right + self.wrong

    @cached_property
    def share(self) -> Array:
        """Share of right ones in each state."""
        return self.right / self.size


@lru_cache(maxsize=256)
def fixed(n: int) -> Table:
    """Return the states of n candidates."""
    if n <= EXACT:
        right = np.arange(n + 1, dtype=np.float64)
    else:
        low = np.unique(np.rint(np.geomspace(1, n / 2, STEPS // 2)))
        even = np.rint(np.linspace(0, n, SHARES + 1))
        right = np.unique(np.concatenate([even, low, n - low]))
    return Table(("fixed", n), right, n - right)


@lru_cache(maxsize=64)
def kept(n: int) -> Table:
    """Return the states of 1 to n candidates, n at most `EXACT`."""
    pairs = np.array([(a, size - a) for size in range(1, n + 1) for a in range(size + 1)], dtype=np.float64)
    return Table(("kept", n), pairs[:, 0], pairs[:, 1])


def index_of(right: Array, wrong: Array) -> NDArray[np.int64]:
    """Return where states lie in a table of `kept`."""
    size = right + wrong
    return np.asarray((size - 1) * (size + 2) / 2 + right, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates for the final answer.

    Attributes:
        table: The states.
        chance: Probability of each state, shape ``(states, questions)``.
        first: Probability that the first candidate is right, given the state; None if they are in no particular order.
        variety: How many independent candidates they are worth to a fuser.
        ordered: Whether they are in an order of merit.
        criticised: How helpful the critiques are that each has, 1 as usual; 0 if there are none.
        verified: The same of a verifier's judgement.
        tested: The same of unit tests.
        scored: Whether they have scores that votes can be weighed by.
    """

    table: Table
    chance: Array
    first: Array | None = None
    variety: float = 1.0
    ordered: bool = False
    criticised: float = 0.0
    verified: float = 0.0
    tested: float = 0.0
    scored: bool = False

    def first_right(self) -> Array:
        """Return the probability that the first candidate is right, for each question."""
        if self.first is None:
            return self.mean_right
        return np.asarray((self.chance * self.first).sum(axis=0))

    @cached_property
    def mean_right(self) -> Array:
        """The expected share of right candidates, for each question."""
        return self.table.share @ self.chance

    @cached_property
    def count(self) -> Array:
        """The expected number of candidates, for each question."""
        return self.table.size @ self.chance

    def any_right(self) -> Array:
        """Return the probability that at least one is right, for each question."""
        return (self.table.right > 0).astype(np.float64) @ self.chance

    def shares(self) -> tuple[Array, Array]:
        """Return shares of right candidates and the probability of each, shape ``(shares, questions)``: of many states, a grid of them."""
        exact = self.table.share
        if len(exact) <= EXACT + 1:
            return exact, self.chance
        place = exact * SHARES
        low = np.minimum(place.astype(np.int64), SHARES - 1)
        to = np.zeros((SHARES + 1, len(exact)))
        states = np.arange(len(exact))
        to[low, states] = 1 - (place - low)
        to[low + 1, states] = place - low
        return np.arange(SHARES + 1) / SHARES, to @ self.chance


def of_independent(p: Sequence[tuple[Array, int]], same: Sequence[float] = ()) -> tuple[Table, Array]:
    """Return the distribution of right ones among candidates that are right independently of each other.

    Args:
        p: Chances for each question, and the number of candidates that have them; the chances may have leading axes before the questions.
        same: For each, the probability that its candidates are all one and the same; none are if empty. Without effect beyond `EXACT`
            candidates.
    """
    total = sum(count for _, count in p)
    found = fixed(total)
    if total > EXACT:
        mean = np.asarray(sum(chance * count for chance, count in p)) / total
        # up to half-way to the next state of the grid
        edge = np.floor((found.right[:-1] + found.right[1:]) / 2)
        below = bdtr(edge.reshape(-1, *([1] * mean.ndim)), total, mean)
        ends = np.zeros((1, *mean.shape))
        return found, np.diff(np.concatenate([ends, below, ends + 1.0]), axis=0)
    pmf = np.zeros((total + 1, *np.broadcast_shapes(*(chance.shape for chance, _ in p))))
    pmf[0] = 1.0
    done = 0
    for (chance, count), alike in zip(p, same or [0.0] * len(p), strict=True):
        together = None
        if alike and count > 1:
            together = pmf * (1 - chance)
            together[count:] += pmf[:-count] * chance
        for _ in range(count):
            moved = pmf[: done + 1] * chance
            pmf[: done + 1] -= moved
            pmf[1 : done + 2] += moved
            done += 1
        if together is not None:
            pmf = alike * together + (1 - alike) * pmf
    return found, np.maximum(pmf, 0.0)  # what is left of a difference may be below 0
