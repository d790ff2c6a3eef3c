"""A study on Ray Tune: a Tune trial is a search run.

Every worker writes its own trials to the store: transactions are short (a batch) and SQLite's writers take turns, which for runs with
simulators of milliseconds costs less than a writer actor between them would. Only where a cluster has other hosts, and the store is a
file on this one, is there such an actor (see `remote_store`).
"""

from __future__ import annotations

import copy
import hashlib
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from designgym.core.errors import DesignGymError, InputError, StoreError
from designgym.core.registry import EnvironmentSpec
from designgym.envs import BUILT_IN
from designgym.studies.pool import room_for, start_pool
from designgym.studies.preparation import Prepared
from designgym.studies.ray_session import is_one_host, node_here, pickled_by_value, ray_session
from designgym.studies.remote_store import RemoteStore, start_keeper
from designgym.studies.run_report import RunReport
from designgym.studies.run_warnings import SaidOnce
from designgym.studies.shared_behaviours import recall_behaviours
from designgym.studies.store import Store
from designgym.studies.store_opening import MEMORY
from designgym.studies.tune_trial import Payload, run_trial

EXPENSIVE_S = 1.0  # an evaluation that takes longer is worth a worker of its own while CPUs are idle
WORKER_DEATHS = 10  # of one run's worker, each time taken up again, before the run is given up


def check_reach(store: Store) -> None:
    """Refuse a store that lives in this process alone."""
    if store.where == MEMORY:
        raise InputError("a store in memory cannot be reached by Ray's workers: name a file with store=, or use backend='local'")


def sweep(
    prepared: Prepared,
    spec: EnvironmentSpec,
    *,
    address: str | None = None,
    workers: int | None = None,
    scheduler: Any = None,
    progress: Callable[[RunReport], None] | None = None,
    evaluate_on: str = "auto",
) -> None:
    """Run what is pending.

    Raises:
        StoreError: If the store is a file on this host and the cluster has nodes on others only.
        DesignGymError: If runs failed; what they did is in the store.
    """
    if not prepared.pending:
        return
    definition = prepared.definition
    with ray_session(address, workers) as folder:
        shipped = [spec.make_simulator, definition.simulator, spec.workloads, *(choice.maker for choice in definition.searchers)]
        with pickled_by_value(shipped, own=folder is not None), _keeper(prepared.store) as keeper:
            payload = replace(_payload(prepared, spec, retell=scheduler is not None), keeper=keeper)
            _run(prepared, payload, workers, scheduler, progress, evaluate_on, folder)


@contextmanager
def _keeper(store: Store) -> Iterator[RemoteStore | None]:
    """Keep a store that is a file for runs on other hosts, if there are any."""
    if "://" in store.where or is_one_host():
        yield None
        return
    if (node := node_here()) is None:
        raise StoreError(
            f"store {store.shown} is a file on this host, where the cluster has no node that could write it: start one here "
            "(`ray start --address=...`), or name a PostgreSQL store (postgresql://user@host/database)"
        )
    keeper = start_keeper(store, node)
    try:
        yield keeper
    finally:
        keeper.stop()


def _payload(prepared: Prepared, spec: EnvironmentSpec, *, retell: bool) -> Payload:
    definition, where = prepared.definition, prepared.store.where
    # drivers of one cluster that use the same store measure nothing twice; the same path on another host is another file
    place = where if "://" in where else f"{socket.gethostname()} {where}"
    cache = f"designgym-{hashlib.blake2b(place.encode(), digest_size=8).hexdigest()}"
    return Payload(
        definition.name, where, cache if definition.reuse else "", spec.id if spec.id in BUILT_IN else _portable(spec),
        dict(definition.env_options),
        {workload.name: workload for workload in definition.workloads},
        {name: replace(setting, simulator=None) for name, setting in prepared.settings.items()},  # type: ignore[arg-type]
        {run.plan.run: (definition.choice(run.plan), run.plan.seed) for run in prepared.pending},
        {run.plan.run: run.plan.workload for run in prepared.pending}, retell=retell,
        measurements=definition.measurements,
    )  # fmt: skip


def _portable(spec: EnvironmentSpec) -> EnvironmentSpec:
    """Return the environment without what only the driver needs."""
    return replace(spec, installed=_installed)


def _installed() -> tuple[bool, str]:
    return True, ""


