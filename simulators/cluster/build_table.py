"""Makes ``data/splitwise.json`` from the measurements that come with splitwise-sim.

Run: python -m designgym.simulators.cluster.build_table PERF_MODEL.csv

The measurements are times of whole prompt phases and per output token, five repeats of each, on 8 GPUs with tensor parallelism. The
table holds medians:

- by tokens in the batch (prompt size x batch size), as splitwise-sim takes them, of prompt and of token times;
- of token times by requests in the batch, as measured with prompts of 512 tokens and 128 outputs, split into what comes with the batch
  and what with the context. The latter's slope is fitted to the measurements of one request with prompts of 128 to 8192 tokens and 128 to
  8192 outputs. Noise is smoothed by isotonic regression: more requests take no less time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

TABLE = Path(__file__).with_name("data") / "splitwise.json"
SOURCE = (
    "Medians by build_table.py of the measurements of Patel et al., Splitwise, ISCA 2024 (splitwise-sim, data/perf_model.csv, 8f99e7dc), "
    "MIT, (c) 2024 Pratyush Patel"
)
MACHINES = {"a100": "a100-80gb", "h100": "h100-80gb", "h100_capped": "h100-80gb-pcap"}
GPUS = 8
BATCH_PROMPT, BATCH_OUTPUT = 512, 128  # tokens of the measurements by batch size


def measured_times(table: pd.DataFrame) -> dict[str, Any]:
    """Return the curves of one model on one machine from its rows of the measurements."""
    table = table.assign(tokens=table.prompt_size * table.batch_size)
    pooled = table.groupby("tokens")[["prompt_time", "token_time"]].median()
    one = table[table.batch_size == 1].groupby(["prompt_size", "token_size"], as_index=False).token_time.median()
    context = one.prompt_size + one.token_size / 2
    slope_ms, level_ms = np.polyfit(context, one.token_time, 1)
    slope_ms = max(float(slope_ms), 0.0)
    batches = table[(table.prompt_size == BATCH_PROMPT) & (table.token_size == BATCH_OUTPUT) & (table.batch_size > 1)]
    by_batch = batches.groupby("batch_size").token_time.median()
    requests = np.array([1, *by_batch.index])
    alone_ms = np.array([level_ms, *(by_batch - slope_ms * by_batch.index * (BATCH_PROMPT + BATCH_OUTPUT / 2))])
    return {
        "tokens": [int(tokens) for tokens in pooled.index],
        "prompt_ms": [float(ms) for ms in pooled.prompt_time],
        "token_ms": [float(ms) for ms in pooled.token_time],
        "decode_requests": [int(n) for n in requests],
        "decode_ms": [round(float(ms), 4) for ms in isotonic_regression(alone_ms).x],
        "decode_us_per_context_token": round(slope_ms * 1000, 4),
    }


def build(measurements: Path) -> dict[str, Any]:
    """Return the table as JSON data.

    Args:
        measurements: splitwise-sim's perf_model.csv.
    """
    table = pd.read_csv(measurements)
    table = table[table.tensor_parallel == GPUS]
    models: dict[str, Any] = {}
    for model, rows in table.groupby("model"):
        models[str(model)] = {ours: measured_times(rows[rows.hardware == theirs]) for ours, theirs in MACHINES.items()}
    return {"source": SOURCE, "gpus": GPUS, "times": models}


def main() -> None:
    """Write the table."""
    data = build(Path(sys.argv[1]))
    text = json.dumps(data).replace('", "', '",\n"').replace('}, "', '},\n"').replace('], "', '],\n "')
    TABLE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
