"""`Study`: searchers on an environment, defined once, run anywhere, gone on with after any interruption."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

from designgym.core.averaging import Averaged
from designgym.core.errors import InputError, shorten
from designgym.core.evaluator import AGREEMENT
from designgym.core.objectives import Objective
from designgym.core.registry import EnvironmentSpec
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import Mode, check_mode
from designgym.studies.definition import Definition, check_count, check_name, check_searchers, check_seeds
from designgym.studies.run_report import RunReport

if TYPE_CHECKING:
    from designgym.studies.results import StudyResult
    from designgym.studies.store import Store

DEFAULT_BATCH = 8


class Study:
    """A study; immutable. Nothing is evaluated before `run`.

    Args:
        name: Its name in the store.
        env: Environment or its id.
        workload: Workload or its name; the environment's default unless given.
        workloads: Several of them instead: each searcher runs on each.
        objective: Objective or its name; the environment's default unless given.
        searchers: Names, recipes (``dg.searchers.RegularizedEvolution(population=50)``) or registered classes.
        budget: Behaviours new to a run that each run may try; duplicates are free. The environment's unless given.
        seeds: How many runs per searcher (seeds 0, 1, ...), or the seeds.
        batch: Designs that a searcher is asked for at once. Part of the definition: the number of workers has no influence on results.
        duplicate_cap: Consecutive duplicates after which a run has converged; 10 batches, at least 100, unless given.
        functional: Whether designs are fingerprinted, which decides what counts as a duplicate: ``on``, ``off``, or ``auto``; as the
            environment declares unless given. ``auto`` measures once whether probes pay, and keeps to that in this store. It decides by
            measured times, so another machine may decide otherwise: what must repeat exactly there says ``on`` or ``off``. ``shared``: on,
            and functional hits are shared by all runs, so that no two workers ever measure equivalent designs at once. Which of several
            equivalent designs is measured then depends on timing: metrics repeat only up to the ``agreement``.
        fidelity: Fraction of full fidelity in (0, 1].
        simulator_seed: Seed handed to a simulator that is not deterministic.
        measurements: How often a simulator that is not deterministic measures each behaviour, under other seeds; the mean is the result.
        agreement: Relative difference of metrics up to which two results are those of one behaviour, when a fingerprint is audited: by
            default what rounding makes. If noise depends on the design, a few of its relative standard errors.
        options: Options of the environment's simulator.
        scheduler: A Ray Tune scheduler that may stop runs early (``ASHAScheduler(time_attr="evaluations")``); reports hold
            ``best_score`` (higher is better). Which runs it stops depends on the order in which they happen to advance.
        reuse: Whether results that other runs and studies measured are taken from them. No trial depends on it.
        store: Where trials are kept: a file, a PostgreSQL URL, or ``:memory:``; ``$DESIGNGYM_STORE`` or ``designgym.db`` unless given.

    Raises:
        UnknownNameError: For an environment, workload, objective, searcher or option that does not exist.
        InputError: For a value that is not legal.
        NotInstalledError: If the environment's simulator cannot run here.
    """

    def __init__(
        self,
        name: str,
        env: str | EnvironmentSpec,
        *,
        workload: str | Workload | None = None,
        workloads: Sequence[str | Workload] | None = None,
        objective: str | Objective | None = None,
        searchers: Any = "random",
        budget: int | None = None,
        seeds: int | Sequence[int] = 1,
        batch: int = DEFAULT_BATCH,
        duplicate_cap: int | None = None,
        functional: Mode | None = None,
        fidelity: float = 1.0,
        simulator_seed: int = 0,
        measurements: int = 1,
        agreement: float = AGREEMENT,
        options: Mapping[str, Any] | None = None,
        scheduler: Any = None,
        reuse: bool = True,
        store: str | os.PathLike[str] | None = None,
    ) -> None:
        from designgym.envs import environment

        spec = environment(env) if isinstance(env, str) else env
        if not isinstance(spec, EnvironmentSpec):
            raise InputError(f"env is {shorten(env)}, expected an environment id such as 'designgym/DramController-v0'")
        if workload is not None and workloads is not None:
            raise InputError("give workload= or workloads=, not both")
        if isinstance(workloads, str | Workload):
            raise InputError(f"workloads is {shorten(workloads)}, expected a list; for a single one there is workload=")
        if not isinstance(options, Mapping | None):
            raise InputError(f"options is {shorten(options)}, expected a mapping of names to values")
        functional = spec.functional if functional is None else functional
        check_mode(functional)
        if functional == "shared" and not reuse:
            raise InputError("functional='shared' takes results from other runs, which reuse=False forbids: use functional='on'")
        if scheduler is not None and not hasattr(scheduler, "on_trial_result"):
            raise InputError(
                f"scheduler is {shorten(scheduler)}, expected one of Ray Tune's such as ASHAScheduler(time_attr='evaluations')"
            )
        if not isinstance(fidelity, int | float) or not 0 < fidelity <= 1:
            raise InputError(f"fidelity must be in (0, 1], got {shorten(fidelity)}")
        if not isinstance(agreement, int | float) or not 0 <= agreement < 1:
            raise InputError(f"agreement must be in [0, 1), got {shorten(agreement)}")
        simulator = spec.installed_simulator(options)
        if check_count("measurements", measurements) > 1:
            simulator = Averaged(simulator, measurements)
        named = [workload] if workloads is None else list(workloads)
        found = tuple(spec.workload(one) for one in named)
        if not found or len({one.name for one in found}) != len(found):
            raise InputError(f"expected different workloads, got {shorten([one.name for one in found])}")
        batch = check_count("batch", batch)
        goal = spec.objective(objective)
        goal.check(simulator.metrics)
        self._definition = Definition(
            check_name(name), spec.id, dict(options or {}), simulator, found, goal, check_searchers(searchers),
            check_count("budget", spec.budget if budget is None else budget), check_seeds(seeds), batch,
            max(10 * batch, 100) if duplicate_cap is None else check_count("duplicate_cap", duplicate_cap), functional, float(fidelity),
            check_count("simulator_seed", simulator_seed, 0), "" if scheduler is None else type(scheduler).__name__, bool(reuse),
            int(measurements), float(agreement),
        )  # fmt: skip
        self._spec, self._scheduler, self._store = spec, scheduler, store

    @property
    def name(self) -> str:
        """Name in the store."""
        return self._definition.name

    @property
    def store(self) -> str | os.PathLike[str] | None:
        """Where its trials are kept, as it was given."""
        return self._store

    @property
    def definition(self) -> Definition:
        """Everything that the study's results depend on."""
        return self._definition

    def to_json(self) -> dict[str, Any]:
        """Return the definition as JSON data."""
        return self._definition.to_json()

    def run(
        self,
        *,
        backend: Literal["ray", "local"] = "ray",
        address: str | None = None,
        fresh: bool = False,
        workers: int | None = None,
        store: str | os.PathLike[str] | Store | None = None,
        progress: bool | Callable[[RunReport], None] = True,
        evaluate_on: Literal["auto", "run", "pool"] = "auto",
    ) -> StudyResult:
        """Run what is not finished yet and return all results. What is stored is not measured again.

        A study that is in the store already must have the same definition; more searchers or seeds, or a larger budget, extend it.

        Args:
            backend: ``ray``: a Ray Tune sweep, a trial per run; ``local``: one run after the other in this process.
            address: Of a Ray cluster, ``auto`` for the one around; a Ray of one's own on this machine unless given.
            fresh: Whether to remove a study of this name first.
            workers: How many runs at once; as many as fit unless given.
            store: Another store than the study's; one that is open stays so.
            progress: Whether to show how far the study is, on standard error: a bar on a terminal, a line now and then elsewhere; or a
                function that receives a report after each batch of each run instead.
            evaluate_on: With Ray, where simulators run: in the process of each ``run``, on a ``pool`` of actors with the simulator's
                declared resources, or ``auto``: the pool for simulators that need a GPU or more than one CPU, or that are slow while CPUs
                are idle. A run in whose process GPUs are used holds them all the time, while it is served what is known, too.

        Raises:
            InputError: If the store holds another study under this name.
            StoreError: If the store cannot be used.
        """
        from designgym.studies.preparation import prepare
        from designgym.studies.progress import shown_progress
        from designgym.studies.results import StudyResult
        from designgym.studies.store import Store, open_store

        if backend not in ("ray", "local"):
            raise InputError(f"backend={backend!r} does not exist: expected 'ray' or 'local'")
        if evaluate_on not in ("auto", "run", "pool"):
            raise InputError(f"evaluate_on={evaluate_on!r} does not exist: expected 'auto', 'run' or 'pool'")
        if workers is not None:
            check_count("workers", workers)
        if backend == "local" and (address is not None or self._scheduler is not None or evaluate_on == "pool"):
            raise InputError("address=, scheduler= and evaluate_on='pool' need Ray: use backend='ray'")
        if not (callable(progress) or isinstance(progress, bool)):
            raise InputError(f"progress is {shorten(progress)}, expected True, False or a function that receives reports")
        place = self._store if store is None else store
        with nullcontext(place) if isinstance(place, Store) else open_store(place) as opened:
            if backend == "ray":
                from designgym.studies.sweep import check_reach, sweep

                check_reach(opened)
                prepared = prepare(self._definition, opened, fresh=fresh)
                with shown_progress(prepared, progress, on_ray=True) as report:
                    sweep(
                        prepared, self._spec, address=address, workers=workers, scheduler=self._scheduler, progress=report,
                        evaluate_on=evaluate_on,
                    )  # fmt: skip
            else:
                from designgym.studies.local_sweep import local_sweep

                prepared = prepare(self._definition, opened, fresh=fresh)
                with shown_progress(prepared, progress) as report:
                    local_sweep(prepared, report)
            return StudyResult.load(opened, self.name, self._definition.workloads)

    def result(self, store: str | os.PathLike[str] | None = None) -> StudyResult:
        """Return what the store holds of the study, without running anything."""
        from designgym.studies.results import StudyResult
        from designgym.studies.store import open_store

        with open_store(self._store if store is None else store, read_only=True) as opened:
            return StudyResult.load(opened, self.name, self._definition.workloads)

    def __repr__(self) -> str:
        d = self._definition
        return (
            f"Study({d.name!r}, env={d.env!r}, workloads={[w.name for w in d.workloads]}, objective={d.objective.describe()!r}, "
            f"searchers={[c.label for c in d.searchers]}, budget={d.budget}, seeds={list(d.seeds)})"
        )
