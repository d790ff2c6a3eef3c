"""`simulate`: a trace of requests through a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.cluster.config import ROLES, SCHEDULERS, ClusterConfig
from designgym.simulators.cluster.instances import Instances, check_fit, instances_of, output_tokens, served_model
from designgym.simulators.cluster.kernel import run
from designgym.simulators.cluster.machines import ServedModel, TimeCurves
from designgym.simulators.cluster.state import (
    CONFIG_FIELDS,
    COUNTS,
    DONE,
    EVENT,
    MACHINE,
    MIXED,
    OFF,
    PLANNED,
    POOL,
    REQUEST,
    RUN,
    SCALING_FIELDS,
    STATE,
    TASK,
    Cluster,
)
from designgym.simulators.cluster.times import IterationTimes, StepTimes
from designgym.simulators.serving.costs.models import ModelShape
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.state import FEATURES
from designgym.simulators.serving.summary import IDLE_POWER

__all__ = ["ClusterRun", "simulate"]

_GIB = 1 << 30
_SMALLEST_RING = 16  # see `waiting.py`


@dataclass(frozen=True, eq=False)
class ClusterRun:
    """What became of every request; arrays are float64 of shape ``(n,)``, seconds from the trace's start, NaN where it did not happen.

    Attributes:
        first_token_s: When the prompt was computed.
        finish_s: When the last token was made.
        prompt_machine: Machine of the prompt (of several instances on one, the instance), as numbered in the order of the pools; int32.
        token_machine: Machine of the other tokens; int32.
        counts: Of what happened, by the names of `state.COUNTS`.
        busy_s: How long each machine computed, shape ``(machines,)``.
        on_s: How long each was on, until the last request finished.
        cost_usd: What each cost in that time.
        starts: How often each was switched on.
        energy_kwh: What each took of its provisioned power: all of it while it computes, `IDLE_POWER` of it while it does not.
        most_used_bytes: Most memory that was reserved on each machine, weights included.
        memory_bytes: Memory of each machine.
        left_tokens: Tokens of the requests that are not made at the end, of those that wait for ever.
        left_bytes: Memory that is reserved at the end, weights apart.
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
    on_s: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    starts: NDArray[np.int64]
    energy_kwh: NDArray[np.float64]
    most_used_bytes: NDArray[np.int64]
    memory_bytes: NDArray[np.int64]
    left_tokens: int
    left_bytes: int
    runs: NDArray[np.void] | None = None

    @property
    def ttft_s(self) -> NDArray[np.float64]:
        """Time to first token: from arrival."""
        return self.first_token_s - self.trace.arrival_s

    @property
    def e2e_s(self) -> NDArray[np.float64]:
        """Time from arrival to the last token."""
        return self.finish_s - self.trace.arrival_s


def simulate(
    config: ClusterConfig,
    trace: RequestTrace,
    model: ServedModel | ModelShape | str = "bloom-176b",
    *,
    token_costs: StepTimes = "batched",
    curves: Mapping[str, TimeCurves] | None = None,
    keep_timeline: bool = False,
) -> ClusterRun:
    """Return the run of a trace on a cluster.

    Args:
        config: The cluster.
        trace: The requests; those of a closed loop cannot be simulated.
        model: The model that is served, or its name in `machines.MODELS`; with ``"tables"`` one of the serving simulation.
        token_costs: How decoding times are taken from the measurements; or ``"tables"``, by step costs of the serving simulation.
        curves: Times by machine; without, those that are in the package.
        keep_timeline: Keep every run of iterations (36 bytes each).

    Raises:
        InputError: If the trace cannot be simulated, or the model or a request does not fit into a machine.
    """
    served = served_model(model, token_costs)
    if trace.users or trace.max_concurrency:
        raise InputError("a cluster is simulated by arrival times: a closed loop (users) and a limit of the client (concurrency) have none")
    instances, times = instances_of(config, served, token_costs, curves)
    check_fit(instances, trace, served.name)
    cluster = _allocate(config, trace, instances, times, timeline=0)
    run(cluster)
    if keep_timeline:  # the same again, now that its size is known
        cluster = _allocate(config, trace, instances, times, timeline=int(cluster.state["n_runs"][0]))
        run(cluster)
    return _summarise(cluster, config, trace, instances, keep_timeline=keep_timeline)


