"""Studies: searchers on an environment, run anywhere, kept in a store, shown in reports and on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.studies.confirmation import Confirm as Confirm
    from designgym.studies.results import StudyResult as StudyResult
    from designgym.studies.store import Store as Store
    from designgym.studies.store import open_store as open_store
    from designgym.studies.study import Study as Study

_HOMES = {"Confirm": "confirmation", "Study": "study", "StudyResult": "results", "Store": "store", "open_store": "store"}

__all__ = ["Confirm", "Store", "Study", "StudyResult", "open_store"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
