"""Random search: the baseline that every other searcher has to beat at equal distinct evaluations."""

from __future__ import annotations

from designgym.core.design import Design
from designgym.searchers.base import BaseSearcher


class Random(BaseSearcher):
    """Draws legal designs uniformly, none twice."""

    name = "random"

    def _propose(self) -> Design | None:
        return self._random()
