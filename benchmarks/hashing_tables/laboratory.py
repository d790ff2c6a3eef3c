"""Searches in which every proposal is looked at with all keys, and every class of equal designs is measured once.

Proposals depend on scores alone. As equal keys stand for equal scores, a search makes the same proposals whichever key its cache
has, and one trajectory can be accounted for under all of them.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from designgym.core.design import Design
from designgym.core.evaluator import AGREEMENT
from designgym.core.keys import KeyMaker
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics
from hashing_tables.domains import Domain

Strategy = Literal["evolution", "random"]
STRATEGIES: tuple[Strategy, ...] = ("evolution", "random")


@dataclass(frozen=True)
class Behaviour:
    """A class of canonically equal designs, measured once; CPU seconds.

    Attributes:
        functional: Its functional key.
        score: What is maximised.
        values: All metrics, by name.
        probe_s: What probing cost.
        measure_s: What measuring cost.
    """

    functional: str
    score: float
    values: dict[str, float]
    probe_s: float
    measure_s: float

    def agrees(self, other: Behaviour) -> bool:
        """Return whether the metrics are equal but for rounding, as an audit judges."""
        return agree(Metrics(self.values), Metrics(other.values), AGREEMENT)


@dataclass
class Trajectory:
    """What a search proposed, in order; CPU seconds per proposal."""

    literal: list[str] = field(default_factory=list)
    canonical: list[str] = field(default_factory=list)
    behaviours: list[Behaviour] = field(default_factory=list)
    literal_s: list[float] = field(default_factory=list)
    canonical_s: list[float] = field(default_factory=list)

    @property
    def functional(self) -> list[str]:
        """The functional keys."""
        return [behaviour.functional for behaviour in self.behaviours]

    @property
    def scores(self) -> list[float]:
        """What was measured."""
        return [behaviour.score for behaviour in self.behaviours]


class Laboratory:
    """Measures the designs of a domain and remembers what it measured.

    Args:
        domain: What is searched.
        memory: JSON lines of what earlier runs measured; what this one measures is added. None: nothing is kept.
    """

    def __init__(self, domain: Domain, memory: Path | None = None) -> None:
        self.domain = domain
        self.simulator, self.workload = domain.simulator(), domain.load()
        self.space = self.simulator.space
        self.maker = KeyMaker(self.simulator, self.workload, fidelity=domain.fidelity)
        self.behaviours: dict[str, Behaviour] = {}
        self.met: dict[str, Design] = {}  # the classes that this process met, each with a design
        self._trajectories: dict[tuple[int | str, ...], Trajectory] = {}
        self._memory = memory
        if memory is not None and memory.exists():
            for line in memory.read_text().splitlines():
                key, behaviour = json.loads(line)
                self.behaviours[key] = Behaviour(**behaviour)
        warm_up = self.space.sample(np.random.default_rng(0), 3)
        self.maker.functional(warm_up)
        self.simulator.evaluate(warm_up, self.workload, fidelity=domain.fidelity)
        for design in warm_up:
            self.maker.keys(design)

    def trajectory(
        self, seed: int, proposals: int, *, strategy: Strategy = "evolution", population: int = 0, tournament: int = 0
    ) -> Trajectory:
        """Return one search.

        Args:
            seed: Of the proposals.
            proposals: How many.
            strategy: ``evolution`` (ageing, each proposal a mutation of the best of a tournament, duplicates included) or ``random``.
            population: Instead of the domain's.
            tournament: Instead of the domain's.
        """
        asked = (seed, proposals, strategy, population or self.domain.population, tournament or self.domain.tournament)
        if asked in self._trajectories:
            return self._trajectories[asked]
        trajectory = self._trajectories[asked] = Trajectory()
        for design, tell in self.propose(seed, strategy, population, tournament):
            started = time.thread_time()
            assert design.literal  # made now
            literal_s = time.thread_time() - started
            keys = self.maker.keys(design)
            trajectory.canonical_s.append(time.thread_time() - started)
            trajectory.literal_s.append(literal_s)
            trajectory.literal.append(keys.literal)
            trajectory.canonical.append(keys.canonical)
            behaviour = self.behaviour(keys.canonical, design)
            trajectory.behaviours.append(behaviour)
            tell(behaviour.score)
            if len(trajectory.behaviours) == proposals:
                return trajectory
        raise AssertionError("a search goes on for ever")

    def propose(
        self, seed: int, strategy: Strategy = "evolution", population: int = 0, tournament: int = 0
    ) -> Iterator[tuple[Design, Callable[[float], None]]]:
        """Yield designs for ever, each with a function that takes its score; regularised evolution (Real et al. 2019), or random."""
        rng = np.random.default_rng([seed, 20260101])
        population, tournament = population or self.domain.population, tournament or self.domain.tournament
        alive: deque[tuple[float, Design]] = deque(maxlen=population)
        while True:
            if strategy == "random" or len(alive) < population:
                design = self.space.sample(rng)[0]
            else:
                drawn = [alive[int(i)] for i in rng.integers(population, size=tournament)]
                design = self.space.mutate(max(drawn, key=lambda one: one[0])[1], rng)
            yield design, lambda score, design=design: alive.append((score, design))  # type: ignore[misc]

    def behaviour(self, canonical: str, design: Design) -> Behaviour:
        """Return what a design does, measured unless an equal one was."""
        self.met.setdefault(canonical, design)
        found = self.behaviours.get(canonical)
        if found is None:
            found = self.behaviours[canonical] = self._measure(design)
            if self._memory is not None:
                with self._memory.open("a") as file:
                    file.write(json.dumps([canonical, asdict(found)]) + "\n")
        return found

    def _measure(self, design: Design) -> Behaviour:
        started = time.thread_time()
        functional = self.maker.functional([design])
        probed = time.thread_time()
        metrics = self.simulator.evaluate([design], self.workload, fidelity=self.domain.fidelity)[0]
        measured = time.thread_time()
        if functional is None or not metrics.ok:
            raise RuntimeError(f"{self.domain.id}: {design} has no functional key or no result: {metrics}")
        return Behaviour(functional[0], metrics.values[self.domain.metric], dict(metrics.values), probed - started, measured - probed)
