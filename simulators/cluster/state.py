"""The words that the compiled simulation is written in, and the layout of its memory.

The simulation runs without allocating: all it needs lies in a few structured arrays, whose records the compiled code reads and
writes by field name. Requests, tasks and machines are positions, -1 for none. Request r has two tasks: 2 r, its prompt, which makes
the first output token, and 2 r + 1, which makes the others. Times are seconds; memory is counted in tokens whose keys and values it
holds. A machine is one instance of the model, on as many GPUs as that takes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from designgym.simulators.compiling import Array

TOKEN_JSQ, MIXED_POOL = range(2)
"""Schedulers of the cluster."""

PROMPT, TOKEN, MIXED, OUT_OF_SERVICE = range(4)
"""Roles of machines, and the lists that they are in; those of the last get no requests."""

ON, STARTING, DRAINING, OFF = range(4)
"""Whether a machine is on: it serves, or it has no model yet, or it finishes what it has, or it is off."""

QUEUED, PLANNED = range(2)
"""What machines are chosen by: tokens on their way, and memory given away, less what there is: negative as long as some is left."""

# Where a task is.
FUTURE, WAITING, BLOCKED, RUNNING, DONE = range(5)

ARRIVAL, TRANSFER_END, RETRY, DECISION = -1, -2, -3, -4
"""Tags of events; others are numbers of a machine's runs, which end."""


def _fields(kind: type, *names: str) -> list[tuple[str, type]]:
    return [(name, kind) for name in names]


CONFIG_FIELDS = ("scheduler", "max_preemptions", "prompt_queue_tokens")
SCALING_FIELDS = ("interval_s", "scale_down_delay_s", "tolerance", "start_up_s")
COUNTS = (
    "n_completed",
    "n_runs",  # of a fixed batch, of one iteration or more
    "n_batch_requests",  # summed over runs
    "n_mixed_batches",  # with prompts and decoding requests
    "n_preemptions",
    "n_overdue",  # tasks taken first because they were passed over too often
    "n_prompt_machines_lent",  # machines of the prompt list that had to decode
    "n_token_machines_lent",  # machines of the token list that had to take prompts
    "n_fallbacks",  # placements without regard to memory and queues
    "n_same_machine",  # placements of both tasks on one machine
    "n_transfers",
    "n_retries",  # of transfers that found no memory
)
STATE = np.dtype(
    [
        *_fields(
            np.int64,
            *CONFIG_FIELDS,
            "by_tables",  # whether iterations take what step costs of the serving simulation say, else what curves say
            "n_arrivals_left",
            "n_busy",  # machines with a batch
            "n_flying",  # transfers under way
            "n_events",
            "n_batches_formed",
            "n_joined",  # how often a machine joined a list
            "wait_used",  # entries of `Cluster.wait_room`
            "n_prompt_points",  # of the curves in `Cluster.times`
            "n_decode_points",
            *COUNTS,
        ),
        *_fields(np.float64, "now_s", "kv_bytes_per_s", "retry_s", "mixed_factor", *SCALING_FIELDS),
    ]
)
"""All that is not per machine or request: the configuration, and how far the run is."""

MACHINE = np.dtype(
    [
        *_fields(
            np.int64,
            "kind",  # row of the tables of iteration times
            "role",
            "place",  # the list that it is in now
            "capacity",  # memory for keys and values
            "used",
            "most_used",
            "kv_bytes",  # of a token
            "max_batch_size",
            "max_batch_tokens",
            "batch_tokens",  # of the batch formed last, prompts in full
            "n_batch",
            "n_prompts",  # in the batch
            "prompt_tokens",  # of them
            "prompt_pairs",  # of their tokens, of which one attends to the other
            "context",  # of the batch's decoding requests: tokens of prompts and outputs so far
            "made",  # iterations in all runs that have ended
            "iterations",  # of the present run
            "run",  # number of the present run; any other end is out of date
            "interrupted",
            "formed",  # how often a batch was formed
            "n_requests",  # with an unfinished task here
            "n_entered",  # requests that ever had one
            "first_request",  # those whose first unfinished task waits, by arrival at the cluster
            "last_request",
            "first_prompt",  # waiting prompts, in order of arrival here
            "last_prompt",
            "first_blocked",  # preempted tasks, in order of preemption
            "last_blocked",
            "n_wait",  # ring of waiting tasks: entries, where it lies in the room, its size, where it begins
            "wait_start",
            "wait_size",
            "wait_head",
        ),
        ("loads", np.int64, 2),  # what it is chosen by, `QUEUED` and `PLANNED`
        ("joined", np.int64),  # when it joined its list, as a number
        *_fields(np.int64, "power", "starts"),  # `ON` ..., and how often it was switched on
        *_fields(np.float64, "first_s", "growth_s", "end_s", "busy_s"),
        # Of machines that are switched: when a start is over, since when it is on, how long it was before, and how long it had computed at
        # the last decision.
        *_fields(np.float64, "ready_s", "on_since_s", "on_s", "busy_before_s"),
    ]
)
"""One machine. The i-th iteration of its run, from 0, takes ``first_s + i * growth_s``."""

