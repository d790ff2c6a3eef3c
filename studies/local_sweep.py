"""A study without Ray: one run after the other, in this process."""

from __future__ import annotations

import functools
from collections.abc import Callable

from designgym.core.protocols import EquivalenceCache
from designgym.hashing.local_cache import LocalCache
from designgym.studies.loop import SearchRun
from designgym.studies.preparation import Prepared
from designgym.studies.run_report import RunReport
from designgym.studies.shared_behaviours import recall_behaviours


def local_sweep(prepared: Prepared, progress: Callable[[RunReport], None] | None = None) -> None:
    """Run what is pending; all runs share one cache, unless the study says otherwise."""
    shared = LocalCache()
    if prepared.definition.functional == "shared":
        recall_behaviours(shared, prepared.store, prepared.definition.name)
    for stored in prepared.pending:
        setting = prepared.settings[stored.plan.workload]
        choice = prepared.definition.choice(stored.plan)
        cache: EquivalenceCache = shared if setting.reuse else LocalCache()
        make = functools.partial(choice.make, setting.simulator.space, setting.objective, stored.plan.seed)
        SearchRun(prepared.store, prepared.definition.name, stored.plan.run, setting, make, cache=cache).run(progress)
