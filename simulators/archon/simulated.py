"""`SimulatedArchitectures`: architectures evaluated by the simulated responder, a statistical model that asks nobody."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.canonical import canonical
from designgym.simulators.archon.paper_space import paper_architecture, paper_space
from designgym.simulators.archon.responder import PURPOSE, Simulated, SimulatedResponder, models
from designgym.simulators.archon.wide_space import SOURCES, wide_architecture, wide_space

__all__ = ["PURPOSE", "Questions", "SimulatedArchitectures", "models_for"]

ARCHON = ("mt-bench", "alpaca-eval", "arena-hard", "mixeval", "mixeval-hard", "math", "code-contests")
"""Benchmarks of Archon, of which all its models have published figures."""
PROBED = 16  # questions whose outcomes are a design's behaviour

_METRICS = (
    metric("score_pct", goal="max", doc="answers that are right, or win against the reference: by the model, not of any LLM"),
    metric("cost_usd", goal="min", doc="price of a question's calls, by published prices"),
    metric("latency_s", goal="min", doc="seconds of a question's calls on the critical path, by published speeds"),
    metric("calls", goal="min", doc="calls of models for a question"),
    metric("input_tokens", goal="min", unit="tokens", doc="tokens read for a question"),
    metric("output_tokens", goal="min", unit="tokens", doc="tokens written for a question"),
)


@dataclass(frozen=True)
class Questions:
    """What the responder is asked: a workload's data.

    Attributes:
        benchmark: One of `responder.benchmarks`.
    """

    benchmark: str


def models_for(benchmark: str, kind: str = "all") -> tuple[str, ...]:
    """Return the models of which there are figures on a benchmark, best first.

    Args:
        benchmark: One of `responder.benchmarks`.
        kind: ``all``, ``open`` or ``closed``.

    Raises:
        InputError: For another kind.
    """
    if kind not in ("all", "open", "closed"):
        raise InputError(f"kind of models is {shorten(kind)}, expected 'all', 'open' or 'closed'")
    known = [m for m in models().values() if benchmark in m.skill and (kind == "all" or m.open == (kind == "open"))]
    return tuple(model.name for model in sorted(known, key=lambda model: (-model.skill[benchmark], model.name)))


class SimulatedArchitectures:
    """Architectures on questions of a benchmark, by a statistical model: for developing and comparing search methods, no claim about LLMs.

    Fidelity is the share of the questions.

    Args:
        preset: ``paper`` (default) for Archon's own space of 18,750 designs, or ``wide``.
        models: ``all`` (default), ``open`` or ``closed`` models of Archon, the best on the benchmark first; or names with commas between.
        judge: The model that criticises, ranks, checks and fuses last in Archon's space; the best one unless given.
        sources: Kinds of sources in the wide space, with commas between; all unless given.
        queries: Questions.
        question_seed: Draws other questions of the same difficulty.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "archon-simulated"
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = True
    resources = Resources(cpus=1.0)

    def __init__(
        self, *, preset: str = "paper", models: str = "all", judge: str = "", sources: str = ",".join(SOURCES), queries: int = 128,
        question_seed: int = 0,
    ) -> None:  # fmt: skip
        if preset not in ("wide", "paper"):
            raise InputError(f"preset is {shorten(preset)}, expected 'paper' or 'wide'")
        self.preset, self.queries, self.question_seed, self.judge, self._models = preset, queries, question_seed, judge, models
        if preset == "paper":
            self.space: DesignSpace = paper_space()
        else:
            kinds = tuple(part.strip() for part in sources.split(","))
            self.space = wide_space(self.names(ARCHON[0]), sources=kinds)
        if not self.names(ARCHON[0]):
            raise InputError(f"models is {shorten(models)}, expected 'all', 'open', 'closed', or names with commas between")
        SimulatedResponder(ARCHON[0], queries=queries, seed=question_seed)  # checks them
        options = repr((preset, models, judge, sources, queries, question_seed))
        self.version = f"1+{blake3(options.encode()).hexdigest(4)}"

    def names(self, benchmark: str) -> tuple[str, ...]:
        """Return the models on a benchmark, best first."""
        if self._models in ("all", "open", "closed"):
            return models_for(benchmark, self._models)
        return tuple(filter(None, (name.strip() for name in self._models.split(","))))

    def architecture(self, design: Design, benchmark: str = ARCHON[0]) -> Architecture:
        """Return the architecture of a design, with the models that are best on a benchmark."""
        if self.preset == "wide":
            return wide_architecture(design)
        names = self.names(benchmark)
        return paper_architecture(design, names, self.judge or names[0])

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate designs by the model.

        Raises:
            InputError: If the workload is no benchmark, or the fidelity not in (0, 1].
        """
        benchmark = _benchmark(workload)
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the questions, must be in (0, 1], got {shorten(fidelity)}")
        responder = _responder(benchmark, max(math.ceil(fidelity * self.queries - 1e-9), 1), self.question_seed)
        return [self._one(design, responder, benchmark) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return of each design what each of its layers does on a few questions, and what comes out."""
        benchmark = _benchmark(workload)
        responder = _responder(benchmark, min(PROBED, self.queries), self.question_seed)
        found = []
        for design in designs:
            if reasons := self.space.violations(design):
                found.append(repr(reasons).encode())
                continue
            try:
                result = responder.evaluate(canonical(self.architecture(design, benchmark)))
            except InputError as error:
                found.append(str(error).encode())
                continue
            hasher = blake3(repr(result.nodes).encode())
            for array in (result.score, result.calls, result.input_tokens, result.output_tokens, result.cost_usd, result.latency_s):
                hasher.update(np.ascontiguousarray(array).tobytes())
            found.append(hasher.digest(16))
        return found

    def simulated(self, design: Design, workload: Workload) -> Simulated:
        """Return everything that the model says of a design, by question and by layer."""
        benchmark = _benchmark(workload)
        return _responder(benchmark, self.queries, self.question_seed).evaluate(canonical(self.architecture(design, benchmark)))

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the architecture of a design without what has no effect, a line per layer."""
        return str(canonical(self.architecture(design, _benchmark(workload) if workload is not None else ARCHON[0])))

    def _one(self, design: Design, responder: SimulatedResponder, benchmark: str) -> Metrics:
        started = time.perf_counter()
        if reasons := self.space.violations(design):
            return Metrics.infeasible(reasons)
        try:
            found = responder.evaluate(canonical(self.architecture(design, benchmark)))
        except InputError as error:  # nothing is published of a model on this benchmark
            return Metrics.infeasible([str(error)], time.perf_counter() - started)
        values = {
            "score_pct": 100 * float(np.mean(found.score)),
            "cost_usd": float(np.mean(found.cost_usd)),
            "latency_s": float(np.mean(found.latency_s)),
            "calls": float(np.mean(found.calls)),
            "input_tokens": float(np.mean(found.input_tokens)),
            "output_tokens": float(np.mean(found.output_tokens)),
        }
        return Metrics(values, cost_s=time.perf_counter() - started)


def _benchmark(workload: Workload) -> str:
    if not isinstance(workload.data, Questions):
        raise InputError(
            f"workload {workload.name!r} holds {type(workload.data).__name__}, expected questions of a benchmark, such as 'mt-bench'"
        )
    return workload.data.benchmark


@lru_cache(maxsize=16)
def _responder(benchmark: str, queries: int, seed: int) -> SimulatedResponder:
    return SimulatedResponder(benchmark, queries=queries, seed=seed)
