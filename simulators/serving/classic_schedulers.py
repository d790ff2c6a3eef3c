"""How vLLM v0, Sarathi and Orca form batches, as Vidur states them (Agrawal et al., MLSys 2024; code of 2024-11-19).

A request's prompt gets its blocks at once. One that is preempted starts again with all its tokens as prompt; one that is preempted
within its prompt forgets the rest of it, and makes those tokens one by one later: a flaw of the reference, kept.
"""

from __future__ import annotations

from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.state import FINISHED, ORCA, RUNNING, SARATHI, Memory
from designgym.simulators.serving.waiting_queue import prepend_waiting, remove_waiting


@compiled
def schedule_classic(m: Memory, entries: Array) -> int:
    """Form the next batch and return its number of requests; `Memory.running` keeps those that are not in it."""
    s = m.server[0]
    s.n_preempted = 0
    if s.scheduler == ORCA:
        return _orca(m, entries)
    if s.scheduler == SARATHI:
        return _sarathi(m, entries)
    return _vllm_v0(m, entries)


@compiled
def process_classic(m: Memory, entries: Array, size: int, now_s: float, step: int) -> None:
    """Hand the output of a batch to its requests, in the batch's order."""
    s = m.server[0]
    for i in range(size):
        e = entries[i]
        q = m.requests[e.request]
        q.computed += e.tokens
        made = q.prefilled
        if q.computed == q.target:
            q.prefilled = made = 1
            q.computed += 1
            if q.first_token_s < 0:
                q.first_token_s = now_s
        output = q.computed - q.prompt - 1
        if made and output >= 0:
            q.tokens = q.prompt + output + 1
            s.n_outputs += 1
            if m.token_times_s.size > 0:
                m.token_times_s[m.first_output[e.request] + output] = now_s
        if q.computed == q.prompt + q.max_tokens:
            q.finish_s = now_s
            q.finish_step = step
            q.state = FINISHED
            s.n_finished += 1
            _release(s, q)
        else:
            m.running[s.n_running] = e.request
            s.n_running += 1


@inlined
def _add(m: Memory, entries: Array, size: int, r: int, tokens: int) -> int:
    e, q = entries[size], m.requests[r]
    e.request = r
    e.tokens = tokens
    e.drafts = e.padded = 0
    e.past = q.computed
    e.partial = q.prefilled == 0 and q.computed + tokens < q.target
    return size + 1


@inlined
def _prompt_blocks(s: Record, q: Record) -> int:
    return (q.target + s.block_size - 1) // s.block_size


@inlined
def _fits(s: Record, q: Record) -> bool:
    """Return whether a request may go on: one that holds blocks wants a free one even when it needs none."""
    if q.held > 0:
        return bool(s.free_blocks >= 1)
    return bool(s.free_blocks - _prompt_blocks(s, q) >= s.watermark_blocks)


@inlined
def _take(s: Record, q: Record) -> None:
    taken = 0
    if q.held == 0:
        taken = _prompt_blocks(s, q)
        s.n_holding += 1
    elif q.computed > s.block_size * q.held:
        taken = 1
    q.held += taken
    s.free_blocks -= taken


@inlined
def _release(s: Record, q: Record) -> None:
    s.free_blocks += q.held
    s.n_holding -= 1
    q.held = 0


@compiled
def _restart(m: Memory, r: int) -> None:
    """Preempt a request that is in no list."""
    s, q = m.server[0], m.requests[r]
    _release(s, q)
    q.target = q.computed
    q.computed = 0
    q.prefilled = 0
    q.preemptions += 1
    m.preempted[s.n_preempted] = r
    s.n_preempted += 1
    s.preemptions += 1
    prepend_waiting(s, m.requests, r)


@inlined
def _admit(m: Memory, r: int) -> None:
    s, q = m.server[0], m.requests[r]
    remove_waiting(s, m.requests, r)
    q.state = RUNNING


@compiled
def _sort_by_arrival(m: Memory, size: int) -> None:
    """Sort the first running requests, which hardly ever are out of order, by arrival."""
    for i in range(1, size):
        r = m.running[i]
        j = i - 1
        while j >= 0 and m.requests[m.running[j]].arrival_s > m.requests[r].arrival_s:
            m.running[j + 1] = m.running[j]
            j -= 1
        m.running[j + 1] = r


