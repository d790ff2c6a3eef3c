"""How a machine forms its batches, and the runs of iterations that it computes them in."""

from __future__ import annotations

from designgym.simulators.cluster.event_queue import push_event
from designgym.simulators.cluster.iteration_time import duration_s, iterations_begun, set_times
from designgym.simulators.cluster.placement import join_list
from designgym.simulators.cluster.state import BLOCKED, MIXED, RUNNING, TOKEN_JSQ, Cluster
from designgym.simulators.cluster.waiting import (
    append_blocked,
    first_task,
    insert_waiting,
    link_request,
    passed_over,
    remove_waiting,
    start_counting,
    stop_counting,
    unlink_request,
    unlink_task,
    waiting_at,
)
from designgym.simulators.compiling import Record, compiled, inlined


@inlined
def task_tokens(c: Cluster, task: int) -> int:
    """Return the size of a task in a batch: a prompt's tokens, or 1."""
    return 1 if task & 1 else int(c.requests[task >> 1].prompt_tokens)


@inlined
def task_memory(c: Cluster, task: int) -> int:
    """Return the memory that a task reserves when it first runs: for the prompt and the token it makes, or for all other tokens."""
    q = c.requests[task >> 1]
    return int(q.output_tokens - 1 if task & 1 else q.prompt_tokens + 1)


@inlined
def reserve(m: Record, amount: int) -> None:
    """Take memory of a machine."""
    m.used += amount
    m.most_used = max(m.most_used, m.used)


@inlined
def _choose(c: Cluster, machine: int, number: int) -> tuple[int, int]:
    """Choose the tasks of the next batch in five passes.

    Returns:
        How many are new, which lie in the last row of `Cluster.batches` then; how many of the old batch stay, the first ones.
    """
    # A pass ends when the batch is full, or at the first task that would exceed its tokens, unless the batch is empty: a prompt that is
    # too long runs alone.
    s, m = c.state[0], c.machines[machine]
    most_tokens, most = m.max_batch_tokens, min(int(m.max_batch_size), c.batches.shape[1])
    size, fresh, tokens, used = 0, 0, 0, m.used
    for i in range(m.n_wait):  # those that were passed over too often
        task = waiting_at(m, c.wait_room, i)
        t = c.tasks[task]
        n = task_tokens(c, task)
        if passed_over(m, t) < s.max_preemptions or size == most or (size > 0 and tokens + n > most_tokens):
            break
        if c.requests[task >> 1].chosen == number:
            continue
        if t.place == BLOCKED or used + task_memory(c, task) <= m.capacity:
            used += 0 if t.ran else task_memory(c, task)
            tokens += n
            c.requests[task >> 1].chosen = number
            c.batches[c.machines.size, fresh] = task
            fresh += 1
            size += 1
            s.n_overdue += 1
    task = m.first_prompt
    while task >= 0:
        n = task_tokens(c, task)
        if size == most or (size > 0 and tokens + n > most_tokens):
            break
        if c.requests[task >> 1].chosen != number:
            if used + task_memory(c, task) > m.capacity:
                break
            used += task_memory(c, task)
            tokens += n
            c.requests[task >> 1].chosen = number
            c.batches[c.machines.size, fresh] = task
            fresh += 1
            size += 1
        task = c.tasks[task].after
    task = m.first_blocked
    while task >= 0 and size < most and (size == 0 or tokens < most_tokens):
        if c.requests[task >> 1].chosen != number:
            tokens += 1
            c.requests[task >> 1].chosen = number
            c.batches[c.machines.size, fresh] = task
            fresh += 1
            size += 1
        task = c.tasks[task].after
    # The old batch, in its order: decoding requests, of a token each, since a run with prompts ends with these.
    kept = max(min(m.n_batch, most - size, most_tokens - tokens), 0)
    tokens += kept
    size += kept
    r = m.first_request if kept == m.n_batch else -1  # else there is room for none
    while r >= 0 and size < most:
        if c.requests[r].chosen != number:
            task = first_task(c, r)
            t = c.tasks[task]
            n = task_tokens(c, task)
            if (size > 0 and tokens + n > most_tokens) or (t.place != BLOCKED and used + task_memory(c, task) > m.capacity):
                break
            used += 0 if t.ran else task_memory(c, task)
            tokens += n
            c.requests[r].chosen = number
            c.batches[c.machines.size, fresh] = task
            fresh += 1
            size += 1
        r = c.requests[r].after
    m.batch_tokens = tokens
    return fresh, kept