def _allocate(
    config: ClusterConfig, trace: RequestTrace, instances: Sequence[Instances], times: IterationTimes, *, timeline: int
) -> Cluster:
    """Return the memory of one simulation."""
    n, m = len(trace), sum(each.count for each in instances)
    state = np.zeros(1, STATE)
    for name in CONFIG_FIELDS:
        state[name] = SCHEDULERS[config.scheduler] if name == "scheduler" else getattr(config, name)
    state["n_prompt_points"], state["n_decode_points"] = times.points
    state["by_tables"] = times.by_tables
    state["kv_bytes_per_s"] = config.kv_bandwidth_gib_per_s * _GIB
    state["retry_s"] = config.transfer_retry_s
    state["mixed_factor"] = times.mixed_factor
    for name in SCALING_FIELDS:
        state[name] = getattr(config.scaling_policy, name)
    machines = np.zeros(m, MACHINE)
    for name in ("kind", "kv_bytes", "max_batch_size", "max_batch_tokens"):
        machines[name] = per_machine(instances, name)
    counts = [each.count for each in instances]
    roles = [MIXED if config.scheduler == "token_jsq" else ROLES[each.pool.role] for each in instances]
    machines["role"] = np.repeat(roles, counts)
    machines["capacity"] = per_machine(instances, "kv_tokens")
    machines["loads"][:, PLANNED] = -per_machine(instances, "free_bytes") // machines["kv_bytes"]
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
    most = min(max(min(each.max_batch_size, each.max_batch_tokens) for each in instances), n)
    return Cluster(
        state=state,
        machines=machines,
        requests=requests,
        tasks=tasks,
        batches=np.empty((m + 1, most), np.int32),
        due=np.empty((m, most), np.int64),
        # Rings double, so that they and those they grew out of take less than four times the tasks that ever come to their machine.
        wait_room=np.empty(8 * n + _SMALLEST_RING * m, np.int32),
        # At a time: all arrivals or one transfer of each request, an end per machine, ends that an arrival or a transfer put off, and a
        # decision.
        events=np.empty(4 * n + m + 2, EVENT),
        best=np.full((4, 2, 2 * leaves), -1, np.int32),
        pools=_scaled_pools(instances),
        times=times.table,
        features=np.zeros(1, FEATURES),
        step_header=times.step_header,
        step_tables=times.step_tables,
        runs=np.zeros(timeline, RUN),
    )


def _scaled_pools(instances: Sequence[Instances]) -> NDArray[np.void]:
    """Return the pools in which there is something to decide."""
    first = np.cumsum([0, *(each.count for each in instances)])
    scaled = [
        (first[i], each.count, each.pool.scaling.min_machines * each.by_machine, 0, each.pool.scaling.target, np.inf)
        for i, each in enumerate(instances)
        if each.pool.scaling is not None and each.pool.scaling.min_machines < each.pool.count
    ]
    return np.array(scaled, POOL)


def per_machine(instances: Sequence[Instances], name: str) -> NDArray[np.int64]:
    """Return an attribute of each machine's pool, shape ``(machines,)``."""
    return np.repeat(np.array([getattr(each, name) for each in instances], dtype=np.int64), [each.count for each in instances])


def _summarise(
    c: Cluster, config: ClusterConfig, trace: RequestTrace, instances: Sequence[Instances], *, keep_timeline: bool
) -> ClusterRun:
    counts = [each.count for each in instances]
    types = [config.machine_types[each.pool.machine] for each in instances]
    usd_per_h = np.repeat([kind.cost_usd_per_h / each.by_machine for kind, each in zip(types, instances, strict=True)], counts)
    power_w = np.repeat([kind.power_w / each.by_machine for kind, each in zip(types, instances, strict=True)], counts)
    end_s = max(np.nanmax(c.requests["finish_s"], initial=0.0), 0.0)
    busy_s = c.machines["busy_s"].copy()
    on_s = np.where(c.machines["power"] == OFF, c.machines["on_s"], c.machines["on_s"] + end_s - c.machines["on_since_s"])
    return ClusterRun(
        trace=trace,
        config=config,
        first_token_s=c.requests["first_token_s"].copy(),
        finish_s=c.requests["finish_s"].copy(),
        prompt_machine=c.requests["prompt_machine"].copy(),
        token_machine=c.requests["token_machine"].copy(),
        counts={name: int(c.state[name][0]) for name in COUNTS},
        busy_s=busy_s,
        on_s=on_s,
        cost_usd=on_s / 3600 * usd_per_h,
        starts=c.machines["starts"].copy(),
        energy_kwh=(busy_s + IDLE_POWER * (on_s - busy_s)) / 3600 * power_w / 1000,
        most_used_bytes=c.machines["most_used"] * c.machines["kv_bytes"] + per_machine(instances, "weights_bytes"),
        memory_bytes=per_machine(instances, "memory_bytes"),
        left_tokens=int(c.tasks["left"][c.tasks["place"] != DONE].sum()),
        left_bytes=int((c.machines["used"] * c.machines["kv_bytes"]).sum()),
        runs=c.runs if keep_timeline else None,
    )
