"""Fronts and hypervolumes of vectors in which higher is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK = 4096  # rows that are compared at once with the strongest of the front
STRONG = 32


def non_dominated(vectors: ArrayLike) -> NDArray[np.bool_]:
    """Return which rows of an ``(n, m)`` array no other row dominates; equal rows are all kept, rows with -inf never."""
    v = np.asarray(vectors, dtype=np.float64)
    if v.size == 0:
        return np.zeros(len(v), dtype=np.bool_)
    known = np.flatnonzero(~np.isnan(v).any(axis=1))  # a row with NaN is on no front and dominates nothing
    unique, inverse = np.unique(v[known], axis=0, return_inverse=True)
    order = np.lexsort(unique.T[::-1])[::-1]  # first column falling: a row can only be dominated by an earlier one
    on_front = np.zeros(len(unique), dtype=np.bool_)
    on_front[order] = _undominated(unique[order])
    result = np.zeros(len(v), dtype=np.bool_)
    result[known] = on_front[inverse.reshape(-1)]
    return result & np.isfinite(v).all(axis=1)


def _undominated(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of different rows no earlier one reaches in every column; rows fall in their first column, then in the second ..."""
    if rows.shape[1] <= 2:
        last = rows[:, -1]
        result = np.ones(len(rows), dtype=np.bool_)
        result[1:] = last[1:] > np.maximum.accumulate(last)[:-1]
        return result
    result = np.zeros(len(rows), dtype=np.bool_)
    front = rows[:0]
    for start in range(0, len(rows), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(rows)))
        for member in front[np.argsort(-front[:, 1:].sum(axis=1))[:STRONG]]:  # a few leave little to compare with the whole front
            block = block[~(member >= rows[block]).all(axis=1)]
        for i in block:
            if not (front >= rows[i]).all(axis=1).any():
                result[i] = True
                front = np.concatenate([front, rows[i : i + 1]])
    return result


def hypervolume(vectors: ArrayLike, reference: ArrayLike) -> float:
    """Return the volume that the rows of an ``(n, m)`` array dominate above ``reference`` (m numbers), in the product of units.

    Two objectives are computed here; more by BoTorch.
    """
    r = np.asarray(reference, dtype=np.float64)
    v = np.asarray(vectors, dtype=np.float64).reshape(-1, len(r))
    v = v[np.isfinite(v).all(axis=1) & (v > r).all(axis=1)]
    if not len(v):
        return 0.0
    v = np.unique(v[non_dominated(v)], axis=0)
    if v.shape[1] == 1:
        return float(v.max() - r[0])
    if v.shape[1] == 2:  # first column rises, so the second falls: a staircase
        return float(np.sum((v[:, 0] - np.concatenate([r[:1], v[:-1, 0]])) * (v[:, 1] - r[1])))
    import torch
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    return float(Hypervolume(ref_point=torch.as_tensor(r)).compute(torch.as_tensor(v)))