@inlined
def _preempt(c: Cluster, machine: int, kept: int) -> None:
    """Put tasks behind the first so many of the old batch back to waiting, with their memory."""
    m = c.machines[machine]
    for i in range(kept, m.n_batch):
        task = c.batches[machine, i]
        t, q = c.tasks[task], c.requests[task >> 1]
        t.left = c.due[machine, i] - m.made
        m.context -= q.prompt_tokens + q.output_tokens - t.left
        start_counting(m, t)
        insert_waiting(c.state[0], m, c.wait_room, c.tasks, c.requests, task)
        append_blocked(c, m, task)
        link_request(m, c.requests, task >> 1)
    c.state[0].n_preemptions += m.n_batch - kept
    m.n_batch = kept


@inlined
def _join(c: Cluster, machine: int, task: int) -> None:
    """Put a task that waited into the batch."""
    m, t, q = c.machines[machine], c.tasks[task], c.requests[task >> 1]
    remove_waiting(m, c.wait_room, task)
    unlink_task(c, m, task)
    unlink_request(c, m, task >> 1)
    stop_counting(m, t)
    t.place = RUNNING
    if t.ran == 0:
        t.ran = 1
        reserve(m, task_memory(c, task))
    if task & 1:
        m.context += q.prompt_tokens + q.output_tokens - t.left
    else:
        m.n_prompts += 1
        m.prompt_tokens += q.prompt_tokens
        m.prompt_pairs += q.prompt_tokens * (q.prompt_tokens + 1) // 2
    c.batches[machine, m.n_batch] = task
    c.due[machine, m.n_batch] = m.made + t.left
    m.n_batch += 1


@compiled
def form_batch(c: Cluster, machine: int) -> None:
    """Form the next batch of a machine, at the end of a run or when it is idle, and start it."""
    s, m = c.state[0], c.machines[machine]
    s.n_batches_formed += 1
    was_busy = m.iterations > 0
    fresh, kept = _choose(c, machine, s.n_batches_formed)
    preempted = m.n_batch - kept
    if preempted > 0:
        _preempt(c, machine, kept)
    m.n_prompts = m.prompt_tokens = m.prompt_pairs = 0
    for i in range(fresh):
        _join(c, machine, c.batches[c.machines.size, i])
    m.formed += 1  # passes over all others
    s.n_busy += (m.n_batch > 0) - was_busy
    if m.n_batch > 0:
        _start(c, machine, preempted)
        return
    m.iterations = 0
    if m.n_requests == 0 and m.place == MIXED and s.scheduler != TOKEN_JSQ:
        join_list(c, machine, m.role)


@inlined
def _start(c: Cluster, machine: int, preempted: int) -> None:
    """Start the run of a batch: one iteration if there are prompts in it, else until the first request has all its tokens."""
    s, m = c.state[0], c.machines[machine]
    m.iterations = 1
    if m.n_prompts == 0:
        first = c.due[machine, 0]
        for i in range(1, m.n_batch):
            first = min(first, c.due[machine, i])
        m.iterations = first - m.made
    m.interrupted = 0
    m.run += 1
    set_times(c, m)
    m.end_s = s.now_s + duration_s(m, m.iterations)
    push_event(s, c.events, m.end_s, machine, m.run)
    s.n_mixed_batches += 0 < m.n_prompts < m.n_batch
    if s.n_runs < c.runs.size:
        run = c.runs[s.n_runs]
        run.start_s = s.now_s
        run.machine = machine
        run.requests = m.n_batch
        run.prompts = m.n_prompts
        run.tokens = m.batch_tokens
        run.iterations = m.iterations
        run.preempted = preempted
    s.n_runs += 1
    s.n_batch_requests += m.n_batch


@compiled
def interrupt(c: Cluster, machine: int) -> bool:
    """Let a run of decoding requests end with the iteration under way, once; return whether it ends right now."""
    s, m = c.state[0], c.machines[machine]
    if m.interrupted or m.n_prompts > 0:
        return False
    m.interrupted = 1
    start_s = m.end_s - duration_s(m, m.iterations)
    elapsed_s = s.now_s - start_s
    m.iterations = iterations_begun(m, elapsed_s)
    delay_s = duration_s(m, m.iterations) - elapsed_s
    m.end_s = s.now_s + delay_s
    m.run += 1
    if delay_s == 0:
        return True
    push_event(s, c.events, m.end_s, machine, m.run)
    return False
