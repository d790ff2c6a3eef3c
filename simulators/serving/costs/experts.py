"""The experts of a layer: how many are used, what they read and compute, and how long that takes.

A roofline with four numbers per GPU and format, fitted by `build.py` to measured layers: a start-up time, the shares of peak bandwidth and
peak arithmetic that are reached, and a time per token (routing, permuting, summing up).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.serving.costs.gpus import Gpu

Floats = NDArray[np.float64]


class ExpertWork(NamedTuple):
    """What a layer of experts has to do, by number of tokens; arrays of one shape.

    Attributes:
        tokens: Tokens.
        bytes: Weights of the experts in use, and activations.
        operations: Floating-point operations.
    """

    tokens: Floats
    bytes: Floats
    operations: Floats


def expert_work(
    tokens: Floats,
    hidden: Floats | float,
    width: Floats | float,
    experts: Floats | float,
    per_token: Floats | float,
    weight_bytes: float,
) -> ExpertWork:
    """Return the work of gated experts; all arguments broadcast.

    If every token chose ``per_token`` of the experts at random, ``experts x (1 - (1 - per_token / experts)^tokens)`` would be in use.

    Args:
        tokens: Tokens.
        hidden: Width of the residual stream.
        width: Width of an expert, on one GPU.
        experts: Experts.
        per_token: How many each token chooses.
        weight_bytes: Per weight.
    """
    used = experts * (1 - (1 - per_token / experts) ** tokens)
    activations = tokens * (4 * hidden + per_token * width * 6)
    return ExpertWork(
        tokens=np.asarray(tokens, dtype=np.float64),
        bytes=np.asarray(used * 3 * hidden * width * weight_bytes + activations),
        operations=np.asarray(6 * hidden * width * tokens * per_token, dtype=np.float64),
    )


def seconds_of_experts(work: ExpertWork, gpu: Gpu, dtype: str, fitted: Floats) -> Floats:
    """Return the time of a layer's experts.

    Args:
        work: What they do.
        gpu: Where.
        dtype: ``"bfloat16"`` or ``"fp8"``: what is computed in.
        fitted: Start-up in seconds, reached shares of bandwidth and arithmetic, seconds per token.
    """
    peak = gpu.bf16_flops if dtype == "bfloat16" else gpu.fp8_flops
    start_s, bandwidth, arithmetic, token_s = fitted
    memory_s = work.bytes / (bandwidth * gpu.bandwidth_bytes_per_s)
    return np.asarray(start_s + memory_s + work.operations / (arithmetic * peak) + token_s * work.tokens)
