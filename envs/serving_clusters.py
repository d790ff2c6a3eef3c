"""``designgym/HeterogeneousCluster-v0``: clusters with pools of any machines in any role, and engines set for each."""

from __future__ import annotations

from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.envs.splitwise_cluster import SERVICE_LEVEL, ClusterWorkloads
from designgym.simulators.cluster.heterogeneous import HeterogeneousCluster
from designgym.simulators.cluster.pool_space import MOST_POOLS

REFERENCE = {"cost_usd_per_h": 5000.0, "power_kw": 1500.0}
"""Reference point of the Pareto objective: more than 140 H100 servers."""

OBJECTIVES: dict[str, Objective] = {
    "low_cost": minimize("cost_usd_per_h", subject_to=SERVICE_LEVEL),
    "low_power": minimize("power_kw", subject_to=SERVICE_LEVEL),
    "few_machines": minimize("machines", subject_to=SERVICE_LEVEL),
    "cost_per_token": minimize("usd_per_million_tokens", subject_to=SERVICE_LEVEL),
    "pareto": pareto("cost_usd_per_h", "power_kw", reference=REFERENCE, subject_to=SERVICE_LEVEL),
}

_OPTIONS = {
    "model": "tables: a model of VllmServing-v0, or a config.json; batched and paper: bloom-176b or llama2-70b; default Llama-2-70B",
    "token_costs": "tables (default): step costs of VllmServing-v0, on servers with H200, H100, A100, L40S; batched or paper: as of "
    "SplitwiseCluster-v0, on A100, H100 and capped H100, without arguments of engines",
    "rate": "given (default), or highest: at the highest rate within the limits",
    "most_pools": f"how many pools there are at most; default {MOST_POOLS}",
}

register(
    "designgym/HeterogeneousCluster-v0",
    HeterogeneousCluster,
    workloads=ClusterWorkloads(),
    objectives=OBJECTIVES,
    default_workload="azure-conv",
    description="Clusters with pools chosen freely: any machines in any role, H200 and L40S too, and vLLM's arguments for each pool",
    options=_OPTIONS,
    functional="off",  # a simulation takes milliseconds
)