TASK = np.dtype(
    [
        ("left", np.int32),  # tokens to make; out of date in a batch
        ("passed", np.int32),  # times passed over; of a waiting first task less the machine's ``formed``, with which it grows
        ("before", np.int32),  # neighbours in the list of waiting prompts, or of preempted tasks
        ("after", np.int32),
        ("place", np.int8),
        ("ran", np.int8),  # whether its memory is reserved
        ("counting", np.int8),  # whether ``passed`` grows
    ]
)

REQUEST = np.dtype(
    [
        *_fields(np.float64, "arrival_s", "first_token_s", "finish_s"),
        ("chosen", np.int64),  # number of the batch that it was last chosen for
        *_fields(
            np.int32,
            "prompt_tokens",
            "output_tokens",
            "prompt_machine",
            "token_machine",
            "rank",  # how many requests came to its machine before it
            "before",  # neighbours in a machine's list of requests whose first task waits
            "after",
        ),
    ]
)

POOL = np.dtype(
    [
        *_fields(
            np.int64,
            "first",  # machine
            "count",
            "least",  # that stay on
            "most_wanted",  # since fewer are wanted than there are
        ),
        *_fields(np.float64, "target", "fewer_since_s"),
    ]
)
"""A pool whose machines are switched on and off."""

EVENT = np.dtype([("time_s", np.float64), ("index", np.int32), ("tag", np.int32)])

RUN = np.dtype([("start_s", np.float64), *_fields(np.int32, "machine", "requests", "prompts", "tokens", "iterations", "preempted")])
"""One run of the timeline: requests and prompts in the batch, tokens of its first iteration, iterations as planned at its start, and
how many tasks were preempted for it."""


class Cluster(NamedTuple):
    """The arrays of one simulation.

    Attributes:
        state: Shape ``(1,)``, `STATE`.
        machines: Shape ``(m,)``, `MACHINE`.
        requests: Shape ``(n,)``, `REQUEST`, by arrival.
        tasks: Shape ``(2 n,)``, `TASK`.
        batches: Tasks of each machine's batch, and in the last row those that join the one being formed; int32, shape
            ``(m + 1, most)``, where most is the size that no batch can exceed.
        due: Up to how many iterations of the machine each task of its batch stays; int64, shape ``(m, most)``.
        wait_room: The rings of waiting tasks; int32.
        events: A binary heap, `EVENT`.
        best: Tournaments by list and load: of each, the leaves are the machines, -1 for one that is in another list, and every node
            holds the better of the two below it, the root is node 1; int32, shape ``(4, 2, nodes)``.
        pools: Shape ``(pools,)``, `POOL`: those that are scaled.
        times: Curves of iteration times; float64. The first row holds tokens of prompts, then numbers of decoding requests. Each other row
            is of one kind of machine: seconds by tokens of prompts; seconds by decoding requests; seconds more per token of their
            context; and what of decoding is in the prompts' time if there are prompts too, negative if all of it is.
        features: Shape ``(1,)``, `FEATURES` of the serving simulation: room for those of a batch.
        step_header: The shape of its tables of step costs; int64.
        step_tables: Such a table for each kind of machine; float64, shape ``(kinds, size)``.
        runs: Shape ``(capacity,)``, `RUN`: the timeline as far as it fits.
    """

    state: Array
    machines: Array
    requests: Array
    tasks: Array
    batches: Array
    due: Array
    wait_room: Array
    events: Array
    best: Array
    pools: Array
    times: Array
    features: Array
    step_header: Array
    step_tables: Array
    runs: Array
