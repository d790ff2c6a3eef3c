"""A study in an Optuna storage, as optuna-dashboard opens it: directions, distributions, constraints, units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from designgym.core.errors import InputError, StoreError
from designgym.core.groups import Permutation, Repeated
from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective, ParetoObjective, SingleObjective
from designgym.core.parameters import Categorical, DiscreteParameter, Float, Integer, Parameter, PowerOfTwo
from designgym.core.space import DesignSpace

Direction = Literal["minimize", "maximize"]

if TYPE_CHECKING:
    import optuna

    from designgym.studies.results import StudyResult


def export_optuna(result: StudyResult, url: str) -> str:
    """Write the trials to an Optuna storage: a database URL (``sqlite:///optuna.db``), or a journal file (``optuna.log``).

    Each workload becomes an Optuna study, named like ours (with the workload, if there are several). A single objective keeps its own
    direction and value; several become several; a weighted or target objective is maximised as its score. Duplicates are trials too,
    with the user attribute ``duplicate``. Designs without a result, or without a value of the objective, are failed trials.

    Returns:
        The command that opens it.

    Raises:
        InputError: If the storage cannot be opened, or holds a study of this name already.
    """
    from designgym.searchers.optuna_bridge import quiet

    with quiet():
        return _export(result, url)


def _export(result: StudyResult, url: str) -> str:
    import optuna

    from designgym.studies.store_opening import without_password

    storage = _open(url)
    names = [name for name, _ in result.definition["workloads"]]
    titles = {name: result.name if len(names) == 1 else f"{result.name} ({name})" for name in names}
    present = {study.study_name for study in storage.get_all_studies()}
    if taken := sorted(present & set(titles.values())):
        raise InputError(
            f"Optuna storage {without_password(url)!r} holds a study {taken[0]!r} already: export to another storage, or delete that "
            "study first"
        )
    labels = _labels(result.objective)
    for workload, title in titles.items():
        study = optuna.create_study(storage=storage, study_name=title, directions=[direction for _, direction in labels])
        study.set_metric_names([label for label, _ in labels])
        notes = {"env": result.definition["env"], "workload": workload, "objective": result.definition["objective"]["words"]}
        for key, value in (notes | {"units": result.frame.attrs["units"]}).items():
            study.set_user_attr(key, value)
        rows = result.frame[result.frame["workload"] == workload].to_dict("records")
        study.add_trials([_trial(row, result) for row in rows])
    return f"optuna-dashboard {url}"


def _open(url: str) -> optuna.storages.BaseStorage:
    import optuna
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy import event

    from designgym.studies.store_opening import without_password

    if "://" not in url:
        if Path(url).suffix != ".log":
            raise InputError(f"Optuna storage {url!r} is neither a database URL (sqlite:///optuna.db) nor a journal file (optuna.log)")
        try:
            Path(url).parent.mkdir(parents=True, exist_ok=True)
            return optuna.storages.JournalStorage(JournalFileBackend(url))
        except OSError as error:
            raise InputError(f"Optuna storage {url!r} cannot be opened: {error.strerror}") from None
    try:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.RDBStorage(url)
    except Exception as error:  # Optuna lets the errors of its database layer, and of bad URLs, through as they are
        raise InputError(f"Optuna storage {without_password(url)!r} cannot be opened: {str(error).splitlines()[0]}") from None
    if storage.engine.dialect.name == "sqlite":
        # Optuna commits a dozen times per trial; a copy of what is safe in our store need not be flushed each time
        @event.listens_for(storage.engine, "connect")
        def hurry(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")

        storage.engine.dispose()
    return storage


def _labels(objective: Objective) -> list[tuple[str, Direction]]:
    if isinstance(objective, SingleObjective | ParetoObjective):
        return [(term.label, "minimize" if term.goal == "min" else "maximize") for term in objective.terms]
    return [("score", "maximize")]


def _trial(row: Mapping[Any, Any], result: StudyResult) -> optuna.trial.FrozenTrial:
    import datetime

    import optuna

    objective, space = result.objective, result.space
    design = space.validate({name: row[f"design.{name}"] for name in space.parameters})
    params, distributions = _parameters(space, design)
    names = [spec["name"] for spec in result.definition["metrics"]]
    metrics = Metrics({name: row[f"metrics.{name}"] for name in names}) if row["status"] == "ok" else Metrics(status=row["status"])
    attributes = {
        name: row[name]
        for name in ("run", "searcher", "run_seed", "number", "obtained", "duplicate", "feasible", "reasons", "error", "cost_s", "worker")
    }
    system: dict[str, Any] = {}
    values: list[float] | None = None
    valued = metrics.ok and not objective.problem(metrics)
    attributes |= {name: metrics[name] for name in names} if metrics.ok else {}
    if valued:
        termwise = isinstance(objective, SingleObjective | ParetoObjective)
        values = [term.value(metrics.values) for term in objective.terms] if termwise else [row["score"]]
        if not all(map(math.isfinite, values)):
            raise StoreError(f"trial {row['number']} of run {row['run']!r} has a value that is not finite: {values}")
        if objective.bounds:
            system["constraints"] = [bound.violation(metrics.values) for bound in objective.bounds]
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState.COMPLETE if valued else optuna.trial.TrialState.FAIL, values=values, params=params,
        distributions=distributions, user_attrs=attributes, system_attrs=system,
    )  # fmt: skip
    trial.datetime_start = datetime.datetime.fromtimestamp(row["started_at_s"])
    trial.datetime_complete = trial.datetime_start + datetime.timedelta(seconds=row["wall_s"])
    return trial


def _parameters(space: DesignSpace, design: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the active parameters as Optuna values and distributions; structured ones as one parameter per part.

    As people read them in a dashboard: searchers go by exponents, indices and sort keys instead (`DesignSpace.to_optuna`).
    """
    from optuna.distributions import IntDistribution

    params: dict[str, Any] = {}
    distributions: dict[str, Any] = {}
    active = space.active(design)
    for name, parameter in space.parameters.items():
        if name not in active:
            continue
        title, value = prefix + name, design[name]
        if isinstance(parameter, Permutation):
            for item in parameter.items:
                params[f"{title}[{item}]"] = value.index(item)
                distributions[f"{title}[{item}]"] = IntDistribution(0, len(parameter.items) - 1)
        elif isinstance(parameter, Repeated):
            params[f"{title}.length"] = len(value)
            distributions[f"{title}.length"] = IntDistribution(parameter.low, parameter.high)
            for i, element in enumerate(value):
                inner = _parameters(parameter.space, element, f"{title}[{i}].")
                params |= inner[0]
                distributions |= inner[1]
        else:
            params[title], distributions[title] = value, _distribution(parameter)
    return params, distributions


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match parameter:
        case Integer():
            return IntDistribution(parameter.low, parameter.high, step=parameter.step, log=parameter.log)
        case PowerOfTwo():
            return IntDistribution(parameter.low, parameter.high, log=True)
        case Float():
            return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
        case Categorical():
            return CategoricalDistribution(parameter.choices)
        case DiscreteParameter():
            return CategoricalDistribution(tuple(parameter.values()))
    raise InputError(f"parameter of kind {parameter.kind} has no Optuna form")
