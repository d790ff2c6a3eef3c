"""The words that the compiled simulation is written in, and the layout of its memory.

The simulation runs without allocating: all it needs lies in a few structured arrays, whose records the compiled code reads and
writes by field name. Requests and blocks are positions, -1 for none. Times are seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from designgym.simulators.compiling import Array

# Where a request is. One that was preempted is WAITING again; LOADING: it has room, and its blocks are on their way from the host.
FUTURE, WAITING, RUNNING, FINISHED, LOADING = range(5)

# Schedulers. The last three are in `classic_schedulers.py`.
VLLM_V1, VLLM_V0, SARATHI, ORCA = range(4)

# Why a run ended.
COMPLETED, STUCK, LIVELOCK = range(3)

NEVER = np.inf


def _int64(*names: str) -> list[tuple[str, type]]:
    return [(name, np.int64) for name in names]


def _float64(*names: str) -> list[tuple[str, type]]:
    return [(name, np.float64) for name in names]


CONFIG_FIELDS = (
    "scheduler",
    "max_num_seqs",
    "max_num_active_seqs",
    "max_num_batched_tokens",  # also the chunk of Sarathi
    "max_num_scheduled_tokens",
    "max_model_len",
    "block_size",
    "n_blocks",  # with vLLM v1 one of them, the null block, is never used
    "prefix_caching",
    "priority_policy",
    "long_prefill_token_threshold",
    "long_prefill_adaptive",
    "chunked_prefill",
    "watermark_blocks",
    "reserve_full_length",
    "asynchronous",
    "stages",  # of the pipeline that batches go through
    "batches_in_flight",
    "n_drafts",  # speculative tokens proposed at a time
    "lookahead",  # slots reserved for them
    "draft_rows",  # additional rows of a request in the drafter's batch
    "drop_last_hit",
    "host_blocks",  # KV blocks that the host's memory has room for; 0: no offloading
    "reserved_blocks",  # Orca: of a request, whatever its length
    "seed",
)
_PROGRESS_FIELDS = (
    "free_blocks",
    "n_running",
    "n_waiting",
    "waiting_head",
    "waiting_tail",
    "next_arrival",
    "n_loading",  # requests whose blocks are being read from the host
    "host_used",
    "loaded_tokens",
    "n_holding",  # requests that hold blocks; classic schedulers
    "n_finished",
    "n_outputs",
    "steps_without_output",
    "steps_without_work",
    "n_preempted",  # in the step being formed
    "long_prefill_cap",  # of the step being formed
    "end",
    "counted",  # whether time is counted in steps
    "users",  # of a closed loop, in which a request arrives when another has finished; 0: arrivals are given
    "max_concurrency",  # of the client: so many requests may be under way, more wait with it; 0: no limit
    "n_released",  # requests of a closed loop that have arrived
    "n_calls",
    "n_reported",  # finished requests that the workers know of
    "n_steps",
    "n_idle_steps",
    "preemptions",
    "hit_tokens",
    "queried_tokens",
    "batch_requests",  # sums over all steps
    "batch_tokens",
    "drafted",
    "accepted",
)
_TIMES = (
    "acceptance_rate",
    "host_block_s",  # how long reading a block from the host takes
    "host_free_s",  # when all that is asked for has been read
    "now_s",
    "busy_s",
    "busy_until_s",
    "used_block_s",
)
SERVER = np.dtype([*_int64(*CONFIG_FIELDS, *_PROGRESS_FIELDS), *_float64(*_TIMES)])
"""All that is not per request or block: the configuration, and how far the run is."""

REQUEST_INPUTS = ("arrival_s", "prompt", "max_tokens", "stop_at", "priority", "rank", "first_key", "first_slot")
REQUEST = np.dtype(
    [
        ("arrival_s", np.float64),
        *_int64(
            "prompt",
            "max_tokens",
            "stop_at",  # position of the output token that ends it early, -1 for none
            "priority",
            "rank",  # position in the order (priority, arrival, number)
            "first_key",  # of its blocks in `Memory.keys`
            "first_slot",  # of its block table in `Memory.tables`
            # how far it is
            "state",
            "tokens",  # known tokens: prompt and outputs
            "computed",  # raised when a step is formed, not when it ends
            "drafts",  # tokens proposed and not yet scheduled
            "placeholders",  # async: output tokens on their way
            "in_flight",  # tokens scheduled whose step has not ended
            "partial",  # whether its last step left something of the known tokens
            "eligible_call",  # scheduling call from which on it may get its next token
            "held",  # blocks
            "registered",  # leading blocks that are in the prefix cache, or were found in it
            "offloaded",  # leading blocks that the host has been given since it began
            "preemptions",
            "cached",  # tokens found in the prefix cache at its first admission
            "waiting_before",
            "waiting_after",
            "finish_step",
            "target",  # classic schedulers: tokens of its present prompt
            "prefilled",
        ),
        *_float64("scheduled_s", "first_token_s", "finish_s", "ready_s"),
    ]
)

BLOCK = np.dtype([(name, np.int32) for name in ("users", "key", "before", "after", "older", "newer")])
"""One block: how many requests use it; what it holds (-1: nothing to be found by); its neighbours in the list of free blocks; and
the blocks that hold the same, registered before and after it."""

KEY = np.dtype([("oldest", np.int32), ("newest", np.int32)])
"""The blocks that hold the tokens of one prefix."""

HOST = np.dtype([(name, np.int32) for name in ("there", "before", "after")])
"""The tokens of one prefix in the host's memory: whether they are there, and their neighbours in the order of use."""

