"""What an operator asks of a run: latencies, throughput, what meets the targets, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.core.metrics import MetricSpec, metric
from designgym.simulators.serving.costs.deployment import Deployment
from designgym.simulators.serving.simulate import ServingRun

__all__ = ["METRICS", "Targets", "latency_figures", "latency_metrics", "summary"]

PERCENTILES = (50, 90, 99)
IDLE_POWER = 0.2  # of the board power, between steps: an assumption, about what A100 and H100 draw with a model loaded

_LATENCIES = {
    "ttft": "time to first token: from arrival to the first token",
    "tpot": "time per output token after the first, of each request on average",
    "itl": "inter-token latency: each gap between two tokens of a request",
    "e2e": "from arrival to the last token",
}


def latency_metrics(meanings: Mapping[str, str]) -> tuple[MetricSpec, ...]:
    """Return the percentiles of each latency as metrics."""
    return tuple(
        metric(f"{name}_p{p}_s", goal="min", unit="s", doc=f"{p}th percentile, {meaning}")
        for name, meaning in meanings.items()
        for p in PERCENTILES
    )


def latency_figures(latencies_s: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the values of `latency_metrics`."""
    return {
        f"{name}_p{p}_s": value
        for name, values in latencies_s.items()
        for p, value in zip(PERCENTILES, np.percentile(values, PERCENTILES).tolist(), strict=True)
    }


METRICS: tuple[MetricSpec, ...] = (
    *latency_metrics(_LATENCIES),
    metric("goodput_rps", goal="max", unit="requests/s", doc="requests a second that met both targets, TTFT and TPOT"),
    metric("slo_attainment", goal="max", doc="share of requests that met both targets"),
    metric("request_throughput_rps", goal="max", unit="requests/s", doc="requests by the time from the first arrival to the last token"),
    metric("output_throughput_tps", goal="max", unit="tokens/s", doc="output tokens by that time"),
    metric("total_throughput_tps", goal="max", unit="tokens/s", doc="prompt and output tokens by that time"),
    metric("tokens_per_s_per_gpu", goal="max", unit="tokens/s", doc="output tokens by that time and the GPUs"),
    metric("tokens_per_s_per_user", goal="max", unit="tokens/s", doc="median of 1 / TPOT: how fast one user's answer grows"),
    metric("gpus", goal="min", doc="GPUs of all replicas"),
    metric("usd_per_million_tokens", goal="min", unit="USD", doc="rent of the GPUs by a million output tokens"),
    metric(
        "energy_j_per_token", goal="min", unit="J", doc="board power of all GPUs while a step runs, a fifth of it else, by output token"
    ),
    metric("kv_utilisation", doc="share of the KV blocks in use while steps run, on average"),
    metric("preemptions", goal="min", doc="requests that were thrown out and computed again"),
    metric("prefix_hit_rate", goal="max", doc="share of the looked-up prompt tokens that the prefix cache had"),
    metric("mean_batch_requests", doc="requests in a step"),
    metric("makespan_s", goal="min", unit="s", doc="from the first arrival to the last token"),
)


@dataclass(frozen=True)
class Targets:
    """What a request must meet (a service level objective).

    Attributes:
        ttft_s: Time to first token.
        tpot_s: Time per output token.

    Raises:
        InputError: For a target that is not positive.
    """

    ttft_s: float = 1.0
    tpot_s: float = 0.05

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        for name in ("ttft_s", "tpot_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise InputError(f"target {name} must be a number of seconds above 0, but is {value!r}")


def summary(runs: Sequence[ServingRun], deployment: Deployment, targets: Targets) -> dict[str, float]:
    """Return `METRICS` of an engine's run, or of its replicas', each of which served a part of the requests.

    All requests must have finished and token times been kept.
    """
    ttft, tpot, e2e = (_joined(runs, name) for name in ("ttft_s", "tpot_s", "e2e_s"))
    met = (ttft <= targets.ttft_s) & (tpot <= targets.tpot_s)
    first = min(float(np.nanmin(run.arrival_s)) for run in runs)
    makespan = max(float(run.finish_s.max()) for run in runs) - first
    outputs = sum(int(run.output_tokens.sum()) for run in runs)
    prompts = sum(int(run.trace.prompt_tokens.sum()) for run in runs)
    totals = {name: sum(run.totals[name] for run in runs) for name in runs[0].totals}
    gpus, busy = len(runs) * deployment.n_gpus, sum(run.busy_s for run in runs)
    working = sum(min(run.busy_s, makespan) for run in runs)  # a step that was formed ahead may end after the last token
    energy_j = deployment.tdp_watt * (working + IDLE_POWER * (len(runs) * makespan - working))
    used = sum(run.mean_used_blocks / run.usable_blocks * run.busy_s for run in runs)
    return {
        **latency_figures({"ttft": ttft, "tpot": tpot, "itl": _gaps_s(runs), "e2e": e2e}),
        "goodput_rps": float(met.sum()) / makespan,
        "slo_attainment": float(met.mean()),
        "request_throughput_rps": len(met) / makespan,
        "output_throughput_tps": outputs / makespan,
        "total_throughput_tps": (prompts + outputs) / makespan,
        "tokens_per_s_per_gpu": outputs / makespan / gpus,
        "tokens_per_s_per_user": _speed(tpot),
        "gpus": float(gpus),
        "usd_per_million_tokens": len(runs) * deployment.usd_per_hour * makespan / 3600 / outputs * 1e6,
        "energy_j_per_token": energy_j / outputs,
        "kv_utilisation": float(used / busy),
        "preemptions": float(totals["preemptions"]),
        "prefix_hit_rate": totals["hit_tokens"] / max(totals["queried_tokens"], 1),
        "mean_batch_requests": totals["batch_requests"] / totals["n_steps"],
        "makespan_s": makespan,
    }


def _joined(runs: Sequence[ServingRun], name: str) -> NDArray[np.float64]:
    return np.concatenate([getattr(run, name) for run in runs])


def _gaps_s(runs: Sequence[ServingRun]) -> NDArray[np.float64]:
    """Return the times between tokens of the same request; 0 if no request has two."""
    times = [of_request for run in runs for of_request in run.token_times_s or ()]
    ends = np.cumsum([len(of_request) for of_request in times])
    gaps = np.delete(np.diff(np.concatenate(times)), ends[:-1] - 1)
    return gaps if gaps.size else np.zeros(1)


def _speed(tpot_s: NDArray[np.float64]) -> float:
    """Return tokens a second of the median request; of those with more than a token, if there are any."""
    several = tpot_s[tpot_s > 0]
    return float(1 / np.median(several)) if several.size else 0.0
