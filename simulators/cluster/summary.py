"""The metrics of clusters: latencies, slowdowns, rates, and what the machines cost."""

from __future__ import annotations

from designgym.core.metrics import metric
from designgym.simulators.cluster.instances import output_tokens
from designgym.simulators.cluster.rates import offered_rate_rps
from designgym.simulators.cluster.service_level import PERCENTILES, SLOWDOWN_LIMITS, Latencies
from designgym.simulators.cluster.simulate import ClusterRun

__all__ = ["POOL_METRICS", "SLOWDOWN_METRICS", "SPLITWISE_METRICS", "summary"]

SLOWDOWN_METRICS = {
    f"{name}_slowdown_p{point}": limit for name, limits in SLOWDOWN_LIMITS.items() for point, limit in zip(PERCENTILES, limits, strict=True)
}
"""The nine slowdowns and their limits."""

_WORDS = {
    "ttft": "time to the first token, from arrival",
    "tbt": "time between tokens after the first, mean of a request, with transfer and waiting",
    "e2e": "time from arrival to the last token",
}
_EVERY = (
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
    metric("power_kw", unit="kW", goal="min", doc="provisioned power of all machines"),
    metric("machines", goal="min", doc="machines of all kinds"),
    metric("utilisation", doc="share of the machines' time, to the last end, in which they compute"),
    metric("memory_share", doc="of its memory, on the fullest machine at its fullest"),
    metric("requests_per_batch", doc="mean over runs of a fixed batch"),
    metric("preemptions", doc="of decoding requests, by prompts or more urgent ones"),
    metric("transfers", doc="of keys and values between machines"),
    metric("lent_machines", doc="times that a machine of the prompt or token pool had to help out the other"),
)

SPLITWISE_METRICS = tuple(each for each in _EVERY if each.name != "power_kw")
"""Of machines as in the paper."""

POOL_METRICS = tuple(each for each in _EVERY if each.name != "power_units")
"""Of pools of any machines."""


def summary(run: ClusterRun, latencies: Latencies, slowdowns: Latencies) -> dict[str, float]:
    """Return the metrics of a run in which all requests were served.

    Args:
        run: The run.
        latencies: Of its requests.
        slowdowns: Their ratios to those of requests alone.
    """
    config, trace, counts = run.config, run.trace, run.counts
    makespan_s = float(run.finish_s.max() - trace.arrival_s[0])
    tokens_per_s = float(output_tokens(trace).sum()) / makespan_s
    seconds = latencies.percentiles()
    ratios = dict(zip(SLOWDOWN_METRICS, (value for values in slowdowns.percentiles().values() for value in values), strict=True))
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
        "power_kw": config.power_kw,
        "machines": float(config.machines),
        "utilisation": float(run.busy_s.sum()) / (run.busy_s.size * makespan_s),
        "memory_share": float((run.most_used_bytes / run.memory_bytes).max()),
        "requests_per_batch": counts["n_batch_requests"] / counts["n_runs"],
        "preemptions": float(counts["n_preemptions"]),
        "transfers": float(counts["n_transfers"]),
        "lent_machines": float(counts["n_prompt_machines_lent"] + counts["n_token_machines_lent"]),
    }
