"""Fewer marks where there are too many to draw or to send, chosen by a fixed seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sample_rows(mask: NDArray[np.bool_], limit: int, keep: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return at most about ``limit`` row numbers where ``mask`` holds, in order; those in ``keep`` are always among them."""
    rows = np.flatnonzero(mask)
    if len(rows) <= limit:
        return rows
    always = np.intersect1d(rows, keep) if keep is not None else np.array([], dtype=np.int64)
    always = always[:limit]
    others = np.setdiff1d(rows, always)
    drawn = np.random.default_rng(0).choice(others, size=limit - len(always), replace=False)
    return np.sort(np.concatenate([always, drawn])).astype(np.int64)
