"""What splitwise-sim writes about a run, from ours: the columns of its tables."""

from __future__ import annotations

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.cluster.instances import output_tokens
from designgym.simulators.cluster.machines import ServedModel, measured_curves
from designgym.simulators.cluster.service_level import PERCENTILES, REFERENCE_MACHINE, SLOWDOWN_LIMITS, latencies_of, reference_latencies
from designgym.simulators.cluster.simulate import ClusterRun

__all__ = ["FIGURES", "VERDICTS", "splitwise_row"]

_POINTS = tuple(f"p{point}" for point in PERCENTILES)
FIGURES = (
    "n_requests",
    *(f"{name}_{point}_s" for name in SLOWDOWN_LIMITS for point in _POINTS),
    *(f"{name}_slowdown_{point}" for name in SLOWDOWN_LIMITS for point in _POINTS),
    "makespan_s",
    "throughput_rps",
    "output_tps",
    "cost_per_hr_units",
    "power_units",
)
VERDICTS = ("oom", "slo_all_met")

_GPUS = 8


def splitwise_row(run: ClusterRun, model: ServedModel) -> dict[str, float | bool]:
    """Return `FIGURES` and `VERDICTS` of a run with ``token_costs="paper"``, over the requests that were served.

    Raises:
        InputError: If none was.
    """
    served = np.isfinite(run.finish_s)
    if not served.any():
        raise InputError("no request was served")
    latencies = latencies_of(run, "paper").of(served)
    alone = reference_latencies(run.trace, measured_curves(model.name, REFERENCE_MACHINE), "paper").of(served)
    percentiles, slowdowns = latencies.percentiles(), latencies.divided_by(alone).percentiles()
    makespan_s = float(np.nanmax(run.finish_s) - run.trace.arrival_s[0])
    memory = np.concatenate([[run.config.machine_types[pool.machine].memory_bytes] * pool.count for pool in run.config.pools])
    row: dict[str, float | bool] = {"n_requests": float(served.sum())}
    for name in SLOWDOWN_LIMITS:
        row |= {f"{name}_{point}_s": value for point, value in zip(_POINTS, percentiles[name], strict=True)}
        row |= {f"{name}_slowdown_{point}": value for point, value in zip(_POINTS, slowdowns[name], strict=True)}
    return row | {
        "makespan_s": makespan_s,
        "throughput_rps": float(served.sum()) / makespan_s,
        "output_tps": float(output_tokens(run.trace)[served].sum()) / makespan_s,
        "cost_per_hr_units": run.config.cost_usd_per_h / _GPUS,
        "power_units": run.config.power_units,
        "oom": bool((run.most_used_bytes > memory).any()),
        "slo_all_met": all(
            value <= limit for name, limits in SLOWDOWN_LIMITS.items() for value, limit in zip(slowdowns[name], limits, strict=True)
        ),
    }
