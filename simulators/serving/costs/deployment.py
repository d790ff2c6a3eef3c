"""A model on GPUs: what of it each GPU holds, and how much memory that leaves for the KV cache."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.serving.costs.gpus import Gpu
from designgym.simulators.serving.costs.models import ModelShape

__all__ = ["KV_CACHE_DTYPES", "QUANTIZATIONS", "Deployment", "WeightFormat"]

_GIB = 1 << 30
_ACTIVATION_BYTES = 2  # bfloat16


@dataclass(frozen=True)
class WeightFormat:
    """How the weights of linear layers are stored.

    Attributes:
        bytes_per_weight: With scales and zero points.
        low_precision: Whether products are computed in that format too, where the GPU can; otherwise in bfloat16.
    """

    bytes_per_weight: float
    low_precision: bool


_INT4 = WeightFormat(0.5 + 2.5 / 128, low_precision=False)  # per group of 128 a scale of 16 bits and a zero point of 4
QUANTIZATIONS: dict[str | None, WeightFormat] = {
    None: WeightFormat(2.0, low_precision=False),
    "fp8": WeightFormat(1.0, low_precision=True),
    **dict.fromkeys(("awq", "awq_marlin", "gptq", "gptq_marlin"), _INT4),
}
"""By vLLM's names. Embedding and LM head stay in 16 bits."""

KV_CACHE_DTYPES = {"auto": 2, "bfloat16": 2, "float16": 2, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1}
"""Bytes of an element of the KV cache, by vLLM's names; ``"auto"`` is the model's 16 bits."""


