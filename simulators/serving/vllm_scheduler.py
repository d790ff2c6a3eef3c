"""How vLLM v1 forms a batch (release 0.32): running requests in the order of their admission, then waiting ones.

There is no prompt and no decode phase: each request wants all its known tokens computed, and gets of the step's token budget what is left.
"""

from __future__ import annotations

from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.block_pool import count_hits, free_request, register, take_blocks, take_hits
from designgym.simulators.serving.host_memory import begin_loading, count_offloaded, end_loading, give_up_loading, next_loaded, offload
from designgym.simulators.serving.state import RUNNING, Memory
from designgym.simulators.serving.waiting_queue import prepend_waiting, remove_waiting


@compiled
def schedule_vllm(m: Memory, entries: Array) -> int:
    """Form the next batch and return its number of requests.

    What is scheduled counts as computed from now on.
    """
    s = m.server[0]
    s.n_preempted = 0
    s.n_calls += 1
    s.long_prefill_cap = _long_prefill_cap(s)
    size, budget, rows, partial = _schedule_running(m, entries)
    if s.n_preempted == 0:
        size, budget, rows, blocked = _admit_loaded(m, entries, size, budget, rows)
        if not blocked:
            size = _admit_waiting(m, entries, size, budget, rows, partial)
    for i in range(size):
        e = entries[i]
        q = m.requests[e.request]
        e.past = q.computed
        q.computed += e.tokens
        q.in_flight += e.tokens
        if s.host_blocks > 0:
            offload(m, q)
        e.partial = q.computed < q.tokens + q.placeholders
        q.partial = e.partial
        if s.asynchronous and e.partial == 0:
            q.placeholders += 1 + e.drafts
            q.drafts = s.n_drafts
            q.eligible_call = s.n_calls + s.stages
    return size


