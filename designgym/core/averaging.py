"""The mean of several measurements by a noisy simulator is a simulator too, with less noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from designgym.core.describing import described
from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.measuring import checked_results
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.protocols import Resources, Simulator
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload


class Averaged:
    """Measures each design several times, under different seeds, and returns the mean (a `Simulator`).

    The standard deviation of a result falls with the square root of the number of measurements, and what it costs rises in proportion.
    A design that one measurement finds infeasible is infeasible; where one fails, that failure is the result, and no more are made.

    The number of measurements is part of the version, so results of different numbers never stand for each other in a cache or a store.

    Args:
        simulator: What measures.
        measurements: How often, at least 2.

    Raises:
        InputError: If the simulator is deterministic, or for fewer than 2 measurements.
    """

    deterministic = False

    def __init__(self, simulator: Simulator, measurements: int) -> None:
        if measurements < 2:
            raise InputError(f"a mean of {measurements!r} measurements does not exist: expected 2 or more")
        if simulator.deterministic:
            raise InputError(f"measurements of {simulator.name} are all the same, since its seed has no effect: leave measurements= out")
        self._simulator, self._measurements = simulator, measurements
        self.name, self.version = simulator.name, f"{simulator.version}, mean of {measurements}"
        self.space: DesignSpace = simulator.space
        self.metrics: tuple[MetricSpec, ...] = simulator.metrics
        self.resources: Resources = simulator.resources

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Return the mean of each design's measurements; the first one is under ``seed`` itself."""
        measured: list[list[Metrics]] = [[] for _ in designs]
        for number in range(self._measurements):
            pending = [i for i, results in enumerate(measured) if not results or results[-1].status in ("ok", "infeasible")]
            if not pending:
                break
            batch = [designs[i] for i in pending]
            answer = self._simulator.evaluate(batch, workload, fidelity=fidelity, seed=_seed(seed, number))
            for i, result in zip(pending, checked_results(self._simulator, batch, answer), strict=True):
                measured[i].append(result)
        return [_mean(results) for results in measured]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return what a single measurement's probe does."""
        return self._simulator.probe(designs, workload, seed=seed)

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return what the simulator says of a design."""
        return described(self._simulator, design, workload)


def _seed(seed: int, number: int) -> int:
    return seed if number == 0 else int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0])


def _mean(results: Sequence[Metrics]) -> Metrics:
    cost_s = math.fsum(result.cost_s for result in results)
    if (special := next((result for result in reversed(results) if not result.ok), None)) is not None:  # a failure is the last one
        return replace(special, cost_s=cost_s)
    values = {name: math.fsum(result[name] for result in results) / len(results) for name in results[0].values}
    return replace(results[0], values=values, cost_s=cost_s)
