"""From a definition to runs that can start: the store's copy of the study, and what must be decided once."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import numpy as np

from designgym.core.keys import KeyMaker
from designgym.core.measuring import MISUSE, Measurer
from designgym.core.workload import Workload
from designgym.hashing.local_cache import LocalCache
from designgym.studies.definition import Definition, extend
from designgym.studies.loop import RunSetting
from designgym.studies.measuring import InProcess, SharedMeasuring
from designgym.studies.records import StoredRun
from designgym.studies.store import Store

log = logging.getLogger(__name__)

CALIBRATION_DESIGNS = 64
CALIBRATION_SEED = 20_230_617  # any number: it only has to be the same every time
WORTH = 2.0  # fingerprints are made if they save twice what they cost: less is within the noise of a short calibration


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
            _functional(definition, workload, store), definition.fidelity, definition.simulator_seed, definition.reuse,
        )
        for workload in definition.workloads
    }  # fmt: skip
    return Prepared(definition, store, settings, tuple(run for run in store.runs(definition.name) if _pending(run, definition.budget)))


def _pending(run: StoredRun, budget: int) -> bool:
    """Return whether a run has something left to do: a larger budget wakes finished runs up."""
    done = run.status in ("finished", "stopped")
    return not done or (run.progress is not None and run.progress["budget"] < budget)


def _functional(definition: Definition, workload: Workload, store: Store) -> bool:
    if definition.functional != "auto":
        return definition.functional == "on"
    question = f"fingerprints pay on {workload.name}"
    known = store.decisions(definition.name)
    if question not in known:
        known[question] = store.decide(definition.name, question, _calibrate(definition, workload, store))
    return bool(known[question]["answer"])


def _calibrate(definition: Definition, workload: Workload, store: Store) -> dict[str, float | bool]:
    """Measure and probe a sample of designs once: do functional keys, beyond canonical ones, save more time than probes take?

    The measured results go to the store, where the search finds them.
    """
    simulator, space = definition.simulator, definition.simulator.space
    seed = definition.context.simulator_seed
    keys = KeyMaker(simulator, workload, fidelity=definition.fidelity, seed=seed)
    sample = space.sample(np.random.default_rng(CALIBRATION_SEED), CALIBRATION_DESIGNS)
    distinct = list({keys.keys(design).canonical: design for design in sample}.values())
    try:
        if keys.functional(distinct[:1]) is None:  # also compiles what needs compiling
            return {"answer": False, "has_probe": False}
        began = time.perf_counter()
        functional = keys.functional(distinct) or []
        probe_s = (time.perf_counter() - began) / len(distinct)
    except MISUSE:
        raise
    except Exception as error:
        log.warning("the probe of %s raised %s: %s; designs are measured without fingerprints", simulator.name, type(error).__name__, error)
        return {"answer": False, "has_probe": True}
    measuring = SharedMeasuring(
        simulator, workload, fidelity=definition.fidelity, seed=seed, runner=InProcess(simulator), cache=LocalCache(), store=store,
        reuse=definition.reuse,
    )  # fmt: skip
    # one to warm up, then few: their cost is what is asked for, and an expensive simulator must not be kept busy here
    results, _ = Measurer(simulator, workload, definition.fidelity, seed, measuring)(distinct[:4])
    costs = [result.cost_s for result in results[1:]] or [results[0].cost_s]
    cost_s = float(np.median(costs))
    share = 1 - len(set(functional)) / len(functional)
    return {
        "answer": bool(share * cost_s > WORTH * probe_s), "has_probe": True, "probe_s": probe_s, "cost_s": cost_s, "share": share,
    }  # fmt: skip
