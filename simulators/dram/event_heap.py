"""Alarms: the order of events, down to the order inside one tick.

An alarm has at most one pending setting: timed, or for the next round of the current tick. Timed settings lie in one binary heap
compared by time only. A cancelled or replaced setting stays there until it reaches the top: it changes the order among equal
times, which the controller's commands depend on, so that removing it early gives a different (wrong) simulation.
"""

from designgym.simulators.dram.compiled import Array, Record, at, compiled, inlined
from designgym.simulators.dram.state import (
    ALARM_ARBITER,
    ALARM_BITS,
    CONTROLLER,
    HEAP_FULL,
    SETTING_MASK,
    TIME_SHIFT,
    UNSET,
    WORKER_BITS,
    WORKER_MASK,
)

_ALARM_MASK = (1 << ALARM_BITS) - 1
_TIME_MASK = -1 << TIME_SHIFT
_TWO_WORKERS = (1 << 2 * WORKER_BITS) - 1
_THREE_WORKERS = (1 << 3 * WORKER_BITS) - 1
_CONTROLLER_ALARMS = (1 << ALARM_ARBITER) - 1


@inlined
def stop(s: Record, status: int) -> None:
    """End the run after this round."""
    s.status = status
    s.rounds_left = 1


@inlined
def worker_of(alarm: int) -> int:
    """Return the worker that `alarm` wakes."""
    return CONTROLLER + max(alarm - ALARM_ARBITER + 1, 0)


@inlined
def _move_to_front(queue: int, worker: int) -> int:
    """Put a worker first in a queue, taking it from where it was."""
    if queue & WORKER_MASK == worker:
        return queue
    if (queue >> WORKER_BITS) & WORKER_MASK == worker:
        return (queue & ~_TWO_WORKERS) | ((queue & WORKER_MASK) << WORKER_BITS) | worker
    return ((queue << WORKER_BITS) | worker) & _THREE_WORKERS


@inlined
def set_alarm_now(s: Record, alarm: int) -> None:
    """Set `alarm` to go off in the next round of this tick.

    The alarms of a round go off in reverse order of setting: the worker of the last one runs first, whatever else wakes it.
    """
    alarms = s.next_alarms
    if (alarms >> alarm) & 1 == 0:
        s.next_alarms = alarms | 1 << alarm
        s.alarm_entry[at(alarm)] = UNSET
        worker = worker_of(alarm)
        # Only the controller has several alarms, so that only it can be in the queue already.
        if worker == CONTROLLER and alarms & _CONTROLLER_ALARMS != 0:
            s.next_workers = _move_to_front(s.next_workers, worker)
        else:
            s.next_workers = s.next_workers << WORKER_BITS | worker


@inlined
def set_alarm_later(s: Record, heap: Array, alarm: int, time: int) -> None:
    """Set `alarm` to go off at tick `time`, later than now; `NEVER` has no effect."""
    if time < s.alarm_entry[at(alarm)] >> TIME_SHIFT and (s.next_alarms >> alarm) & 1 == 0:
        setting = s.n_settings + 1
        s.n_settings = setting
        entry = (time << TIME_SHIFT) | ((setting & SETTING_MASK) << ALARM_BITS) | alarm
        s.alarm_entry[at(alarm)] = entry
        _push(s, heap, entry)


@inlined
def set_alarm(s: Record, heap: Array, alarm: int, time: int) -> None:
    """Set `alarm` to go off at tick `time`, or in the next round of this tick if that is not later than now."""
    if time <= s.now:
        set_alarm_now(s, alarm)
    else:
        set_alarm_later(s, heap, alarm, time)


@compiled
def _push(s: Record, heap: Array, entry: int) -> None:
    """Insert: append, then move up while the parent is strictly later."""
    i = s.heap_size + 1
    if i + 1 >= heap.size:
        stop(s, HEAP_FULL)
        return
    s.heap_size = i
    latest = entry | ~_TIME_MASK
    while i > 1:
        parent = heap[at(i >> 1)]
        if parent <= latest:
            break
        heap[at(i)] = parent
        i >>= 1
    heap[at(i)] = entry


@inlined
def _remove_first(s: Record, heap: Array) -> None:
    """Remove the root: the last element takes its place and moves down, to the left child first if both are as early.

    All places beyond the last element hold `UNSET`, so that there is always a right child to compare with.
    """
    size = s.heap_size
    last = heap[at(size)]
    heap[at(size)] = UNSET
    size -= 1
    s.heap_size = size
    time = last & _TIME_MASK
    i = 1
    child = 2
    while child <= size:
        left = heap[at(child)]
        right = heap[at(child + 1)]
        if min(left, right) >= time:
            break
        right_first = right < left & _TIME_MASK
        heap[at(i)] = right if right_first else left
        i = child + right_first
        child = 2 * i
    if size > 0:
        heap[at(i)] = last


@inlined
def clear_heap(heap: Array) -> None:
    """Make the heap empty."""
    for i in range(heap.size):
        heap[at(i)] = UNSET


@inlined
def advance(s: Record, heap: Array) -> int:
    """Advance to the tick of the first live setting; let all of that tick go off; return the queue of woken workers.

    The queue is empty if no alarm is set. Dead entries of the tick, and those before the first live one, are dropped.
    """
    queue = 0
    position = 0
    woken = 0
    latest = UNSET - 1
    entry = heap[1]
    while entry <= latest:
        _remove_first(s, heap)
        alarm = entry & _ALARM_MASK
        if s.alarm_entry[at(alarm)] == entry:
            s.alarm_entry[at(alarm)] = UNSET
            latest = entry | ~_TIME_MASK
            worker = worker_of(alarm)
            if (woken >> worker) & 1 == 0:
                woken |= 1 << worker
                queue |= worker << position
                position += WORKER_BITS
        entry = heap[1]
    if queue != 0:
        s.now = latest >> TIME_SHIFT
    return queue
