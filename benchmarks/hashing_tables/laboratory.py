"""Searches in which every proposal is looked at with all keys, and every class of equal designs is measured once.

Proposals depend on scores alone. As equal keys stand for equal scores, a search makes the same proposals whichever key its cache
has, and one trajectory can be accounted for under all of them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from designgym.core.design import Design
from designgym.core.evaluator import AGREEMENT
from designgym.core.keys import KeyMaker
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics
from designgym.studies.store import Store
from hashing_tables.domains import Domain

SAVED_AT_ONCE = 20  # measurements that a transaction takes to the store
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
        store: Holds what earlier runs measured, with its CPU time; what this one measures is added. None: nothing is kept.
    """

    def __init__(self, domain: Domain, store: Store | None = None) -> None:
        self.domain = domain
        self.simulator, self.workload = domain.simulator(), domain.load()
        self.space = self.simulator.space
        self.maker = KeyMaker(self.simulator, self.workload, fidelity=domain.fidelity)
        self.behaviours: dict[str, Behaviour] = {}
        self.met: dict[str, Design] = {}  # the classes that this process met, each with a design
        self._trajectories: dict[tuple[int | str, ...], Trajectory] = {}
        self._store = store
        self._unsaved: dict[str, Metrics] = {}
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
            proposals: How many at most; it ends earlier where the domain says so.
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
            if len(trajectory.behaviours) == proposals or behaviour.score >= self.domain.until:
                self.save()
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
            found = self.behaviours[canonical] = self._observe(canonical, design)
        return found

    def save(self) -> None:
        """Take to the store what is not there yet."""
        if self._store is not None and self._unsaved:
            self._store.note(self._unsaved)
        self._unsaved.clear()

    def _observe(self, canonical: str, design: Design) -> Behaviour:
        started = time.thread_time()
        functional = self.maker.functional([design])
        probe_s = time.thread_time() - started
        metrics = self._measured(canonical, design)
        if functional is None or not metrics.ok:
            raise RuntimeError(f"{self.domain.id}: {design} has no functional key or no result: {metrics}")
        return Behaviour(functional[0], metrics.values[self.domain.metric], dict(metrics.values), probe_s, metrics.cost_s)

    def _measured(self, canonical: str, design: Design) -> Metrics:
        """Return a design's metrics, with CPU seconds as their cost."""
        known = self._store.measured([canonical]) if self._store is not None else {}
        if canonical in known:
            return known[canonical][0]
        started = time.thread_time()
        metrics = self.simulator.evaluate([design], self.workload, fidelity=self.domain.fidelity)[0]
        metrics = self._unsaved[canonical] = replace(metrics, cost_s=time.thread_time() - started)
        if len(self._unsaved) >= SAVED_AT_ONCE:
            self.save()
        return metrics
