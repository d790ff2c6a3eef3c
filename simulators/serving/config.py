"""What an engine's scheduler is set to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from designgym.core.errors import InputError
from designgym.simulators.serving.state import ORCA, SARATHI, VLLM_V0, VLLM_V1

__all__ = ["ClassicConfig", "SchedulerConfig", "VllmConfig"]

Policy = Literal["fcfs", "priority"]
SpeculativeMethod = Literal["ngram", "eagle", "mtp", "draft_model"]
ClassicScheduler = Literal["vllm_v0", "sarathi", "orca"]

_CLASSIC = {"vllm_v0": VLLM_V0, "sarathi": SARATHI, "orca": ORCA}
_WATERMARK = 0.01  # of the classic schedulers but Orca


class SchedulerConfig(Protocol):
    """A scheduler with its settings."""

    def encode(self) -> Mapping[str, int]:
        """Return what of the compiled simulation's `CONFIG_FIELDS` is not 0."""
        ...


def _check(config: object, minima: Mapping[str, int]) -> None:
    for name, least in minima.items():
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InputError(f"{name} must be a whole number of {least} or more, but is {value!r}")


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}, but is {value!r}")


@dataclass(frozen=True)
class VllmConfig:
    """The scheduler of vLLM v1, release 0.32; arguments have vLLM's names and meanings.

    Attributes:
        max_num_seqs: Most requests that run at a time.
        max_num_batched_tokens: Token budget of a step, with what a drafter needs.
        max_model_len: Longest request, prompt and outputs, in tokens.
        num_gpu_blocks: Blocks of KV memory; one of them, the null block, is never used.
        block_size: Tokens per block.
        enable_prefix_caching: Whether full blocks are found again by what they hold.
        scheduling_policy: ``"fcfs"``, or ``"priority"``: lower numbers first, then earlier arrivals.
        long_prefill_token_threshold: Most tokens of one request in a step if there are others; 0 for no limit.
        long_prefill_token_threshold_adaptive: Whether that limit is at least a fair share of the budget.
        enable_chunked_prefill: Whether a prompt may be computed in parts when the budget is short.
        watermark: Share of the blocks that admissions leave free while others run.
        scheduler_reserve_full_isl: Whether a request is admitted only if all its known tokens would fit now.
        async_scheduling: Whether a batch is formed while the one before it runs.
        num_speculative_tokens: Draft tokens proposed per step; 0 for no speculation.
        speculative_method: Who proposes them; it decides on the slots and rows that are reserved.
        acceptance_rate: Probability that a draft is accepted if all before it were.
        max_num_scheduled_tokens: Token budget of a step without what a drafter needs; None for the same.
        max_num_active_seqs: Most requests that are admitted at a time; None for ``max_num_seqs``.
        pipeline_parallel_size: Stages that batches go through one after the other.
        host_blocks: KV blocks that the host's memory has room for; 0 for no offloading.
        host_block_s: How long reading one of them into the GPU's memory takes.
    """

    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    max_model_len: int = 4096
    num_gpu_blocks: int = 4096
    block_size: int = 16
    enable_prefix_caching: bool = True
    scheduling_policy: Policy = "fcfs"
    long_prefill_token_threshold: int = 0
    long_prefill_token_threshold_adaptive: bool = False
    enable_chunked_prefill: bool = True
    watermark: float = 0.0
    scheduler_reserve_full_isl: bool = True
    async_scheduling: bool = True
    num_speculative_tokens: int = 0
    speculative_method: SpeculativeMethod = "ngram"
    acceptance_rate: float = 0.0
    max_num_scheduled_tokens: int | None = None
    max_num_active_seqs: int | None = None
    pipeline_parallel_size: int = 1
    host_blocks: int = 0
    host_block_s: float = 0.0

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        _check(self, dict.fromkeys(("max_num_seqs", "max_num_batched_tokens", "block_size", "pipeline_parallel_size"), 1))
        _check(
            self,
            {"max_model_len": 2, "num_gpu_blocks": 2, "long_prefill_token_threshold": 0, "num_speculative_tokens": 0, "host_blocks": 0},
        )
        if not 0 <= self.host_block_s < float("inf"):
            raise InputError(f"host_block_s must be a number of seconds from 0, but is {self.host_block_s!r}")
        for name, most in (("max_num_scheduled_tokens", self.max_num_batched_tokens), ("max_num_active_seqs", self.max_num_seqs)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise InputError(f"{name} must be 1 to {most} or None, but is {value!r}")
        for name in ("watermark", "acceptance_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be between 0 and 1, but is {getattr(self, name)!r}")
        _check_choice("scheduling_policy", self.scheduling_policy, ("fcfs", "priority"))
        _check_choice("speculative_method", self.speculative_method, ("ngram", "eagle", "mtp", "draft_model"))
        if not self.enable_chunked_prefill and self.max_num_batched_tokens < self.max_model_len:
            raise InputError(
                f"max_num_batched_tokens ({self.max_num_batched_tokens}) is less than max_model_len ({self.max_model_len}), so that long "
                "prompts would never run: raise it, or set enable_chunked_prefill"
            )
        if self.max_num_batched_tokens < self.max_num_seqs:
            raise InputError(
                f"max_num_batched_tokens ({self.max_num_batched_tokens}) is less than max_num_seqs ({self.max_num_seqs}): raise it, or "
                "let fewer requests run"
            )

    def encode(self) -> dict[str, int]:
        """Return the fields of the compiled simulation."""
        drafts, method = self.num_speculative_tokens, self.speculative_method
        return {
            "scheduler": VLLM_V1,
            "max_num_seqs": self.max_num_seqs,
            "max_num_active_seqs": self.max_num_active_seqs or self.max_num_seqs,
            "max_num_batched_tokens": self.max_num_batched_tokens,
            "max_num_scheduled_tokens": self.max_num_scheduled_tokens or self.max_num_batched_tokens,
            "max_model_len": self.max_model_len,
            "block_size": self.block_size,
            "n_blocks": self.num_gpu_blocks,
            "prefix_caching": self.enable_prefix_caching,
            "priority_policy": self.scheduling_policy == "priority",
            "long_prefill_token_threshold": self.long_prefill_token_threshold,
            "long_prefill_adaptive": self.long_prefill_token_threshold_adaptive,
            "chunked_prefill": self.enable_chunked_prefill,
            "watermark_blocks": int(self.watermark * self.num_gpu_blocks),
            "reserve_full_length": self.scheduler_reserve_full_isl,
            "asynchronous": self.async_scheduling,
            "stages": self.pipeline_parallel_size,
            "batches_in_flight": self.pipeline_parallel_size + self.async_scheduling,
            "n_drafts": drafts,
            "lookahead": drafts if method != "ngram" else 0,
            "draft_rows": 1 if drafts and method == "draft_model" else 0,
            "host_blocks": self.host_blocks,
            "drop_last_hit": drafts > 0 and method in ("eagle", "mtp"),
        }


@dataclass(frozen=True)
class ClassicConfig:
    """An earlier scheduler, as Vidur states its rules (Agrawal et al., MLSys 2024).

    Attributes:
        scheduler: ``"vllm_v0"`` (prompts first, never mixed), ``"sarathi"`` (decoding first, chunked prompts) or ``"orca"`` (mixed, whole
            prompts, memory reserved for the longest request).
        max_num_seqs: Most requests in a batch.
        num_blocks: Blocks of KV memory.
        max_num_batched_tokens: Token budget: of vLLM v0 for prompts, requests times longest prompt; of Sarathi for a step. Orca has none.
        block_size: Tokens per block.
        max_model_len: Longest request in tokens; Orca reserves that much for each.
    """

    scheduler: ClassicScheduler = "sarathi"
    max_num_seqs: int = 128
    num_blocks: int = 4096
    max_num_batched_tokens: int = 4096
    block_size: int = 16
    max_model_len: int = 4096

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        _check_choice("scheduler", self.scheduler, tuple(_CLASSIC))
        _check(self, dict.fromkeys(("max_num_seqs", "num_blocks", "max_num_batched_tokens", "block_size"), 1) | {"max_model_len": 2})

    def encode(self) -> dict[str, int]:
        """Return the fields of the compiled simulation."""
        reserved = -(-self.max_model_len // self.block_size)
        orca = self.scheduler == "orca"
        return {
            "scheduler": _CLASSIC[self.scheduler],
            "max_num_seqs": min(self.max_num_seqs, self.num_blocks // reserved) if orca else self.max_num_seqs,
            "max_num_batched_tokens": self.max_num_batched_tokens,
            "max_model_len": self.max_model_len,
            "block_size": self.block_size,
            "n_blocks": self.num_blocks,
            "watermark_blocks": 0 if orca else int(_WATERMARK * self.num_blocks),
            "stages": 1,
            "batches_in_flight": 1,
            "reserved_blocks": reserved if orca else 0,
        }
