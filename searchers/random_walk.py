"""A random walk: each design is one step from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from designgym.core.design import Design
from designgym.searchers.base import BaseSearcher, option

MAX_STEPS = 200  # through known designs before the walk starts anew elsewhere


@dataclass(frozen=True)
class RandomWalkOptions:
    """Options of `RandomWalk`."""

    restart: float = option(0.0, "probability that a step is a jump to a random design instead", low=0.0, high=1.0)


class RandomWalk(BaseSearcher):
    """Walks to a random neighbour, whatever its score; passes through known designs without asking them again."""

    name = "random_walk"
    Options = RandomWalkOptions

    def _setup(self) -> None:
        self._at: Design | None = None

    def _propose(self) -> Design | None:
        for _ in range(MAX_STEPS):
            jump = self._at is None or self.rng.random() < self.options.restart
            self._at = self.space.sample(self.rng)[0] if jump or self._at is None else self._step(self._at)
            if not self._known(self._at):
                return self._at
        self._at = self._random() or self._at
        return self._at if self._at is not None and not self._known(self._at) else None

    def _step(self, design: Design) -> Design:
        """Return a random neighbour; a design without any is left by a jump."""
        near = list(self.space.neighbours(design))
        return near[int(self.rng.integers(len(near)))] if near else self.space.sample(self.rng)[0]

    def _own_state(self) -> dict[str, Any]:
        return {"at": None if self._at is None else self._at.to_dict()}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        self._at = None if own["at"] is None else self.space.validate(own["at"])
