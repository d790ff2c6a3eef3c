"""`AutoscaledCluster`: pools whose machines are switched on and off over a day, by policies that are the designs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import metric
from designgym.core.workload import Workload
from designgym.simulators.cluster.config import ClusterConfig, Pool
from designgym.simulators.cluster.heterogeneous import DEFAULT_MODELS, pool_in_words
from designgym.simulators.cluster.instances import output_tokens, served_model
from designgym.simulators.cluster.pool_space import MOST_POOLS, pool_cluster_of, pool_space
from designgym.simulators.cluster.scaling import ScalingPolicy
from designgym.simulators.cluster.service_level import Latencies, latencies_alone
from designgym.simulators.cluster.simulate import ClusterRun, simulate
from designgym.simulators.cluster.simulator import ClusterSimulator, Rate, require_option
from designgym.simulators.cluster.summary import POOL_METRICS, SLOWDOWN_METRICS, summary
from designgym.simulators.cluster.times import StepTimes
from designgym.simulators.serving.request_trace import RequestTrace

__all__ = ["AUTOSCALED_METRICS", "AutoscaledCluster"]

_OF_STATIC = ("cost_usd_per_h", "power_kw", "machines", "usd_per_million_tokens", "utilisation")
AUTOSCALED_METRICS = (
    *(each for each in POOL_METRICS if each.name not in _OF_STATIC),
    metric("cost_usd", unit="USD", goal="min", doc="rent of machines while they are on, from the start to the last end"),
    metric("energy_kwh", unit="kWh", goal="min", doc="provisioned power of machines while they compute, a fifth of it while on without"),
    metric("usd_per_million_tokens", unit="USD", goal="min", doc="rent over output tokens"),
    metric("mean_instances", goal="min", doc="that are on, on average"),
    metric("most_instances", goal="min", doc="that there are"),
    metric("starts", goal="min", doc="instances that were switched on after the start"),
    metric("utilisation", doc="share of the time in which machines are on in which they compute"),
    metric("worst_part_slowdown", goal="min", doc="worst_slowdown of the 24th part of the trace in which it is worst"),
)
_PARTS = 24
_TRIAL_PARTS = 96  # of which the busiest one is served by all machines, to begin with
_MOST_TRIAL = 2.0  # times as long as it lasts


class AutoscaledCluster(ClusterSimulator):
    """Clusters of pools chosen freely whose machines are switched on and off; see `ScalingPolicy` for the rule.

    Args:
        model: As of `HeterogeneousCluster`.
        token_costs: As of `HeterogeneousCluster`.
        most_pools: How many pools there are at most.
        start_up_s: From switching a machine on to its first request.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "autoscaled-cluster"
    version = "1"
    metrics = AUTOSCALED_METRICS
    rate: Rate = "given"

    def __init__(
        self, *, model: str | None = None, token_costs: StepTimes = "tables", most_pools: int = MOST_POOLS,
        start_up_s: float = ScalingPolicy.start_up_s,
    ) -> None:  # fmt: skip
        require_option("token_costs", token_costs, get_args(StepTimes))
        ScalingPolicy(start_up_s=start_up_s)
        self.model, self.token_costs = served_model(model or DEFAULT_MODELS[token_costs], token_costs), token_costs
        self._start_up_s = float(start_up_s)
        self.space = pool_space(token_costs, most_pools, scaled=True)
        options = repr((self.model, token_costs, self._start_up_s))
        self.version = f"{AutoscaledCluster.version}+{blake3(options.encode()).hexdigest(8)}"

    def cluster_of(self, design: Mapping[str, Any]) -> ClusterConfig:
        """Return a legal design as a cluster."""
        return pool_cluster_of(design, start_up_s=self._start_up_s)

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return a cluster and its policy in words."""
        if self.space.violations(design):
            return ""
        config = self.cluster_of(self.space.canonical(design, workload.traits if workload is not None else frozenset()))
        words = [f"{pool_in_words(pool)}{_scaling_in_words(pool)}" for pool in config.pools]
        if any(pool.scaling is not None and pool.scaling.min_machines < pool.count for pool in config.pools):
            policy = config.scaling_policy
            words.append(
                f"decided every {policy.interval_s:g} s, off after {policy.scale_down_delay_s:g} s, tolerance {policy.tolerance:g}"
            )
        return "; ".join(words)

    def _figures(self, config: ClusterConfig, trace: RequestTrace) -> dict[str, float]:
        self._require_capacity(config, trace)
        return super()._figures(config, trace)

    def _require_capacity(self, config: ClusterConfig, trace: RequestTrace) -> None:
        """Refuse a cluster that does not keep up even if all machines are on: queues would grow all day, which takes long to simulate."""
        edges = np.linspace(0.0, float(trace.arrival_s[-1]), _TRIAL_PARTS + 1)
        bounds = np.searchsorted(trace.arrival_s, edges)
        bounds[-1] = len(trace)
        busiest = int(np.argmax(np.diff(bounds)))
        part = trace.part(slice(int(bounds[busiest]), int(bounds[busiest + 1])))
        static = replace(config, pools=tuple(replace(pool, scaling=None) for pool in config.pools))
        run = simulate(static, part, self.model, token_costs=self.token_costs)
        longest_s = float(latencies_alone(part, self.model, self.token_costs).e2e.max())
        took_s, lasts_s = float(np.nanmax(run.finish_s, initial=0.0) - part.arrival_s[0]), float(edges[1])
        if took_s > _MOST_TRIAL * (lasts_s + longest_s):
            raise InputError(
                f"even with all machines on it takes {took_s:,.0f} s to serve the {len(part)} requests of the busiest {lasts_s:,.0f} s: "
                "take more machines, or faster ones"
            )

    def _values(self, run: ClusterRun, latencies: Latencies, slowdowns: Latencies) -> dict[str, float]:
        tokens, cost_usd, on_s = float(output_tokens(run.trace).sum()), float(run.cost_usd.sum()), float(run.on_s.sum())
        return summary(run, latencies, slowdowns) | {
            "cost_usd": cost_usd,
            "energy_kwh": float(run.energy_kwh.sum()),
            "usd_per_million_tokens": cost_usd / tokens * 1e6,
            "mean_instances": on_s / float(run.finish_s.max()),
            "most_instances": float(run.on_s.size),
            "starts": float(run.starts.sum()),
            "utilisation": float(run.busy_s.sum()) / on_s,
            "worst_part_slowdown": _worst_part(run.trace, slowdowns),
        }


def _worst_part(trace: RequestTrace, slowdowns: Latencies) -> float:
    """Return the largest slowdown over its limit in any part of the time in which requests arrive."""
    part = np.minimum((trace.arrival_s / max(float(trace.arrival_s[-1]), 1e-9) * _PARTS).astype(np.int64), _PARTS - 1)
    limits = np.array(list(SLOWDOWN_METRICS.values()))
    found = [np.ravel(list(slowdowns.of(part == i).percentiles().values())) for i in np.unique(part)]
    return float((np.array(found) / limits).max())


def _scaling_in_words(pool: Pool) -> str:
    scaling = pool.scaling
    if scaling is None or scaling.min_machines == pool.count:
        return ", always on"
    target = f"{scaling.target:.0%} of the time" if pool.role == "prompt" else f"{scaling.target:g} requests"
    return f", {scaling.min_machines} or more on, at {target} each"
