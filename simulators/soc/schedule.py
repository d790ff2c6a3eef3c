"""Phases: which tasks run when, and at what speed. Compiled by Numba; see `designgym.simulators.soc.simulate` for the model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from designgym.simulators.soc.compiled import Array, compiled

DONE_SHARE = 0.99  # of its work, after which FARSI ends a task
TOGETHER = 1e-9  # relative: tasks that end within such a part of a phase end together


class Steps(NamedTuple):
    """The steps that the data of the tasks takes, by task: `start[t]` to `start[t + 1]`, for each into a bus or memory and on.

    A step's data shares what comes in (`slot`), and that shares the block's rate with what comes in elsewhere and goes on alike (`onward`).
    """

    start: Array  # (n + 1,)
    slot: Array  # what comes in with it: an incoming pipe and direction; -1 from the task's own PE, which is shared with nobody
    counted: Array  # whether the step adds its units to the slot: a slot may have several steps of a task
    pair: Array  # its slot and where it goes on
    onward: Array  # its block and where it goes on; -1 at a memory
    units: Array
    bytes: Array
    rate: Array  # of the block, bytes/s


class Schedule(NamedTuple):
    """What happened, by phase and by (phase, task) that ran."""

    lengths: Array  # (phases,) s
    ran_phase: Array
    ran_task: Array
    ran_work: Array  # instructions
    peak: Array  # (memories,) bytes
    latency: float
    phases: int
    ran: int


@compiled
def schedule(
    work: Array,
    alloc: Array,
    parent_start: Array,
    parent: Array,
    child_start: Array,
    child: Array,
    source: int,
    last: int,
    order: Array,
    task_pe: Array,
    task_memory: Array,
    pe_rate: Array,
    memories: int,
    steps: Any,
    slots: int,
    pairs: int,
    onwards: int,
    as_farsi: bool,
) -> Any:  # pragma: no cover  # compiled
    """Run the tasks, of which ``order`` decides where several are ready for a PE."""
    n = len(work)
    lengths, latency, clock = np.zeros(n + 2), 0.0, 0.0
    ran_phase, ran_task, ran_work = np.empty(n * (n + 1), np.int64), np.empty(n * (n + 1), np.int64), np.empty(n * (n + 1))
    phases, ran = 1, 0  # a phase of length 0 comes first
    units_in, pipes_of, users_of = np.zeros(slots), np.zeros(onwards), np.zeros(pairs, np.int64)
    missing, left, speed = np.empty(n, np.int64), work.copy(), np.empty(n)
    for t in range(n):
        missing[t] = parent_start[t + 1] - parent_start[t]
    launched, done, marked = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    held, peak = np.zeros(memories), np.zeros(memories)
    running, waiting, candidates = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    n_running = n_waiting = 0
    busy = np.zeros(len(pe_rate), np.int64)
    while True:
        # new tasks, and what waits for a PE
        total = n_running
        for i in range(total):
            candidates[i] = running[i]
        if not as_farsi:
            for i in range(n_waiting):
                candidates[total] = waiting[i]
                total += 1
        for i in range(n):
            t = order[i]
            if not launched[t] and missing[t] == 0:
                launched[t] = True
                candidates[total] = t
                total += 1
                m = task_memory[t]
                held[m] += alloc[t]
                peak[m] = max(peak[m], held[m])
        if as_farsi:  # a task that waits is overtaken by those that get ready
            for i in range(n_waiting):
                candidates[total] = waiting[i]
                total += 1
        n_running = n_waiting = 0
        instant = False
        for i in range(total):
            t = candidates[i]
            if busy[task_pe[t]] == phases:
                waiting[n_waiting] = t
                n_waiting += 1
            else:
                busy[task_pe[t]] = phases
                running[n_running] = t
                n_running += 1
                instant |= work[t] == 0
        if n_running == 0:
            break
        if not instant:
            _speeds(running, n_running, work, task_pe, pe_rate, steps, units_in, pipes_of, users_of, speed)
        # until the first of them ends
        shortest = np.inf
        for i in range(n_running):
            t = running[i]
            shortest = 0.0 if instant else min(shortest, left[t] / speed[t])
        length = (clock + shortest) - clock
        clock = clock + shortest
        lengths[phases] = length
        kept = 0
        for i in range(n_running):
            t = running[i]
            ends = work[t] == 0
            if not instant:
                amount = speed[t] * length
                if as_farsi:
                    left[t] -= amount
                    ends = 1 - left[t] / work[t] >= DONE_SHARE
                else:
                    ends = left[t] / speed[t] <= shortest * (1 + TOGETHER)
                    amount = left[t] if ends else min(amount, left[t])
                    left[t] -= amount
                ran_phase[ran], ran_task[ran], ran_work[ran] = phases, t, amount
                ran += 1
            if not ends:
                running[kept] = t
                kept += 1
                continue
            done[t] = marked[t] = True
            if t == last:
                latency = clock
            for k in range(child_start[t], child_start[t + 1]):
                missing[child[k]] -= 1
            for k in range(parent_start[t], parent_start[t + 1]):
                p = parent[k]
                free = True
                for j in range(child_start[p], child_start[p + 1]):
                    free &= marked[child[j]] if as_farsi else done[child[j]]
                if free and as_farsi:  # FARSI forgets that they are done, so that other parents of theirs may keep their memory for ever
                    for j in range(child_start[p], child_start[p + 1]):
                        marked[child[j]] = False
                if free and not (as_farsi and p == source):
                    held[task_memory[p]] -= alloc[p]
        n_running = kept
        phases += 1
    return Schedule(lengths, ran_phase, ran_task, ran_work, peak, latency, phases, ran)


@compiled
def _speeds(
    running: Array,
    count: int,
    work: Array,
    task_pe: Array,
    pe_rate: Array,
    steps: Any,
    units_in: Array,
    pipes_of: Array,
    users_of: Array,
    speed: Array,
) -> None:  # pragma: no cover  # compiled
    """Set the speeds of the running tasks, instructions/s.

    A bus or memory splits its rate equally between the pipes on which data comes in and goes on to the same place, and each pipe its part
    in proportion to the units of the tasks on it.
    """
    for i in range(count):
        t = running[i]
        for e in range(steps.start[t], steps.start[t + 1]):
            if steps.counted[e]:
                units_in[steps.slot[e]] += steps.units[e]
            if steps.onward[e] >= 0:
                if users_of[steps.pair[e]] == 0:
                    pipes_of[steps.onward[e]] += 1
                users_of[steps.pair[e]] += 1
    for i in range(count):
        t = running[i]
        fastest = pe_rate[task_pe[t]]
        for e in range(steps.start[t], steps.start[t + 1]):
            share = 1.0
            if steps.slot[e] >= 0:
                share = steps.units[e] / units_in[steps.slot[e]]
            if steps.onward[e] >= 0:
                share /= pipes_of[steps.onward[e]]
            fastest = min(fastest, steps.rate[e] * share * work[t] / steps.bytes[e])
        speed[t] = fastest
    for i in range(count):
        t = running[i]
        for e in range(steps.start[t], steps.start[t + 1]):
            if steps.counted[e]:
                units_in[steps.slot[e]] = 0
            if steps.onward[e] >= 0:
                pipes_of[steps.onward[e]] = 0
                users_of[steps.pair[e]] = 0
