"""Simulating an engine that serves a trace of requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.serving.config import SchedulerConfig
from designgym.simulators.serving.cost_tables import LinearStepCosts, StepCosts
from designgym.simulators.serving.kernel import run
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.state import COMPLETED, LIVELOCK, STUCK, VLLM_V1, Simulation
from designgym.simulators.serving.workspace import Timeline, allocate, timeline_of

__all__ = ["ServingRun", "simulate", "simulate_steps"]

Status = Literal["completed", "stuck", "livelock"]
_STATUS: dict[int, Status] = {COMPLETED: "completed", STUCK: "stuck", LIVELOCK: "livelock"}
_TOTALS = (
    "n_steps", "n_idle_steps", "preemptions", "hit_tokens", "queried_tokens", "batch_requests", "batch_tokens", "drafted", "accepted",
    "loaded_tokens",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ServingRun:
    """One simulated run. Times are seconds from the start, NaN where it did not come to that; arrays have shape ``(n,)``.

    Attributes:
        trace: The requests.
        arrival_s: When each came; in a closed loop that depends on the run.
        status: ``"completed"`` when all requests finished. Failures: ``"stuck"`` (requests are left and none can be admitted) and
            ``"livelock"`` (requests preempt one another without end).
        scheduled_s: When a request was first in a batch.
        first_token_s: When it made its first token.
        finish_s: When it finished.
        finish_step: How many steps had begun then; -1 if it did not. By counted steps: of the next one.
        output_tokens: Tokens that it made.
        preemptions: How often it was preempted.
        cached_tokens: Tokens of the prompt that the prefix cache had at its first admission.
        totals: Sums over all steps: ``n_steps``, ``n_idle_steps`` (scheduling calls without a batch), ``preemptions``, ``hit_tokens`` of
            ``queried_tokens`` (prefix cache), ``batch_requests``, ``batch_tokens``, ``drafted`` and ``accepted`` tokens.
        busy_s: Time with a batch under way.
        mean_used_blocks: Blocks in use, on average over that time.
        usable_blocks: Blocks that there are for requests.
        token_times_s: When each output token was made, one array per request; None if not asked for.
        timeline: All steps; None if not asked for.
    """

    trace: RequestTrace
    arrival_s: NDArray[np.float64]
    status: Status
    scheduled_s: NDArray[np.float64]
    first_token_s: NDArray[np.float64]
    finish_s: NDArray[np.float64]
    finish_step: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    preemptions: NDArray[np.int64]
    cached_tokens: NDArray[np.int64]
    totals: dict[str, int]
    busy_s: float
    mean_used_blocks: float
    usable_blocks: int
    token_times_s: tuple[NDArray[np.float64], ...] | None = None
    timeline: Timeline | None = None

    @property
    def ttft_s(self) -> NDArray[np.float64]:
        """Time to first token: from arrival."""
        return self.first_token_s - self.arrival_s

    @property
    def e2e_s(self) -> NDArray[np.float64]:
        """Time from arrival to the last token."""
        return self.finish_s - self.arrival_s

    @property
    def tpot_s(self) -> NDArray[np.float64]:
        """Time per output token after the first; of a request with one token the time from that to its end, 0."""
        return (self.finish_s - self.first_token_s) / np.maximum(self.output_tokens - 1, 1)


def simulate(
    config: SchedulerConfig,
    trace: RequestTrace,
    costs: StepCosts,
    *,
    seed: int = 0,
    keep_token_times: bool = False,
    keep_timeline: bool = False,
) -> ServingRun:
    """Return the run of an engine on a trace, by the clock.

    Args:
        config: The scheduler.
        trace: The requests.
        costs: How long a step takes.
        seed: Decides which speculative tokens are accepted.
        keep_token_times: Keep when each token was made (8 bytes each).
        keep_timeline: Keep every step and its batch (100 bytes a step, 16 per request in a batch).

    Raises:
        InputError: If a request is too long for the engine.
    """
    _require_fit(config, trace)
    return _simulate(config, trace, costs, seed=seed, keep_token_times=keep_token_times, keep_timeline=keep_timeline, counted=False)


def simulate_steps(config: SchedulerConfig, trace: RequestTrace, *, seed: int = 0) -> ServingRun:
    """Return the run with one scheduling call per step and its timeline; arrival "times" are numbers of steps, and so are all others.

    Requests that arrive at a step are there before its call. Output is handed out after the call, with async scheduling that of the
    step before.

    Raises:
        InputError: If an arrival is no whole number.
    """
    if trace.users:
        raise InputError("a closed loop cannot be simulated by counted steps: give arrivals")
    if trace.max_concurrency:
        raise InputError("max_concurrency is of a client with a clock: counted steps have none")
    if (trace.arrival_s % 1 != 0).any():
        raise InputError("arrivals must be whole numbers of steps")
    costs = LinearStepCosts(step_s=1.0)
    return _simulate(config, trace, costs, seed=seed, keep_token_times=False, keep_timeline=True, counted=True)


def _require_fit(config: SchedulerConfig, trace: RequestTrace) -> None:
    """Raise `InputError` for the first request that can never be computed."""
    fields = config.encode()
    v1 = fields["scheduler"] == VLLM_V1
    most = fields["max_model_len"]
    whole = trace.prompt_tokens + trace.output_tokens
    too_long = trace.prompt_tokens >= most if v1 else whole > most
    if too_long.any():
        r = int(np.flatnonzero(too_long)[0])
        raise InputError(
            f"request {r} has {trace.prompt_tokens[r]} prompt and {trace.output_tokens[r]} output tokens, more than max_model_len "
            f"({most}) holds: raise it, or leave the request out"
        )
    blocks = fields["n_blocks"] - (1 if v1 else fields.get("watermark_blocks", 0))
    needed = -(-np.minimum(whole, most) // fields["block_size"])
    if not v1:
        needed = np.maximum(needed, fields.get("reserved_blocks", 0))
    if (needed > blocks).any():
        r = int(np.argmax(needed))
        raise InputError(
            f"request {r} ({whole[r]} tokens) needs {needed[r]} blocks of KV memory, but there are {blocks}: give the engine more memory, "
            "or lower max_model_len"
        )


def _simulate(
    config: SchedulerConfig,
    trace: RequestTrace,
    costs: StepCosts,
    *,
    seed: int,
    keep_token_times: bool,
    keep_timeline: bool,
    counted: bool,
) -> ServingRun:
    sim = allocate(config, trace, costs, seed=seed, token_times=keep_token_times, timeline=(0, 0, 0), counted=counted)
    run(sim)
    if keep_timeline:  # the same again, now that its size is known
        s = sim.memory.server[0]
        size = int(s["n_steps"]), int(s["batch_requests"]), int(s["preemptions"])
        sim = allocate(config, trace, costs, seed=seed, token_times=keep_token_times, timeline=size, counted=counted)
        run(sim)
    return _summarise(sim, trace, keep_token_times=keep_token_times, keep_timeline=keep_timeline)


def _summarise(sim: Simulation, trace: RequestTrace, *, keep_token_times: bool, keep_timeline: bool) -> ServingRun:
    memory = sim.memory
    s, q = memory.server[0], memory.requests
    times = {name: np.where(q[name] < 0, np.nan, q[name]) for name in ("scheduled_s", "first_token_s", "finish_s")}
    outputs = (q["tokens"] - q["prompt"]).astype(np.int64)
    first = memory.first_output
    busy = float(s["busy_s"])
    return ServingRun(
        trace=trace,
        arrival_s=np.where(np.isfinite(q["arrival_s"]), q["arrival_s"], np.nan),
        status=_STATUS[int(s["end"])],
        **times,
        finish_step=q["finish_step"].copy(),
        output_tokens=outputs,
        preemptions=q["preemptions"].copy(),
        cached_tokens=q["cached"].copy(),
        totals={name: int(s[name]) for name in _TOTALS},
        busy_s=busy,
        mean_used_blocks=float(s["used_block_s"]) / busy if busy else 0.0,
        usable_blocks=int(s["n_blocks"]) - (s["scheduler"] == VLLM_V1),
        token_times_s=tuple(memory.token_times_s[f : f + n] for f, n in zip(first, outputs, strict=True)) if keep_token_times else None,
        timeline=timeline_of(sim) if keep_timeline else None,
    )
