"""A genetic algorithm; for several terms it is NSGA-II (Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from designgym.core.design import Design
from designgym.searchers.base import BaseSearcher, option
from designgym.searchers.observations import Observation, fitness


@dataclass(frozen=True)
class GeneticAlgorithmOptions:
    """Options of `GeneticAlgorithm`."""

    population: int = option(20, "designs of a generation", low=2, high=100_000)
    tournament: int = option(2, "designs drawn per parent, of which the best is taken", low=1, high=1_000)
    crossover: float = option(0.9, "probability that a child has two parents", low=0.0, high=1.0)
    mutation: float = option(0.5, "probability that a child of two parents is also mutated", low=0.0, high=1.0)
    elites: int = option(4, "best designs that live on; with several terms all parents compete with the children", low=0, high=100_000)


class GeneticAlgorithm(BaseSearcher):
    """Tournament selection, crossover, mutation, elitism.

    A generation ends when as many results as the population has were told, in whatever order, so that no result is waited for.
    """

    name = "genetic"
    Options = GeneticAlgorithmOptions

    def _setup(self) -> None:
        self._parents: list[str] = []
        self._children: list[str] = []

    def _propose(self) -> Design | None:
        size = self.options.population
        if not self._parents and (self.asked < size or len(self._children) < 2):
            return self._random()
        parents = [self.observations[key] for key in self._parents or self._children]
        scores = fitness(parents, self.multi)
        return self._fresh(lambda: self._child(parents, scores))

    def _child(self, parents: list[Observation], scores: list[float]) -> Design:
        first = self._select(parents, scores)
        if self.rng.random() >= self.options.crossover:
            return self.space.mutate(first, self.rng)
        child = self.space.crossover(first, self._select(parents, scores), self.rng)
        return self.space.mutate(child, self.rng) if self.rng.random() < self.options.mutation or self._known(child) else child

    def _select(self, parents: list[Observation], scores: list[float]) -> Design:
        drawn = self.rng.integers(len(parents), size=self.options.tournament)
        return parents[max((int(i) for i in drawn), key=scores.__getitem__)].design

    def _learn(self, key: str, observation: Observation) -> None:
        if key not in self._children and key not in self._parents:
            self._children.append(key)
        if len(self._children) >= self.options.population:
            survivors = self._best(self._parents, len(self._parents) if self.multi else self.options.elites)
            self._parents = self._best(survivors + self._children, self.options.population)
            self._children = []

    def _best(self, keys: list[str], count: int) -> list[str]:
        scores = fitness([self.observations[key] for key in keys], self.multi)
        return [keys[i] for i in sorted(range(len(keys)), key=lambda i: -scores[i])[:count]]

    def _own_state(self) -> dict[str, Any]:
        return {"parents": list(self._parents), "children": list(self._children)}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        self._parents, self._children = list(own["parents"]), list(own["children"])
