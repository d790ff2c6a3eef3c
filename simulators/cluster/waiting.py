"""Who waits at a machine: its ordered list of waiting tasks, its waiting prompts, its preempted tasks, and its requests by arrival.

The list of waiting tasks is ordered by how often a task was passed over, then by arrival, at the moment when a task is put in; as
counts grow while tasks wait, it need not stay sorted, and the place of a task depends on the very steps of the bisection.
"""

from __future__ import annotations

from designgym.simulators.cluster.state import BLOCKED, DONE, WAITING, Cluster
from designgym.simulators.compiling import Record, compiled, inlined


@inlined
def passed_over(m: Record, t: Record) -> int:
    """Return how often a waiting task was passed over when batches were formed."""
    return int(t.passed + m.formed * t.counting)


@inlined
def start_counting(m: Record, t: Record) -> None:
    """Let a task be passed over from now on: it waits, and is the first of its request."""
    if t.counting == 0:
        t.passed -= m.formed
        t.counting = 1


@inlined
def stop_counting(m: Record, t: Record) -> None:
    """Keep a task's count as it is: it joins the batch."""
    if t.counting == 1:
        t.passed += m.formed
        t.counting = 0


# ---- the ring of waiting tasks


@inlined
def waiting_at(c: Cluster, m: Record, i: int) -> int:
    """Return the i-th waiting task of a machine."""
    return int(c.wait_room[m.wait_start + ((m.wait_head + i) & (m.wait_size - 1))])


@inlined
def _put(c: Cluster, m: Record, i: int, task: int) -> None:
    c.wait_room[m.wait_start + ((m.wait_head + i) & (m.wait_size - 1))] = task


@compiled
def _grow(c: Cluster, m: Record) -> None:
    """Move a ring to a place of twice its size; the room is large enough for every task to have waited in it."""
    s = c.state[0]
    size = max(2 * m.wait_size, 16)
    start = s.wait_used
    s.wait_used = start + size
    for i in range(m.n_wait):
        c.wait_room[start + i] = waiting_at(c, m, i)
    m.wait_start = start
    m.wait_size = size
    m.wait_head = 0


@compiled
def insert_waiting(c: Cluster, machine: int, task: int) -> None:
    """Put a task behind all that a bisection takes for passed over less often, or as often and earlier or at the same time."""
    m = c.machines[machine]
    count, arrival_s = passed_over(m, c.tasks[task]), c.requests[task >> 1].arrival_s
    low, high = 0, m.n_wait
    while low < high:
        middle = (low + high) // 2
        other = waiting_at(c, m, middle)
        theirs = passed_over(m, c.tasks[other])
        if count < theirs or (count == theirs and arrival_s < c.requests[other >> 1].arrival_s):
            high = middle
        else:
            low = middle + 1
    if m.n_wait == m.wait_size:
        _grow(c, m)
    if 2 * low < m.n_wait:
        m.wait_head -= 1
        for i in range(low):
            _put(c, m, i, waiting_at(c, m, i + 1))
    else:
        for i in range(m.n_wait, low, -1):
            _put(c, m, i, waiting_at(c, m, i - 1))
    _put(c, m, low, task)
    m.n_wait += 1


@compiled
def remove_waiting(c: Cluster, machine: int, task: int) -> None:
    """Take a task out, wherever it is: most often near an end."""
    m = c.machines[machine]
    n = m.n_wait
    at = 0
    while waiting_at(c, m, at) != task:
        if waiting_at(c, m, n - 1 - at) == task:
            at = n - 1 - at
            break
        at += 1
    if 2 * at < n:
        for i in range(at, 0, -1):
            _put(c, m, i, waiting_at(c, m, i - 1))
        m.wait_head += 1
    else:
        for i in range(at, n - 1):
            _put(c, m, i, waiting_at(c, m, i + 1))
    m.n_wait = n - 1


# ---- prompts and preempted tasks: two lists linked through the tasks, since no task is in both


@inlined
def append_prompt(c: Cluster, m: Record, task: int) -> None:
    """Put a prompt at the end of the machine's waiting prompts."""
    t = c.tasks[task]
    t.before, t.after = m.last_prompt, -1
    if m.last_prompt >= 0:
        c.tasks[m.last_prompt].after = task
    else:
        m.first_prompt = task
    m.last_prompt = task


@inlined
def append_blocked(c: Cluster, m: Record, task: int) -> None:
    """Put a task that is preempted at the end of those."""
    t = c.tasks[task]
    t.place = BLOCKED
    t.before, t.after = m.last_blocked, -1
    if m.last_blocked >= 0:
        c.tasks[m.last_blocked].after = task
    else:
        m.first_blocked = task
    m.last_blocked = task


@inlined
def unlink_task(c: Cluster, m: Record, task: int) -> None:
    """Take a task out of the list of prompts, or of preempted tasks, if it is in one."""
    t = c.tasks[task]
    if t.place == WAITING and task & 1 == 1:
        return
    before, after = t.before, t.after
    if before >= 0:
        c.tasks[before].after = after
    elif t.place == BLOCKED:
        m.first_blocked = after
    else:
        m.first_prompt = after
    if after >= 0:
        c.tasks[after].before = before
    elif t.place == BLOCKED:
        m.last_blocked = before
    else:
        m.last_prompt = before


# ---- requests with an unfinished task here


@compiled
def insert_request(c: Cluster, m: Record, r: int) -> None:
    """Put a request behind those that arrived at the cluster no later: nearly always at the end."""
    q = c.requests[r]
    before = m.last_head
    while before >= 0 and c.requests[before].arrival_s > q.arrival_s:
        before = c.requests[before].before
    after = m.first_head if before < 0 else c.requests[before].after
    q.before, q.after = before, after
    if before >= 0:
        c.requests[before].after = r
    else:
        m.first_head = r
    if after >= 0:
        c.requests[after].before = r
    else:
        m.last_head = r
    m.n_heads += 1


@inlined
def remove_request(c: Cluster, m: Record, r: int) -> None:
    """Take out a request of which nothing is left to do here."""
    before, after = c.requests[r].before, c.requests[r].after
    if before >= 0:
        c.requests[before].after = after
    else:
        m.first_head = after
    if after >= 0:
        c.requests[after].before = before
    else:
        m.last_head = before
    m.n_heads -= 1


@inlined
def first_task(c: Cluster, r: int) -> int:
    """Return the first unfinished task of a request that is at a machine."""
    return 2 * r + int(c.tasks[2 * r].place == DONE)
