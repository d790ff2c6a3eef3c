"""What environments that measure servers have in common: objectives, and options of how a design is measured."""

from __future__ import annotations

from designgym.core.objectives import Objective, maximize, minimize

LIVE_OBJECTIVES: dict[str, Objective] = {
    "goodput": maximize("goodput_rps", subject_to={"slo_attainment": ">= 0.9"}),
    "throughput": maximize("output_throughput_tps", subject_to={"failed_requests": "<= 0"}),
    "latency": minimize("e2e_p50_s", subject_to={"failed_requests": "<= 0"}),
}

LOAD_OPTIONS = {
    "ttft_s": "target of goodput: time to first token in seconds; default 1",
    "tpot_s": "target of goodput: time per output token in seconds; default 0.05",
    "warm_up": "requests that are sent and forgotten after a start; default 4",
    "min_repeats": "runs at least; default 2",
    "max_repeats": "runs at most; default 5",
    "precision": "runs are repeated until the 95 % confidence interval is within this share of the mean; default 0.05",
    "focus": "metric that decides on repeats; default output_throughput_tps",
    "request_timeout_s": "seconds that one request may take; default 300",
}
