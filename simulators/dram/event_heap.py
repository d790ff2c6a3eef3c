"""Alarms: the order of events, down to the order inside one tick.

An alarm has at most one pending setting: timed, or for the next round of the current tick. Timed settings lie in one binary heap
compared by time only. A cancelled or replaced setting stays there until it reaches the top: it changes the order among equal
times, which the controller's commands depend on, so that removing it early gives a different (wrong) simulation.
"""

from designgym.simulators.dram.compiled import Array, Record, compiled, inlined
from designgym.simulators.dram.state import (
    ALARM_BITS,
    HEAP_FULL,
    SETTING_MASK,
    TIME_SHIFT,
)

_ALARM_MASK = (1 << ALARM_BITS) - 1


@compiled
def set_alarm(s: Record, heap: Array, alarm: int, time: int) -> None:
    """Set `alarm` to go off at tick `time`, or in the next round of this tick if that is not later than now."""
    if s.in_next_round[alarm]:
        return
    pending = s.alarm_time[alarm]
    if time <= s.now:
        s.alarm_time[alarm] = -1
        s.in_next_round[alarm] = 1
        s.next_round[s.n_next_round] = alarm
        s.n_next_round += 1
    elif pending < 0 or time < pending:
        s.alarm_time[alarm] = time
        setting = (s.alarm_setting[alarm] + 1) & SETTING_MASK
        s.alarm_setting[alarm] = setting
        _push(s, heap, (time << TIME_SHIFT) | (setting << ALARM_BITS) | alarm)


@inlined
def _push(s: Record, heap: Array, entry: int) -> None:
    """Insert: append, then move up while the parent is strictly later."""
    i = s.heap_size + 1
    if i >= heap.size:
        s.status = HEAP_FULL
        return
    s.heap_size = i
    time = entry >> TIME_SHIFT
    while i > 1:
        parent = heap[i >> 1]
        if parent >> TIME_SHIFT <= time:
            break
        heap[i] = parent
        i >>= 1
    heap[i] = entry


@inlined
def _remove_first(s: Record, heap: Array) -> None:
    """Remove the root: the last element takes its place and moves down, to the left child first if both are as early."""
    size = s.heap_size
    last = heap[size]
    size -= 1
    s.heap_size = size
    time = last >> TIME_SHIFT
    i = 1
    while True:
        child = 2 * i
        if child > size:
            break
        candidate = i
        candidate_time = time
        left_time = heap[child] >> TIME_SHIFT
        if left_time < candidate_time:
            candidate = child
            candidate_time = left_time
        if child < size and heap[child + 1] >> TIME_SHIFT < candidate_time:
            candidate = child + 1
        if candidate == i:
            break
        heap[i] = heap[candidate]
        i = candidate
    heap[i] = last


@inlined
def _is_live(s: Record, entry: int) -> bool:
    alarm = entry & _ALARM_MASK
    return s.alarm_time[alarm] == entry >> TIME_SHIFT and s.alarm_setting[alarm] == (entry >> ALARM_BITS) & SETTING_MASK


@inlined
def next_time(s: Record, heap: Array) -> int:
    """Drop dead entries at the top; return the time of the first live one, -1 if there is none."""
    while s.heap_size > 0:
        entry = heap[1]
        if _is_live(s, entry):
            return entry >> TIME_SHIFT
        _remove_first(s, heap)
    return -1


@inlined
def next_alarm(s: Record, heap: Array, time: int) -> int:
    """Remove the next live entry of tick `time` and the dead ones before it; return its alarm, -1 if there is none."""
    while s.heap_size > 0 and heap[1] >> TIME_SHIFT == time:
        entry = heap[1]
        live = _is_live(s, entry)
        _remove_first(s, heap)
        if live:
            alarm = entry & _ALARM_MASK
            s.alarm_time[alarm] = -1
            return alarm
    return -1