@inlined
def _long_prefill_cap(s: Record) -> int:
    """Return how many tokens a request may get in this step, 0 for any number."""
    present = s.n_running + s.n_waiting
    if present <= 1 or s.long_prefill_token_threshold == 0:
        return 0
    if s.long_prefill_adaptive:
        return max(s.long_prefill_token_threshold, s.max_num_batched_tokens // present)
    return s.long_prefill_token_threshold


@inlined
def _blocks(s: Record, tokens: int) -> int:
    """Return how many blocks a request with so many computed tokens occupies."""
    return (min(tokens + s.lookahead, s.max_model_len) + s.block_size - 1) // s.block_size


@inlined
def _put(e: Record, r: int, tokens: int, drafts: int, padded: int) -> None:
    e.request = r
    e.tokens = tokens
    e.drafts = drafts
    e.padded = padded


@compiled
def _schedule_running(m: Memory, entries: Array) -> tuple[int, int, int, int]:
    """Schedule running requests.

    Returns the size of the batch, the tokens and the drafter's rows that are left, and whether a prompt is being computed.
    """
    s = m.server[0]
    size, place, any_partial = 0, 0, 0
    budget, rows = s.max_num_scheduled_tokens, s.max_num_batched_tokens
    while place < s.n_running and budget > 0 and rows > s.draft_rows:
        r = m.running[place]
        q = m.requests[r]
        # Its last token is already under way.
        if q.placeholders > 0 and q.computed + 2 - q.placeholders >= q.prompt + q.max_tokens:
            place += 1
            continue
        if s.n_calls < q.eligible_call:
            place += 1
            continue
        n = q.tokens + q.drafts + q.placeholders - q.computed
        if 0 < s.long_prefill_cap < n:
            n = s.long_prefill_cap
        n = min(n, budget, rows - s.draft_rows, s.max_model_len - q.computed - 1)
        if n <= 0:
            place += 1
            continue
        preempted_itself = False
        while max(_blocks(s, q.computed + n) - q.held, 0) > s.free_blocks:
            victim_place = _victim(m)
            victim = m.running[victim_place]
            if victim_place < place:
                place -= 1
            undone = _take_back(entries, size, victim)
            if undone > 0:
                size -= 1
                budget += undone
                rows += undone + s.draft_rows
            _preempt(m, victim_place)
            if victim == r:
                preempted_itself = True
                break
        if preempted_itself:
            break
        take_blocks(m, q, max(_blocks(s, q.computed + n) - q.held, 0))
        register(m, q, min(q.computed + n, q.tokens))
        drafts = 0
        if q.drafts > 0:
            drafts = min(q.drafts, max(n + q.computed - q.tokens - q.placeholders, 0))
            q.drafts = 0
        _put(entries[size], r, n, drafts, 0)
        any_partial |= q.partial
        size += 1
        place += 1
        budget -= n
        rows -= n + s.draft_rows
    return size, budget, rows, any_partial


@compiled
def _victim(m: Memory) -> int:
    """Return the place in the list of running requests of the one to be preempted next."""
    s = m.server[0]
    if s.priority_policy == 0:
        return s.n_running - 1
    worst = 0
    for place in range(1, s.n_running):
        q, w = m.requests[m.running[place]], m.requests[m.running[worst]]
        if q.priority > w.priority or (q.priority == w.priority and q.arrival_s > w.arrival_s):
            worst = place
    return worst


@compiled
def _take_back(entries: Array, size: int, r: int) -> int:
    """Remove a request from the batch being formed and return its tokens; 0 if it was not there."""
    for i in range(size):
        if entries[i].request == r:
            tokens = entries[i].tokens
            for j in range(i, size - 1):
                e, following = entries[j], entries[j + 1]
                _put(e, following.request, following.tokens, following.drafts, following.padded)
            return tokens
    return 0


@compiled
def remove_running(m: Memory, place: int) -> None:
    """Take the request at a place out of the list of running ones."""
    s = m.server[0]
    for i in range(place, s.n_running - 1):
        m.running[i] = m.running[i + 1]
    s.n_running -= 1


@compiled
def _preempt(m: Memory, place: int) -> None:
    """Let a running request wait again: it keeps its tokens, and all of them have to be computed anew."""
    s = m.server[0]
    r = m.running[place]
    q = m.requests[r]
    remove_running(m, place)
    free_request(m, q)
    q.computed = q.placeholders = q.drafts = q.offloaded = 0
    q.preemptions += 1
    m.preempted[s.n_preempted] = r
    s.n_preempted += 1
    s.preemptions += 1
    prepend_waiting(s, m.requests, r)


@compiled
def _admit_loaded(m: Memory, entries: Array, size: int, budget: int, rows: int) -> tuple[int, int, int, bool]:
    """Admit requests whose blocks have come from the host; return size, tokens and rows left, and whether one does not fit."""
    s = m.server[0]
    while True:
        place = next_loaded(m)
        if place < 0:
            return size, budget, rows, False
        r = m.loading[place]
        q = m.requests[r]
        left = min(budget, rows - s.draft_rows)
        n = q.tokens - q.computed
        if 0 < s.long_prefill_cap < n:
            n = s.long_prefill_cap
        if left <= 0 or s.n_running >= s.max_num_active_seqs or (s.chunked_prefill == 0 and n > left):
            return size, budget, rows, True
        n = min(n, left)
        missing = max(_blocks(s, q.computed + n) - q.held, 0)
        if missing + (s.watermark_blocks if s.n_running > 0 else 0) > s.free_blocks:
            if s.n_running == 0 and s.n_loading > 1:  # nobody who runs will ever make room
                give_up_loading(m, s.n_loading - 1 if place < s.n_loading - 1 else s.n_loading - 2)
                continue
            return size, budget, rows, True
        end_loading(m, place)
        _run(m, r, n, missing, q.computed)
        _put(entries[size], r, n, 0, 0)
        size += 1
        budget -= n
        rows -= n + s.draft_rows


@inlined
def _run(m: Memory, r: int, n: int, missing: int, past: int) -> None:
    """Let a request run from now on, with so many more blocks."""
    s = m.server[0]
    q = m.requests[r]
    q.state = RUNNING
    q.computed = past
    if q.preemptions == 0:
        q.cached = past
        s.hit_tokens += past
        s.queried_tokens += q.tokens
    m.running[s.n_running] = r
    s.n_running += 1
    take_blocks(m, q, missing)
    register(m, q, min(past + n, q.tokens))


@compiled
def _admit_waiting(m: Memory, entries: Array, size: int, budget: int, rows: int, any_partial: int) -> int:
    """Admit waiting requests until one does not fit, which blocks those behind it; return the size of the batch."""
    s = m.server[0]
    running_scheduled = size > 0
    r = s.waiting_head
    while r >= 0 and budget > 0 and rows > s.draft_rows and s.n_running < s.max_num_active_seqs:
        q = m.requests[r]
        following = q.waiting_after
        if q.in_flight > 0:  # preempted, and its output of before has not returned
            r = following
            continue
        hits, idle = count_hits(m, q)
        if s.host_blocks > 0:
            found = count_offloaded(m, q, hits)
            if found > 0:
                if found + idle + (s.watermark_blocks if s.n_running > 0 else 0) > s.free_blocks:
                    break
                begin_loading(m, r, hits, found)
                r = following
                continue
        past = hits * s.block_size
        n = q.tokens - past
        left = min(budget, rows - s.draft_rows)
        padded = 0
        # Filled up with drafts that cannot be accepted, for batches of one shape.
        if (
            s.n_drafts > 0
            and n == 1
            and any_partial == 0
            and (running_scheduled or past > 0)
            and past + n + s.n_drafts + 1 <= s.max_model_len
        ):
            if 1 + s.n_drafts > left:
                break
            n = 1 + s.n_drafts
            padded = s.n_drafts
        if 0 < s.long_prefill_cap < n:
            n = s.long_prefill_cap
        if s.chunked_prefill == 0 and n > left:
            break
        n = min(n, left)
        margin = idle + (s.watermark_blocks if s.n_running > 0 else 0)
        if s.reserve_full_length:
            whole = (min(q.tokens, s.max_model_len) + s.block_size - 1) // s.block_size
            if max(whole - hits, 0) + margin > s.free_blocks:
                break
        missing = max(_blocks(s, past + n) - hits, 0)
        if missing + margin > s.free_blocks:
            break
        remove_waiting(s, m.requests, r)
        take_hits(m, q, hits)
        _run(m, r, n, missing, past)
        _put(entries[size], r, n, padded, 1 if padded > 0 else 0)
        size += 1
        budget -= n
        rows -= n + s.draft_rows
        r = following
    return size
