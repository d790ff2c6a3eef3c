"""`Race`: candidates compared on the same queries, of which those that are surely worse than another fall out early."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.archon.statistics.checks import numbers

__all__ = ["Race"]

STAKES = np.geomspace(0.02, 0.98, 16)
"""Shares of the capital that are bet, of which some are good for large differences between candidates and some for small ones."""


class Race:
    """Compares candidates on the same queries, and drops those that are worse than another.

    The candidate that is best on average over all queries there could be is dropped with a probability of at most ``risk``, however often
    is looked and whatever the grades are distributed like, if queries are drawn independently (shuffle them first).

    How: for each pair somebody bets on every query that the one does better than the other, in such a way that a fair game gives nothing on
    average. The capital is a mean over constant stakes, and each multiplies by 1 + stake x (difference of the grades). If the one is not
    better, the capital ever reaches m times what it began with with a probability of at most 1/m (Ville's inequality); so a candidate
    is dropped when a bet against it reaches (candidates - 1) / risk, by Bonferroni over those that could be wrong about the best one.
    Betting: Waudby-Smith and Ramdas 2024 (JRSS B 86); races: Maron and Moore 1994.

    Args:
        candidates: Names, all different.
        risk: Probability with which the best one may be lost.
    """

    def __init__(self, candidates: Sequence[str], *, risk: float = 0.05) -> None:
        names = tuple(candidates)
        if isinstance(candidates, str) or not names or len(set(names)) < len(names):
            raise InputError(f"candidates of a race are {shorten(candidates)}, expected a list of different names")
        if isinstance(risk, bool) or not isinstance(risk, int | float) or not 0 < risk < 1:
            raise InputError(f"risk is {shorten(risk)}, expected the probability with which the best may be lost, such as 0.05")
        self.candidates, self.risk = names, float(risk)
        self._index = {name: i for i, name in enumerate(names)}
        self._alive = np.ones(len(names), dtype=bool)
        self._sums, self._counts = np.zeros(len(names)), np.zeros(len(names), dtype=np.int64)
        # logarithms of the capital that bets, with each stake, on the first of a pair being better than the second
        self._capital = np.zeros((len(names), len(names), len(STAKES)))

    @property
    def alive(self) -> tuple[str, ...]:
        """Those that may still be the best, in the order in which they were given."""
        return tuple(name for name, alive in zip(self.candidates, self._alive, strict=True) if alive)

    @property
    def leader(self) -> str:
        """The one with the highest mean of those; the first given of equals."""
        return max(self.alive, key=lambda name: self.means[name])

    @property
    def means(self) -> dict[str, float]:
        """The mean grade of each, over the queries until it was dropped; 0 before there are any."""
        return dict(zip(self.candidates, (self._sums / np.maximum(self._counts, 1)).tolist(), strict=True))

    @property
    def queries(self) -> dict[str, int]:
        """On how many queries each was graded."""
        return dict(zip(self.candidates, self._counts.tolist(), strict=True))

    def tell(self, grades: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
        """Take the grades of the next queries and return who is dropped for them.

        Args:
            grades: For each candidate that is `alive`, from 0 to 1, on the same queries in the same order; those of others are ignored.

        Raises:
            InputError: If a candidate is missing, or they are not as many.
        """
        for name in grades:
            if name not in self._index:
                raise UnknownNameError("candidate of the race", name, self._index)
        if missing := [name for name in self.alive if name not in grades]:
            raise InputError(f"grades of {', '.join(missing)} are missing, expected those of all that are still in the race")
        rows = [numbers(f"grades of {name}", grades[name], low=0, high=1) for name in self.alive]
        if len({len(row) for row in rows}) > 1:
            counts = ", ".join(f"{name} {len(row)}" for name, row in zip(self.alive, rows, strict=True))
            raise InputError(f"there are different numbers of grades ({counts}), expected grades on the same queries")
        block, running = np.array(rows), np.flatnonzero(self._alive)
        self._sums[running] += block.sum(axis=1)
        self._counts[running] += block.shape[1]
        differences = block[:, None, :] - block[None, :, :]
        gained = np.log1p(STAKES[:, None] * differences[:, :, None, :]).sum(axis=-1)
        self._capital[np.ix_(running, running)] += gained
        pairs = self._capital[np.ix_(running, running)]
        capital = np.logaddexp.reduce(pairs, axis=-1) - math.log(len(STAKES))
        wanted = math.log(max(len(self.candidates) - 1, 1) / self.risk)
        lost = running[(capital >= wanted).any(axis=0)]
        if len(lost) == len(running):  # each beaten by another at some time: possible, if rarely; the highest mean stays
            lost = lost[lost != self._index[self.leader]]
        self._alive[lost] = False
        return tuple(self.candidates[i] for i in lost)
