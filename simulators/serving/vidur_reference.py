"""Runs of Vidur in our simulation: its memory model, its tables of operator times, and the columns that describe a run.

Vidur: Agrawal et al., "Vidur: A Large-Scale Simulation Framework for LLM Inference", MLSys 2024; rules of the code of 2024-11-19.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.serving.config import ClassicConfig
from designgym.simulators.serving.cost_tables import VidurStepCosts
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.simulate import ServingRun
from designgym.simulators.serving.step_costs import VIDUR_OPS

__all__ = ["MODELS", "TABLE_FILES", "VidurModel", "load_costs", "load_trace", "make_config", "summary"]

_GPU_BYTES = 80 * 2**30
_HEAD_DIM = 128
_BLOCK_TOKENS = 16
_LONGEST = 4096  # tokens of a request
_STEP = 64  # tokens between the contexts of the tables
TABLE_FILES = ("vidur_pred_ops.csv", "vidur_pred_attn_decode.parquet", "vidur_pred_attn_prefill.parquet")
_TRACE_COLUMNS = ("arrival_unit_rate", "num_prefill_tokens", "num_decode_tokens")
_SCHEDULERS = {"vllm": "vllm_v0", "sarathi": "sarathi", "orca": "orca"}


@dataclass(frozen=True)
class VidurModel:
    """Shape of a dense model with head dimension 128."""

    layers: int
    query_heads: int
    kv_heads: int
    hidden: int
    mlp_hidden: int

    def kv_blocks(self, tensor_parallel: int, mem_margin: float) -> int:
        """Return the blocks of 16 tokens that 80 GiB GPUs have beside the weights: memory comes in whole slots of 4096 tokens."""
        query, kv = self.query_heads / tensor_parallel, math.ceil(self.kv_heads / tensor_parallel)
        attention = self.hidden * _HEAD_DIM * (2 * query + 2 * kv)
        weights = 2 * self.layers * (attention + 3 * self.hidden * self.mlp_hidden / tensor_parallel)
        slot = 4 * _HEAD_DIM * kv * _LONGEST * self.layers
        return _LONGEST // _BLOCK_TOKENS * max(math.floor((_GPU_BYTES * (1 - mem_margin) - weights) / slot), 0)


MODELS = {
    "Meta-Llama-3-8B": VidurModel(layers=32, query_heads=32, kv_heads=8, hidden=4096, mlp_hidden=14336),
    "Llama-2-70b-hf": VidurModel(layers=80, query_heads=64, kv_heads=8, hidden=8192, mlp_hidden=28672),
}


def make_config(
    model: str, scheduler: str, *, tensor_parallel: int, batch_cap: int, tokens: int | None, mem_margin: float
) -> ClassicConfig:
    """Return the engine of a run.

    Args:
        model: One of `MODELS`.
        scheduler: ``"vllm"``, ``"sarathi"`` or ``"orca"``.
        tensor_parallel: GPUs per replica.
        batch_cap: Most requests in a batch.
        tokens: Token budget of vllm, chunk of sarathi; orca has none.
        mem_margin: Share of the memory that is not used.

    Raises:
        InputError: For an unknown name, or if the model leaves no memory.
    """
    if model not in MODELS:
        raise UnknownNameError("model", model, MODELS)
    if scheduler not in _SCHEDULERS:
        raise UnknownNameError("scheduler", scheduler, _SCHEDULERS)
    if tokens is None and scheduler != "orca":
        raise InputError(f"{scheduler} needs a token budget")
    blocks = MODELS[model].kv_blocks(tensor_parallel, mem_margin)
    if blocks == 0:
        raise InputError(f"{model} on {tensor_parallel} GPUs with a margin of {mem_margin:g} leaves no memory for requests")
    return ClassicConfig(
        scheduler=_SCHEDULERS[scheduler],  # type: ignore[arg-type]
        max_num_seqs=batch_cap,
        num_blocks=blocks,
        max_num_batched_tokens=tokens or _LONGEST,
        block_size=_BLOCK_TOKENS,
        max_model_len=_LONGEST,
    )


@lru_cache(maxsize=16)
def load_costs(folder: Path, table_key: str, *, layers: int, tensor_parallel: int) -> VidurStepCosts:
    """Return the costs under a key of the tables of operator times in a folder (`TABLE_FILES`).

    Raises:
        InputError: If a table is not there, or lacks the key.
    """
    operators = _rows(folder, TABLE_FILES[0], table_key).set_index("num_tokens")
    decode = _rows(folder, TABLE_FILES[1], table_key)
    prefill = _rows(folder, TABLE_FILES[2], table_key)
    # Rows are there where a value changes; up to the next one the last one holds.
    every = operators.reindex(np.arange(8, int(operators.index.max()) + 1, 8)).ffill()
    if operators.index.min() != 8:
        raise InputError(f"{folder / TABLE_FILES[0]}: {table_key} begins at {operators.index.min()} tokens, expected 8")
    decode_ms = np.full((int(decode["batch_size"].max()), int(decode["avg_kv"].max()) // _STEP + 1), np.nan)
    decode_ms[decode["batch_size"].to_numpy() - 1, decode["avg_kv"].to_numpy() // _STEP] = decode["attn_decode_ms"]
    prefill_ms = np.full((int(prefill["past_kv"].max()) // _STEP + 1, int(prefill["chunk"].max())), np.nan)
    prefill_ms[prefill["past_kv"].to_numpy() // _STEP, prefill["chunk"].to_numpy() - 1] = prefill["attn_prefill_ms"]
    for name, table in (("decode", decode_ms), ("prefill", prefill_ms)):
        if np.isnan(table).any():
            raise InputError(f"the {name} table of {table_key} in {folder} has gaps: expected every batch and context in steps of {_STEP}")
    if tensor_parallel == 1:
        every["all_reduce_ms"] = 0.0
    columns = {name: every[name].to_numpy(dtype=np.float64) for name in VIDUR_OPS}
    return VidurStepCosts.make(columns, decode_ms, prefill_ms, layers=layers, tensor_parallel=tensor_parallel)


def _rows(folder: Path, name: str, table_key: str) -> pd.DataFrame:
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path} does not exist: Vidur's rows need its operator times ({', '.join(TABLE_FILES)}); give their folder")
    if path.suffix == ".parquet":
        rows = pd.read_parquet(path, filters=[("table_key", "==", table_key)])
    else:
        whole = pd.read_csv(path)
        rows = whole[whole["table_key"] == table_key]
    if rows.empty:
        raise InputError(f"{path} has no rows of {table_key!r}")
    return rows


@lru_cache(maxsize=16)
def load_trace(path: Path, qps: float) -> RequestTrace:
    """Return the requests of a trace file at so many per second.

    Raises:
        InputError: If the file is not a table with arrivals at one request per second and both numbers of tokens.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the trace {path}: {error}") from None
    if missing := [name for name in _TRACE_COLUMNS if name not in table]:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}")
    try:
        arrival, prompt, output = (table[name].to_numpy() for name in _TRACE_COLUMNS)
        return RequestTrace.make(arrival / qps, prompt, output)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def summary(run: ServingRun, num_kv_blocks: int) -> dict[str, float]:
    """Return Vidur's columns of a run: percentiles by linear interpolation over all requests, times in seconds."""
    first = run.trace.arrival_s[0]
    makespan = float(np.max(run.finish_s) - first)
    columns: dict[str, float] = {"num_kv_blocks": float(num_kv_blocks)}
    for name, values, points in (
        ("ttft", run.ttft_s, (50, 90, 99)),
        ("tpot", (run.finish_s - run.first_token_s) / np.maximum(run.trace.output_tokens - 1, 1), (50, 90, 99)),
        ("e2e", run.e2e_s, (50, 90, 99)),
    ):
        columns[f"{name}_mean_s"] = float(np.mean(values))
        for point in points:
            columns[f"{name}_p{point}_s"] = float(np.percentile(values, point))
    steps = run.totals["n_steps"]
    return columns | {
        "makespan_s": makespan,
        "request_throughput_rps": len(run.trace) / makespan,
        "output_token_throughput_tps": float(run.trace.output_tokens.sum()) / makespan,
        "iterations": float(steps),
        "mean_batch_requests": run.totals["batch_requests"] / steps,
        "mean_batch_tokens": run.totals["batch_tokens"] / steps,
        "restarts_total": float(run.totals["preemptions"]),
    }
