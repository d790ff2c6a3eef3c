"""Buses: which way data takes through the tree of a system, and what FARSI makes of the tree before it simulates. Compiled by Numba."""

from __future__ import annotations

import numpy as np

from designgym.simulators.soc.compiled import Array, compiled

OK, IDLE_FIRST_PE, NEW_BUS_ON_PATH, BUS_CYCLE, NO_PATH = range(5)
"""Outcomes; `REASONS` says what they mean."""

REASONS = {
    IDLE_FIRST_PE: "FARSI simulates what is connected to the first PE, and that runs no task: map a task to it, or use model='corrected'",
    NEW_BUS_ON_PATH: (
        "FARSI removes a bus without PEs and memories that joins three or more others, so that a path would lead over a bus that was not "
        "on it, and fails: put a memory or a PE on that bus, or use model='corrected'"
    ),
    BUS_CYCLE: "the buses form a cycle, or are linked twice: expected a tree",
    NO_PATH: "no path of buses leads from a task's PE to a memory that it uses: link their buses",
}


@compiled
def linked(links: Array, near: Array, count: Array) -> bool:  # pragma: no cover  # compiled
    """Fill the lists of neighbours in the order of the links; return whether the buses form trees."""
    root = np.arange(len(count))
    for k in range(len(links)):
        a, b = links[k, 0], links[k, 1]
        near[b, count[b]] = a
        count[b] += 1
        near[a, count[a]] = b
        count[a] += 1
        while root[a] != a:
            a = root[a]
        while root[b] != b:
            b = root[b]
        if a == b:
            return False
        root[b] = a
    return True


@compiled
def find_hops(near: Array, count: Array, hop: Array) -> None:  # pragma: no cover  # compiled
    """Fill ``hop[a, b]``, the bus after a on the way to b: b itself at b, -1 where there is no way."""
    n = len(count)
    stack = np.empty(n, np.int64)
    hop[:] = -1
    for end in range(n):
        hop[end, end] = end
        stack[0], top = end, 1
        while top:
            top -= 1
            bus = stack[top]
            for i in range(count[bus]):
                other = near[bus, i]
                if hop[other, end] < 0:
                    hop[other, end] = bus
                    stack[top] = other
                    top += 1


@compiled
def preorder(near: Array, count: Array, start: int, order: Array) -> int:  # pragma: no cover  # compiled
    """Write the buses in depth-first preorder, neighbours in the order of their lists; return how many."""
    n = len(count)
    seen = np.zeros(n, np.bool_)
    stack, place = np.empty(n, np.int64), np.zeros(n, np.int64)
    stack[0], depth, found = start, 1, 1
    order[0] = start
    seen[start] = True
    while depth:
        bus = stack[depth - 1]
        if place[bus] == count[bus]:
            depth -= 1
            continue
        other = near[bus, place[bus]]
        place[bus] += 1
        if not seen[other]:
            seen[other] = True
            order[found] = other
            stack[depth] = other
            found += 1
            depth += 1
    return found


@compiled
def _drop(near: Array, count: Array, bus: int, other: int) -> None:  # pragma: no cover  # compiled
    """Take ``other`` out of the neighbours of ``bus``."""
    kept = 0
    for i in range(count[bus]):
        if near[bus, i] != other:
            near[bus, kept] = near[bus, i]
            kept += 1
    count[bus] = kept


@compiled
def cut_unused(near: Array, count: Array, carried: Array) -> None:  # pragma: no cover  # compiled
    """Cut the links that nothing runs over."""
    for bus in range(len(count)):
        for i in range(count[bus] - 1, -1, -1):
            other = near[bus, i]
            if not carried[bus, other]:
                _drop(near, count, bus, other)


@compiled
def clean_up(
    near: Array, count: Array, pe_bus: Array, memory_bus: Array, pe_used: Array, memory_used: Array
) -> int:  # pragma: no cover  # compiled
    """Remove buses as FARSI does, moving what is on them; return how many are left of those connected to the first PE's.

    In one pass over the buses: one without memories, or without PEs, at the end of the tree is joined to its neighbour; one with neither
    is taken out, and its neighbours are linked to the first of them.
    """
    n = len(count)
    order = np.empty(n, np.int64)
    found = preorder(near, count, pe_bus[0], order)
    left = found
    for i in range(found):
        bus = order[i]
        pes = memories = 0
        for p in range(len(pe_bus)):
            pes += pe_used[p] and pe_bus[p] == bus
        for m in range(len(memory_bus)):
            memories += memory_used[m] and memory_bus[m] == bus
        if (pes and memories) or (count[bus] != 1 and (pes or memories)):
            continue
        first = near[bus, 0] if count[bus] else -1
        if first >= 0:
            for p in range(len(pe_bus)):
                if pe_bus[p] == bus:
                    pe_bus[p] = first
            for m in range(len(memory_bus)):
                if memory_bus[m] == bus:
                    memory_bus[m] = first
        for j in range(count[bus]):
            _drop(near, count, near[bus, j], bus)
        for j in range(1, count[bus]):
            other = near[bus, j]
            near[first, count[first]] = other
            count[first] += 1
            near[other, count[other]] = first
            count[other] += 1
        count[bus] = 0
        left -= 1
    return left
