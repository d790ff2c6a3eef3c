"""`Plots`: every figure of a study behind one name, as in ``result.plot.pareto()``."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from designgym.studies.figures import best_so_far, distribution, duplicates, parallel_coordinates, pareto
from designgym.studies.figures import importance as importance_figure
from designgym.studies.figures.data import StudyData
from designgym.studies.figures.meta import StudyMeta

if TYPE_CHECKING:
    import pandas as pd

    from designgym.studies.importance import Importance


class Plots:
    """The figures of one study; each method returns a Plotly figure to show, save or change.

    Args:
        frame: Trials, one per row.
        meta: The study in words and units.
        dark: Draw for a dark ground.
    """

    def __init__(self, frame: pd.DataFrame, meta: StudyMeta, *, dark: bool = False) -> None:
        self.data = StudyData(frame, meta)
        self._dark = dark

    @cached_property
    def importances(self) -> Importance:
        """The fitted importance of each parameter, with the model's fit."""
        from designgym.studies.importance import parameter_importance

        return parameter_importance(self.data)

    def best_so_far(self, against: best_so_far.Against = "evaluations") -> go.Figure:
        """Best result so far per searcher, with a band over seeds; ``against`` evaluations or ``wall_time``."""
        return best_so_far.figure(self.data, against=against, dark=self._dark)

    def pareto(self, x: str | None = None, y: str | None = None) -> go.Figure:
        """Two metrics with their front; chosen from the objective unless named."""
        return pareto.figure(self.data, x=x, y=y, dark=self._dark)

    def parallel_coordinates(self) -> go.Figure:
        """All parameters and the metrics that matter, the best designs in colour."""
        many = len(self.data.parameters) > parallel_coordinates.MANY
        order = self.importances.parameters if many else None
        return parallel_coordinates.figure(self.data, order=order, dark=self._dark)

    def importance(self) -> go.Figure:
        """Which parameters matter, with the model's cross-validated fit."""
        return importance_figure.figure(self.data, self.importances, dark=self._dark)

    def duplicates(self) -> go.Figure:
        """What became of each searcher's proposals, and the time saved."""
        return duplicates.figure(self.data, dark=self._dark)

    def distribution(self) -> go.Figure:
        """How good the evaluations of each searcher are, as a cumulative distribution."""
        return distribution.figure(self.data, dark=self._dark)
