"""Fronts and hypervolumes of vectors in which higher is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def non_dominated(vectors: ArrayLike) -> NDArray[np.bool_]:
    """Return which rows of an ``(n, m)`` array no other row dominates; equal rows are all kept, rows with -inf never."""
    v = np.asarray(vectors, dtype=np.float64)
    if v.size == 0:
        return np.zeros(len(v), dtype=np.bool_)
    keep = np.isfinite(v).all(axis=1)
    unique, inverse = np.unique(v, axis=0, return_inverse=True)
    order = np.lexsort(unique.T[::-1])[::-1]  # first column falling: a row can only be dominated by an earlier one
    front: list[int] = []
    for i in order:
        rows = unique[front]
        if not front or not ((rows >= unique[i]).all(axis=1)).any():
            front.append(int(i))
    on_front = np.zeros(len(unique), dtype=np.bool_)
    on_front[front] = True
    return keep & on_front[inverse.reshape(-1)]


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
