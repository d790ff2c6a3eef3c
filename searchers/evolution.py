"""Regularised (ageing) evolution: Real et al. 2019, "Regularized evolution for image classifier architecture search", algorithm 1."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from designgym.core.design import Design
from designgym.searchers.base import BaseSearcher, option
from designgym.searchers.observations import Observation, fitness


@dataclass(frozen=True)
class RegularizedEvolutionOptions:
    """Options of `RegularizedEvolution`."""

    population: int = option(25, "designs alive; the oldest dies when a new one is told", low=2, high=100_000)
    tournament: int = option(8, "designs drawn (with replacement) of which the best becomes the parent", low=1, high=100_000)
    start: str = option("random", "the first population: random designs, or the default and its mutants", choices=("random", "default"))


class RegularizedEvolution(BaseSearcher):
    """Mutates the best of a random sample of the living; whoever is oldest dies, however good.

    Several terms: the sample is ranked by front and crowding distance. With ``start="default"`` evolution begins at the space's default
    design, for instance the empty program, as in AutoML-Zero (Real et al. 2020), whose searches random programs would not get going.
    """

    name = "regularized_evolution"
    Options = RegularizedEvolutionOptions

    def _setup(self) -> None:
        self._alive: deque[str] = deque(maxlen=self.options.population)

    def _propose(self) -> Design | None:
        if (self.asked < self.options.population and len(self._alive) < self.options.population) or not self._alive:
            return self._random() if self.options.start == "random" else self._beginning()
        drawn = [self._alive[int(i)] for i in self.rng.integers(len(self._alive), size=self.options.tournament)]
        sample = [self.observations[key] for key in dict.fromkeys(drawn)]
        scores = fitness(sample, self.multi)
        return self._mutant(sample[scores.index(max(scores))].design)

    def _beginning(self) -> Design | None:
        """Return the default design, then mutants of it."""
        default = self.space.default()
        return default if not self._known(default) and not self.space.violations(default) else self._mutant(default)

    def _learn(self, key: str, observation: Observation) -> None:
        if key not in self._alive:
            self._alive.append(key)

    def _own_state(self) -> dict[str, Any]:
        return {"alive": list(self._alive)}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        self._alive.extend(own["alive"])
