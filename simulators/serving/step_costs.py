"""How long a step takes: a number of seconds from the features of its batch and a table.

Adding a kind of cost takes a function here, a branch in `batch_seconds`, and a class that fills the table.
"""

from __future__ import annotations

import math

from designgym.simulators.compiling import Array, Record, compiled, inlined
from designgym.simulators.serving.state import VLLM_V1, Simulation

LINEAR, VIDUR, GRID = range(3)

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
    return batch_seconds(sim.features[0], sim.cost_header, sim.cost_table)


@inlined
def batch_seconds(f: Record, header: Array, table: Array) -> float:
    """Return the duration of a batch with these features, in seconds."""
    if header[0] == GRID:
        return _grid(f, header, table)
    if header[0] == VIDUR:
        return _vidur(f, header, table)
    return _linear(f, table)


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


@inlined
def _position(x: float, octaves: int, parts: int) -> float:
    """Return where a number is on a grid of octaves with so many equal parts, from its first point on; at its ends if it is outside."""
    mantissa, exponent = math.frexp(max(x, 1.0))
    return min((exponent - 1 + 2.0 * mantissa - 1.0) * parts, octaves * parts - 1e-9)


@inlined
def _between(table: Array, first: int, at: float) -> float:
    """Return the value of a one-dimensional table that begins at ``first``."""
    i = int(at)
    low = table[first + i]
    return float(low + (at - i) * (table[first + i + 1] - low))


@inlined
def _within(table: Array, first: int, columns: int, row: float, column: float) -> float:
    """Return the value of a table with so many columns that begins at ``first``."""
    i = int(row)
    low = _between(table, first + i * columns, column)
    return low + (row - i) * (_between(table, first + (i + 1) * columns, column) - low)


@inlined
def _grid(f: Record, header: Array, table: Array) -> float:
    """Sum up the tables of `GridStepCosts`; the header is the kind, and octaves and parts of each of the six axes."""
    head = header[1] * header[2] + 1
    decode = head + header[3] * header[4] + 1
    contexts, pairs = header[7] * header[8] + 1, header[11] * header[12] + 1
    seconds = _between(table, 0, _position(f.tokens, header[1], header[2]))
    if f.outputs > 0:
        seconds += _between(table, head, _position(f.outputs, header[3], header[4]))
    if f.decodes > 0:
        context = (f.decode_past + f.decode_tokens) / f.decodes
        row, column = _position(f.decodes, header[5], header[6]), _position(context, header[7], header[8])
        seconds += _within(table, decode, contexts, row, column)
    if f.prefills > 0:
        prompt = decode + (header[5] * header[6] + 1) * contexts
        row, column = _position(f.prefills, header[9], header[10]), _position(f.prefill_pairs, header[11], header[12])
        seconds += _within(table, prompt, pairs, row, column)
        if f.outputs > f.decodes:
            seconds += table[table.size - 1]
    return seconds
