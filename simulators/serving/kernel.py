"""The loops around the schedulers: by the clock with step costs, and by counted steps."""

from __future__ import annotations

import math
from collections.abc import Callable

from designgym.simulators.compiling import Record, compiled, entry_point, inlined
from designgym.simulators.serving.block_pool import prepare_blocks
from designgym.simulators.serving.classic_schedulers import process_classic, schedule_classic
from designgym.simulators.serving.compiled import source_digest
from designgym.simulators.serving.host_memory import next_ready_s, prepare_host
from designgym.simulators.serving.state import COMPLETED, FUTURE, LIVELOCK, NEVER, STUCK, VLLM_V1, Memory, Simulation
from designgym.simulators.serving.step_costs import gather_features, step_seconds
from designgym.simulators.serving.vllm_output import process_output
from designgym.simulators.serving.vllm_scheduler import schedule_vllm
from designgym.simulators.serving.waiting_queue import append_waiting

IDLE_WAIT_S = 1e-3  # vLLM's engine tries again after so long when a step schedules nothing


@compiled
def _prepare(m: Memory) -> None:
    """Set everything but the configuration to the state before the first arrival."""
    s = m.server[0]
    s.n_running = s.n_waiting = s.next_arrival = s.n_finished = s.n_preempted = s.n_holding = s.n_loading = s.n_outputs = 0
    s.host_used = s.loaded_tokens = 0
    s.n_steps = s.n_idle_steps = s.preemptions = s.hit_tokens = s.queried_tokens = 0
    s.batch_requests = s.batch_tokens = s.drafted = s.accepted = s.steps_without_output = 0
    s.n_calls = s.n_reported = s.steps_without_work = 0
    s.n_released = s.users
    s.waiting_head = s.waiting_tail = -1
    s.host_free_s = 0.0
    s.now_s = s.busy_s = s.busy_until_s = s.used_block_s = 0.0
    s.end = COMPLETED
    for r in range(m.requests.size):
        q = m.requests[r]
        q.state = FUTURE
        q.tokens = q.target = q.prompt
        q.computed = q.drafts = q.placeholders = q.in_flight = q.partial = q.held = q.registered = q.offloaded = 0
        q.preemptions = q.cached = q.prefilled = q.eligible_call = 0
        q.waiting_before = q.waiting_after = q.finish_step = -1
        q.scheduled_s = q.first_token_s = q.finish_s = -1.0
    if s.scheduler == VLLM_V1:
        prepare_blocks(m)
        prepare_host(m)
    else:
        s.free_blocks = s.n_blocks


@inlined
def _client_is_full(s: Record) -> bool:
    """Return whether the client has as many requests under way as it may."""
    return bool(s.max_concurrency > 0 and s.next_arrival - s.n_finished >= s.max_concurrency)


@compiled
def _take_arrivals(m: Memory, until_s: float) -> None:
    s = m.server[0]
    while s.next_arrival < m.requests.size and m.requests[s.next_arrival].arrival_s <= until_s:
        if _client_is_full(s):
            return
        append_waiting(s, m.requests, s.next_arrival)
        s.next_arrival += 1


@compiled
def _form(sim: Simulation, slot: int) -> int:
    """Form a batch at the present time and return its size."""
    m = sim.memory
    s = m.server[0]
    entries = sim.entries[slot]
    size = schedule_vllm(m, entries) if s.scheduler == VLLM_V1 else schedule_classic(m, entries)
    for i in range(size):
        q = m.requests[entries[i].request]
        if q.scheduled_s < 0:
            q.scheduled_s = s.now_s
    sim.batches[slot].size = size
    return size


