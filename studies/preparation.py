"""From a definition to runs that can start: the store's copy of the study, and what must be decided once."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.studies.calibration import fingerprints_pay
from designgym.studies.definition import Definition, extend
from designgym.studies.loop import RunSetting
from designgym.studies.records import StoredRun
from designgym.studies.store import Store


@dataclass(frozen=True)
class Prepared:
    """A study that is in the store and can run.

    Attributes:
        definition: What it is.
        store: Where it is.
        settings: What the runs on each workload share, by the workload's name.
        pending: The runs that are not finished.
    """

    definition: Definition
    store: Store
    settings: dict[str, RunSetting]
    pending: tuple[StoredRun, ...]


def prepare(definition: Definition, store: Store, *, fresh: bool = False) -> Prepared:
    """Enter the study and its runs into the store, or find them there; calibrate where the store does not say yet.

    Raises:
        InputError: If the store holds another study under this name.
    """
    if fresh:
        store.remove(definition.name)
    new, old = definition.to_json(), store.find(definition.name)
    merged = new if old is None else extend(old, new, store.shown)
    if merged != old:
        store.save_definition(definition.name, merged)
    store.add_runs(definition.name, definition.plans(), definition.context)
    settings = {
        workload.name: RunSetting(
            definition.simulator, workload, definition.objective, definition.budget, definition.batch, definition.duplicate_cap,
            fingerprints_pay(definition, workload, store), definition.fidelity, definition.simulator_seed, definition.reuse,
            definition.agreement, definition.functional == "shared",
        )
        for workload in definition.workloads
    }  # fmt: skip
    return Prepared(definition, store, settings, tuple(run for run in store.runs(definition.name) if _pending(run, definition.budget)))


def _pending(run: StoredRun, budget: int) -> bool:
    """Return whether a run has something left to do: a larger budget wakes finished runs up."""
    done = run.status in ("finished", "stopped")
    return not done or (run.progress is not None and run.progress["budget"] < budget)
