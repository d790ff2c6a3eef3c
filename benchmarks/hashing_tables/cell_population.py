"""All 423,624 cells of NAS-Bench-101, and those of them that compute what another one computes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.simulators.nas.canonical import canonical_code
from designgym.simulators.nas.cell import (
    EDGES,
    INPUT,
    MAX_EDGES,
    OP_BITS,
    OP_NAMES,
    OPERATIONS,
    OPS_SHIFT,
    OUTPUT,
    PARAMETER_NAMES,
    Cell,
    decode,
)
from designgym.simulators.nas.network import WIDTHS
from designgym.simulators.nas.roles import roles_of

_njit: Any = njit
OTHERS = 2000  # cells without a twin, drawn besides


def cells_with_twins(rng: np.random.Generator) -> Iterator[Design]:
    """Yield the cells with poolings whose roles another of them has, twins one after the other; then `OTHERS` without.

    Random designs hardly ever contain a cell and its twin. Roles only say where to look: what is taken for one is for the probe to say.
    """
    codes = all_cells()
    pooling = np.sum([codes >> (OPS_SHIFT + OP_BITS * slot) & 3 == OPERATIONS.index("maxpool3x3") for slot in range(len(OP_NAMES))], axis=0)
    groups: dict[int, list[int]] = defaultdict(list)
    for code in codes[pooling > 0].tolist():  # only poolings can be the same, two be one: convolutions have weights of their own
        cell = Cell.of_design(_design(code))
        plans = [roles_of(cell, width) for width in WIDTHS]
        groups[hash(tuple((tuple(plan.steps.items()), plan.joined, plan.shortcut) for plan in plans))].append(code)
    twins = [group for group in groups.values() if len(group) > 1]
    for i in rng.permutation(len(twins)):
        yield from map(_design, twins[int(i)])
    alone = np.setdiff1d(codes, np.concatenate(twins))
    yield from map(_design, rng.choice(alone, OTHERS, replace=False).tolist())


def all_cells() -> NDArray[np.int64]:
    """Return the canonical codes of all cells."""
    return np.unique(_canonical_codes(*_live_edge_sets()))


@_njit
def _canonical_codes(edges: Any, interiors: Any) -> Any:  # pragma: no cover  # compiled
    """Return the canonical codes of the cells with these edges and all operations of their interior vertices."""
    codes, count = np.empty((3**interiors).sum(), np.int64), 0
    for i in range(len(edges)):
        for combination in range(3 ** interiors[i]):
            code, rest = edges[i], combination
            for slot in range(interiors[i]):
                code |= (rest % 3) << (OPS_SHIFT + OP_BITS * slot)
                rest //= 3
            codes[count] = canonical_code(code)
            count += 1
    return codes


def _live_edge_sets() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all sets of edges, as bits, in which the first vertices live and the others have no edge; and how many of them live."""
    codes: NDArray[np.int64] = np.arange(1, 1 << len(EDGES), dtype=np.int64)
    codes = codes[np.bitwise_count(codes) <= MAX_EDGES]
    into = {v: np.any([codes >> bit & 1 for bit, (_, t) in enumerate(EDGES) if t == v], axis=0) for v in range(1, OUTPUT + 1)}
    out = {v: np.any([codes >> bit & 1 for bit, (s, _) in enumerate(EDGES) if s == v], axis=0) for v in range(OUTPUT)}
    # with an edge in and an edge out for each vertex that has any, numbered along the edges, each lies on a path
    good = into[OUTPUT] & out[INPUT] & np.all([into[v] == out[v] for v in range(1, OUTPUT)], axis=0)
    good &= np.all([into[v] >= into[v + 1] for v in range(1, OUTPUT - 1)], axis=0)
    return codes[good], np.sum([into[v][good] for v in range(1, OUTPUT)], axis=0)


def _design(code: int) -> Design:
    return Design(dict(zip(PARAMETER_NAMES, decode(code), strict=True)))
