"""How long an iteration takes: by curves over the tokens of its prompts and its decoding requests, or by step costs of an engine."""

from __future__ import annotations

from designgym.simulators.cluster.state import Cluster
from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.step_costs import batch_seconds


@inlined
def _interpolate(times: Array, kind: int, first: int, points: int, x: float) -> float:
    """Return a curve's value at ``x``; beyond the ends the last segments go on. At a point the segment that ends there counts."""
    i = first + 1
    while i < first + points - 1 and times[0, i] < x:
        i += 1
    low, x_low = times[1 + kind, i - 1], times[0, i - 1]
    return float((times[1 + kind, i] - low) / (times[0, i] - x_low) * (x - x_low) + low)


@compiled
def _engine_seconds(c: Cluster, m: Record, context: int) -> float:
    """Return how long an iteration of a machine's batch takes by step costs, its decoding requests at so much context in all."""
    f, decoding = c.features[0], m.n_batch - m.n_prompts
    f.requests = f.outputs = m.n_batch
    f.tokens = m.prompt_tokens + decoding
    f.decodes = f.decode_tokens = decoding
    f.decode_past = context - decoding  # the newest token of each is computed now
    f.prefills = m.n_prompts
    f.prefill_tokens = m.prompt_tokens
    f.prefill_pairs = m.prompt_pairs
    return float(batch_seconds(f, c.step_header, c.step_tables[m.kind]))


@inlined
def set_times(c: Cluster, m: Record) -> None:
    """Set how long the first iteration of a machine's run takes, and how much longer each further one than the one before it.

    By step costs, times grow from the first iteration to the last in equal steps: they do so but for bends between tabulated contexts.
    """
    if c.state[0].by_tables:
        m.first_s = _engine_seconds(c, m, m.context)
        m.growth_s = 0.0
        if m.iterations > 1:
            further = m.iterations - 1
            last_s = _engine_seconds(c, m, m.context + further * m.n_batch)
            m.growth_s = max(last_s - m.first_s, 0.0) / further
    else:
        _set_times_by_curves(c, m)


@inlined
def _set_times_by_curves(c: Cluster, m: Record) -> None:
    prompt_tokens, decoding, context = m.prompt_tokens, m.n_batch - m.n_prompts, m.context
    s, kind = c.state[0], m.kind
    n_prompt, n_decode = s.n_prompt_points, s.n_decode_points
    context_s = c.times[1 + kind, n_prompt + n_decode]
    m.growth_s = 0.0
    if prompt_tokens == 0:
        m.first_s = _interpolate(c.times, kind, n_prompt, n_decode, decoding) + context_s * context
        m.growth_s = context_s * decoding
    elif decoding == 0:
        m.first_s = _interpolate(c.times, kind, 0, n_prompt, prompt_tokens)
    else:
        m.first_s = s.mixed_factor * _interpolate(c.times, kind, 0, n_prompt, prompt_tokens + decoding)
        joins_s = c.times[1 + kind, n_prompt + n_decode + 1]
        if joins_s >= 0:
            decode_s = _interpolate(c.times, kind, n_prompt, n_decode, decoding) + context_s * context
            m.first_s += decode_s - joins_s


@inlined
def duration_s(m: Record, iterations: int) -> float:
    """Return how long the first iterations of a machine's run take."""
    return float(m.first_s * iterations + m.growth_s * (iterations * (iterations - 1) // 2))


@compiled
def iterations_begun(m: Record, elapsed_s: float) -> int:
    """Return how many iterations of the run have begun after a time."""
    if m.growth_s == 0:
        begun = int(elapsed_s / m.first_s) + 1
    else:
        linear = m.first_s - m.growth_s / 2
        begun = int(((linear * linear + 2 * m.growth_s * elapsed_s) ** 0.5 - linear) / m.growth_s)
        while begun > 0 and duration_s(m, begun - 1) > elapsed_s:  # the root is rounded
            begun -= 1
        while duration_s(m, begun) <= elapsed_s:
            begun += 1
    return min(begun, int(m.iterations))
