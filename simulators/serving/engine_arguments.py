"""The engine arguments of vLLM that a design sets: their values, which combinations vLLM refuses, and which act alike.

Names, values and refusals are those of vLLM 0.32 (``EngineArgs.create_engine_config``), as the real validator gave them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designgym.core.discrete import Categorical, Integer, Ordinal, PowerOfTwo
from designgym.core.parameter_base import Parameter
from designgym.core.rules import Condition, Constraint, Rewrite
from designgym.core.space import DesignSpace
from designgym.simulators.serving.costs.models import ModelShape

__all__ = ["ARRIVAL_ORDER", "VLLM_RELEASE", "engine_refusals", "engine_space"]

VLLM_RELEASE = "0.32"

ARRIVAL_ORDER = "arrival_order"
"""The trait of a workload in which no request is more urgent than another, and no two arrive at once."""

_LENGTHS = (8192, 16384, 32768, 65536, 131072)  # what is shorter refuses requests, and gains nothing


def engine_rules(model: ModelShape) -> tuple[Constraint, ...]:
    """Return what vLLM checks of a configuration before it starts, in its order, with its reasons."""
    return (
        Constraint(
            f"max_model_len <= {model.max_positions}",
            f"max_model_len is greater than the derived max_model_len, the {model.max_positions} positions of the model "
            "(max_position_embeddings)",
        ),
        Constraint("gpu_memory_utilization > 0", "gpu_memory_utilization should be greater than 0"),
        Constraint("gpu_memory_utilization <= 1", "gpu_memory_utilization should be less than or equal to 1"),
        Constraint(
            "enable_chunked_prefill or max_num_batched_tokens >= max_model_len",
            "max_num_batched_tokens is smaller than max_model_len. This effectively limits the maximum sequence length to "
            "max_num_batched_tokens and makes vLLM reject longer sequences: raise it, or enable_chunked_prefill",
        ),
        Constraint("max_num_batched_tokens >= max_num_seqs", "max_num_batched_tokens must be greater than or equal to max_num_seqs"),
        Constraint("long_prefill_token_threshold <= max_model_len", "long_prefill_token_threshold cannot be greater than max_model_len"),
        Constraint(
            "not (async_scheduling == 'on' and speculative_method == 'ngram')",
            "async scheduling is only supported with EAGLE, MTP and draft models, not with ngram speculation",
        ),
        Constraint(
            f"{model.heads} % tensor_parallel_size == 0",
            f"the total number of attention heads ({model.heads}) must be divisible by tensor_parallel_size",
        ),
    )


def engine_refusals(arguments: Mapping[str, Any], model: ModelShape) -> list[str]:
    """Return why vLLM refuses a configuration, its own first complaint first; empty if it does not.

    Args:
        arguments: Values of the parameters of `engine_space`, also ones that are not in it.
        model: The model.
    """
    values = {**arguments, "speculative_method": arguments.get("speculative_method", "none")}
    *others, heads = engine_rules(model)
    # With speculation the drafter's configuration comes before the scheduler's, and divides heads.
    order = [*others[:3], heads, *others[3:]] if values["speculative_method"] != "none" else [*others, heads]
    return [rule.reason for rule in order if not rule.holds(values)]


def engine_space(model: ModelShape, *, gpus: int = 8, draft_model: bool = True, **client_side: Parameter) -> DesignSpace:
    """Return the space of engine arguments for a model on up to ``gpus`` GPUs of one host.

    Without a draft model there is no speculation by EAGLE. ``quantization`` and ``speculative_method`` are ``"none"`` where vLLM has
    None; ``async_scheduling`` is ``"auto"`` where it has None. Parameters of the client's side can be added.
    """
    lengths = [n for n in _LENGTHS if n < model.max_positions] + [model.max_positions]
    return DesignSpace(
        max_num_seqs=Integer(1, 1024, log=True, default=256),
        max_num_batched_tokens=Integer(64, 32768, log=True, default=8192, unit="tokens"),
        max_model_len=Ordinal(*lengths, default=lengths[-1]),
        enable_chunked_prefill=Categorical(True, False),
        long_prefill_token_threshold=Ordinal(0, 128, 256, 512, 1024, 2048, 4096, 8192),
        enable_prefix_caching=Categorical(True, False),
        block_size=Ordinal(16, 32, 64, 128),
        gpu_memory_utilization=Ordinal(0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, default=0.92),
        scheduling_policy=Categorical("fcfs", "priority"),
        async_scheduling=Categorical("auto", "on", "off"),
        tensor_parallel_size=PowerOfTwo(1, gpus),
        pipeline_parallel_size=PowerOfTwo(1, gpus),
        data_parallel_size=PowerOfTwo(1, gpus),
        kv_cache_dtype=Categorical("auto", "fp8"),
        kv_offloading_size=Ordinal(0, 16, 64, 256, 1024, unit="GiB"),
        cpu_offload_gb=Ordinal(0, 4, 8, 16, 32, 64, 128, unit="GiB"),
        quantization=Categorical("none", "fp8", "awq"),
        speculative_method=Categorical("none", "ngram", "eagle"),
        num_speculative_tokens=Integer(1, 8, default=3),
        **client_side,
        version=f"vllm-{VLLM_RELEASE}",
        conditions=(Condition("num_speculative_tokens", "speculative_method != 'none'"),),
        constraints=(
            *engine_rules(model),
            Constraint(
                f"tensor_parallel_size * pipeline_parallel_size * data_parallel_size <= {gpus}",
                f"tensor, pipeline and data parallelism together need more than the {gpus} GPUs that there are",
            ),
            *(() if draft_model else (Constraint("speculative_method != 'eagle'", "EAGLE's drafts need a model: name it by draft_model"),)),
            Constraint(f"pipeline_parallel_size <= {model.layers}", f"a pipeline stage needs a layer, the model has {model.layers}"),
        ),
        symmetries=(
            # vLLM's default is to schedule ahead wherever it can.
            Rewrite("async_scheduling", "'off'", "async_scheduling == 'auto' and speculative_method == 'ngram'"),
            Rewrite("async_scheduling", "'on'", "async_scheduling == 'auto'"),
            # Both policies take requests by arrival. They differ where arrivals are equal (the first is preempted, not the last), and
            # where batches of other stages, or blocks on their way from the host, keep a request from its turn.
            Rewrite(
                "scheduling_policy", "'fcfs'", f"'{ARRIVAL_ORDER}' in traits and pipeline_parallel_size == 1 and kv_offloading_size == 0"
            ),
            # A request never wants more tokens in a step than the model's length but one, nor gets more than the budget.
            Rewrite("long_prefill_token_threshold", "0", "long_prefill_token_threshold >= max_model_len - 1"),
            Rewrite(
                "long_prefill_token_threshold", "0", "enable_chunked_prefill and long_prefill_token_threshold >= max_num_batched_tokens"
            ),
        ),
    )
