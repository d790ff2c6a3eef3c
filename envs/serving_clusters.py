"""``designgym/HeterogeneousCluster-v0``: clusters with pools of any machines in any role, and engines set for each.

``designgym/AutoscaledCluster-v0``: the same, whose machines are switched on and off over a day.
"""

from __future__ import annotations

from typing import Any

from designgym.core.errors import UnknownNameError
from designgym.core.name_settings import Setting, read_settings
from designgym.core.objectives import Objective, minimize, pareto
from designgym.core.registry import register
from designgym.core.workload import Workload
from designgym.envs.splitwise_cluster import SERVICE_LEVEL, ClusterWorkloads
from designgym.simulators.cluster.autoscaled import AutoscaledCluster
from designgym.simulators.cluster.day import day_of_requests
from designgym.simulators.cluster.heterogeneous import HeterogeneousCluster
from designgym.simulators.cluster.pool_space import MOST_POOLS
from designgym.simulators.serving.workloads import make_workload

REFERENCE = {"cost_usd_per_h": 5000.0, "power_kw": 1500.0}
"""Reference point of the Pareto objective: more than 140 H100 servers."""

OBJECTIVES: dict[str, Objective] = {
    "low_cost": minimize("cost_usd_per_h", subject_to=SERVICE_LEVEL),
    "low_power": minimize("power_kw", subject_to=SERVICE_LEVEL),
    "few_machines": minimize("machines", subject_to=SERVICE_LEVEL),
    "cost_per_token": minimize("usd_per_million_tokens", subject_to=SERVICE_LEVEL),
    "pareto": pareto("cost_usd_per_h", "power_kw", reference=REFERENCE, subject_to=SERVICE_LEVEL),
}

DAY_REFERENCE = {"cost_usd": 100_000.0, "energy_kwh": 30_000.0}
"""Reference point of a day's Pareto objective."""

DAY_OBJECTIVES: dict[str, Objective] = {
    "low_cost": minimize("cost_usd", subject_to=SERVICE_LEVEL),
    "low_energy": minimize("energy_kwh", subject_to=SERVICE_LEVEL),
    "low_cost_all_day": minimize("cost_usd", subject_to={"worst_part_slowdown": "<= 1"}),
    "pareto": pareto("cost_usd", "energy_kwh", reference=DAY_REFERENCE, subject_to=SERVICE_LEVEL),
}
"""All nine limits over the whole day, or in each of its 24 parts."""


class DayWorkloads:
    """Days of generated requests, ``day-conv`` and ``day-code``, with settings after a colon: ``rate``, ``peak``, ``hours``, ``seed``."""

    def names(self) -> list[str]:
        """Return the names without settings."""
        return ["day-conv", "day-code"]

    def get(self, name: str) -> Workload:
        """Return a day of requests; raises `InputError` if there is none of that name, or a setting cannot be used."""
        base, _, rest = name.partition(":")
        if base not in self.names():
            raise UnknownNameError("workload", base, self.names(), "(others are of HeterogeneousCluster-v0)")
        settings: dict[str, Any] = read_settings(name, rest, _DAY_SETTINGS)
        return make_workload(name, day_of_requests(base.removeprefix("day-"), **settings))


_DAY_SETTINGS = {
    "rate": Setting("rate_rps", "4 (per second, on average)", positive=True),
    "peak": Setting("peak", "4 (highest rate over the lowest)", least=1.0),
    "hours": Setting("hours", "24", positive=True),
    "seed": Setting("seed", "0", int),
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

register(
    "designgym/AutoscaledCluster-v0",
    AutoscaledCluster,
    workloads=DayWorkloads(),
    objectives=DAY_OBJECTIVES,
    default_workload="day-conv",
    description="Clusters whose machines are switched on and off over a day: pools, fewest machines, targets, the policy's delays",
    options={name: _OPTIONS[name] for name in ("model", "token_costs", "most_pools")}
    | {"start_up_s": "seconds from switching a machine on to its first request; default 120, an assumption"},
    functional="off",
)