ENTRY = np.dtype(_int64("request", "tokens", "drafts", "partial", "padded", "past"))
"""One request in a batch: tokens computed, those of them that are drafts, whether more of the known tokens is left, whether the drafts
only fill the batch, and tokens computed before."""

FEATURES = np.dtype(
    _int64(
        "requests",
        "tokens",
        "decodes",  # requests past their prompt
        "decode_tokens",
        "decode_past",  # sum of the tokens computed before
        "prefills",
        "prefill_tokens",
        "prefill_past",
        "prefill_past_64",  # each rounded up to a multiple of 64
        "prefill_squares",  # sum of the squares of the tokens
        "prefill_pairs",  # sum over prompts of the token pairs that attend: tokens x (past + (tokens + 1) / 2)
        "outputs",  # requests that yield a token
    )
)
"""What of a batch its cost depends on."""

BATCH = np.dtype([("size", np.int64), ("start_s", np.float64), ("end_s", np.float64)])

STEP = np.dtype(
    [
        *_int64("step", "requests", "tokens", "preempted", "free_blocks", "running", "waiting", "first_entry", "first_preempted"),
        *_float64("start_s", "end_s"),
    ]
)
"""One step of the timeline, as it is after the batch was formed."""


class Memory(NamedTuple):
    """The arrays that the schedulers work on.

    Attributes:
        server: Shape ``(1,)``, `SERVER`.
        requests: Shape ``(n,)``, `REQUEST`, by arrival.
        running: Requests in the order of admission; int64, shape ``(max_num_seqs + 1,)``.
        preempted: Requests preempted in the step being formed; int64.
        blocks: Shape ``(n_blocks + 1,)``, `BLOCK`; the last is the ends of the list of free blocks.
        tables: Blocks of each request, from its ``first_slot`` on; int32.
        keys: What each full block of each request will hold, from its ``first_key`` on: equal numbers, equal prefixes; int32.
        chains: Shape ``(keys,)``, `KEY`.
        host: Shape ``(keys + 1,)``, `HOST`, the last the ends of the order of use; empty without offloading.
        loading: Requests whose blocks are being read from the host, in that order; int64.
        token_times_s: When each output token was made, from the request's ``first_output`` on; empty if not asked for.
        first_output: int64, shape ``(n,)``.
    """

    server: Array
    requests: Array
    running: Array
    preempted: Array
    blocks: Array
    tables: Array
    keys: Array
    chains: Array
    host: Array
    loading: Array
    token_times_s: Array
    first_output: Array


class Simulation(NamedTuple):
    """The arrays of one simulation.

    Attributes:
        memory: What the schedulers work on.
        batches: Shape ``(batches_in_flight,)``, `BATCH`.
        entries: Shape ``(batches_in_flight, max_num_seqs + 1)``, `ENTRY`.
        stage_free_s: When each stage of the pipeline has done its last batch; float64, shape ``(stages,)``.
        features: Shape ``(1,)``, `FEATURES`, of the batch that was formed last.
        cost_header: Which kind of step costs, and the shape of their table; int64. See `step_costs.py`.
        cost_table: The numbers of that table; float64.
        steps: Shape ``(capacity,)``, `STEP`: the timeline as far as it fits.
        step_entries: Requests and tokens of every step, int64, shape ``(capacity, 2)``.
        step_preempted: Requests preempted in every step; int64.
    """

    memory: Memory
    batches: Array
    entries: Array
    stage_free_s: Array
    features: Array
    cost_header: Array
    cost_table: Array
    steps: Array
    step_entries: Array
    step_preempted: Array
