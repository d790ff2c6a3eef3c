"""Fronts: against the definition, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from designgym.core.pareto import BLOCK, non_dominated

NUMBERS = st.sampled_from([0.0, 1.0, 2.0, 3.0, -np.inf, np.nan])


def by_definition(v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the same by comparing all pairs."""
    reaches, exceeds = (v[:, None] >= v[None]).all(axis=2), (v[:, None] > v[None]).any(axis=2)
    return np.asarray(~(reaches & exceeds).any(axis=0) & np.isfinite(v).all(axis=1))


@given(st.integers(1, 4).flatmap(lambda m: st.lists(st.lists(NUMBERS, min_size=m, max_size=m), min_size=1, max_size=30)))
def test_front_is_what_no_other_row_dominates(rows: list[list[float]]) -> None:
    v = np.array(rows)
    assert np.array_equal(non_dominated(v), by_definition(v))


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_many_rows(columns: int) -> None:
    v = np.random.default_rng(columns).integers(0, 60, (2 * BLOCK + 7, columns)).astype(float)
    v[:, 0] = -v[:, 1:].sum(axis=1) + v[:, 0] // 20  # a large front
    front = non_dominated(v)
    some = np.random.default_rng(0).choice(len(v), 300, replace=False)
    others = [(v >= v[i]).all(axis=1) & (v > v[i]).any(axis=1) for i in some]
    assert [bool(front[i]) for i in some] == [not each.any() for each in others]
    assert 50 < front.sum() < len(v)
