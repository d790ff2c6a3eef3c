"""Options of environments that measure servers: how a design is measured."""

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
