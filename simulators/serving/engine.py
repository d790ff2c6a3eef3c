"""`VllmServing`: engine arguments of vLLM as designs, evaluated by simulating requests on a model of the GPUs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.serving.config import VllmConfig
from designgym.simulators.serving.cost_tables import LinearStepCosts
from designgym.simulators.serving.costs.assemble import step_costs_of
from designgym.simulators.serving.costs.deployment import Deployment
from designgym.simulators.serving.costs.gpus import gpu_named
from designgym.simulators.serving.costs.models import model_named
from designgym.simulators.serving.engine_arguments import engine_space
from designgym.simulators.serving.engine_flags import serve_command
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.simulate import ServingRun, simulate
from designgym.simulators.serving.summary import METRICS, Targets, summary
from designgym.simulators.serving.workloads import requests_of

__all__ = ["VllmServing"]

PROBED_REQUESTS = 2000
ACCEPTANCE = {"none": 0.0, "ngram": 0.3, "eagle": 0.6}
"""Probability that a draft token is accepted: assumptions in the range that papers and users report; it depends on the text."""


class VllmServing:
    """vLLM's engine arguments, simulated step by step on a model of the GPUs.

    Replicas (``data_parallel_size``) take requests in turn. Fidelity is the share of the requests, from the first.

    Args:
        model: A name of `MODELS`, or the path of a ``config.json``.
        gpu: A name of `GPUS`.
        gpus: How many there are at most.
        ttft_s: Target of goodput, time to first token.
        tpot_s: Target of goodput, time per output token.
        ngram_acceptance: Probability that a draft of ngram speculation is accepted, if all before it were.
        eagle_acceptance: The same of EAGLE.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "vllm-serving"
    version = "1"
    metrics: tuple[MetricSpec, ...] = METRICS
    deterministic = True
    resources = Resources(cpus=1.0)

    def __init__(
        self, *, model: str = "meta-llama/Meta-Llama-3.1-8B", gpu: str = "h100_sxm", gpus: int = 8, ttft_s: float = 1.0,
        tpot_s: float = 0.05, ngram_acceptance: float = ACCEPTANCE["ngram"], eagle_acceptance: float = ACCEPTANCE["eagle"],
    ) -> None:  # fmt: skip
        if not isinstance(gpus, int) or isinstance(gpus, bool) or gpus not in (1, 2, 4, 8, 16):
            raise InputError(f"gpus must be 1, 2, 4, 8 or 16, got {shorten(gpus)}")
        self.model, self.gpu, self.targets = model_named(model), gpu_named(gpu), Targets(ttft_s, tpot_s)
        self._acceptance = {"none": 0.0, "ngram": ngram_acceptance, "eagle": eagle_acceptance}
        for method, rate in self._acceptance.items():
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise InputError(f"{method}_acceptance must be a probability, got {shorten(rate)}")
        self.space = engine_space(self.model, gpus=gpus)
        options = repr((self.model, self.gpu, self.targets, sorted(self._acceptance.items())))
        self.version = f"{VllmServing.version}+{blake3(options.encode()).hexdigest(8)}"

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Simulate every design on the requests.

        Raises:
            InputError: If the workload is not a `RequestTrace`, or the fidelity not in (0, 1].
        """
        trace = requests_of(workload, "an engine").share(fidelity)
        _compile()
        return [self._one(design, trace) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return what each design does with the first requests: deployment, batches, preemptions and times, and how full memory was.

        If there are more requests, all arguments are included by value: whether a limit is ever reached cannot be told from the beginning.
        """
        return self._probes(designs, workload, memory=True)

    def behaviours(self, designs: Sequence[Design], workload: Workload) -> list[bytes]:
        """Return the same without how full memory was, which nobody sees from outside."""
        return self._probes(designs, workload, memory=False)

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the command line of a design."""
        canonical = self.space.canonical(design, workload.traits if workload else frozenset())
        return serve_command(self.arguments(canonical), self.model.name)

    def arguments(self, design: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return all engine arguments of a design."""
        return design

    def deployment(self, design: Mapping[str, Any]) -> Deployment:
        """Return what a design puts on how many GPUs, of one replica; raises `InputError` if the model cannot be divided like that."""
        quantization = design["quantization"]
        return Deployment(
            self.model, self.gpu, design["tensor_parallel_size"], design["pipeline_parallel_size"],
            None if quantization == "none" else quantization, design["kv_cache_dtype"], design["cpu_offload_gb"] << 30,
        )  # fmt: skip

    def config(self, design: Mapping[str, Any], deployment: Deployment) -> VllmConfig:
        """Return a design as the scheduler's settings; raises `InputError` if the model does not fit."""
        method = design["speculative_method"]
        drafts = design["num_speculative_tokens"] if method != "none" else 0
        asynchronous = design["async_scheduling"]
        limits = {name: design[name] for name in ("max_num_batched_tokens", "max_num_seqs")}
        block_bytes = design["block_size"] * deployment.kv_bytes_per_token_per_gpu
        return VllmConfig(
            **limits,
            num_gpu_blocks=deployment.num_gpu_blocks(
                gpu_memory_utilization=design["gpu_memory_utilization"], block_size=design["block_size"], **limits
            ),
            **{
                name: design[name]
                for name in (
                    "max_model_len", "block_size", "enable_prefix_caching", "scheduling_policy", "long_prefill_token_threshold",
                    "enable_chunked_prefill", "pipeline_parallel_size",
                )
            },
            async_scheduling=asynchronous == "on" or (asynchronous == "auto" and method != "ngram"),
            num_speculative_tokens=drafts,
            speculative_method="ngram" if method == "none" else method,
            acceptance_rate=self._acceptance[method],
            # vLLM's buffer is of all GPUs of an engine together; each reads its part over a link of its own
            host_blocks=(design["kv_offloading_size"] << 30) // (block_bytes * deployment.n_gpus),
            host_block_s=block_bytes / deployment.gpu.host_bytes_per_s,
        )  # fmt: skip

    def runs(self, design: Mapping[str, Any], workload: Workload, *, keep_timeline: bool = True) -> list[ServingRun]:
        """Return the run of each replica, with token times and, if wanted, every step.

        Raises:
            InputError: If the model does not fit, or a request is longer than the engine takes.
        """
        return self._simulated(design, requests_of(workload, "an engine"), keep_timeline=keep_timeline)[1]

    def _simulated(
        self, design: Mapping[str, Any], trace: RequestTrace, *, keep_timeline: bool = False
    ) -> tuple[Deployment, list[ServingRun]]:  # fmt: skip
        design = self.arguments(design)
        deployment = self.deployment(design)
        config, costs = self.config(design, deployment), step_costs_of(deployment)
        parts = _divided(trace, design["data_parallel_size"])
        return deployment, [simulate(config, part, costs, keep_token_times=True, keep_timeline=keep_timeline) for part in parts]

    def _one(self, design: Design, trace: RequestTrace) -> Metrics:
        if problems := self.space.violations(design):
            return Metrics.infeasible(problems)
        started = time.perf_counter()
        try:
            deployment, runs = self._simulated(design, trace)
        except InputError as error:  # the model does not fit, or a request is longer than the engine takes
            return Metrics.infeasible([str(error)], cost_s=time.perf_counter() - started)
        if any(run.status != "completed" for run in runs):
            words = "requests preempt one another without end, or the first in the queue never fits: give the engine more memory"
            return Metrics.infeasible([words], cost_s=time.perf_counter() - started)
        return Metrics(summary(runs, deployment, self.targets), cost_s=time.perf_counter() - started)

    def _probes(self, designs: Sequence[Design], workload: Workload, *, memory: bool) -> list[bytes]:
        requests = requests_of(workload, "an engine")
        trace = requests.first(PROBED_REQUESTS)
        canonical = [self.space.canonical(design, workload.traits) for design in designs]
        return [self._probed(design, trace, memory=memory, whole=trace is requests) for design in canonical]

    def _probed(self, design: Design, trace: RequestTrace, *, memory: bool, whole: bool) -> bytes:
        try:
            deployment, runs = self._simulated(design, trace, keep_timeline=True)
        except InputError as error:
            return str(error).encode()
        # Proposing drafts takes time and memory of a real engine, which the simulation does not count.
        engine = self.arguments(design)
        shown = [deployment, len(runs), engine["speculative_method"], engine["num_speculative_tokens"]]
        hasher = blake3(repr(shown if whole else [*shown, design.literal]).encode())
        for run in runs:
            assert run.timeline is not None
            hasher.update(run.timeline.entries.tobytes() + run.timeline.preempted.tobytes())
            hasher.update(run.finish_s.tobytes())
            if memory:
                hasher.update(np.float64(run.mean_used_blocks / run.usable_blocks).tobytes())
        return hasher.digest()


@lru_cache(maxsize=1)
def _compile() -> None:
    """Compile, or load what was compiled before, so that no design's cost includes it."""
    simulate(VllmConfig(), RequestTrace.make([0.0], [1], [1]), LinearStepCosts(step_s=1.0), keep_token_times=True)


def _divided(trace: RequestTrace, replicas: int) -> list[RequestTrace]:
    """Return what each replica serves: requests in turn, in a closed loop users in turn, and of a limit of the client its share."""
    if replicas == 1:
        return [trace]
    parts = [trace.part(slice(r, None, replicas), users=len(range(r, trace.users, replicas))) for r in range(min(replicas, len(trace)))]
    limit = trace.max_concurrency
    return [part.limited(max(len(range(r, limit, replicas)), 1)) for r, part in enumerate(parts)] if limit else parts
