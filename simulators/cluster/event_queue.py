"""Events in a binary heap by time alone, sifted as Python's `heapq` does.

Events at the same time come in the order that falls out of the sifting, which splitwise-sim's results depend on. That is why events
which are out of date stay in the heap until they reach its top.
"""

from __future__ import annotations

from designgym.simulators.compiling import Array, Record, compiled


@compiled
def push_event(s: Record, heap: Array, time_s: float, index: int, tag: int) -> None:
    """Add an event; there is room for all that a run can have at a time."""
    at = s.n_events
    s.n_events = at + 1
    while at > 0:
        parent = (at - 1) >> 1
        if time_s >= heap[parent].time_s:
            break
        heap[at] = heap[parent]
        at = parent
    e = heap[at]
    e.time_s = time_s
    e.index = index
    e.tag = tag


@compiled
def drop_event(s: Record, heap: Array) -> None:
    """Remove the event at the top: the last one takes its place, goes down to a leaf along the earlier children, and up again."""
    end = s.n_events - 1
    s.n_events = end
    if end == 0:
        return
    time_s, index, tag = heap[end].time_s, heap[end].index, heap[end].tag
    at = 0
    child = 1
    while child < end:
        right = child + 1
        if right < end:
            child += heap[child].time_s >= heap[right].time_s  # no jump: nobody could predict it
        heap[at] = heap[child]
        at = child
        child = 2 * at + 1
    while at > 0:
        parent = (at - 1) >> 1
        if time_s >= heap[parent].time_s:
            break
        heap[at] = heap[parent]
        at = parent
    e = heap[at]
    e.time_s = time_s
    e.index = index
    e.tag = tag
