"""Makes the packaged table of operator times from the measurements that NVIDIA's aiconfigurator publishes.

``python -m designgym.simulators.serving.costs.build SYSTEMS`` reads the folder ``aiconfigurator_core/systems`` of the PyPI package
``aiconfigurator-core`` 0.12.0 (Apache-2.0) and writes `operators.OPERATORS`. From its tables of single operators under vLLM (0.14.0 on the
A100, 0.24.0 on the others) it takes a grid of medians; no time of a whole step goes in. Milliseconds in half precision: 0.05 % at most.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from designgym.core.errors import InputError
from designgym.simulators.serving.costs.experts import expert_work, seconds_of_experts
from designgym.simulators.serving.costs.gpus import GPUS, Gpu
from designgym.simulators.serving.costs.operators import (
    CONTEXTS,
    DECODE_BATCHES,
    DECODE_KV_HEADS,
    GROUPS,
    HEAD_DIM,
    OPERATORS,
    PROMPT_BATCHES,
    PROMPT_KV_HEADS,
    PROMPT_LENGTHS,
)

Floats = NDArray[np.float64]

DTYPES = ("bfloat16", "fp8")
LONGEST_MS = float(np.finfo(np.float16).max)
GEMM_TOKENS = [  # one row more than a power of two often takes another kernel, and much longer
    1, 2, 4, 8, 16, 17, 32, 33, 48, 64, 65, 80, 96, 112, 128, 129, 160, 192, 224, 256, 257, 384, 512, 513, 768, 769, 1024, 1025, 1280, 1281,
    1536, 1537, 1792, 1793, 2048, 2049, 2304, 2305, 2560, 2561, 2816, 2817, 3072, 3073, 3584, 3585, 4096, 4097, 8192, 16384, 32768,
]  # fmt: skip
GEMM_WIDTHS = [256, 512, 768, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240, 12288, 16384, 51200, 65536]


def _read(systems: Path, gpu: str, operator: str, file: str) -> pd.DataFrame:
    """Return the table of the newest vLLM that was measured."""
    paths = list((systems / "data" / gpu / operator / "vllm").glob(f"*/{file}"))
    if not paths:
        raise InputError(
            f"{systems} has no data/{gpu}/{operator}/vllm/*/{file}: give the folder aiconfigurator_core/systems of the PyPI package "
            "aiconfigurator-core 0.12.0"
        )
    return pd.read_parquet(max(paths, key=lambda path: [int(part) for part in path.parent.name.split(".")]))


def _grid(table: pd.DataFrame, columns: Sequence[str], axes: Sequence[Sequence[int]]) -> Floats:
    """Return the median latency at each point of a grid, NaN where nothing was measured."""
    values = table.groupby(list(columns)).latency.median()
    index = pd.MultiIndex.from_product(axes, names=list(columns))
    return np.array(values.reindex(index), dtype=np.float64).reshape([len(axis) for axis in axes])


def _extend(grid: Floats, positions: Sequence[int], axis: int) -> Floats:
    """Fill what is missing along an axis by the last value before it, in proportion to the position."""
    grid = np.moveaxis(grid, axis, -1)
    for i in range(1, len(positions)):
        filled = grid[..., i - 1] * (positions[i] / positions[i - 1])
        grid[..., i] = np.where(np.isnan(grid[..., i]), filled, grid[..., i])
    return np.moveaxis(grid, -1, axis)


def _gemms(systems: Path, gpu: str) -> dict[str, Any]:
    table = _read(systems, gpu, "gemm", "gemm_perf.parquet")
    table = table[table.gemm_dtype.isin(DTYPES)]
    axes = [sorted(set(wanted) & set(table[name])) for name, wanted in (("m", GEMM_TOKENS), ("n", GEMM_WIDTHS), ("k", GEMM_WIDTHS))]
    arrays: dict[str, Any] = {f"{gpu}/gemm/{name}": np.array(axis, dtype=np.int32) for name, axis in zip("mnk", axes, strict=True)}
    for dtype in sorted(set(table.gemm_dtype)):
        grid = _grid(table[table.gemm_dtype == dtype], ("m", "n", "k"), axes)
        arrays[f"{gpu}/gemm/{dtype}"] = _extend(_extend(grid, axes[2], 2), axes[0], 0)
    return arrays


def _attention(systems: Path, gpu: str) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for kind, phase, columns, axes in (
        ("prompt", "context", ("batch_size", "isl"), (PROMPT_KV_HEADS, GROUPS, PROMPT_BATCHES, PROMPT_LENGTHS)),
        ("decode", "generation", ("batch_size", "context"), (DECODE_KV_HEADS, GROUPS, DECODE_BATCHES, CONTEXTS)),
    ):
        table = _read(systems, gpu, "attention", f"{phase}_attention_perf.parquet")
        windows = table.window_size if "window_size" in table else 0
        table = table[(table.head_dim == HEAD_DIM) & (windows == 0)].copy()
        table["context"] = table.step + 1
        table["group"] = table.num_heads // table.num_key_value_heads
        for dtype in sorted(set(table.kv_cache_dtype)):
            grid = _grid(table[table.kv_cache_dtype == dtype], ("num_key_value_heads", "group", *columns), axes)
            # More than measured: in proportion to the requests, then to the context, or a prompt's length squared.
            lengths = [x * x for x in PROMPT_LENGTHS] if kind == "prompt" else CONTEXTS
            grid = _extend(_extend(grid, axes[2], 2), lengths, 3)
            # Larger groups take as long as the largest one measured, those of many KV heads longer as with the KV heads before.
            arrays[f"{gpu}/{kind}/{dtype}"] = _extend_groups(grid)
    return arrays


def _extend_groups(grid: Floats) -> Floats:
    for kv in range(grid.shape[0]):
        for group in range(1, grid.shape[1]):
            longer = 1.0 if kv == 0 else grid[kv - 1, group] / grid[kv - 1, group - 1]
            grid[kv, group] = np.where(np.isnan(grid[kv, group]), grid[kv, group - 1] * longer, grid[kv, group])
    return grid


def _all_reduce(systems: Path, gpu: str) -> dict[str, Any]:
    table = _read(systems, gpu, "comm", "custom_allreduce_perf.parquet")
    table = table[table.backend == "vllm_graph"]
    axes = [sorted(set(table.num_gpus)), sorted(set(table.message_size))]
    return {
        f"{gpu}/all_reduce/gpus": np.array(axes[0], dtype=np.int32),
        f"{gpu}/all_reduce/elements": np.array(axes[1], dtype=np.int32),
        f"{gpu}/all_reduce/bfloat16": _grid(table, ("num_gpus", "message_size"), axes),
    }


def _experts(systems: Path, gpu: Gpu) -> dict[str, Any]:
    """Fit the four numbers of `experts.seconds_of_experts` to measured layers of gated experts."""
    table = _read(systems, gpu.name, "moe", "moe_perf.parquet")
    # Models of 2688 and 5120/22 have no gate, and half of the work of what is up to now.
    gated = ~table.inter_size.isin([1856, 2688]) & (table.topk < 22)
    chosen = table[gated & (table.distribution == "power_law_1.01") & (table.moe_ep_size == 1) & (table.moe_tp_size <= 8)]
    arrays: dict[str, Any] = {}
    for dtype in sorted(set(DTYPES) & set(chosen.moe_dtype)):
        rows = chosen[(chosen.moe_dtype == dtype) & (chosen.num_tokens <= 16384)]
        tokens = rows.num_tokens.to_numpy(dtype=np.float64)
        width = (rows.inter_size / rows.moe_tp_size).to_numpy()
        work = expert_work(
            tokens, rows.hidden_size.to_numpy(), width, rows.num_experts.to_numpy(), rows.topk.to_numpy(), 2 if dtype == "bfloat16" else 1
        )

        def error(logarithms: Floats, work: Any = work, rows: pd.DataFrame = rows, dtype: str = dtype) -> Floats:
            fitted = seconds_of_experts(work, gpu, dtype, np.exp(logarithms))
            return np.asarray(np.log(fitted * 1e3) - np.log(rows.latency.to_numpy()))

        fit = least_squares(error, np.log([2e-5, 0.8, 0.5, 1e-8]), loss="soft_l1", f_scale=0.1)
        arrays[f"{gpu.name}/experts/{dtype}"] = np.exp(fit.x)
    return arrays


def build(systems: Path) -> dict[str, Any]:
    """Return the arrays of the table: axes as whole numbers, times in milliseconds as half-precision numbers.

    Raises:
        InputError: If a table is missing.
    """
    arrays: dict[str, Any] = {}
    for gpu in GPUS.values():
        times = {**_gemms(systems, gpu.name), **_attention(systems, gpu.name), **_all_reduce(systems, gpu.name)}
        # What exceeds the range are hundreds of heads on one GPU, which no model has.
        arrays |= {
            key: value if value.dtype == np.int32 else np.minimum(value, LONGEST_MS).astype(np.float16) for key, value in times.items()
        }
        arrays |= _experts(systems, gpu)
    return arrays


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", type=Path, help="folder aiconfigurator_core/systems")
    parser.add_argument("--out", type=Path, default=OPERATORS, help="the table (default: the packaged one)")
    arguments = parser.parse_args()
    np.savez_compressed(arguments.out, **build(arguments.systems))
    print(f"wrote {arguments.out} ({arguments.out.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