def _run(
    prepared: Prepared, payload: Payload, workers: int | None, scheduler: Any, progress: Callable[[RunReport], None] | None,
    evaluate_on: str, session: Path | None,
) -> None:  # fmt: skip
    import ray
    from ray import tune

    from designgym.hashing.shared_cache import SharedCache
    from designgym.studies.placement import Placement, clear

    resources, sweep_name = prepared.definition.simulator.resources, f"designgym-{uuid.uuid4().hex}"
    cache = SharedCache(payload.cache) if payload.cache else None  # made here, so that it lives as long as the sweep
    try:
        need: dict[str, float] = {"CPU": resources.cpus, "GPU": resources.gpus}
        if resources.memory_bytes:
            need["memory"] = resources.memory_bytes
        room_for(resources)
        if cache is not None and prepared.definition.functional == "shared":
            recall_behaviours(cache, prepared.store, prepared.definition.name)
        if _on_pool(prepared, evaluate_on):
            payload = replace(payload, pool=start_pool(payload, resources))
            need = {"memory": 1.0}  # the workers have the CPUs; Tune refuses trials that need nothing at all
            workers = workers or 2 * int(ray.cluster_resources().get("CPU", 1))
        with tempfile.TemporaryDirectory(prefix="dg-tune-", dir=session, ignore_cleanup_errors=True) as folder:
            tuner = tune.Tuner(
                tune.with_resources(tune.with_parameters(run_trial, payload=payload), Placement(sweep_name, need)),
                param_space={"run": tune.grid_search([run.plan.run for run in prepared.pending])},
                tune_config=tune.TuneConfig(
                    scheduler=copy.deepcopy(scheduler), max_concurrent_trials=workers, reuse_actors=True, **_goal(scheduler)
                ),
                run_config=tune.RunConfig(
                    name="sweep", storage_path=folder, verbose=0, callbacks=[_callback(progress)],
                    failure_config=tune.FailureConfig(max_failures=WORKER_DEATHS),
                ),
            )  # fmt: skip
            results = tuner.fit()
        _conclude(prepared, results, scheduler)
    finally:
        clear(sweep_name)  # before what the runs use
        for actor in payload.pool or ():
            ray.kill(actor)
        if cache is not None:
            cache.leave()


def _on_pool(prepared: Prepared, evaluate_on: str) -> bool:
    import ray

    simulator = prepared.definition.simulator
    if evaluate_on != "auto":
        return evaluate_on == "pool"
    if simulator.resources.cpus > 1 or simulator.resources.gpus > 0:
        return True
    if len(prepared.pending) >= ray.cluster_resources().get("CPU", 1):
        return False  # the runs keep all CPUs busy by themselves
    known_s = prepared.store.mean_cost_s(simulator.name, simulator.version)
    return known_s is not None and known_s > EXPENSIVE_S


def _goal(scheduler: Any) -> dict[str, Any]:
    """Return what schedulers optimise, unless this one says so itself."""
    own = getattr(scheduler, "_metric", None) or getattr(scheduler, "metric", None)
    return {} if own else {"metric": "best_score", "mode": "max"}


def _callback(progress: Callable[[RunReport], None] | None) -> Any:
    from ray import tune

    say = SaidOnce()

    class Progress(tune.Callback):
        """Hands reports and warnings on."""

        def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
            say(result.get("warnings", ()))
            if progress is not None and (data := result.get("report")) is not None:
                score = data["best_score"]
                progress(RunReport(**{**data, "best_score": float("-inf") if score is None else score}))

    return Progress()


def _conclude(prepared: Prepared, results: Any, scheduler: Any) -> None:
    """Note which runs the scheduler stopped before their budget was spent, and report those that failed."""
    failed: list[tuple[str, str, str]] = []
    for result in results:
        name, last = result.config["run"], result.metrics or {}
        if error := last.get("error"):
            failed.append((name, error, last.get("error_type", "")))
        elif result.error is not None:
            failed.append((name, _of_deaths(str(result.error).strip().splitlines()[-1]), ""))
        elif scheduler is not None and not (last.get("report") or {}).get("stop_reason"):
            evaluations, definition = last.get("evaluations", 0), prepared.definition
            if evaluations >= definition.budget:
                prepared.store.mark_ended(definition.name, name, "finished", f"budget of {definition.budget} evaluations spent")
            else:
                early = f"stopped early by {type(scheduler).__name__} after {evaluations} evaluations"
                prepared.store.mark_ended(definition.name, name, "stopped", early)
    if failed:
        name, error, kind = failed[0]
        text = f"{len(failed)} of {len(list(results))} runs failed; run {name!r}: {error}"
        raise (StoreError if kind == "StoreError" else InputError if kind == "InputError" else DesignGymError)(text)


def _of_deaths(last: str) -> str:
    return (
        f"its worker process died {WORKER_DEATHS + 1} times ({last}). Calls of the simulator run in a process of their own after the first "
        "death, so look at what else runs in the worker: the making of the simulator, its probe (functional='off' switches it off), "
        "the searcher, and memory. evaluate_on='pool' keeps the simulator out of the worker from the start"
    )
