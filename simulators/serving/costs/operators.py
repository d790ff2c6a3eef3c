"""Times of single operators on a GPU, interpolated between measured ones.

The packaged table (`build.py` made it from NVIDIA aiconfigurator's measurements of vLLM's kernels, Apache-2.0) has matrix products over
rows and widths, attention over heads, requests and lengths, and all-reduces over sizes. Between its points times of products are powers
of each coordinate, and the others linear, as traffic is; a prompt's attention is linear in its length squared. Beyond the last points all
grow in proportion: the roofline's efficiency is that of the nearest measured shape.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from designgym.core.errors import InputError
from designgym.simulators.serving.costs.experts import ExpertWork, seconds_of_experts
from designgym.simulators.serving.costs.gpus import Gpu

__all__ = ["OPERATORS", "Operators", "operators_of"]

Floats = NDArray[np.float64]

OPERATORS = Path(__file__).with_name("operators.npz")

# Axes of the tables of attention; heads of 128.
DECODE_KV_HEADS = [1, 2, 4, 8]  # per GPU
PROMPT_KV_HEADS = [1, 2, 4, 8, 16, 32, 64]
GROUPS = [1, 2, 4, 8, 16, 32, 64]  # query heads per key/value head
DECODE_BATCHES = [1 << i for i in range(12)]
CONTEXTS = [2, *(1 << i for i in range(6, 18))]
PROMPT_BATCHES = [1 << i for i in range(9)]
PROMPT_LENGTHS = [1, 16, 64, 128, 256, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384]
HEAD_DIM = 128

LAUNCH_S = 3e-6  # of a small kernel, and the share of peak bandwidth that it reaches: aiconfigurator's estimates
STREAMING = 0.8
PROMPT_KERNELS_S = 13.2e-6  # rotary embedding and writing the KV cache of prompts: four launches, for all lengths


class _Table:
    """Times over a grid; beyond the last point of an axis they are proportional to it."""

    def __init__(self, axes: Sequence[NDArray[np.int32] | Sequence[int]], milliseconds: NDArray[np.float16], *, powers: bool) -> None:
        """Interpolate in logarithms, so that powers are met, or else linearly."""
        self._axes = [np.asarray(axis, dtype=np.float64) for axis in axes]
        self._first, self._last = (np.array([axis[end] for axis in self._axes]) for end in (0, -1))
        self._powers = powers
        seconds = milliseconds.astype(np.float64) * 1e-3
        self._interpolate = RegularGridInterpolator(
            [np.log(axis) for axis in self._axes] if powers else self._axes, np.log(seconds) if powers else seconds
        )

    def seconds(self, *coordinates: Floats | float) -> Floats:
        """Return the times at points whose coordinates broadcast."""
        points = np.stack(np.broadcast_arrays(*coordinates), axis=-1).astype(np.float64)
        inside = np.clip(points, self._first, self._last)
        times = np.exp(self._interpolate(np.log(inside))) if self._powers else self._interpolate(inside)
        return np.asarray(times * np.maximum(points / self._last, 1.0).prod(axis=-1))


@dataclass(frozen=True, eq=False)
class Operators:
    """Operator times on one kind of GPU.

    Attributes:
        gpu: The GPU.
        gemm: Tables of matrix products by format: rows, outputs, inputs.
        decode: Tables of decoding attention by format of the KV cache: KV heads, group, requests, context.
        prompt: Tables of prompts' attention: KV heads, group, prompts, length squared.
        reduce: Table of all-reduces: GPUs, elements of 16 bits.
        experts: Fitted numbers of `seconds_of_experts` by format.
    """

    gpu: Gpu
    gemm: dict[str, _Table]
    decode: dict[str, _Table]
    prompt: dict[str, _Table]
    reduce: _Table
    experts: dict[str, Floats]

    def gemm_s(self, rows: Floats, outputs: int, inputs: int, dtype: str) -> Floats:
        """Return the time of ``(rows, inputs) x (inputs, outputs)`` in seconds."""
        return self.gemm[dtype].seconds(rows, float(outputs), float(inputs))

    def small_s(self, n_bytes: Floats) -> Floats:
        """Return the time of a small kernel that reads and writes so many bytes."""
        return LAUNCH_S + n_bytes / (STREAMING * self.gpu.bandwidth_bytes_per_s)

    def all_reduce_s(self, elements: Floats, gpus: int) -> Floats:
        """Return the time to sum so many numbers of 16 bits over GPUs; 0 for one GPU."""
        if gpus == 1:
            return np.zeros_like(elements)
        return self.reduce.seconds(float(gpus), elements)

    def decode_attention_s(self, requests: Floats, context: Floats, heads: int, kv_heads: int, head_dim: int, kv_dtype: str) -> Floats:
        """Return the time of one layer's attention of decoding requests, each to ``context`` tokens; arguments broadcast."""
        kv, group, more = _heads(heads, kv_heads, DECODE_KV_HEADS[-1])
        return self.decode[self._kv(kv_dtype)].seconds(kv, group, requests * more, context * (head_dim / HEAD_DIM))

    def prompt_attention_s(self, prompts: Floats, length: Floats, heads: int, kv_heads: int, head_dim: int, kv_dtype: str) -> Floats:
        """Return the time of one layer's causal attention of prompts of so many tokens; arguments broadcast."""
        kv, group, more = _heads(heads, kv_heads, PROMPT_KV_HEADS[-1])
        return self.prompt[self._kv(kv_dtype)].seconds(kv, group, prompts * more, length * length * (head_dim / HEAD_DIM))

    def experts_s(self, work: ExpertWork, dtype: str) -> Floats:
        """Return the time of a layer's experts."""
        return seconds_of_experts(work, self.gpu, dtype, self.experts[dtype])

    def _kv(self, dtype: str) -> str:
        if dtype not in self.decode:
            raise InputError(
                f"attention with a KV cache in {dtype} was not measured on {self.gpu.name}, only with {', '.join(self.decode)}: choose "
                'kv_cache_dtype="auto", or another GPU'
            )
        return dtype


