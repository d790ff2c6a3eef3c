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
    passed_over,
    remove_waiting,
    start_counting,
    stop_counting,
    unlink_task,
    waiting_at,
)
from designgym.simulators.compiling import Record, compiled, inlined


@inlined
def task_tokens(c: Cluster, task: int) -> int:
    """Return the size of a task in a batch: a prompt's tokens, or 1."""
    return 1 if task & 1 else int(c.requests[task >> 1].prompt_tokens)


@inlined
def task_bytes(c: Cluster, task: int) -> int:
    """Return the memory that a task reserves when it first runs: for the prompt and the token it makes, or for all other tokens."""
    q = c.requests[task >> 1]
    return int((q.output_tokens - 1 if task & 1 else q.prompt_tokens + 1) * c.state[0].kv_bytes)


@inlined
def reserve(m: Record, amount: int) -> None:
    """Take memory of a machine."""
    m.used += amount
    m.most_used = max(m.most_used, m.used)


@compiled
def _choose(c: Cluster, machine: int, number: int) -> int:
    """Choose the tasks of the next batch in five passes; return how many are new: these lie in the last row of `Cluster.batches` then.

    A pass ends when the batch is full, or at the first task that would exceed its tokens, unless the batch is empty: a prompt that is
    too long runs alone.
    """
    s, m = c.state[0], c.machines[machine]
    most_tokens, most = s.max_batch_tokens, c.batches.shape[1]
    size, fresh, tokens, used = 0, 0, 0, m.used
    for i in range(m.n_wait):  # those that were passed over too often
        task = waiting_at(c, m, i)
        t = c.tasks[task]
        n = task_tokens(c, task)
        if passed_over(m, t) < s.max_preemptions or size == most or (size > 0 and tokens + n > most_tokens):
            break
        if c.requests[task >> 1].chosen == number:
            continue
        if t.place == BLOCKED or used + task_bytes(c, task) <= m.memory:
            used += 0 if t.ran else task_bytes(c, task)
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
            if used + task_bytes(c, task) > m.memory:
                break
            used += task_bytes(c, task)
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
    for i in range(m.n_batch):  # decoding requests, all of them: a run with prompts ends with these
        if size == most or (size > 0 and tokens >= most_tokens):
            break
        q = c.requests[c.batches[machine, i] >> 1]
        if q.chosen != number:
            tokens += 1
            q.chosen = number
            size += 1
    r = m.first_head
    left = m.n_heads - size
    while left > 0 and size < most:
        if c.requests[r].chosen != number:
            task = first_task(c, r)
            t = c.tasks[task]
            n = task_tokens(c, task)
            if (size > 0 and tokens + n > most_tokens) or (t.place != BLOCKED and used + task_bytes(c, task) > m.memory):
                break
            used += 0 if t.ran else task_bytes(c, task)
            tokens += n
            c.requests[r].chosen = number
            c.batches[c.machines.size, fresh] = task
            fresh += 1
            size += 1
            left -= 1
        r = c.requests[r].after
    m.batch_tokens = tokens
    return fresh


@compiled
def _preempt(c: Cluster, machine: int, number: int) -> int:
    """Put tasks of the old batch that were not chosen back to waiting, with their memory; return how many."""
    m = c.machines[machine]
    kept = 0
    for i in range(m.n_batch):
        task = c.batches[machine, i]
        if c.requests[task >> 1].chosen == number:
            c.batches[machine, kept] = task
            kept += 1
        else:
            start_counting(m, c.tasks[task])
            insert_waiting(c, machine, task)
            append_blocked(c, m, task)
    preempted = int(m.n_batch - kept)
    m.n_batch = kept
    c.state[0].n_preemptions += preempted
    return preempted


@compiled
def form_batch(c: Cluster, machine: int) -> None:
    """Form the next batch of a machine, at the end of a run or when it is idle, and start it."""
    s, m = c.state[0], c.machines[machine]
    s.n_batches_formed += 1
    was_busy = m.iterations > 0
    fresh = _choose(c, machine, s.n_batches_formed)
    preempted = _preempt(c, machine, s.n_batches_formed)
    for i in range(fresh):
        task = c.batches[c.machines.size, i]
        t = c.tasks[task]
        remove_waiting(c, machine, task)
        unlink_task(c, m, task)
        stop_counting(m, t)
        t.place = RUNNING
        if t.ran == 0:
            t.ran = 1
            reserve(m, task_bytes(c, task))
        c.batches[machine, m.n_batch + i] = task
    m.n_batch += fresh
    m.formed += 1  # passes over all others
    s.n_busy += (m.n_batch > 0) - was_busy
    if m.n_batch > 0:
        _start(c, machine, preempted)
        return
    m.iterations = 0
    if m.n_heads == 0 and m.place == MIXED and s.scheduler != TOKEN_JSQ:
        join_list(c, machine, m.role)


@compiled
def _start(c: Cluster, machine: int, preempted: int) -> None:
    """Start the run of a batch: one iteration if there are prompts in it, else until the first request has all its tokens."""
    s, m = c.state[0], c.machines[machine]
    prompts, prompt_tokens, context = 0, 0, 0
    least = 1 << 30
    for i in range(m.n_batch):
        task = c.batches[machine, i]
        q = c.requests[task >> 1]
        if task & 1:
            left = c.tasks[task].left
            least = min(least, left)
            context += q.prompt_tokens + q.output_tokens - left
        else:
            prompts += 1
            prompt_tokens += q.prompt_tokens
    m.n_prompts = prompts
    m.iterations = least if prompts == 0 else 1
    m.interrupted = 0
    m.run += 1
    set_times(c, m, prompt_tokens, m.n_batch - prompts, context)
    m.end_s = s.now_s + duration_s(m, m.iterations)
    push_event(c, m.end_s, machine, m.run)
    s.n_mixed_batches += 0 < prompts < m.n_batch
    if s.n_runs < c.runs.size:
        run = c.runs[s.n_runs]
        run.start_s = s.now_s
        run.machine = machine
        run.requests = m.n_batch
        run.prompts = prompts
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
    push_event(c, m.end_s, machine, m.run)
    return False
