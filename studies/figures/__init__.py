"""Figures of a study, one per file; `Plots` offers them all for one study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from designgym.studies.figures.meta import RunMeta as RunMeta
    from designgym.studies.figures.meta import StudyMeta as StudyMeta
    from designgym.studies.figures.meta import TermMeta as TermMeta
    from designgym.studies.figures.plots import Plots as Plots

__all__ = ["Plots", "RunMeta", "StudyMeta", "TermMeta"]

_HOMES = {"Plots": "plots", "RunMeta": "meta", "StudyMeta": "meta", "TermMeta": "meta"}


def __getattr__(name: str) -> Any:
    """Load a public name from its home, so that importing this package imports neither pandas nor plotly."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
