"""What runs inside a Ray Tune trial: one search run. Everything it needs travels in a `Payload`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from designgym.core.averaging import Averaged
from designgym.core.errors import DesignGymError, InputError, StoreError
from designgym.core.protocols import EquivalenceCache, Simulator
from designgym.core.registry import EnvironmentSpec
from designgym.core.workload import Workload
from designgym.studies.definition import SearcherChoice
from designgym.studies.isolation import Isolated
from designgym.studies.loop import RunSetting, SearchRun
from designgym.studies.measuring import InProcess, Runner
from designgym.studies.pool import OnPool, hide_gpus
from designgym.studies.records import StoredRun
from designgym.studies.remote_store import RemoteStore
from designgym.studies.run_report import RunReport
from designgym.studies.run_warnings import Warnings, kept_warnings
from designgym.studies.store_base import RunStore

WORST = -sys.float_info.max  # stands for "no result yet": Tune's schedulers want finite numbers


@dataclass(frozen=True)
class Payload:
    """A study as it travels to the workers.

    Attributes:
        study: Its name.
        store: Where it is, as every worker can open it.
        cache: Name of the cache that the runs share; empty if they do not.
        env: Id of one of our environments, or the user's own environment itself.
        env_options: Options of its simulator.
        workloads: Workloads by name.
        settings: What runs share, by workload, without the simulator.
        choices: Searcher and seed by run.
        run_workloads: Workload by run.
        pool: Actors that run the simulator; None to run it in the trials.
        retell: Whether a run that goes on reports its earlier batches too, so that a scheduler judges it fairly.
        measurements: How often the simulator measures each behaviour.
        keeper: Where the store is a file that only one host of the cluster may write: what stands for it on all.
        began_s: Unix time when the sweep began.
    """

    study: str
    store: str
    cache: str
    env: str | EnvironmentSpec
    env_options: Mapping[str, Any]
    workloads: Mapping[str, Workload]
    settings: Mapping[str, RunSetting]
    choices: Mapping[str, tuple[SearcherChoice, int]]
    run_workloads: Mapping[str, str]
    pool: list[Any] | None = None
    retell: bool = False
    measurements: int = 1
    keeper: RemoteStore | None = None
    began_s: float = field(default_factory=time.time)

    def simulator(self) -> Simulator:
        """Return the simulator, made here."""
        from designgym.envs import environment

        spec = environment(self.env) if isinstance(self.env, str) else self.env
        simulator = spec.simulator(**self.env_options)
        return simulator if self.measurements == 1 else Averaged(simulator, self.measurements)


def run_trial(config: Mapping[str, Any], payload: Payload) -> None:
    """Run the search run named in ``config``; how far it got, and what went wrong, is in its reports and in the store."""
    with kept_warnings() as warnings:
        _run(config["run"], payload, warnings)


def _run(name: str, payload: Payload, warnings: Warnings) -> None:
    """Run a search run; the warnings that were kept go with its reports."""
    from ray import tune

    last: dict[str, Any] = {}

    def send(values: dict[str, Any]) -> None:
        last.update(values)
        tune.report({**values, "warnings": warnings[:]})
        warnings.clear()

    def report(progress: RunReport) -> None:
        data = progress.to_json()
        score = data["best_score"]
        numbers = {name: value for name, value in data.items() if isinstance(value, int | float) and name not in ("run", "budget")}
        send({**numbers, "best_score": WORST if score is None else score, "report": data})

    if payload.pool is not None:
        hide_gpus()
    try:
        with _store(payload) as store:
            workload = payload.run_workloads[name]
            setting = replace(payload.settings[workload], simulator=payload.simulator())
            choice, seed = payload.choices[name]
            with closing(Isolated(payload, setting.simulator.name)) as isolated:
                SearchRun(
                    store, payload.study, name, setting, lambda: choice.make(setting.simulator.space, setting.objective, seed),
                    cache=_cache(payload, name), runner=lambda stored: _runner(payload, setting.simulator, stored, isolated),
                ).run(report, retell=payload.retell)  # fmt: skip
        if warnings and last:
            send(dict(last))
    except Exception as error:  # Tune would only try again: that is for workers that die
        kind = "" if isinstance(error, DesignGymError) else f"{type(error).__name__}: "
        whose = next((base.__name__ for base in (StoreError, InputError) if isinstance(error, base)), "")
        send({"best_score": WORST, "evaluations": 0, "error": f"{kind}{error}", "error_type": whose})


def _store(payload: Payload) -> AbstractContextManager[RunStore]:
    from designgym.studies.store import open_store

    return open_store(payload.store, create=False) if payload.keeper is None else nullcontext(payload.keeper)


def _cache(payload: Payload, run: str) -> EquivalenceCache:
    from designgym.hashing.local_cache import LocalCache
    from designgym.hashing.shared_cache import SharedCache

    return SharedCache(payload.cache, owner=f"{payload.study}/{run}") if payload.cache else LocalCache()


def _runner(payload: Payload, simulator: Simulator, stored: StoredRun, isolated: Isolated) -> Runner:
    if payload.pool is not None:
        return OnPool(payload.pool)
    died = stored.owner != "" and stored.heartbeat_s >= payload.began_s  # the worker before, and not the whole sweep
    return isolated if died else InProcess(simulator)