@compiled
def _end(sim: Simulation, slot: int, step: int) -> None:
    """Hand out the output of a batch at the present time."""
    m = sim.memory
    s = m.server[0]
    before = s.n_outputs
    if s.scheduler == VLLM_V1:
        process_output(m, sim.entries[slot], sim.batches[slot].size, s.now_s, step)
    else:
        process_classic(m, sim.entries[slot], sim.batches[slot].size, s.now_s, step)
    s.steps_without_output = 0 if s.n_outputs > before else s.steps_without_output + 1
    if s.users > 0:  # who has an answer asks again at once
        released = min(s.users + s.n_finished, m.requests.size)
        for r in range(s.n_released, released):
            m.requests[r].arrival_s = s.now_s
        s.n_released = released
    sim.batches[slot].size = 0


@compiled
def _record(sim: Simulation, slot: int, step: int, start_s: float, end_s: float) -> None:
    """Append a step to the timeline, as far as there is room, and to the sums over all steps."""
    m = sim.memory
    s = m.server[0]
    entries, size = sim.entries[slot], sim.batches[slot].size
    tokens = 0
    for i in range(size):
        tokens += entries[i].tokens
    if s.n_steps < sim.steps.size:
        t = sim.steps[s.n_steps]
        t.step = step
        t.requests = size
        t.tokens = tokens
        t.preempted = s.n_preempted
        t.free_blocks = s.free_blocks
        t.running = s.n_running if s.scheduler == VLLM_V1 else s.n_running + size
        t.waiting = s.n_waiting + s.n_loading
        t.start_s = start_s
        t.end_s = end_s
        t.first_entry = s.batch_requests
        t.first_preempted = s.preemptions - s.n_preempted
        for i in range(min(size, sim.step_entries.shape[0] - s.batch_requests)):
            sim.step_entries[s.batch_requests + i, 0] = entries[i].request
            sim.step_entries[s.batch_requests + i, 1] = entries[i].tokens
        for i in range(min(s.n_preempted, sim.step_preempted.size - t.first_preempted)):
            sim.step_preempted[t.first_preempted + i] = m.preempted[i]
    s.batch_requests += size
    s.batch_tokens += tokens
    s.n_steps += 1
    usable = s.n_blocks - 1 if s.scheduler == VLLM_V1 else s.n_blocks
    lasted_s = max(end_s - max(start_s, s.busy_until_s), 0.0)
    s.busy_until_s = max(end_s, s.busy_until_s)
    s.used_block_s += (usable - s.free_blocks) * lasted_s
    s.busy_s += lasted_s


@compiled
def _without_progress(m: Memory) -> bool:
    """Return whether requests preempt one another without end: more steps without output than computing all blocks token by token takes."""
    s = m.server[0]
    return bool(s.steps_without_output > 1000 + 4 * s.n_blocks * s.block_size)


@compiled
def _launch(sim: Simulation, slot: int) -> None:
    """Send a batch through the stages, each of which takes one batch at a time, in order; an empty one is through at once."""
    m = sim.memory
    s = m.server[0]
    time_s = s.now_s
    if sim.batches[slot].size > 0:
        gather_features(sim, sim.entries[slot], sim.batches[slot].size)
        stage_s = step_seconds(sim)
        start_s = max(time_s, sim.stage_free_s[0])
        for stage in range(s.stages):
            time_s = max(time_s, sim.stage_free_s[stage]) + stage_s
            sim.stage_free_s[stage] = time_s
        _record(sim, slot, s.n_steps, start_s, time_s)
        s.steps_without_work = 0
    else:
        s.n_idle_steps += 1
        s.steps_without_work += 1
    sim.batches[slot].end_s = time_s


@inlined
def _has_requests(s: Record) -> bool:
    """Return whether there is anything to schedule, or a finished request that the workers have to be told of."""
    return bool(s.n_running + s.n_waiting + s.n_loading > 0 or s.n_finished > s.n_reported)


@compiled
def _wait_for_event(m: Memory) -> bool:
    """Go on to the next arrival or the next request read from the host, by the steps in which the engine looks for one.

    Returns whether there is any.
    """
    s = m.server[0]
    event_s = next_ready_s(m)
    if s.next_arrival < m.requests.size and not _client_is_full(s):
        event_s = min(event_s, m.requests[s.next_arrival].arrival_s)
    if event_s == NEVER:
        return False
    if s.scheduler == VLLM_V1 and _has_requests(s):
        s.now_s += math.ceil((event_s - s.now_s) / IDLE_WAIT_S) * IDLE_WAIT_S
    s.now_s = max(s.now_s, event_s)
    s.steps_without_work = 0
    return True


