"""`ClusterSimulator`: clusters as designs, evaluated by simulating requests on them; `SplitwiseCluster`: those of the paper."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.protocols import Resources
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.cluster.config import ClusterConfig, Pool
from designgym.simulators.cluster.instances import check_fit, instances_of
from designgym.simulators.cluster.machines import MODELS, ServedModel
from designgym.simulators.cluster.rates import highest_rate
from designgym.simulators.cluster.service_level import Latencies, latencies_alone, latencies_of
from designgym.simulators.cluster.simulate import ClusterRun, simulate
from designgym.simulators.cluster.space import MOST_MACHINES, cluster_of, cluster_space
from designgym.simulators.cluster.summary import SLOWDOWN_METRICS, SPLITWISE_METRICS, summary
from designgym.simulators.cluster.times import StepTimes, TokenCosts
from designgym.simulators.serving.costs.models import ModelShape
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads import requests_of

__all__ = ["SLOWDOWN_METRICS", "ClusterSimulator", "Rate", "SplitwiseCluster", "require_option"]

Rate = Literal["given", "highest"]
PROBED_REQUESTS = 2000


class ClusterSimulator:
    """What simulators of clusters have in common, whatever their designs are.

    Fidelity is the share of the requests, from the first.
    """

    name: str
    version: str
    metrics: tuple[MetricSpec, ...]
    deterministic = True
    resources = Resources(cpus=1.0)
    space: DesignSpace
    model: ServedModel | ModelShape
    token_costs: StepTimes
    rate: Rate

    def cluster_of(self, design: Mapping[str, Any]) -> ClusterConfig:
        """Return a legal design as a cluster."""
        raise NotImplementedError

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

    def run(self, design: Mapping[str, Any], workload: Workload) -> ClusterRun:
        """Return the run of a legal design, with its timeline, request by request.

        Raises:
            InputError: If the model, or a request, does not fit into a machine.
        """
        return simulate(self.cluster_of(design), _trace(workload), self.model, token_costs=self.token_costs, keep_timeline=True)

    def _one(self, design: Design, trace: RequestTrace) -> Metrics:
        if problems := self.space.violations(design):
            return Metrics.infeasible(problems)
        started = time.perf_counter()
        config = self.cluster_of(design)
        try:
            check_fit(instances_of(config, self.model, self.token_costs)[0], trace, self.model.name)
            found = self._figures(config, trace) if self.rate == "given" else self._fastest(config, trace)
        except InputError as error:
            return Metrics.infeasible([str(error)], cost_s=time.perf_counter() - started)
        values = {spec.name: found[spec.name] for spec in self.metrics}
        return Metrics(values, cost_s=time.perf_counter() - started)

    def _fastest(self, config: ClusterConfig, trace: RequestTrace) -> dict[str, float]:
        def serve(requests: RequestTrace) -> dict[str, float] | None:
            try:
                found = self._figures(config, requests)
            except InputError:  # it locks up
                return None
            return found if found["worst_slowdown"] <= 1 else None

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
        return self._values(run, latencies, latencies.divided_by(latencies_alone(trace, self.model, self.token_costs)))

    def _values(self, run: ClusterRun, latencies: Latencies, slowdowns: Latencies) -> dict[str, float]:
        """Return values of at least all metrics."""
        return summary(run, latencies, slowdowns)

    def _probed(self, design: Design, trace: RequestTrace, *, whole: bool) -> bytes:
        if self.space.violations(design):
            return b"illegal" + design.literal.encode()
        config = self.cluster_of(design)
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


class SplitwiseCluster(ClusterSimulator):
    """Clusters that compute prompts and output tokens on different machines, or on the same, simulated event by event.

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
    metrics = SPLITWISE_METRICS

    def __init__(
        self, *, model: str = "bloom-176b", token_costs: TokenCosts = "batched", rate: Rate = "given", most_machines: int = MOST_MACHINES
    ) -> None:
        if model not in MODELS:
            raise UnknownNameError("model", model, MODELS)
        require_option("token_costs", token_costs, get_args(TokenCosts))
        require_option("rate", rate, get_args(Rate))
        self.model, self.rate, self.token_costs = MODELS[model], rate, token_costs
        self.space = cluster_space(most_machines)
        # results depend on these: they must not be mistaken for those of other ones
        self.version = f"{SplitwiseCluster.version}+{model}/{token_costs}/{rate}"

    def cluster_of(self, design: Mapping[str, Any]) -> ClusterConfig:
        """Return a legal design as a cluster."""
        return cluster_of(design)

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


def require_option(name: str, value: object, known: Sequence[str]) -> None:
    """Raise `InputError` for an option's value that is not one of those known."""
    if value not in known:
        raise InputError(f"option {name} is {shorten(value)}, expected {' or '.join(known)}")


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
