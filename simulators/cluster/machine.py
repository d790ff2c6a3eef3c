"""What happens at a machine: tasks arrive, runs end, and the memory of a prompt goes to the machine that makes the other tokens."""

from __future__ import annotations

from designgym.simulators.cluster.batching import form_batch, interrupt, reserve, task_memory, task_tokens
from designgym.simulators.cluster.event_queue import push_event
from designgym.simulators.cluster.iteration_time import duration_s
from designgym.simulators.cluster.placement import add_load, add_planned
from designgym.simulators.cluster.state import DONE, QUEUED, RETRY, TRANSFER_END, WAITING, Cluster
from designgym.simulators.cluster.waiting import append_prompt, insert_waiting, link_request, start_counting, waiting_at
from designgym.simulators.compiling import Record, compiled, inlined


@inlined
def _free(c: Cluster, machine: int, amount: int) -> None:
    c.machines[machine].used -= amount
    add_planned(c, machine, -amount)


@inlined
def _finish_request(c: Cluster, r: int) -> None:
    s, q = c.state[0], c.requests[r]
    add_load(c, q.token_machine, QUEUED, -1)
    q.finish_s = s.now_s
    s.n_completed += 1


@inlined
def _finish_prompt(c: Cluster, machine: int, r: int) -> None:
    """Go on with a request whose prompt is computed, which has made its first token."""
    s, m, q = c.state[0], c.machines[machine], c.requests[r]
    q.first_token_s = s.now_s
    add_load(c, machine, QUEUED, -q.prompt_tokens)
    if q.output_tokens == 1:
        m.n_requests -= 1
        _free(c, machine, task_memory(c, 2 * r))
        if q.token_machine != machine:
            add_planned(c, q.token_machine, -task_memory(c, 2 * r))
        _finish_request(c, r)
    elif q.token_machine != machine:
        m.n_requests -= 1
        start_transfer(c, r)
    else:
        start_counting(m, c.tasks[2 * r + 1])
        link_request(m, c.requests, r)


@compiled
def start_transfer(c: Cluster, r: int) -> None:
    """Send what a prompt left in memory to the machine of the other tokens, or try again later if that has no room."""
    s, q = c.state[0], c.requests[r]
    to, amount = c.machines[q.token_machine], task_memory(c, 2 * r)
    if to.used + amount <= to.capacity:
        reserve(to, amount)
        s.n_transfers += 1
        s.n_flying += 1
        push_event(s, c.events, s.now_s + q.prompt_tokens * c.machines[q.prompt_machine].kv_bytes / s.kv_bytes_per_s, r, TRANSFER_END)
        return
    s.n_retries += 1
    if s.n_busy + s.n_flying + s.n_arrivals_left > 0:  # else nothing can change any more
        push_event(s, c.events, s.now_s + s.retry_s, r, RETRY)


@inlined
def _decoding(m: Record) -> int:
    return int(m.n_batch - m.n_prompts)


@compiled
def end_run(c: Cluster, machine: int) -> None:
    """Hand out the tokens of a run, finish tasks that have all theirs, in the order of the batch, and form the next batch."""
    m = c.machines[machine]
    m.run += 1  # an end that is still in the queue is out of date
    m.busy_s += duration_s(m, m.iterations)
    m.made += m.iterations
    m.context += m.iterations * _decoding(m)
    size, kept = m.n_batch, 0
    for i in range(size):
        task, due = c.batches[machine, i], c.due[machine, i]
        if due > m.made:
            c.batches[machine, kept] = task
            c.due[machine, kept] = due
            kept += 1
            continue
        c.tasks[task].place = DONE
        r = task >> 1
        if task & 1 == 0:
            _finish_prompt(c, machine, r)
        else:
            tokens = c.requests[r].prompt_tokens + c.requests[r].output_tokens
            m.n_requests -= 1
            m.context -= tokens
            _free(c, machine, tokens)
            _finish_request(c, r)
    m.n_batch = kept
    form_batch(c, machine)


@inlined
def _interrupt(c: Cluster, machine: int) -> None:
    if interrupt(c, machine):
        end_run(c, machine)


@compiled
def task_arrives(c: Cluster, machine: int, task: int) -> None:
    """Let a task wait at a machine, and see whether the machine can go on, or should look up soon."""
    s, m, t = c.state[0], c.machines[machine], c.tasks[task]
    is_prompt = task & 1 == 0
    shares_machine = not is_prompt and c.requests[task >> 1].prompt_machine == machine
    t.place = WAITING
    if not shares_machine:
        q = c.requests[task >> 1]
        q.rank = m.n_entered
        m.n_entered += 1
        m.n_requests += 1
        link_request(m, c.requests, task >> 1)
        start_counting(m, t)
    insert_waiting(s, m, c.wait_room, c.tasks, c.requests, task)
    if is_prompt:
        append_prompt(c, m, task)
    n, decoding = task_tokens(c, task), _decoding(m)
    if m.n_batch == 0:
        if m.used + task_memory(c, task) <= m.capacity:
            form_batch(c, machine)
    elif (m.n_batch < m.max_batch_size and m.batch_tokens + n <= m.max_batch_tokens) or (
        is_prompt and decoding > 0 and m.batch_tokens - decoding + n <= m.max_batch_tokens
    ):
        _interrupt(c, machine)


@inlined
def end_transfer(c: Cluster, r: int) -> None:
    """Free the source, let the other tokens wait at their machine, and let the source look whether it can go on."""
    s, q = c.state[0], c.requests[r]
    source = q.prompt_machine
    m = c.machines[source]
    s.n_flying -= 1
    _free(c, source, task_memory(c, 2 * r))
    task_arrives(c, q.token_machine, 2 * r + 1)
    if m.n_wait == 0:
        return
    if m.n_batch == 0:
        if m.used + task_memory(c, waiting_at(m, c.wait_room, 0)) <= m.capacity:
            form_batch(c, source)
    elif m.n_batch < m.max_batch_size and m.batch_tokens < m.max_batch_tokens:
        _interrupt(c, source)
