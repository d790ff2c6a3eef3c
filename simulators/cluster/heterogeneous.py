"""`HeterogeneousCluster`: clusters with pools of any machines in any role, and engines set for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.workload import Workload
from designgym.simulators.cluster.config import ClusterConfig, Pool
from designgym.simulators.cluster.instances import served_model
from designgym.simulators.cluster.pool_space import MOST_POOLS, pool_cluster_of, pool_space
from designgym.simulators.cluster.simulator import ClusterSimulator, Rate, require_option
from designgym.simulators.cluster.summary import POOL_METRICS
from designgym.simulators.cluster.times import StepTimes

__all__ = ["DEFAULT_MODELS", "HeterogeneousCluster"]

DEFAULT_MODELS: Mapping[StepTimes, str] = {"tables": "Llama-2-70b", "batched": "llama2-70b", "paper": "llama2-70b"}


class HeterogeneousCluster(ClusterSimulator):
    """Clusters of pools chosen freely: kinds of machines, their roles, how many, and arguments of the engines on them.

    Args:
        model: By step costs a name of `serving.costs.models.MODELS` or the path of a ``config.json``; else a name of `machines.MODELS`.
            None for Llama-2-70B.
        token_costs: ``tables``: whole iterations by the step costs of the serving simulation, on servers with H200, H100, A100 and L40S,
            with engines' arguments; ``batched`` and ``paper``: as of `SplitwiseCluster`, on the paper's machines, without.
        rate: ``given`` or ``highest``, as of `SplitwiseCluster`.
        most_pools: How many there are at most.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "heterogeneous-cluster"
    version = "1"
    metrics = POOL_METRICS

    def __init__(
        self, *, model: str | None = None, token_costs: StepTimes = "tables", rate: Rate = "given", most_pools: int = MOST_POOLS
    ) -> None:
        require_option("token_costs", token_costs, get_args(StepTimes))
        require_option("rate", rate, get_args(Rate))
        self.model, self.rate, self.token_costs = served_model(model or DEFAULT_MODELS[token_costs], token_costs), rate, token_costs
        self.space = pool_space(token_costs, most_pools)
        options = repr((self.model, token_costs, rate))
        self.version = f"{HeterogeneousCluster.version}+{blake3(options.encode()).hexdigest(8)}"

    def cluster_of(self, design: Mapping[str, Any]) -> ClusterConfig:
        """Return a legal design as a cluster."""
        return pool_cluster_of(design)

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return a cluster in words."""
        if self.space.violations(design):
            return ""
        config = self.cluster_of(design)
        link = f"; {config.kv_bandwidth_gib_per_s:g} GiB/s between machines" if config.scheduler == "mixed_pool" else ""
        return f"{'; '.join(map(pool_in_words, config.pools))}{link}; {config.cost_usd_per_h:,.0f} USD/h, {config.power_kw:,.0f} kW"


def pool_in_words(pool: Pool) -> str:
    """Return a pool in words."""
    roles = {"prompt": "for prompts", "token": "for tokens", "mixed": "for both"}
    words = f"{pool.count} x {pool.machine} {roles[pool.role]}"
    if (engine := pool.engine) is not None:
        formats = [f"weights in {engine.quantization}"] if engine.quantization else []
        formats += [f"KV cache in {engine.kv_cache_dtype}"] if engine.kv_cache_dtype != "auto" else []
        limits = f"{engine.max_num_seqs} requests, {engine.max_num_batched_tokens} tokens a batch"
        words += f" (TP {engine.tensor_parallel_size}, {', '.join([limits, *formats])})"
    return words