@dataclass(frozen=True)
class Deployment:
    """A model on ``tensor_parallel x pipeline_parallel`` GPUs; arguments as vLLM's.

    Attributes:
        model: The model.
        gpu: Each of the GPUs.
        tensor_parallel: GPUs that share each layer.
        pipeline_parallel: Stages that the layers are divided into.
        quantization: One of `QUANTIZATIONS`; None for what the checkpoint is.
        kv_cache_dtype: One of `KV_CACHE_DTYPES`.
        host_weight_bytes: Weights of layers that each GPU leaves in its host's memory and reads from there in every step (vLLM's
            ``cpu_offload_gb``); more than there are counts as all.

    Raises:
        InputError: If the model cannot be divided like that, or a name is unknown.
    """

    model: ModelShape
    gpu: Gpu
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    quantization: str | None = None
    kv_cache_dtype: str = "auto"
    host_weight_bytes: int = 0

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        model, tp, pp = self.model, self.tensor_parallel, self.pipeline_parallel
        for name, value in (("tensor_parallel", tp), ("pipeline_parallel", pp)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be a whole number of 1 or more, but is {value!r}")
        if model.heads % tp:
            raise InputError(f"{model.name} has {model.heads} heads, which {tp} GPUs cannot share evenly: let tensor_parallel divide them")
        if pp > model.layers:
            raise InputError(f"{model.name} has {model.layers} layers, too few for {pp} pipeline stages")
        format_name = self.quantization or model.quantization
        if format_name not in QUANTIZATIONS:
            raise UnknownNameError("quantization", format_name, filter(None, QUANTIZATIONS))
        if self.kv_cache_dtype not in KV_CACHE_DTYPES:
            raise UnknownNameError("kv_cache_dtype", self.kv_cache_dtype, KV_CACHE_DTYPES)
        if not isinstance(self.host_weight_bytes, int) or self.host_weight_bytes < 0:
            raise InputError(f"host_weight_bytes must be a whole number of 0 or more, but is {self.host_weight_bytes!r}")
        object.__setattr__(self, "host_weight_bytes", min(self.host_weight_bytes, self.layer_bytes_per_gpu))

    @property
    def n_gpus(self) -> int:
        """GPUs in all."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def tdp_watt(self) -> float:
        """Board power of all GPUs."""
        return self.n_gpus * self.gpu.tdp_watt

    @property
    def usd_per_hour(self) -> float:
        """Rent of all GPUs."""
        return self.n_gpus * self.gpu.usd_per_hour

    @property
    def weight_format(self) -> WeightFormat:
        """How the weights of linear layers are stored."""
        return QUANTIZATIONS[self.quantization or self.model.quantization]

    @property
    def layers_per_stage(self) -> int:
        """Layers of the largest stage."""
        return -(-self.model.layers // self.pipeline_parallel)

    @property
    def heads_per_gpu(self) -> int:
        """Query heads of a layer on one GPU."""
        return self.model.heads // self.tensor_parallel

    @property
    def kv_heads_per_gpu(self) -> int:
        """Key/value heads of a layer on one GPU; they are there several times if there are more GPUs than heads."""
        return -(-self.model.kv_heads // self.tensor_parallel)

    @functools.cached_property
    def layer_bytes_per_gpu(self) -> int:
        """Weights of the layers on the GPU that has most: the largest stage."""
        model, tp = self.model, self.tensor_parallel
        attention = 2 * model.hidden * model.head_dim * (self.heads_per_gpu + self.kv_heads_per_gpu)
        mlp = 3 * model.hidden * -(-model.intermediate // tp)
        experts = 3 * model.hidden * -(-(model.experts * model.expert_intermediate + model.shared_intermediate) // tp)
        sparse = (model.layers - model.n_dense_layers) / model.layers
        per_layer = attention + (1 - sparse) * mlp + sparse * experts
        router = sparse * model.hidden * model.experts
        norms = 2 * model.hidden
        return round(self.layers_per_stage * (per_layer * self.weight_format.bytes_per_weight + 2 * (router + norms)))

    @functools.cached_property
    def weight_bytes_per_gpu(self) -> int:
        """Weights in the memory of the GPU that holds most: those of its layers, with the embedding, the LM head or both."""
        model, tp = self.model, self.tensor_parallel
        tables = 1 if model.tied_embeddings or self.pipeline_parallel > 1 else 2
        embeddings = tables * model.hidden * -(-model.vocabulary // tp)
        return self.layer_bytes_per_gpu - self.host_weight_bytes + 2 * embeddings

    @property
    def kv_bytes_per_token_per_gpu(self) -> int:
        """KV cache of one token on the GPU that holds most."""
        return 2 * self.kv_heads_per_gpu * self.model.head_dim * KV_CACHE_DTYPES[self.kv_cache_dtype] * self.layers_per_stage

    def working_bytes_per_gpu(self, *, max_num_batched_tokens: int = 8192, max_num_seqs: int = 256) -> int:
        """Return what a step needs besides weights and KV cache.

        The larger of what one layer has in memory for all tokens of a step (residual, normalised input, queries, keys and values, gate, up
        and their product, in 16 bits) and what sampling has (10 numbers of 32 bits per request and token of the vocabulary, for all of
        which vLLM sorts and normalises the logits); 1 GiB for the CUDA context and graphs; with several GPUs 392 MiB for communication
        (NVIDIA aiconfigurator's figure). vLLM's pull request 10511 shows 1.26 GiB of activations for Llama-3-8B, here 1.22.
        """
        model, tp = self.model, self.tensor_parallel
        experts = model.experts_per_token * model.expert_intermediate + model.shared_intermediate
        mlp = 3 * -(-max(model.intermediate if model.n_dense_layers else 0, experts) // tp)
        attention = (self.heads_per_gpu + 2 * self.kv_heads_per_gpu) * model.head_dim
        layer = max_num_batched_tokens * (2 * model.hidden + max(mlp, attention)) * _ACTIVATION_BYTES
        sampling = max_num_seqs * model.vocabulary * 10 * 4
        return max(layer, sampling) + _GIB + (392 << 20 if tp > 1 else 0)

    def num_gpu_blocks(
        self,
        *,
        gpu_memory_utilization: float = 0.92,
        block_size: int = 16,
        max_num_batched_tokens: int = 8192,
        max_num_seqs: int = 256,
    ) -> int:
        """Return the blocks of KV cache that fit: vLLM's rule.

        ``floor((utilization x memory - weights - working memory) / (block_size x KV bytes of a token))``, on the GPU that holds most; vLLM
        measures the working memory at start, here `working_bytes_per_gpu` estimates it.

        Args:
            gpu_memory_utilization: Share of the GPU's memory that the engine may use, above 0 and at most 1.
            block_size: Tokens per block.
            max_num_batched_tokens: Token budget of a step.
            max_num_seqs: Most requests that run at a time.

        Raises:
            InputError: If the model does not fit with at least two blocks (one of them is vLLM's null block), or an argument is wrong.
        """
        if not 0 < gpu_memory_utilization <= 1:
            raise InputError(f"gpu_memory_utilization must be above 0 and at most 1, but is {gpu_memory_utilization!r}")
        for name, value in (("block_size", block_size), ("max_num_batched_tokens", max_num_batched_tokens), ("max_num_seqs", max_num_seqs)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be a whole number of 1 or more, but is {value!r}")
        working = self.working_bytes_per_gpu(max_num_batched_tokens=max_num_batched_tokens, max_num_seqs=max_num_seqs)
        usable = int(gpu_memory_utilization * self.gpu.memory_bytes)
        blocks = (usable - self.weight_bytes_per_gpu - working) // (block_size * self.kv_bytes_per_token_per_gpu)
        if blocks < 2:
            raise InputError(
                f"{self.model.name} does not fit on {self.n_gpus} x {self.gpu.name}: each holds {self.weight_bytes_per_gpu / _GIB:.1f} GiB "
                f"of weights and needs {working / _GIB:.1f} GiB to work with, of the {usable / _GIB:.1f} GiB that it may use, which leaves "
                "no room for the KV cache: take more GPUs (tensor_parallel, pipeline_parallel), quantize, raise gpu_memory_utilization, or "
                "leave weights to the host (cpu_offload_gb)"
            )
        return blocks
