"""`simulate`: a trace of requests through a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.cluster.config import ROLES, SCHEDULERS, ClusterConfig
from designgym.simulators.cluster.kernel import run
from designgym.simulators.cluster.machines import (
    MODELS,
    IterationTimes,
    ServedModel,
    TimeCurves,
    TokenCosts,
    iteration_times,
    measured_curves,
)
from designgym.simulators.cluster.state import CONFIG_FIELDS, COUNTS, EVENT, MACHINE, PLANNED, REQUEST, RUN, STATE, TASK, Cluster
from designgym.simulators.serving.request_trace import RequestTrace

__all__ = ["ClusterRun", "check_fit", "simulate"]

_GIB = 1 << 30
_SMALLEST_RING = 16  # see `waiting.py`


@dataclass(frozen=True, eq=False)
class ClusterRun:
    """What became of every request; arrays are float64 of shape ``(n,)``, seconds from the trace's start, NaN where it did not happen.

    Attributes:
        first_token_s: When the prompt was computed.
        finish_s: When the last token was made.
        prompt_machine: Machine of the prompt, as numbered in the order of the pools; int32.
        token_machine: Machine of the other tokens; int32.
        counts: Of what happened, by the names of `state.COUNTS`.
        busy_s: How long each machine computed, shape ``(machines,)``.
        most_used_bytes: Most memory that was reserved on each machine.
        runs: The timeline, `state.RUN`, if it was asked for.
    """

    trace: RequestTrace
    config: ClusterConfig
    first_token_s: NDArray[np.float64]
    finish_s: NDArray[np.float64]
    prompt_machine: NDArray[np.int32]
    token_machine: NDArray[np.int32]
    counts: Mapping[str, int]
    busy_s: NDArray[np.float64]
    most_used_bytes: NDArray[np.int64]
    runs: NDArray[np.void] | None = None

    @property
    def ttft_s(self) -> NDArray[np.float64]:
        """Time to first token: from arrival."""
        return self.first_token_s - self.trace.arrival_s

    @property
    def e2e_s(self) -> NDArray[np.float64]:
        """Time from arrival to the last token."""
        return self.finish_s - self.trace.arrival_s


def output_tokens(trace: RequestTrace) -> NDArray[np.int64]:
    """Return how many tokens each request of a trace makes."""
    return np.where(trace.stop_at >= 0, np.minimum(trace.stop_at + 1, trace.output_tokens), trace.output_tokens)


def check_fit(config: ClusterConfig, trace: RequestTrace, model: ServedModel) -> None:
    """Raise `InputError` for a model, or the first request, that no machine of some pool has the memory for."""
    tokens = trace.prompt_tokens + output_tokens(trace)
    longest = int(np.argmax(tokens))
    for pool in config.pools:
        memory = config.machine_types[pool.machine].memory_bytes
        if pool.count and model.weights_bytes >= memory:
            raise InputError(
                f"{model.name} does not fit: its weights take {model.weights_bytes / _GIB:.0f} GiB, a machine {pool.machine} has "
                f"{memory / _GIB:.0f} GiB: take a larger machine or a smaller model"
            )
        needed = model.weights_bytes + int(tokens[longest]) * model.kv_bytes_per_token
        if pool.count and needed > memory:
            raise InputError(
                f"request {longest} ({trace.prompt_tokens[longest]} prompt and {tokens[longest] - trace.prompt_tokens[longest]} output "
                f"tokens) never fits beside {model.name} on a machine {pool.machine}: {needed / _GIB:.0f} of {memory / _GIB:.0f} GiB; "
                "leave it out, or take larger machines"
            )


def simulate(
    config: ClusterConfig,
    trace: RequestTrace,
    model: ServedModel | str = "bloom-176b",
    *,
    token_costs: TokenCosts = "batched",
    curves: Mapping[str, TimeCurves] | None = None,
    keep_timeline: bool = False,
) -> ClusterRun:
    """Return the run of a trace on a cluster.

    Args:
        config: The cluster.
        trace: The requests; those of a closed loop cannot be simulated.
        model: The model that is served, or its name in `machines.MODELS`.
        token_costs: How decoding times are taken from the measurements.
        curves: Times by machine; without, those that are in the package.
        keep_timeline: Keep every run of iterations (36 bytes each).

    Raises:
        InputError: If the trace cannot be simulated, or the model or a request does not fit into a machine.
    """
    served = MODELS.get(model) if isinstance(model, str) else model
    if served is None:
        raise InputError(f"unknown model {model!r}, expected one of {', '.join(MODELS)}, or a ServedModel")
    if trace.users or trace.max_concurrency:
        raise InputError("a cluster is simulated by arrival times: a closed loop (users) and a limit of the client (concurrency) have none")
    check_fit(config, trace, served)
    kinds = sorted({pool.machine for pool in config.pools})
    times = iteration_times([curves[kind] if curves is not None else measured_curves(served.name, kind) for kind in kinds], token_costs)
    cluster = _allocate(config, trace, served, times, kinds, timeline=0)
    run(cluster)
    if keep_timeline:  # the same again, now that its size is known
        cluster = _allocate(config, trace, served, times, kinds, timeline=int(cluster.state["n_runs"][0]))
        run(cluster)
    return _summarise(cluster, config, trace, keep_timeline=keep_timeline)


def _allocate(
    config: ClusterConfig, trace: RequestTrace, model: ServedModel, times: IterationTimes, kinds: list[str], *, timeline: int
) -> Cluster:
    """Return the memory of one simulation."""
    n, m = len(trace), config.machines
    state = np.zeros(1, STATE)
    for name in CONFIG_FIELDS:
        state[name] = SCHEDULERS[config.scheduler] if name == "scheduler" else getattr(config, name)
    state["n_prompt_points"], state["n_decode_points"] = times.points
    state["kv_bytes"] = model.kv_bytes_per_token
    state["kv_bytes_per_s"] = config.kv_bandwidth_gib_per_s * _GIB
    state["retry_s"] = config.transfer_retry_s
    state["mixed_factor"] = times.mixed_factor
    machines = np.zeros(m, MACHINE)
    counts = [pool.count for pool in config.pools]
    machines["kind"] = np.repeat([kinds.index(pool.machine) for pool in config.pools], counts)
    machines["role"] = np.repeat([ROLES[pool.role] for pool in config.pools], counts)
    machines["memory"] = np.repeat([config.machine_types[pool.machine].memory_bytes for pool in config.pools], counts)
    machines["used"] = machines["most_used"] = machines["loads"][:, PLANNED] = model.weights_bytes
    for name in ("first_request", "last_request", "first_prompt", "last_prompt", "first_blocked", "last_blocked"):
        machines[name] = -1
    requests = np.zeros(n, REQUEST)
    requests["arrival_s"] = trace.arrival_s
    requests["prompt_tokens"] = trace.prompt_tokens
    requests["output_tokens"] = output_tokens(trace)
    requests["first_token_s"] = requests["finish_s"] = np.nan
    tasks = np.zeros(2 * n, TASK)
    tasks["left"][::2] = 1
    tasks["left"][1::2] = requests["output_tokens"] - 1
    leaves = 1 << max(m - 1, 1).bit_length()
    most = min(config.max_batch_size, config.max_batch_tokens, n)
    return Cluster(
        state=state,
        machines=machines,
        requests=requests,
        tasks=tasks,
        batches=np.empty((m + 1, most), np.int32),
        due=np.empty((m, most), np.int64),
        # Rings double, so that they and those they grew out of take less than four times the tasks that ever come to their machine.
        wait_room=np.empty(8 * n + _SMALLEST_RING * m, np.int32),
        # At a time: all arrivals or one transfer of each request, an end per machine, and ends that an arrival or a transfer put off.
        events=np.empty(4 * n + m + 1, EVENT),
        best=np.full((3, 2, 2 * leaves), -1, np.int32),
        times=times.table,
        runs=np.zeros(timeline, RUN),
    )


def _summarise(c: Cluster, config: ClusterConfig, trace: RequestTrace, *, keep_timeline: bool) -> ClusterRun:
    return ClusterRun(
        trace=trace,
        config=config,
        first_token_s=c.requests["first_token_s"].copy(),
        finish_s=c.requests["finish_s"].copy(),
        prompt_machine=c.requests["prompt_machine"].copy(),
        token_machine=c.requests["token_machine"].copy(),
        counts={name: int(c.state[name][0]) for name in COUNTS},
        busy_s=c.machines["busy_s"].copy(),
        most_used_bytes=c.machines["most_used"].copy(),
        runs=c.runs if keep_timeline else None,
    )
