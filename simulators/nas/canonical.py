"""The canonical form of a cell: dead vertices pruned, and one representative of all cells that differ in the numbering of vertices.

Exact, unlike an iterated hash: vertices are sorted by what does not depend on their numbers (depth, then a refined colour), and the
vertices that this leaves tied are tried in every order. The smallest code wins. Vertices of one depth have no edges between them, so every
order that is tried is topological.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

from designgym.simulators.nas.cell import EDGES, INPUT, OP_BITS, OPS_SHIFT, OUTPUT, VERTICES, decode, encode

_njit: Any = njit
_BIT: Any = np.full((VERTICES, VERTICES), -1, dtype=np.int64)
for _bit, (_source, _target) in enumerate(EDGES):
    _BIT[_source, _target] = _bit

ROUNDS = VERTICES - 2  # of refinement: after as many as there are interior vertices, no further tie can break


def canonical_cell(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return the representative of a cell's values, in the order of `designgym.simulators.nas.cell.PARAMETER_NAMES`.

    Live vertices come first, in topological order; the rest have no edges and the first operation. A cell without a path from input to
    output, which is not legal, stands for itself.
    """
    return _decoded(canonical_code(encode(values)))


_decoded = lru_cache(maxsize=1 << 14)(decode)


@_njit(cache=True, nogil=True)
def canonical_code(code: int) -> int:  # pragma: no cover  # compiled
    """Return the code of a cell's representative."""
    sources, targets = np.zeros(VERTICES, np.int64), np.zeros(VERTICES, np.int64)  # bit sets
    for source in range(VERTICES):
        for target in range(source + 1, VERTICES):
            if code >> _BIT[source, target] & 1:
                sources[target] |= 1 << source
                targets[source] |= 1 << target
    live = _live(sources, targets)
    if not live >> OUTPUT & 1:
        return code
    colours = np.zeros(VERTICES, np.uint64)
    depths = np.zeros(VERTICES, np.int64)
    for vertex in range(VERTICES):
        sources[vertex] &= live if live >> vertex & 1 else 0
        targets[vertex] &= live if live >> vertex & 1 else 0
        for source in range(vertex):
            if sources[vertex] >> source & 1:
                depths[vertex] = max(depths[vertex], depths[source] + 1)
        operation = code >> (OPS_SHIFT + OP_BITS * (vertex - 1)) & 3 if INPUT < vertex < OUTPUT else 3
        colours[vertex] = np.uint64(operation + 1)
    _refine(colours, sources, targets)
    order, count = np.zeros(VERTICES, np.int64), 0
    for vertex in range(INPUT + 1, OUTPUT):
        if live >> vertex & 1:
            place = count
            while place and _before(vertex, order[place - 1], depths, colours):
                order[place] = order[place - 1]
                place -= 1
            order[place] = vertex
            count += 1
    best = _numbered(code, sources, order, count)
    while _advance(order, count, depths, colours):
        best = min(best, _numbered(code, sources, order, count))
    return best


@_njit(cache=True)
def _live(sources: Any, targets: Any) -> int:  # pragma: no cover  # compiled
    """Return the set of vertices on a path from the input to the output, as bits."""
    reached, reaching = 1 << INPUT, 1 << OUTPUT
    for vertex in range(1, VERTICES):
        if sources[vertex] & reached:
            reached |= 1 << vertex
    for vertex in range(VERTICES - 2, -1, -1):
        if targets[vertex] & reaching:
            reaching |= 1 << vertex
    return reached & reaching


@_njit(cache=True)
def _mixed(x: Any) -> Any:  # pragma: no cover  # compiled
    """Return 64 well-mixed bits (the finaliser of SplitMix64; Steele, Lea and Flood, OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@_njit(cache=True)
def _refine(colours: Any, sources: Any, targets: Any) -> None:  # pragma: no cover  # compiled
    """Let colours take in those of their neighbours. Colours that collide only leave more orders to be tried."""
    for _ in range(ROUNDS):
        before = colours.copy()
        for vertex in range(VERTICES):
            incoming, outgoing = np.uint64(1), np.uint64(2)
            for other in range(VERTICES):
                if sources[vertex] >> other & 1:
                    incoming += _mixed(before[other] + np.uint64(0x9E3779B97F4A7C15))
                if targets[vertex] >> other & 1:
                    outgoing += _mixed(before[other] + np.uint64(0xD1B54A32D192ED03))
            colours[vertex] = _mixed(before[vertex] + _mixed(incoming) + _mixed(outgoing) * np.uint64(3))


@_njit(cache=True)
def _before(a: int, b: int, depths: Any, colours: Any) -> bool:  # pragma: no cover  # compiled
    return depths[a] < depths[b] or (depths[a] == depths[b] and colours[a] < colours[b])


@_njit(cache=True)
def _numbered(code: int, sources: Any, order: Any, count: int) -> int:  # pragma: no cover  # compiled
    """Return the code of the cell with its live interior vertices numbered from 1 in this order."""
    place = np.zeros(VERTICES, np.int64)
    place[OUTPUT] = OUTPUT
    for i in range(count):
        place[order[i]] = i + 1
    result = 0
    for i in range(count):
        result |= (code >> (OPS_SHIFT + OP_BITS * (order[i] - 1)) & 3) << (OPS_SHIFT + OP_BITS * i)
    for target in range(1, VERTICES):
        for source in range(target):
            if sources[target] >> source & 1:
                result |= 1 << _BIT[place[source], place[target]]
    return result


@_njit(cache=True)
def _advance(order: Any, count: int, depths: Any, colours: Any) -> bool:  # pragma: no cover  # compiled
    """Step to the next order of the tied vertices, block by block like the digits of a counter; return whether there was one."""
    start = 0
    while start < count:
        end = start + 1
        while end < count and not _before(order[start], order[end], depths, colours):
            end += 1
        if _next_permutation(order, start, end):
            return True
        start = end
    return False


@_njit(cache=True)
def _next_permutation(order: Any, start: int, end: int) -> bool:  # pragma: no cover  # compiled
    """Step a part of the order to its next permutation; past the last one, return to the first and say so."""
    pivot = end - 2
    while pivot >= start and order[pivot] > order[pivot + 1]:
        pivot -= 1
    tail = start if pivot < start else pivot + 1
    if pivot >= start:
        swap = end - 1
        while order[swap] < order[pivot]:
            swap -= 1
        order[pivot], order[swap] = order[swap], order[pivot]
    i, j = tail, end - 1
    while i < j:
        order[i], order[j] = order[j], order[i]
        i, j = i + 1, j - 1
    return pivot >= start
