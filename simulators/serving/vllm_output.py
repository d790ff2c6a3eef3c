"""What happens when a batch of vLLM v1 has been computed: tokens are made, drafts accepted or not, requests finish."""

from __future__ import annotations

from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.block_pool import free_request, register
from designgym.simulators.serving.state import FINISHED, RUNNING, Memory
from designgym.simulators.serving.vllm_scheduler import remove_running
from designgym.simulators.serving.waiting_queue import remove_waiting


@compiled
def process_output(m: Memory, entries: Array, size: int, now_s: float, step: int) -> None:
    """Hand the output of a batch to its requests, in the batch's order."""
    s = m.server[0]
    stopped_running = False
    for i in range(size):
        e = entries[i]
        q = m.requests[e.request]
        q.in_flight -= e.tokens
        if q.state == FINISHED or e.partial:
            continue  # finished: the token beyond a stop that nobody could foresee
        was_running = q.state == RUNNING  # otherwise it was preempted meanwhile, and keeps the tokens all the same
        accepted = 0 if e.padded else _accepted_drafts(s, e.request, q.tokens, e.drafts)
        s.drafted += e.drafts
        s.accepted += accepted
        if was_running:
            q.computed -= e.drafts - accepted
            if q.placeholders > 0:
                q.placeholders -= e.drafts - accepted
        made, stopped = _append(m, e.request, 1 + accepted, now_s)
        s.n_outputs += made
        if was_running and s.asynchronous:
            q.placeholders -= made
            register(m, q, q.computed - q.placeholders)
        elif was_running and not stopped:
            q.drafts = s.n_drafts
        if stopped:
            q.finish_s = now_s
            q.finish_step = step
            s.n_finished += 1
            if was_running:
                free_request(m, q)
                stopped_running = True
            else:
                remove_waiting(s, m.requests, e.request)
            q.state = FINISHED
    if stopped_running:
        for place in range(s.n_running - 1, -1, -1):
            if m.requests[m.running[place]].state == FINISHED:
                remove_running(m, place)


@inlined
def _append(m: Memory, r: int, tokens: int, now_s: float) -> tuple[int, bool]:
    """Append output tokens to a request as far as it takes them; return how many it took and whether it ends with them."""
    s, q = m.server[0], m.requests[r]
    for i in range(tokens):
        q.tokens += 1
        outputs = q.tokens - q.prompt
        if outputs == 1:
            q.first_token_s = now_s
        if m.token_times_s.size > 0:
            m.token_times_s[m.first_output[r] + outputs - 1] = now_s
        if q.tokens >= s.max_model_len or outputs >= q.max_tokens or outputs == q.stop_at + 1:
            return i + 1, True
    return tokens, False


@inlined
def _accepted_drafts(s: Record, r: int, position: int, drafts: int) -> int:
    """Return how many leading drafts of a request are accepted.

    Chance depends on the request and the position in its text alone, so that no schedule changes what is accepted.
    """
    for i in range(drafts):
        if _uniform(s.seed, r, position + i) >= s.acceptance_rate:
            return i
    return drafts


@inlined
def _uniform(seed: int, r: int, position: int) -> float:
    """Return a random number in [0, 1) that depends on its arguments alone (the mixing function of SplitMix64, twice)."""
    x = (seed << 32) ^ (r << 1) ^ 0x5851F42D4C957F2D
    for word in (r, position):
        x = x + (word + 1) * 0x1E3779B97F4A7C15
        x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * 0x3F58476D1CE4E5B9
        x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * 0x14D049BB133111EB
        x = x ^ ((x >> 31) & 0x1FFFFFFFF)
    return ((x >> 11) & 0x1FFFFFFFFFFFFF) * (1.0 / 9007199254740992.0)
