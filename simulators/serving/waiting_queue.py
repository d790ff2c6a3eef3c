"""The requests that wait, linked through their records."""

from __future__ import annotations

from designgym.simulators.compiling import Array, Record, compiled
from designgym.simulators.serving.state import WAITING


@compiled
def _insert(s: Record, requests: Array, r: int, before: int, after: int) -> None:
    requests[r].waiting_before = before
    requests[r].waiting_after = after
    if before >= 0:
        requests[before].waiting_after = r
    else:
        s.waiting_head = r
    if after >= 0:
        requests[after].waiting_before = r
    else:
        s.waiting_tail = r
    s.n_waiting += 1
    requests[r].state = WAITING


@compiled
def append_waiting(s: Record, requests: Array, r: int) -> None:
    """Let a request that has arrived wait: behind all others, or by its rank if priorities count."""
    before, after = s.waiting_tail, -1
    if s.priority_policy:
        while before >= 0 and requests[before].rank > requests[r].rank:
            before, after = requests[before].waiting_before, before
    _insert(s, requests, r, before, after)


@compiled
def prepend_waiting(s: Record, requests: Array, r: int) -> None:
    """Let a request that was preempted wait: before all others, or by its rank if priorities count."""
    before, after = -1, s.waiting_head
    if s.priority_policy:
        while after >= 0 and requests[after].rank < requests[r].rank:
            before, after = after, requests[after].waiting_after
    _insert(s, requests, r, before, after)


@compiled
def remove_waiting(s: Record, requests: Array, r: int) -> None:
    """Take a request out of the queue, wherever it is."""
    before, after = requests[r].waiting_before, requests[r].waiting_after
    if before >= 0:
        requests[before].waiting_after = after
    else:
        s.waiting_head = after
    if after >= 0:
        requests[after].waiting_before = before
    else:
        s.waiting_tail = before
    s.n_waiting -= 1
