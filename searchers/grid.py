"""Grid search: every combination once, in order or shuffled, made one at a time however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from designgym.core.design import Design
from designgym.searchers.base import BaseSearcher, option
from designgym.searchers.enumeration import Enumeration, Shuffle

MAX_SKIPS = 200_000  # illegal or known combinations in a row before the search ends


@dataclass(frozen=True)
class GridOptions:
    """Options of `Grid`."""

    levels: int = option(5, "values of a continuous parameter, evenly from bound to bound", low=1, high=1_000_000)
    order: str = option(
        "shuffled", "shuffled by the seed, or in order (the last parameter changes fastest)", choices=("shuffled", "sorted")
    )


class Grid(BaseSearcher):
    """Enumerates the space; equivalent combinations are asked once, illegal ones never. Ends when all were asked.

    It also ends, rather than run for hours, after `MAX_SKIPS` combinations in a row that are illegal or known.
    """

    name = "grid"
    Options = GridOptions

    def _setup(self) -> None:
        self._grid = Enumeration(self.space, self.options.levels)
        self._shuffle = Shuffle(self._grid.size, self.seed) if self.options.order == "shuffled" else None
        self._position = 0

    def _propose(self) -> Design | None:
        for _ in range(MAX_SKIPS):
            if self._position >= self._grid.size:
                return None
            index = self._position if self._shuffle is None else self._shuffle(self._position)
            self._position += 1
            design = self._grid.design(index)
            if not self.space.violations(design) and not self._known(design):
                return design
        self._position = self._grid.size
        return None

    def _own_state(self) -> dict[str, Any]:
        return {"position": self._position}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        self._position = int(own["position"])
