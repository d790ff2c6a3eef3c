"""The command line of ``vllm serve`` for a design."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

__all__ = ["serve_command", "serve_flags"]

_VALUES = (
    "max_num_seqs", "max_num_batched_tokens", "max_model_len", "long_prefill_token_threshold", "block_size", "gpu_memory_utilization",
    "scheduling_policy", "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "kv_cache_dtype",
)  # fmt: skip
_IF_ANY = ("kv_offloading_size", "cpu_offload_gb")
_TRUTHS = ("enable_chunked_prefill", "enable_prefix_caching")
UNNAMED = "EAGLE_MODEL"
"""Stands where EAGLE's drafts need the name of a model, which no design has."""


def serve_flags(design: Mapping[str, Any], *, draft_model: str = "") -> list[str]:
    """Return the arguments after the model's name; what is vLLM's own choice is left out.

    Args:
        design: Engine arguments.
        draft_model: Of EAGLE; without one there is `UNNAMED`.
    """
    flags = [part for name in _VALUES for part in (_option(name), f"{design[name]}")]
    flags += [_option(name if design[name] else f"no_{name}") for name in _TRUTHS]
    for name in _IF_ANY:
        if design[name]:
            flags += [_option(name), f"{design[name]}"]
    if design["async_scheduling"] != "auto":
        flags.append(_option("async_scheduling" if design["async_scheduling"] == "on" else "no_async_scheduling"))
    if design["quantization"] != "none":
        flags += [_option("quantization"), design["quantization"]]
    if (method := design["speculative_method"]) != "none":
        speculation = {"method": method, "num_speculative_tokens": design["num_speculative_tokens"]}
        if method == "eagle":
            speculation["model"] = draft_model or UNNAMED
        flags += [_option("speculative_config"), json.dumps(speculation)]
    return flags


def serve_command(design: Mapping[str, Any], model: str, *, draft_model: str = "") -> str:
    """Return the command to paste."""
    return shlex.join(["vllm", "serve", model, *serve_flags(design, draft_model=draft_model)])


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
