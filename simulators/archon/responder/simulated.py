"""The simulated responder: how models answer a benchmark's questions in an architecture, without asking any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.responder.difficulty import Questions
from designgym.simulators.archon.responder.mechanisms import Mechanisms, mechanisms
from designgym.simulators.archon.responder.profiles import benchmark_named
from designgym.simulators.archon.responder.running import Step, final, run
from designgym.simulators.archon.responder.spending import Bill, Sizes, billed
from designgym.simulators.archon.responder.world import World

__all__ = ["PURPOSE", "Node", "Simulated", "SimulatedResponder"]

Array = NDArray[np.float64]

PURPOSE = "a statistical model for developing and comparing search methods, not for claims about LLMs"
MOST_QUESTIONS = 100_000


@dataclass(frozen=True)
class Node:
    """What a layer did on average over the questions.

    Attributes:
        type: The type of its components.
        components: How many.
        candidates: Candidates that it leaves.
        quality: Share of them that are right, or win.
        calls: Calls of models.
        cost_usd: Money per question, USD.
    """

    type: str
    components: int
    candidates: float
    quality: float
    calls: float
    cost_usd: float


@dataclass(frozen=True, eq=False)
class Simulated:
    """What an architecture reaches and costs by the model, for each question. A model of LLMs, no measurement of any.

    Attributes:
        score: Probability that the final answer is right, or wins.
        calls: Calls of models, on average.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        cost_usd: Money, USD.
        latency_s: Seconds until the answer is there, if all that waits for nothing runs at once.
        nodes: What each layer did.
    """

    score: Array
    calls: Array
    input_tokens: Array
    output_tokens: Array
    cost_usd: Array
    latency_s: Array
    nodes: tuple[Node, ...]


class SimulatedResponder:
    """Answers for LLMs: a statistical model for developing and comparing search methods, not for claims about LLMs.

    The model is fitted to published figures; `fit_table` says how well, and where it fails.

    Args:
        benchmark: One of `benchmarks`.
        queries: Questions.
        seed: Of their difficulty and length.
        mechanisms: How answers come about; as fitted if left out.

    Raises:
        InputError: If there is no such benchmark, or a number cannot be.
    """

    def __init__(self, benchmark: str, *, queries: int = 200, seed: int = 0, mechanisms: Mechanisms | None = None) -> None:
        named = benchmark_named(benchmark)
        for what, value, least, most in (("queries", queries, 1, MOST_QUESTIONS), ("seed", seed, 0, 2**63 - 1)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
                raise InputError(f"{what} is {shorten(value)}, expected a whole number from {least} to {most}")
        self.benchmark, self.queries, self.seed = benchmark, int(queries), int(seed)
        self.world = World(Questions(benchmark, self.queries, self.seed), mechanisms or _fitted(named.roles_of))
        self._sizes = Sizes(self.world)

    def evaluate(self, architecture: Architecture) -> Simulated:
        """Return what an architecture reaches and costs; equal ones, whatever the order within a layer, give equal bits.

        Raises:
            InputError: If it cannot run, a type of component is unknown, or nothing is published of a model on this benchmark.
        """
        steps = run(architecture, self.world)
        bills = billed(steps, self._sizes)
        nodes = _summary(steps, bills)
        return Simulated(
            score=final(steps),
            calls=_total([bill.calls for bill in bills]),
            input_tokens=_total([bill.input_tokens for bill in bills]),
            output_tokens=_total([bill.output_tokens for bill in bills]),
            cost_usd=_total([bill.cost_usd for bill in bills]),
            latency_s=np.max([bill.ready_s for bill in bills], axis=0),
            nodes=nodes,
        )


def _summary(steps: Sequence[Step], bills: Sequence[Bill]) -> tuple[Node, ...]:
    none = np.zeros_like(bills[0].calls)
    rows = []
    for step, bill in zip(steps, bills, strict=True):
        pool = step.after
        rows += [none if pool is None else pool.count, none if pool is None else pool.mean_right, bill.calls, bill.cost_usd]
    means = np.array(rows).mean(axis=1).reshape(len(steps), 4)
    return tuple(Node(step.layer[0].type, len(step.layer), *map(float, row)) for step, row in zip(steps, means, strict=True))


def _total(parts: list[Array]) -> Array:
    return np.sum(parts, axis=0)


def _fitted(benchmark: str) -> Mechanisms:
    return mechanisms(benchmark)
