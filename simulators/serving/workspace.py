"""The arrays that a simulation runs on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.serving.config import SchedulerConfig
from designgym.simulators.serving.cost_tables import StepCosts
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.state import (
    BATCH,
    BLOCK,
    ENTRY,
    FEATURES,
    HOST,
    KEY,
    NEVER,
    REQUEST,
    SERVER,
    STEP,
    VLLM_V1,
    Memory,
    Simulation,
)

__all__ = ["Timeline", "allocate", "timeline_of"]


@dataclass(frozen=True, eq=False)
class Timeline:
    """Every step of a run.

    Attributes:
        steps: Shape ``(steps,)``, `STEP`.
        entries: Requests and tokens of all batches, one after the other in batch order; int64, shape ``(entries, 2)``.
        preempted: Requests preempted, in the order of steps.
    """

    steps: NDArray[np.void]
    entries: NDArray[np.int64]
    preempted: NDArray[np.int64]

    def batch(self, index: int) -> NDArray[np.int64]:
        """Return requests and tokens of one step's batch, shape ``(requests, 2)``."""
        step = self.steps[index]
        return self.entries[step["first_entry"] : step["first_entry"] + step["requests"]]

    def preempted_in(self, index: int) -> NDArray[np.int64]:
        """Return the requests preempted when one step's batch was formed, in that order."""
        step = self.steps[index]
        return self.preempted[step["first_preempted"] : step["first_preempted"] + step["preempted"]]


def allocate(
    config: SchedulerConfig,
    trace: RequestTrace,
    costs: StepCosts,
    *,
    seed: int,
    token_times: bool,
    timeline: tuple[int, int, int],
    counted: bool = False,
) -> Simulation:
    """Return the memory of one simulation.

    Args:
        config: The scheduler.
        trace: The requests.
        costs: How long a step takes.
        seed: Of the acceptance of speculative tokens.
        token_times: Whether there is room for when each token was made.
        timeline: How many steps, entries of batches and preemptions to keep.
        counted: Whether arrivals are numbers of steps, one scheduling call each.
    """
    n = len(trace)
    server = np.zeros(1, SERVER)
    fields = config.encode()
    for name, value in fields.items():
        server[name] = value
    server["seed"] = seed
    server["counted"] = counted
    server["users"] = min(trace.users, n)
    server["max_concurrency"] = trace.max_concurrency
    server["acceptance_rate"] = getattr(config, "acceptance_rate", 0.0)
    server["host_block_s"] = getattr(config, "host_block_s", 0.0)
    v1 = fields["scheduler"] == VLLM_V1
    requests = np.zeros(n, REQUEST)
    requests["arrival_s"] = trace.arrival_s
    if trace.users:
        requests["arrival_s"][trace.users :] = NEVER
    requests["prompt"] = trace.prompt_tokens
    requests["max_tokens"] = trace.output_tokens
    requests["stop_at"] = trace.stop_at
    requests["priority"] = trace.priority
    requests["rank"][np.lexsort((np.arange(n), trace.arrival_s, trace.priority))] = np.arange(n)
    first_output = np.concatenate([[0], np.cumsum(trace.output_tokens)])
    most, flying = min(fields["max_num_seqs"], n), fields["batches_in_flight"]
    n_slots, n_keys, keys = 0, 0, np.zeros(0, np.int32)
    if v1:
        drafts = fields["n_drafts"]
        longest = np.minimum(
            trace.prompt_tokens + trace.output_tokens + (flying + 1) * (drafts + 1) + fields["lookahead"], fields["max_model_len"]
        )
        slots = np.cumsum(-(-longest // fields["block_size"]) + 1)
        requests["first_slot"][1:] = slots[:-1]
        n_slots = int(slots[-1])
        if fields["prefix_caching"] or fields["host_blocks"]:
            keys, requests["first_key"], n_keys = trace.block_keys(fields["block_size"])
    memory = Memory(
        server=server,
        requests=requests,
        running=np.zeros(most + 1, np.int64),
        preempted=np.zeros(most + 1, np.int64),
        blocks=np.zeros(fields["n_blocks"] + 1 if v1 else 0, BLOCK),
        tables=np.zeros(n_slots, np.int32),
        keys=keys,
        chains=np.zeros(n_keys, KEY),
        host=np.zeros(n_keys + 1 if fields.get("host_blocks") else 0, HOST),
        loading=np.zeros(n + 1 if fields.get("host_blocks") else 0, np.int64),
        token_times_s=np.full(int(first_output[-1]) if token_times else 0, np.nan),
        first_output=first_output[:-1],
    )
    return Simulation(
        memory=memory,
        batches=np.zeros(flying, BATCH),
        entries=np.zeros((flying, most + 1), ENTRY),
        stage_free_s=np.zeros(fields["stages"]),
        features=np.zeros(1, FEATURES),
        cost_header=costs.header,
        cost_table=costs.table,
        steps=np.zeros(timeline[0], STEP),
        step_entries=np.zeros((timeline[1], 2), np.int64),
        step_preempted=np.zeros(timeline[2], np.int64),
    )


def timeline_of(sim: Simulation) -> Timeline:
    """Return the steps that a run left in its memory."""
    return Timeline(sim.steps, sim.step_entries, sim.step_preempted)
