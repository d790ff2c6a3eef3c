"""Sobol points: random search that fills the space evenly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.searchers.base import BaseSearcher, option

MAX_SKIPS = 2_000  # illegal or known points in a row before the rest is drawn at random
MAX_POINTS = 2**30  # length of the sequence


@dataclass(frozen=True)
class SobolOptions:
    """Options of `Sobol`."""

    scramble: bool = option(True, "randomise the sequence by the seed (Owen scrambling); without, every seed gives the same points")


class Sobol(BaseSearcher):
    """Decodes the points of a Sobol sequence in the columns of the space; illegal points and known designs are skipped."""

    name = "sobol"
    Options = SobolOptions

    def _setup(self) -> None:
        from scipy.stats import qmc

        self._engine = qmc.Sobol(len(self.space.columns), scramble=self.options.scramble, rng=np.random.default_rng(self.seed))
        self._drawn = 0

    def _propose(self) -> Design | None:
        for _ in range(MAX_SKIPS):
            if self._drawn >= MAX_POINTS:
                break
            design = self.space.decode(self._engine.random(1))[0]
            self._drawn += 1
            if not self.space.violations(design) and not self._known(design):
                return design
        return self._random()

    def _own_state(self) -> dict[str, Any]:
        return {"drawn": self._drawn}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        self._drawn = int(own["drawn"])
        self._engine.fast_forward(self._drawn)
