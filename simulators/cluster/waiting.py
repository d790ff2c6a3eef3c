"""Who waits at a machine: its ordered list of waiting tasks, its waiting prompts, its preempted tasks, its waiting requests.

The list of waiting tasks is ordered by how often a task was passed over, then by arrival, at the moment when a task is put in; as
counts grow while tasks wait, it need not stay sorted, and the place of a task depends on the very steps of the bisection.
"""

from __future__ import annotations

from designgym.simulators.cluster.state import BLOCKED, DONE, WAITING, Cluster
from designgym.simulators.compiling import Array, Record, compiled, inlined


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
def waiting_at(m: Record, room: Array, i: int) -> int:
    """Return the i-th waiting task of a machine."""
    return int(room[m.wait_start + ((m.wait_head + i) & (m.wait_size - 1))])


@inlined
def _put(m: Record, room: Array, i: int, task: int) -> None:
    room[m.wait_start + ((m.wait_head + i) & (m.wait_size - 1))] = task


@compiled
def _grow(s: Record, m: Record, room: Array) -> None:
    """Move a ring to a place of twice its size; the room is large enough for every task to have waited in it."""
    size = max(2 * m.wait_size, 16)
    start = s.wait_used
    s.wait_used = start + size
    for i in range(m.n_wait):
        room[start + i] = waiting_at(m, room, i)
    m.wait_start = start
    m.wait_size = size
    m.wait_head = 0


@compiled
def insert_waiting(s: Record, m: Record, room: Array, tasks: Array, requests: Array, task: int) -> None:
    """Put a task behind all that a bisection takes for passed over less often, or as often and earlier or at the same time."""
    count, arrival_s = passed_over(m, tasks[task]), requests[task >> 1].arrival_s
    low, high = 0, m.n_wait
    while low < high:
        middle = (low + high) // 2
        other = waiting_at(m, room, middle)
        theirs = passed_over(m, tasks[other])
        if count < theirs or (count == theirs and arrival_s < requests[other >> 1].arrival_s):
            high = middle
        else:
            low = middle + 1
    if m.n_wait == m.wait_size:
        _grow(s, m, room)
    if 2 * low < m.n_wait:
        m.wait_head -= 1
        for i in range(low):
            _put(m, room, i, waiting_at(m, room, i + 1))
    else:
        for i in range(m.n_wait, low, -1):
            _put(m, room, i, waiting_at(m, room, i - 1))
    _put(m, room, low, task)
    m.n_wait += 1


@compiled
def remove_waiting(m: Record, room: Array, task: int) -> None:
    """Take a task out, wherever it is: most often near an end."""
    n = m.n_wait
    at = 0
    while waiting_at(m, room, at) != task:
        if waiting_at(m, room, n - 1 - at) == task:
            at = n - 1 - at
            break
        at += 1
    if 2 * at < n:
        for i in range(at, 0, -1):
            _put(m, room, i, waiting_at(m, room, i - 1))
        m.wait_head += 1
    else:
        for i in range(at, n - 1):
            _put(m, room, i, waiting_at(m, room, i + 1))
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


# ---- requests whose first unfinished task waits here


@compiled
def link_request(m: Record, requests: Array, r: int) -> None:
    """Put a request behind those that arrived at the cluster earlier, or at the same time and came here earlier: most often at the end."""
    q = requests[r]
    before, after = m.last_request, -1
    while before >= 0:
        other = requests[before]
        if other.arrival_s < q.arrival_s or (other.arrival_s == q.arrival_s and other.rank < q.rank):
            break
        before, after = other.before, before
    q.before, q.after = before, after
    if before >= 0:
        requests[before].after = r
    else:
        m.first_request = r
    if after >= 0:
        requests[after].before = r
    else:
        m.last_request = r


@inlined
def unlink_request(c: Cluster, m: Record, r: int) -> None:
    """Take out a request whose task joins the batch."""
    before, after = c.requests[r].before, c.requests[r].after
    if before >= 0:
        c.requests[before].after = after
    else:
        m.first_request = after
    if after >= 0:
        c.requests[after].before = before
    else:
        m.last_request = before


@inlined
def first_task(c: Cluster, r: int) -> int:
    """Return the first unfinished task of a request that is at a machine."""
    return 2 * r + int(c.tasks[2 * r].place == DONE)
