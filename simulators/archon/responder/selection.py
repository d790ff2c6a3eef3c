"""What selects among candidates: orders with odds, checks that err, votes, and rewards whose errors have the longer tail.

Each is a matrix from the states of a pool to those of what is left of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from designgym.simulators.archon.responder.pool import EXACT, Table, fixed, index_of, kept

__all__ = ["Kept", "accepted", "best_first", "top"]

Array = NDArray[np.float64]


class Kept(NamedTuple):
    """What a selection leaves.

    Attributes:
        table: Its states.
        matrix: Probability of each, from each state before, shape ``(states before, states)``.
        first: Probability of each with the first candidate being right, same shape; None if the order means nothing.
    """

    table: Table
    matrix: Array
    first: Array | None


def best_first(table: Table, odds: Array | float) -> Array:
    """Return the probability that what comes first is right, if a right candidate is so many times as likely as a wrong one."""
    weight = table.right * odds
    return weight / (weight + table.wrong)


def top(table: Table, k: int, odds: Array | float) -> Kept:
    """Return what is left if k are taken one after the other, each right one so many times as likely as a wrong one.

    It is the order of Plackett and Luce; the numbers follow Wallenius' noncentral hypergeometric distribution.

    Args:
        table: The states before.
        k: Candidates to keep; all if there are fewer.
        odds: Of a right candidate against a wrong one, one number or one for each state.
    """
    if isinstance(odds, float):
        return _top_alike(table.key, k, odds)
    return _top(table, k, odds)


@lru_cache(maxsize=1024)
def _top_alike(key: tuple[str, int], k: int, odds: float) -> Kept:
    return _top(fixed(key[1]) if key[0] == "fixed" else kept(key[1]), k, odds)


def _top(table: Table, k: int, odds: Array | float) -> Kept:
    k = min(k, int(table.size.max()))
    weight = np.broadcast_to(np.asarray(odds, dtype=np.float64), table.right.shape)
    if k > EXACT:  # so many are kept that their number of right ones is told only roughly: the same share as before
        matrix = np.eye(len(table.right))
        return Kept(table, matrix, matrix * best_first(table, weight)[:, None])
    both = []
    for begins_right in (True, False):
        chance = np.zeros((len(table.right), k + 1))  # of so many right ones among those taken
        first = best_first(table, weight)
        chance[:, int(begins_right)] = first if begins_right else 1 - first
        for taken in range(1, k):
            number = np.arange(k + 1)[None, :]
            right = np.maximum(table.right[:, None] - number, 0.0) * weight[:, None]
            wrong = np.maximum(table.wrong[:, None] - (taken - number), 0.0)
            total = right + wrong
            goes_on = (total > 0) & (number <= taken)
            rises = np.where(goes_on, chance * right / np.where(total > 0, total, 1.0), 0.0)
            stays = np.where(goes_on, chance - rises, chance)  # with none left to take, the state stays
            chance = stays
            chance[:, 1:] += rises[:, :-1]
        both.append(chance)
    alike = bool((table.size == table.size[0]).all())
    if alike:
        return Kept(fixed(k), both[0] + both[1], both[0])
    after = kept(k)
    size = np.minimum(table.size, k)
    matrix = np.zeros((2, len(table.right), len(after.right)))
    rows = np.arange(len(table.right))
    for among in range(k + 1):
        there = among <= size
        index = index_of(np.full(there.sum(), float(among)), size[there] - among)
        for side in (0, 1):
            matrix[side, rows[there], index] += both[side][there, among]
    return Kept(after, matrix[0] + matrix[1], matrix[0])


@lru_cache(maxsize=256)
def _accepted(key: tuple[str, int], true_accept: float, false_accept: float) -> Kept:
    table = fixed(key[1]) if key[0] == "fixed" else kept(key[1])
    if table.size.max() > EXACT:
        return _many_accepted(table, true_accept, false_accept)
    n = int(table.size.max())
    after = kept(n)
    matrix = binom.pmf(after.right[None, :], table.right[:, None], true_accept) * binom.pmf(
        after.wrong[None, :], table.wrong[:, None], false_accept
    )
    none = (1 - true_accept) ** table.right * (1 - false_accept) ** table.wrong
    matrix[np.arange(len(table.right)), index_of(table.right, table.wrong)] += none  # then all are as good, and all stay
    return Kept(after, matrix, None)


def _many_accepted(table: Table, true_accept: float, false_accept: float) -> Kept:
    """Return the same for many candidates: none, or the expected number, of each sort is accepted, scaled to a smaller pool."""
    after = kept(EXACT)
    matrix = np.zeros((len(table.right), len(after.right)))
    for row, (right, wrong) in enumerate(zip(table.right, table.wrong, strict=True)):
        no_right, no_wrong = (1 - true_accept) ** right, (1 - false_accept) ** wrong
        for has_right, has_wrong in ((True, True), (True, False), (False, True), (False, False)):
            weight = (1 - no_right if has_right else no_right) * (1 - no_wrong if has_wrong else no_wrong)
            if weight <= 0:
                continue
            a = right * true_accept / (1 - no_right) if has_right else 0.0
            b = wrong * false_accept / (1 - no_wrong) if has_wrong else 0.0
            a, b = (a, b) if a + b else (right, wrong)
            scale = min(1.0, EXACT / (a + b))
            size = max(1, round((a + b) * scale))
            share = a / (a + b) * size
            low = int(np.floor(share))
            for number, part in ((low, 1 - (share - low)), (low + 1, share - low)):
                if part > 0:
                    matrix[row, int(index_of(np.array(float(number)), np.array(float(size - number))))] += weight * part
    return Kept(after, matrix, None)


def accepted(table: Table, true_accept: float, false_accept: float) -> Kept:
    """Return what a check leaves that errs in both ways; if it accepts none, all.

    Args:
        table: The states before.
        true_accept: Probability that a right candidate is accepted.
        false_accept: Probability that a wrong one is.
    """
    return _accepted(table.key, round(true_accept, 9), round(false_accept, 9))
