"""A deployment's step times from operator times: the layers, the embedding, the LM head, attention."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.serving.costs.deployment import KV_CACHE_DTYPES, Deployment
from designgym.simulators.serving.costs.experts import expert_work
from designgym.simulators.serving.costs.gpus import Gpu, gpu_named
from designgym.simulators.serving.costs.grid import CONTEXT, DECODES, OUTPUTS, PAIRS, PROMPTS, TOKENS, GridStepCosts
from designgym.simulators.serving.costs.models import ModelShape, model_named
from designgym.simulators.serving.costs.operators import LAUNCH_S, PROMPT_KERNELS_S, Operators, operators_of

__all__ = ["step_costs_for", "step_costs_of"]

Floats = NDArray[np.float64]

_HOP_S = 10e-6  # to start sending to the next stage: aiconfigurator's estimate
_ACTIVATION_BYTES = 2


def step_costs_for(
    model: str | ModelShape,
    gpu: str | Gpu,
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    quantization: str | None = None,
    kv_cache_dtype: str = "auto",
) -> GridStepCosts:
    """Return the step times of a model on GPUs.

    Args:
        model: A shape, a name of `MODELS`, or the path of a ``config.json``.
        gpu: A GPU or a name of `GPUS`.
        tensor_parallel: GPUs that share each layer.
        pipeline_parallel: Stages that the layers are divided into; the times are those of one stage.
        quantization: One of `QUANTIZATIONS`.
        kv_cache_dtype: One of `KV_CACHE_DTYPES`.

    Raises:
        InputError: If a name is unknown, the model cannot be divided like that, or something was never measured on the GPU.
    """
    shape = model_named(model) if isinstance(model, str) else model
    chosen = gpu_named(gpu) if isinstance(gpu, str) else gpu
    return step_costs_of(Deployment(shape, chosen, tensor_parallel, pipeline_parallel, quantization, kv_cache_dtype))


@functools.lru_cache(maxsize=256)
def step_costs_of(deployment: Deployment) -> GridStepCosts:
    """Return the step times of a deployment.

    Per layer: QKV, attention, output, gate and up, and down products, two normalisations and the activation, and an all-reduce after
    attention and MLP; once per step the embedding with its all-reduce, and the LM head for the requests that yield a token. A stage of a
    pipeline has its share of all that, and sends its tokens on. Weights that were left to the host are read over its link in every step,
    while the products that need them wait (vLLM reads them from pinned memory as they are used).

    Raises:
        InputError: If something was never measured on the GPU.
    """
    model, operators = deployment.model, operators_of(deployment.gpu)
    share = 1 / deployment.pipeline_parallel
    layers = model.layers * share
    tokens, outputs = TOKENS.points, OUTPUTS.points
    dense = model.n_dense_layers / model.layers
    per_layer = _attention_products(deployment, operators, tokens)
    if dense > 0:
        per_layer = per_layer + dense * _mlp(deployment, operators, tokens, model.intermediate)
    if dense < 1:
        per_layer = per_layer + (1 - dense) * _experts(deployment, operators, tokens)
    base = layers * per_layer + share * _embedding(deployment, operators, tokens)
    if deployment.pipeline_parallel > 1:
        sent = tokens * model.hidden * _ACTIVATION_BYTES / deployment.gpu.interconnect_bytes_per_s
        base += (1 - share) * (_HOP_S + sent)
    if deployment.host_weight_bytes:
        gpu = deployment.gpu
        base = base + deployment.host_weight_bytes * max(1 / gpu.host_bytes_per_s - 1 / gpu.bandwidth_bytes_per_s, 0.0)
    head = share * operators.gemm_s(outputs, -(-model.vocabulary // deployment.tensor_parallel), model.hidden, "bfloat16")
    heads = deployment.heads_per_gpu, deployment.kv_heads_per_gpu, model.head_dim
    kv_dtype = "bfloat16" if KV_CACHE_DTYPES[deployment.kv_cache_dtype] == 2 else "fp8"
    decode = layers * operators.decode_attention_s(DECODES.points[:, None], CONTEXT.points, *heads, kv_dtype)
    # A batch of prompts with so many pairs: equal ones without anything before them.
    length = np.sqrt(2 * PAIRS.points / PROMPTS.points[:, None])
    prompt = layers * operators.prompt_attention_s(PROMPTS.points[:, None], length, *heads, kv_dtype)
    completion = layers * PROMPT_KERNELS_S * (3 if model.qk_norm else 1)
    return GridStepCosts.make(base, head, decode, prompt, completion)


def _product(deployment: Deployment, operators: Operators, rows: Floats, outputs: int, inputs: int) -> Floats:
    """Return the time of a linear layer.

    Weights that are stored in less than they are computed in (4 bits; FP8 on GPUs without it) were not measured. Taking the time in 16 bits
    for the root of the squares of reading the weights (the time of one row) and computing, only reading becomes shorter, by its bytes.
    """
    weights = deployment.weight_format
    if weights.low_precision and deployment.gpu.fp8_flops:
        return operators.gemm_s(rows, outputs, inputs, "fp8")
    whole = operators.gemm_s(rows, outputs, inputs, "bfloat16")
    if weights.bytes_per_weight == _ACTIVATION_BYTES:
        return whole
    reading = operators.gemm_s(np.ones(1), outputs, inputs, "bfloat16")
    shorter = LAUNCH_S + (reading - LAUNCH_S) * (weights.bytes_per_weight / _ACTIVATION_BYTES)
    return np.asarray(np.sqrt(np.maximum(whole**2 - reading**2, 0.0) + shorter**2))


def _attention_products(deployment: Deployment, operators: Operators, tokens: Floats) -> Floats:
    model, tp = deployment.model, deployment.tensor_parallel
    wide = deployment.heads_per_gpu * model.head_dim
    qkv = wide + 2 * deployment.kv_heads_per_gpu * model.head_dim
    return (
        _product(deployment, operators, tokens, qkv, model.hidden)
        + _product(deployment, operators, tokens, model.hidden, wide)
        + 2 * operators.small_s(4 * model.hidden * _ACTIVATION_BYTES * tokens)  # additions and normalisations
        + 2 * operators.all_reduce_s(tokens * model.hidden, tp)
    )


def _mlp(deployment: Deployment, operators: Operators, tokens: Floats, width: int) -> Floats:
    part = -(-width // deployment.tensor_parallel)
    hidden = deployment.model.hidden
    return (
        _product(deployment, operators, tokens, 2 * part, hidden)
        + operators.small_s(3 * part * _ACTIVATION_BYTES * tokens)
        + _product(deployment, operators, tokens, hidden, part)
    )


def _experts(deployment: Deployment, operators: Operators, tokens: Floats) -> Floats:
    """Return the time of a layer's router, experts, and those that all tokens use."""
    model, weights = deployment.model, deployment.weight_format
    low = weights.low_precision and deployment.gpu.fp8_flops > 0
    width = model.expert_intermediate / deployment.tensor_parallel
    work = expert_work(tokens, model.hidden, width, model.experts, model.experts_per_token, weights.bytes_per_weight)
    seconds = operators.gemm_s(tokens, model.experts, model.hidden, "bfloat16") + operators.experts_s(work, "fp8" if low else "bfloat16")
    if model.shared_intermediate:
        seconds = seconds + _mlp(deployment, operators, tokens, model.shared_intermediate)
    return seconds


def _embedding(deployment: Deployment, operators: Operators, tokens: Floats) -> Floats:
    elements = tokens * deployment.model.hidden
    return operators.small_s(_ACTIVATION_BYTES * elements) + operators.all_reduce_s(elements, deployment.tensor_parallel)