@compiled
def _run_clock(sim: Simulation) -> None:
    """Repeat vLLM's engine loop: form a batch if there may be another one under way, otherwise wait for the output of the oldest."""
    m = sim.memory
    s = m.server[0]
    slots, v1 = s.batches_in_flight, s.scheduler == VLLM_V1
    oldest, flying = 0, 0
    while True:
        _take_arrivals(m, s.now_s)
        launched = False
        if _has_requests(s) if v1 else s.n_running + s.n_waiting > 0:
            slot = (oldest + flying) % slots
            launched = _form(sim, slot) > 0
            _launch(sim, slot)
            s.n_reported = s.n_finished
            flying += 1
            if flying < slots and (launched or _has_requests(s)):
                if not launched:
                    s.now_s += IDLE_WAIT_S
                continue
        elif flying == 0:
            if not _wait_for_event(m):
                return
            continue
        s.now_s = max(s.now_s, sim.batches[oldest].end_s)
        _end(sim, oldest, s.n_steps)
        oldest = (oldest + 1) % slots
        flying -= 1
        if _without_progress(m):
            s.end = LIVELOCK
            return
        if launched or not _has_requests(s):
            continue
        # Nothing can be done before another request comes: no batch is under way, and several calls have changed nothing.
        if s.steps_without_work > (slots + s.stages if v1 else 0) and (s.n_preempted == 0 or not v1):
            if not _wait_for_event(m):
                s.end = STUCK
                return
        elif v1:
            s.now_s += IDLE_WAIT_S


@compiled
def _none_flying(sim: Simulation) -> bool:
    flying = 0
    for slot in range(sim.batches.size):
        flying += sim.batches[slot].size
    return bool(flying == 0)


@compiled
def _run_counted(sim: Simulation) -> None:
    """Call the scheduler once per step, and hand out the output of as many steps before as may be under way."""
    m = sim.memory
    s = m.server[0]
    slots = s.batches_in_flight
    step = 0
    while s.n_finished < m.requests.size:
        s.now_s = step
        _take_arrivals(m, s.now_s)
        slot = step % slots
        sim.batches[slot].size = 0
        idle = not _has_requests(s)
        s.n_reported = s.n_finished
        if not idle:
            _form(sim, slot)
            _record(sim, slot, step, step, step + 1.0)
        nothing = _none_flying(sim)
        _end(sim, (step + 1) % slots, step + 1)
        if nothing and s.n_preempted + s.n_loading == 0 and s.next_arrival == m.requests.size:
            s.end = STUCK
            return
        if _without_progress(m):
            s.end = LIVELOCK
            return
        step = max(step + 1, int(m.requests[s.next_arrival].arrival_s)) if idle and nothing else step + 1


def _compile_run(sources: int) -> Callable[[Simulation], None]:
    """Return `run`. Numba keeps the compiled code on disk under a key that covers the variables a function closes over.

    Of the source files, however, it only watches the one that a function is defined in: hence `sources`.
    """

    @entry_point
    def run(sim: Simulation) -> None:
        """Simulate until the last request has finished; sets ``end``.

        By the clock a batch is formed when one has ended (with async scheduling: when the one before it starts), or a request comes to an
        idle engine. By counted steps there is one scheduling call per step, arrivals are numbers of steps, and come before the call of
        theirs; output is handed out after the call of the same step, or of the next with async scheduling.
        """
        if sources == 0:
            return
        _prepare(sim.memory)
        sim.stage_free_s[:] = 0.0
        if sim.memory.server[0].counted:
            _run_counted(sim)
        else:
            _run_clock(sim)

    return run


run = _compile_run(source_digest())
