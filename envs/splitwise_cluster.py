"""``designgym/SplitwiseCluster-v0``: clusters that serve a language model, after Splitwise (Patel et al., ISCA 2024).

``SplitwiseCluster-v0`` asks what serves the requests of a workload within nine limits of slowdown; ``SplitwiseClusterRate-v0``, on the same
space, how many requests per second a cluster serves within them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from designgym.core.objectives import Objective, maximize, minimize, pareto
from designgym.core.registry import register
from designgym.core.workload import Workload
from designgym.envs.splitwise_validation import SplitwiseValidator
from designgym.simulators.cluster.designs import PAPER_SIZES, splitwise_cluster
from designgym.simulators.cluster.simulator import SLOWDOWN_METRICS, SplitwiseCluster
from designgym.simulators.cluster.space import MOST_MACHINES
from designgym.simulators.serving.workloads import CATALOGUE, available_requests, find_requests, make_workload

SERVICE_LEVEL = {name: f"<= {limit:g}" for name, limit in SLOWDOWN_METRICS.items()}
"""All nine limits; times are relative to those on an A100 machine without other requests."""

REFERENCE = {"cost_usd_per_h": 5000.0, "power_units": 6000.0}
"""Reference point of the Pareto objective: more than 100 H100 machines."""

_BASELINE = splitwise_cluster("Baseline-H100", *PAPER_SIZES["iso_cost_conv"]["Baseline-H100"])

OBJECTIVES: dict[str, Objective] = {
    "low_cost": minimize("cost_usd_per_h", subject_to=SERVICE_LEVEL),
    "low_power": minimize("power_units", subject_to=SERVICE_LEVEL),
    "few_machines": minimize("machines", subject_to=SERVICE_LEVEL),
    "pareto": pareto("cost_usd_per_h", "power_units", reference=REFERENCE, subject_to=SERVICE_LEVEL),
}

RATE_OBJECTIVES: dict[str, Objective] = {
    "rate_at_cost": maximize("rate_rps", subject_to={"cost_usd_per_h": f"<= {_BASELINE.cost_usd_per_h:g}"}),
    "rate_at_power": maximize("rate_rps", subject_to={"power_units": f"<= {_BASELINE.power_units:g}"}),
    "cost_per_token": minimize("usd_per_million_tokens"),
}
"""The bounds are those of 40 H100 machines, as in the paper."""

_RATE_RPS, _LASTING_S = 30, 60
_MOST_FOR_RATE = 60  # of each role: the bounds above are 40 H100 or 86 A100 machines in all


class ClusterWorkloads:
    """Generated requests, traces found in the folders of ``DESIGNGYM_DATA``, and CSV files by path, with settings after a colon.

    Generated requests come at 30 per second and last 60 s, unless ``rate`` or ``requests`` is given.
    """

    def __init__(self, generated: Sequence[str] = tuple(CATALOGUE)) -> None:
        self._generated = tuple(generated)

    def names(self) -> list[str]:
        """Return the names that can be had now."""
        return [*self._generated, *(name for name in available_requests() if name not in CATALOGUE)]

    def get(self, name: str) -> Workload:
        """Return requests as a workload."""
        return make_workload(name, find_requests(_with_defaults(name)))


def _with_defaults(name: str) -> str:
    base, _, rest = name.partition(":")
    settings = [part.partition("=") for part in rest.split(",") if part]
    given = {key: value for key, _, value in settings}
    if base not in CATALOGUE or "users" in given:
        return name
    rate = given.get("rate", str(_RATE_RPS))
    if "requests" not in given:
        try:
            settings.append(("requests", "=", str(max(round(float(rate) * _LASTING_S), 1))))
        except (ValueError, OverflowError):  # which is said of the rate
            settings.append(("rate", "=", rate))
    if "rate" not in given:
        settings.append(("rate", "=", rate))
    return f"{base}:{','.join(map(''.join, settings))}"


_OPTIONS = {
    "model": "bloom-176b (default) or llama2-70b",
    "token_costs": "batched (default): decoding by requests and context, as measured; or paper: splitwise-sim's rule, which hardly sees "
    "them, and its figures of latency",
    "most_machines": f"of each role; default {MOST_MACHINES}",
}

register(
    "designgym/SplitwiseCluster-v0",
    SplitwiseCluster,
    workloads=ClusterWorkloads(),
    objectives=OBJECTIVES,
    default_workload="azure-conv",
    description="Machines, roles, limits and scheduler of a cluster that serves a language model, simulated event by event",
    options=_OPTIONS | {"rate": "given (default), or highest: at the highest rate within the limits, see SplitwiseClusterRate-v0"},
    validator=SplitwiseValidator(),
    functional="off",  # a simulation takes milliseconds
)

register(
    "designgym/SplitwiseClusterRate-v0",
    partial(SplitwiseCluster, rate="highest", most_machines=_MOST_FOR_RATE),
    workloads=ClusterWorkloads(("azure-conv", "azure-code")),
    objectives=RATE_OBJECTIVES,
    default_workload="azure-conv",
    description="The same clusters, by the highest rate of requests that each serves within all limits",
    options=_OPTIONS | {"most_machines": f"of each role; default {_MOST_FOR_RATE}"},
    functional="off",
)
