"""`SplitwiseCluster`: clusters as designs, evaluated by simulating requests on them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.cluster.config import ClusterConfig, Pool
from designgym.simulators.cluster.machines import MODELS, TokenCosts, measured_curves
from designgym.simulators.cluster.rates import highest_rate, offered_rate_rps
from designgym.simulators.cluster.service_level import (
    PERCENTILES,
    REFERENCE_MACHINE,
    SLOWDOWN_LIMITS,
    Latencies,
    latencies_of,
    reference_latencies,
)
from designgym.simulators.cluster.simulate import ClusterRun, check_fit, output_tokens, simulate
from designgym.simulators.cluster.space import MOST_MACHINES, cluster_of, cluster_space
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads import requests_of

__all__ = ["SLOWDOWN_METRICS", "SplitwiseCluster"]

Rate = Literal["given", "highest"]
PROBED_REQUESTS = 2000
SLOWDOWN_METRICS = {
    f"{name}_slowdown_p{point}": limit for name, limits in SLOWDOWN_LIMITS.items() for point, limit in zip(PERCENTILES, limits, strict=True)
}
"""The nine slowdowns and their limits."""

_WORDS = {
    "ttft": "time to the first token, from arrival",
    "tbt": "time between tokens after the first, mean of a request, with transfer and waiting",
    "e2e": "time from arrival to the last token",
}
_METRICS = (
    *(
        metric(f"{name}_p{point}_s", unit="s", goal="min", doc=f"{point} %: {words}")
        for name, words in _WORDS.items()
        for point in PERCENTILES
    ),
    *(
        metric(name, goal="min", doc=f"of the time over that on an A100 machine of its own; limit {limit:g}")
        for name, limit in SLOWDOWN_METRICS.items()
    ),
    metric("worst_slowdown", goal="min", doc="largest of the nine slowdowns over their limits: 1 or less where all are met"),
    metric("rate_rps", unit="requests/s", goal="max", doc="requests that arrive per second"),
    metric("throughput_rps", unit="requests/s", goal="max", doc="requests from the first arrival to the last end, per second"),
    metric("output_tokens_per_s", unit="tokens/s", goal="max", doc="tokens made, likewise"),
    metric("makespan_s", goal="min", doc="from the first arrival to the last end"),
    metric("cost_usd_per_h", unit="USD/h", goal="min", doc="rent of all machines"),
    metric("usd_per_million_tokens", unit="USD", goal="min", doc="rent over output tokens"),
    metric("power_units", goal="min", doc="provisioned power of all machines, in splitwise-sim's units (A100 24.8, H100 44, capped 30.8)"),
    metric("machines", goal="min", doc="machines of all kinds"),
    metric("utilisation", doc="share of the machines' time, to the last end, in which they compute"),
    metric("memory_share", doc="of its memory, on the fullest machine at its fullest"),
    metric("requests_per_batch", doc="mean over runs of a fixed batch"),
    metric("preemptions", doc="of decoding requests, by prompts or more urgent ones"),
    metric("transfers", doc="of keys and values between machines"),
    metric("lent_machines", doc="times that a machine of the prompt or token pool had to help out the other"),
)


class SplitwiseCluster:
    """Clusters that compute prompts and output tokens on different machines, or on the same, simulated event by event.

    Fidelity is the share of the requests, from the first.

    Args:
        model: A name of `MODELS`.
        token_costs: ``batched``, or ``paper`` for splitwise-sim's rule, its figures of latency included.
        rate: ``given``: the requests as they are; ``highest``: at the highest rate, found by simulation, at which all nine slowdowns are
            within their limits.
        most_machines: Of each role.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "splitwise-cluster"
    version = "1"
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = True
    resources = Resources(cpus=1.0)

    def __init__(
        self, *, model: str = "bloom-176b", token_costs: TokenCosts = "batched", rate: Rate = "given", most_machines: int = MOST_MACHINES
    ) -> None:
        if model not in MODELS:
            raise UnknownNameError("model", model, MODELS)
        for option, value, known in (("token_costs", token_costs, get_args(TokenCosts)), ("rate", rate, get_args(Rate))):
            if value not in known:
                raise InputError(f"option {option} is {shorten(value)}, expected {' or '.join(known)}")
        self.model, self.rate = MODELS[model], rate
        self.token_costs: TokenCosts = token_costs
        self.space = cluster_space(most_machines)
        # results depend on these: they must not be mistaken for those of other ones
        self.version = f"{SplitwiseCluster.version}+{model}/{token_costs}/{rate}"

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Simulate every design on the requests. The seed has no effect.

        Raises:
            InputError: If the workload is not a `RequestTrace` with arrival times, or the fidelity not in (0, 1].
        """
        trace = _trace(workload).share(fidelity)
        _compile()
        return [self._one(design, trace) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return what each design does with the first requests: machines, batches and times.

        If there are more requests, the limits are included by value: whether one is ever reached cannot be told from the beginning, since
        queues and batches grow long after it.
        """
        requests = _trace(workload)
        trace = requests.first(PROBED_REQUESTS)
        whole = trace is requests
        return [self._probed(self.space.canonical(design, workload.traits), trace, whole=whole) for design in designs]

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return a cluster in words."""
        if self.space.violations(design):
            return ""
        canonical = self.space.canonical(design, workload.traits if workload is not None else frozenset())
        config = cluster_of(canonical)
        roles = {"prompt": "for prompts", "token": "for tokens", "mixed": "for both"}
        pools = ", ".join(f"{pool.count} x {pool.machine} {roles[pool.role]}" for pool in config.pools)
        limits = f"at most {config.max_batch_size} requests and {config.max_batch_tokens} tokens a batch"
        link = f", {config.kv_bandwidth_gib_per_s:g} GiB/s between machines" if config.scheduler == "mixed_pool" else ""
        return f"{pools}; {limits}{link}; {config.cost_usd_per_h:,.0f} USD/h, {config.power_units:,.0f} units of power"

    def run(self, design: Mapping[str, Any], workload: Workload) -> ClusterRun:
        """Return the run of a legal design, with its timeline, request by request.

        Raises:
            InputError: If the model, or a request, does not fit into a machine.
        """
        return simulate(cluster_of(design), _trace(workload), self.model, token_costs=self.token_costs, keep_timeline=True)

    def _one(self, design: Design, trace: RequestTrace) -> Metrics:
        if problems := self.space.violations(design):
            return Metrics.infeasible(problems)
        started = time.perf_counter()
        config = cluster_of(design)
        try:
            check_fit(config, trace, self.model)
            found = self._figures(config, trace) if self.rate == "given" else self._fastest(config, trace)
        except InputError as error:
            return Metrics.infeasible([str(error)], cost_s=time.perf_counter() - started)
        return Metrics(found, cost_s=time.perf_counter() - started)

    def _fastest(self, config: ClusterConfig, trace: RequestTrace) -> dict[str, float]:
        def serve(requests: RequestTrace) -> dict[str, float] | None:
            try:
                figures = self._figures(config, requests)
            except InputError:  # it locks up
                return None
            return figures if figures["worst_slowdown"] <= 1 else None

        found, endless = highest_rate(trace, serve)
        if found is None:
            raise InputError("not all nine slowdowns are within their limits even at a hundredth of the workload's rate")
        if endless:
            raise InputError(f"{found['rate_rps']:.3g} requests/s are not yet too many for it: take a workload with a higher rate")
        return found

    def _figures(self, config: ClusterConfig, trace: RequestTrace) -> dict[str, float]:
        run = simulate(config, trace, self.model, token_costs=self.token_costs)
        if left := int(np.isnan(run.finish_s).sum()):
            raise InputError(
                f"{left} of {len(trace)} requests wait for memory that others hold and never free: take more machines, or a smaller "
                "prompt_queue_tokens"
            )
        latencies = latencies_of(run, self.token_costs)
        slowdowns = latencies.divided_by(self._alone(trace))
        return _values(run, latencies, slowdowns)

    def _alone(self, trace: RequestTrace) -> Latencies:
        return reference_latencies(trace, measured_curves(self.model.name, REFERENCE_MACHINE), self.token_costs)

    def _probed(self, design: Design, trace: RequestTrace, *, whole: bool) -> bytes:
        if self.space.violations(design):
            return b"illegal" + design.literal.encode()
        config = cluster_of(design)
        try:
            run = simulate(config, trace, self.model, token_costs=self.token_costs, keep_timeline=True)
        except InputError as error:
            return str(error).encode()
        assert run.runs is not None
        shown = config.pools if whole else config
        hasher = blake3(repr(shown).encode())  # machines have a price, busy or not
        for array in (run.runs, run.prompt_machine, run.token_machine, run.first_token_s, run.finish_s):
            hasher.update(np.ascontiguousarray(array).tobytes())
        return hasher.digest()


def _values(run: ClusterRun, latencies: Latencies, slowdowns: Latencies) -> dict[str, float]:
    config, trace, counts = run.config, run.trace, run.counts
    makespan_s = float(run.finish_s.max() - trace.arrival_s[0])
    tokens_per_s = float(output_tokens(trace).sum()) / makespan_s
    seconds = latencies.percentiles()
    ratios = dict(zip(SLOWDOWN_METRICS, (value for values in slowdowns.percentiles().values() for value in values), strict=True))
    memory = np.repeat([config.machine_types[pool.machine].memory_bytes for pool in config.pools], [pool.count for pool in config.pools])
    return {
        **{f"{name}_p{point}_s": value for name, values in seconds.items() for point, value in zip(PERCENTILES, values, strict=True)},
        **ratios,
        "worst_slowdown": max(ratios[name] / limit for name, limit in SLOWDOWN_METRICS.items()),
        "rate_rps": offered_rate_rps(trace),
        "throughput_rps": len(trace) / makespan_s,
        "output_tokens_per_s": tokens_per_s,
        "makespan_s": makespan_s,
        "cost_usd_per_h": config.cost_usd_per_h,
        "usd_per_million_tokens": config.cost_usd_per_h / 3600 / tokens_per_s * 1e6,
        "power_units": config.power_units,
        "machines": float(config.machines),
        "utilisation": float(run.busy_s.sum()) / (config.machines * makespan_s),
        "memory_share": float((run.most_used_bytes / memory).max()),
        "requests_per_batch": counts["n_batch_requests"] / counts["n_runs"],
        "preemptions": float(counts["n_preemptions"]),
        "transfers": float(counts["n_transfers"]),
        "lent_machines": float(counts["n_prompt_machines_lent"] + counts["n_token_machines_lent"]),
    }


@lru_cache(maxsize=1)
def _compile() -> None:
    """Compile, or load what was compiled before, so that no design's cost includes it."""
    simulate(ClusterConfig((Pool("h100", 1),)), RequestTrace.make([0.0], [1], [2]))


def _trace(workload: Workload) -> RequestTrace:
    trace = requests_of(workload, "a cluster")
    if trace.users or trace.max_concurrency:
        what = "a closed loop (users)" if trace.users else "of a client with a limit (concurrency)"
        raise InputError(f"workload {workload.name!r} is {what}: a cluster is simulated by arrival times, give it a rate only")
    return trace