@compiled
def _make_room(m: Memory, r: int, place: int) -> bool:
    """Preempt the last of the running requests from a place on until one that is taken out fits; if none is left, preempt it itself."""
    s, q = m.server[0], m.requests[r]
    while not _fits(s, q):
        if s.n_running <= place:
            _restart(m, r)
            return False
        s.n_running -= 1
        _restart(m, m.running[s.n_running])
    return True


@inlined
def _drop_first(m: Memory, start: int, count: int) -> None:
    """Move the running requests from a place on to behind the first ``count``."""
    s = m.server[0]
    for i in range(start, s.n_running):
        m.running[count + i - start] = m.running[i]
    s.n_running -= start - count


@compiled
def _vllm_v0(m: Memory, entries: Array) -> int:
    """Prompts first, never mixed with decoding requests."""
    s = m.server[0]
    size, longest = 0, 0
    r = s.waiting_head
    while r >= 0:
        q = m.requests[r]
        if not _fits(s, q) or (size + 1) * max(longest, q.target) > s.max_num_batched_tokens:
            break
        if s.n_holding == s.max_num_seqs or size == s.max_num_seqs:
            break
        following = q.waiting_after
        longest = max(longest, q.target)
        _admit(m, r)
        _take(s, q)
        size = _add(m, entries, size, r, q.target)
        r = following
    if size > 0:
        return size
    _sort_by_arrival(m, s.n_running)
    place = 0
    while place < s.n_running and size < s.max_num_seqs:
        r = m.running[place]
        place += 1
        if _make_room(m, r, place):
            _take(s, m.requests[r])
            size = _add(m, entries, size, r, 1)
    _drop_first(m, place, 0)
    return size


@compiled
def _sarathi(m: Memory, entries: Array) -> int:
    """Decoding requests, then chunks of prompts up to the budget."""
    s = m.server[0]
    size, tokens = 0, 0
    place, aside = 0, 0  # prompts under way are put aside at the front of the list
    while place < s.n_running and size < s.max_num_seqs:
        r = m.running[place]
        q = m.requests[r]
        place += 1
        if q.prefilled == 0:
            m.running[aside] = r
            aside += 1
        elif _make_room(m, r, place):
            _take(s, q)
            size = _add(m, entries, size, r, 1)
            tokens += 1
    kept = 0
    for i in range(aside):
        r = m.running[i]
        n = min(m.requests[r].target - m.requests[r].computed, s.max_num_batched_tokens - tokens)
        if n <= 0:
            m.running[kept] = r
            kept += 1
        else:
            size = _add(m, entries, size, r, n)
            tokens += n
    _drop_first(m, place, kept)
    _sort_by_arrival(m, s.n_running)
    r = s.waiting_head
    while r >= 0 and s.n_holding != s.max_num_seqs and size != s.max_num_seqs:
        q = m.requests[r]
        n = min(q.target - q.computed, s.max_num_batched_tokens - tokens)
        if not _fits(s, q) or n <= 0:
            break
        following = q.waiting_after
        _admit(m, r)
        _take(s, q)
        size = _add(m, entries, size, r, n)
        tokens += n
        r = following
    return size


@compiled
def _orca(m: Memory, entries: Array) -> int:
    """Decoding requests and whole prompts in one batch; every request gets the blocks of the longest one, and keeps them."""
    s = m.server[0]
    size = 0
    while size < s.n_running and size < s.max_num_seqs:
        size = _add(m, entries, size, m.running[size], 1)
    _drop_first(m, size, 0)
    r = s.waiting_head
    while r >= 0 and size < s.max_num_seqs and s.free_blocks >= s.reserved_blocks:
        q = m.requests[r]
        following = q.waiting_after
        _admit(m, r)
        q.held = s.reserved_blocks
        s.n_holding += 1
        s.free_blocks -= s.reserved_blocks
        size = _add(m, entries, size, r, q.target)
        r = following
    return size
