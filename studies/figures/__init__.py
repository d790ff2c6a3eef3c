"""Figures of a study, one per file; `Plots` offers them all for one study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.studies.figures.meta import RunMeta as RunMeta
    from designgym.studies.figures.meta import StudyMeta as StudyMeta
    from designgym.studies.figures.meta import TermMeta as TermMeta
    from designgym.studies.figures.plots import Plots as Plots

__all__ = ["Plots", "RunMeta", "StudyMeta", "TermMeta"]

_HOMES = {"Plots": "plots", "RunMeta": "meta", "StudyMeta": "meta", "TermMeta": "meta"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
