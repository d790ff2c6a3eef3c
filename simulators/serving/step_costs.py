"""How long a step takes: a number of seconds from the features of its batch and a table.

Adding a kind of cost takes a function here, a branch in `step_seconds`, and a class in `cost_tables.py` that fills the table.
"""

from __future__ import annotations

import math

from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.state import VLLM_V1, Simulation

LINEAR, VIDUR = range(2)

# Operators of a layer, in the order of the columns of Vidur's table.
VIDUR_OPS = (
    "attn_pre_proj_ms", "attn_post_proj_ms", "attn_rope_ms", "all_reduce_ms", "input_layernorm_ms",
    "mlp_up_proj_ms", "mlp_down_proj_ms", "mlp_act_ms", "post_attention_layernorm_ms", "add_ms",
)  # fmt: skip
_LAUNCH_MS = 0.02  # of each all-reduce
_MANY_REQUESTS = 1.1  # attention of several requests takes so much longer


@compiled
def gather_features(sim: Simulation, entries: Array, size: int) -> None:
    """Set `Simulation.features` to those of a batch."""
    m = sim.memory
    s, f = m.server[0], sim.features[0]
    f.requests = size
    f.tokens = f.decodes = f.decode_tokens = f.decode_past = f.outputs = 0
    f.prefills = f.prefill_tokens = f.prefill_past = f.prefill_past_64 = f.prefill_squares = f.prefill_pairs = 0
    for i in range(size):
        e = entries[i]
        n, past = e.tokens, e.past
        f.tokens += n
        f.outputs += 1 - e.partial
        decoding = (past > 0 and n <= 1 + e.drafts) if s.scheduler == VLLM_V1 else m.requests[e.request].prefilled == 1
        if decoding:
            f.decodes += 1
            f.decode_tokens += n
            f.decode_past += past
        else:
            f.prefills += 1
            f.prefill_tokens += n
            f.prefill_past += past
            f.prefill_past_64 += (past + 63) // 64 * 64
            f.prefill_squares += n * n
            f.prefill_pairs += n * past + n * (n + 1) // 2


@compiled
def step_seconds(sim: Simulation) -> float:
    """Return the duration of a batch with `Simulation.features`, in seconds."""
    f = sim.features[0]
    if sim.cost_header[0] == VIDUR:
        return _vidur(f, sim.cost_header, sim.cost_table)
    return _linear(f, sim.cost_table)


@inlined
def _linear(f: Record, table: Array) -> float:
    return float(table[0] + table[1] * f.tokens + table[2] * f.requests + table[3] * f.decode_past + table[4] * f.prefill_pairs)


@inlined
def _vidur(f: Record, header: Array, table: Array) -> float:
    """Vidur's sum of operators; the header is kind, layers, rows of operators, batches and contexts of decoding, pasts and chunks, GPUs."""
    layers, op_rows, batches, contexts, pasts, chunks = header[1], header[2], header[3], header[4], header[5], header[6]
    ops = min((f.tokens + 7) // 8 - 1, op_rows - 1) * 10
    decode_table = op_rows * 10
    prefill_table = decode_table + batches * contexts
    decode, prefill, reduce = 0.0, 0.0, 0.0
    if f.decodes > 0:
        context = (f.decode_past // f.decodes + 63) // 64
        decode = table[decode_table + min(f.decodes - 1, batches - 1) * contexts + min(context, contexts - 1)]
        if f.decodes > 1:
            decode *= _MANY_REQUESTS
    if f.prefills > 0:
        chunk = min(round(math.sqrt(f.prefill_squares)), chunks)
        prefill = table[prefill_table + min(f.prefill_past_64 // 64, pasts - 1) * chunks + max(chunk, 1) - 1]
        if f.prefills > 1:
            prefill *= _MANY_REQUESTS
    if header[7] > 1:
        reduce = table[ops + 3] + _LAUNCH_MS
    attention = table[ops] + table[ops + 1] + table[ops + 2] + decode + prefill + reduce + table[ops + 4]
    mlp = table[ops + 5] + table[ops + 6] + table[ops + 7] + reduce + table[ops + 8]
    return float((attention + mlp + table[ops + 9]) * layers * 0.001)
