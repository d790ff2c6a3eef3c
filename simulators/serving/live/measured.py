"""What measurements say: figures of a run, and their means over repeats with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from designgym.core.metrics import MetricSpec, metric
from designgym.simulators.serving.live.load import Outcome
from designgym.simulators.serving.summary import Targets, latency_figures, latency_metrics

__all__ = ["FIGURES", "METRICS", "half_width", "measured_figures"]

_LATENCIES = {
    "ttft": "from when the request was due to its first text",
    "tpot": "per output token after the first, of each request on average",
    "itl": "between two pieces of text of a request",
    "e2e": "from when the request was due to its last text",
}
FIGURES: tuple[MetricSpec, ...] = (
    *latency_metrics(_LATENCIES),
    metric("goodput_rps", goal="max", unit="requests/s", doc="requests a second that met both targets, TTFT and TPOT"),
    metric("slo_attainment", goal="max", doc="share of requests that met both targets; failed ones did not"),
    metric("request_throughput_rps", goal="max", unit="requests/s", doc="answered requests by the time of the run"),
    metric("output_throughput_tps", goal="max", unit="tokens/s", doc="output tokens by the time of the run"),
    metric("failed_requests", goal="min", doc="requests without a whole answer"),
    metric("makespan_s", goal="min", unit="s", doc="from the first request that was due to the last text"),
)
"""What one run shows."""

METRICS = (
    *FIGURES,
    metric("repeats", doc="runs that all other figures are means of"),
    metric("relative_ci95", doc="half of the 95 % confidence interval of what decides on repeats, by its mean; 1 after a single run"),
)


def measured_figures(outcomes: Sequence[Outcome], targets: Targets) -> dict[str, float]:
    """Return `FIGURES` of one run of which at least one request was answered."""
    good = [outcome for outcome in outcomes if not outcome.error]
    due, first, last = (np.array([pick(o) for o in good]) for pick in (lambda o: o.due_s, lambda o: o.token_s[0], lambda o: o.token_s[-1]))
    tokens = np.array([outcome.output_tokens for outcome in good])
    ttft, tpot = first - due, (last - first) / np.maximum(tokens - 1, 1)
    gaps = np.concatenate([np.diff(outcome.token_s) for outcome in good])
    met = (ttft <= targets.ttft_s) & (tpot <= targets.tpot_s)
    makespan = float(last.max() - min(outcome.due_s for outcome in outcomes))
    return {
        **latency_figures({"ttft": ttft, "tpot": tpot, "itl": gaps if gaps.size else np.zeros(1), "e2e": last - due}),
        "goodput_rps": float(met.sum()) / makespan,
        "slo_attainment": float(met.sum()) / len(outcomes),
        "request_throughput_rps": len(good) / makespan,
        "output_throughput_tps": float(tokens.sum()) / makespan,
        "failed_requests": float(len(outcomes) - len(good)),
        "makespan_s": makespan,
    }


def half_width(values: Sequence[float], confidence: float = 0.95) -> float:
    """Return half the width of the confidence interval of the mean (Student's t); infinite for one value."""
    if len(values) < 2:
        return float("inf")
    quantile = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1))
    return quantile * float(np.std(values, ddof=1)) / len(values) ** 0.5
