"""Step costs from NVIDIA's aiconfigurator, if it is installed: any model, GPU and vLLM kernels that its measured tables have."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.simulators.serving.costs.grid import CONTEXT, DECODES, OUTPUTS, PAIRS, PROMPTS, TOKENS, GridStepCosts

__all__ = ["aiconfigurator_step_costs"]

Floats = NDArray[np.float64]
_Operators = list[tuple[str, float, float, str]]  # name, milliseconds, energy, where from

_ATTENTION, _HEAD = "generation_attention", "generation_logits_gemm"
_LONG = 1 << 14  # tokens of a prompt that is known but for one: what its step takes is what prompts take whatever their length


class _Engine(Protocol):
    def run_static_per_op(self, *, batch_size: int, isl: int, osl: int, prefix: int = 0, mode: str) -> tuple[_Operators, _Operators]: ...


def aiconfigurator_step_costs(
    model: str,
    gpu: str,
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    gemm_dtype: str = "bfloat16",
    kv_cache_dtype: str = "bfloat16",
    **options: Any,
) -> GridStepCosts:
    """Return the step costs that aiconfigurator (Apache-2.0, `aiconfigurator-core` 0.12.0) predicts, sampled into our tables.

    Its engine is asked for the operators of decodes over requests and contexts, of prompts over their number and length, and of a pass over
    tokens; the simulation then needs it no more.

    Args:
        model: Name that it knows, or the path of a folder with a ``config.json``.
        gpu: System that it knows, such as ``"h100_sxm"``.
        tensor_parallel: GPUs that share each layer.
        pipeline_parallel: Stages; the times are those of one, the average.
        gemm_dtype: What linear layers compute in, by its names: ``"bfloat16"``, ``"fp8"``, ...
        kv_cache_dtype: Format of the KV cache: ``"bfloat16"``, ``"fp8"``, ...
        options: More arguments of its ``EngineHandle.compile``; models with experts need ``moe_tp_size`` and ``moe_ep_size``.

    Raises:
        NotInstalledError: Without the package.
        InputError: If it does not know the model or GPU, or has no measurements of that kind.
    """
    try:
        handle = importlib.import_module("aiconfigurator_core.sdk.engine").EngineHandle
    except ImportError as error:
        raise NotInstalledError(
            f"these step costs need the package aiconfigurator-core ({error}): run `pip install 'designgym[aiconfigurator]'`"
        ) from None
    try:
        engine: _Engine = handle.compile(
            model,
            gpu,
            "vllm",
            tp_size=tensor_parallel,
            pp_size=pipeline_parallel,
            gemm_quant_mode=gemm_dtype,
            kvcache_quant_mode=kv_cache_dtype,
            **options,
        )
        return _sampled(engine, 1e-3 / pipeline_parallel)
    except InputError as error:
        raise InputError(f"aiconfigurator's {model} {error}") from None
    except Exception as error:  # it raises its own kinds, of Python and Rust, for everything that it does not know
        raise InputError(f"aiconfigurator has no step costs of {model} on {gpu}: {shorten(str(error), 300)}") from None


def _sampled(engine: _Engine, unit_s: float) -> GridStepCosts:
    def decode(requests: float, context: float) -> dict[str, float]:
        _, operators = engine.run_static_per_op(batch_size=int(requests), isl=int(context), osl=2, mode="static_gen")
        return {name: milliseconds for name, milliseconds, _, _ in operators}

    def prompt_attention(prompts: float, length: float, past: int = 0) -> float:
        isl = max(round(length), 1) + past
        operators, _ = engine.run_static_per_op(batch_size=int(prompts), isl=isl, osl=1, prefix=past, mode="static_ctx")
        return sum(milliseconds for name, milliseconds, _, _ in operators if name == "context_attention")

    if missing := {_ATTENTION, _HEAD} - decode(1, 1).keys():
        raise InputError(f"has no {' or '.join(sorted(missing))}, so that it is no model of layers with attention and an LM head")
    passes = [decode(tokens, 1) for tokens in TOKENS.points]
    base = [sum(p.values()) - p[_ATTENTION] - p[_HEAD] for p in passes]
    head = [decode(requests, 1)[_HEAD] for requests in OUTPUTS.points]
    attention = [[decode(requests, context)[_ATTENTION] for context in CONTEXT.points] for requests in DECODES.points]
    # It takes a prompt's last token for its share of the whole prompt's attention, and of what does not depend on the length for all of it.
    share = 1 - (_LONG / (_LONG + 1)) ** 2
    whole, last = prompt_attention(1, _LONG + 1), prompt_attention(1, 1, _LONG)
    completion = max((last - share * whole) / (1 - share), 0.0)
    pairs = [
        [max(prompt_attention(prompts, np.sqrt(2 * pair / prompts)) - completion, 0.0) for pair in PAIRS.points]
        for prompts in PROMPTS.points
    ]
    base_s, head_s, attention_s, pairs_s = (np.array(table) * unit_s for table in (base, head, attention, pairs))
    return GridStepCosts.make(base_s, head_s, attention_s, pairs_s, completion * unit_s)
