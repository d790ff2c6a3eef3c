"""vLLM's arguments of the instances on a machine: how many GPUs each takes, its limits, and the formats of weights and KV cache."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.core.errors import InputError
from designgym.simulators.cluster.machines import SERVER_GPUS
from designgym.simulators.serving.costs.deployment import Deployment
from designgym.simulators.serving.costs.gpus import Gpu
from designgym.simulators.serving.costs.models import ModelShape

__all__ = ["TENSOR_PARALLEL_SIZES", "Engine"]

TENSOR_PARALLEL_SIZES = (1, 2, 4, 8)


@dataclass(frozen=True)
class Engine:
    """What instances on a machine are started with; names and defaults are vLLM's.

    A machine holds as many instances as its GPUs make. Batches are formed by Splitwise's rules, not by vLLM's: prompts are not cut, and a
    request's memory is reserved when it starts.

    Attributes:
        tensor_parallel_size: GPUs of an instance: 1, 2, 4 or 8. As many as a machine has unless said otherwise.
        max_num_seqs: Most requests in a batch.
        max_num_batched_tokens: Most tokens in it, a decoding request counted as one. A longer prompt runs alone.
        kv_cache_dtype: One of `KV_CACHE_DTYPES`.
        quantization: One of `QUANTIZATIONS`; None for what the checkpoint is.
        gpu_memory_utilization: Share of the GPU's memory that is used, above 0 and at most 1.

    Raises:
        InputError: For a number of GPUs, or a limit, that cannot be; other values are checked with the model.
    """

    tensor_parallel_size: int = SERVER_GPUS
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 8192
    kv_cache_dtype: str = "auto"
    quantization: str | None = None
    gpu_memory_utilization: float = 0.92

    def __post_init__(self) -> None:
        """Check the values."""
        if self.tensor_parallel_size not in TENSOR_PARALLEL_SIZES:
            raise InputError(f"tensor_parallel_size is {self.tensor_parallel_size!r}, expected 1, 2, 4 or 8 of a machine's 8 GPUs")
        for name in ("max_num_seqs", "max_num_batched_tokens"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of 1 or more, but is {value!r}")

    @property
    def instances(self) -> int:
        """Instances on a machine."""
        return SERVER_GPUS // self.tensor_parallel_size

    def deployment(self, model: ModelShape, gpu: Gpu) -> Deployment:
        """Return an instance of a model; raises `InputError` if it cannot be divided like that, or a format is unknown."""
        return Deployment(model, gpu, self.tensor_parallel_size, quantization=self.quantization, kv_cache_dtype=self.kv_cache_dtype)

    def kv_tokens(self, deployment: Deployment) -> int:
        """Return the tokens that its KV cache holds; raises `InputError` if the model does not fit."""
        blocks = deployment.num_gpu_blocks(
            gpu_memory_utilization=self.gpu_memory_utilization,
            block_size=_BLOCK_TOKENS,
            max_num_batched_tokens=self.max_num_batched_tokens,
            max_num_seqs=self.max_num_seqs,
        )
        return (blocks - 1) * _BLOCK_TOKENS  # vLLM never uses one of them


_BLOCK_TOKENS = 16