def _heads(heads: int, kv_heads: int, most: int) -> tuple[float, float, float]:
    """Return KV heads and group as in a table, and how many times as many requests that makes: heads beyond the last work alike."""
    return float(min(kv_heads, most)), heads / kv_heads, max(kv_heads / most, 1.0)


@functools.cache
def operators_of(gpu: Gpu) -> Operators:
    """Return the packaged operator times of a GPU; raises `InputError` if there are none."""
    with np.load(OPERATORS) as file:
        arrays = {key.split("/", 1)[1]: file[key] for key in file.files if key.startswith(f"{gpu.name}/")}
    if not arrays:
        raise InputError(f"there are no operator times of {gpu.name}: give a table of measured steps (`measured_step_costs`)")

    def tables(kind: str, axes: Sequence[NDArray[np.int32] | Sequence[int]]) -> dict[str, _Table]:
        times = {key.split("/")[1]: value for key, value in arrays.items() if key.startswith(f"{kind}/") and value.dtype == np.float16}
        return {dtype: _Table(axes, value, powers=kind == "gemm") for dtype, value in times.items()}

    return Operators(
        gpu=gpu,
        gemm=tables("gemm", [arrays[f"gemm/{axis}"] for axis in "mnk"]),
        decode=tables("decode", [DECODE_KV_HEADS, GROUPS, DECODE_BATCHES, CONTEXTS]),
        prompt=tables("prompt", [PROMPT_KV_HEADS, GROUPS, PROMPT_BATCHES, [x * x for x in PROMPT_LENGTHS]]),
        reduce=tables("all_reduce", [arrays["all_reduce/gpus"], arrays["all_reduce/elements"]])["bfloat16"],
        experts={key.split("/")[1]: value for key, value in arrays.items() if key.startswith("experts/")},
    )
