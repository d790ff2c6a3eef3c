"""Trials, runs and definitions as the store keeps them: plain JSON and numbers, exact in both directions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import DesignGymError, StoreError
from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective
from designgym.core.space import DesignSpace
from designgym.core.trial import Keys, Provenance, Trial


@dataclass(frozen=True)
class RunPlan:
    """One search run of a study.

    Attributes:
        run: Identifier within the study.
        workload: Workload name.
        workload_digest: Hash of its content.
        searcher: Label of the searcher.
        options: Its options.
        seed: Seed of the searcher.
    """

    run: str
    workload: str
    workload_digest: str
    searcher: str
    options: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class RunContext:
    """What all results of a run share: simulator, versions, fidelity, and the simulator's seed."""

    simulator: str
    simulator_version: str
    space_version: str
    fidelity: float
    simulator_seed: int


@dataclass(frozen=True)
class StoredRun:
    """A run as the store knows it.

    Attributes:
        id: Row number.
        plan: What was asked for.
        context: What its results share.
        status: ``waiting``, ``running``, ``interrupted``, ``finished``, ``stopped`` (early, by a scheduler) or ``failed``.
        stop_reason: Why it ended, in words.
        owner: The process that may append; empty if none.
        heartbeat_s: Unix time of its last write.
        checkpoint: The searcher's state as `studies.loop` writes it; None before the first batch, and where runs are only listed, since it
            grows with the run.
        progress: The state of the run's fingerprints after its last batch.
    """

    id: int
    plan: RunPlan
    context: RunContext
    status: str
    stop_reason: str
    owner: str
    heartbeat_s: float
    checkpoint: dict[str, Any] | None
    progress: dict[str, Any] | None


@dataclass(frozen=True)
class Record:
    """A trial with its score, in the batch in which it was asked for.

    Attributes:
        trial: The trial.
        score: Its score, higher is better; -3e300 for an illegal design, -inf for a failure, or where the objective has no value.
        feasible: Whether it has a score and keeps the objective's bounds.
        batch: Position of its batch within the run, from 0.
        problem: Why the objective has no value for its metrics; empty if it has one, or there are no metrics.
    """

    trial: Trial
    score: float
    feasible: bool
    batch: int
    problem: str = ""

    @classmethod
    def of(cls, trial: Trial, objective: Objective, batch: int) -> Record:
        """Return the record of a trial under an objective."""
        metrics = trial.metrics
        return cls(trial, float(objective.score(metrics)), objective.feasible(metrics), batch, objective.problem(metrics))


def dumps(data: Any) -> str:
    """Return compact JSON; numpy numbers become plain ones, NaN and infinities are refused."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False, default=_plain)


def checkpoint_text(checkpoint: Any) -> str:
    """Return a checkpoint as JSON; raises `DesignGymError` if the state that a searcher gave is none."""
    try:
        return dumps(checkpoint)
    except (TypeError, ValueError) as error:
        raise DesignGymError(f"what the searcher's state() returns must be JSON data: {error}") from None


def loads(text: str, what: str) -> Any:
    """Return the data of a JSON text from the store; raises `StoreError` if it is damaged."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise StoreError(f"the store is damaged: {what} is not JSON ({error}); restore a copy of the file") from None


def to_row(record: Record, run_id: int) -> dict[str, Any]:
    """Return the row of table ``trials``."""
    trial, metrics, provenance = record.trial, record.trial.metrics, record.trial.provenance
    reasons = [record.problem] if record.problem else list(metrics.reasons)  # both say what keeps a trial from being feasible
    return {
        "run_id": run_id, "number": trial.number, "batch": record.batch, "design": trial.design.literal,
        "metrics": dumps(dict(metrics.values)), "obtained": trial.obtained, "duplicate": trial.duplicate, "status": metrics.status,
        "score": record.score, "feasible": record.feasible, "reasons": dumps(reasons), "error": metrics.error,
        "cost_s": float(metrics.cost_s), "wall_s": float(provenance.wall_s), "started_at_s": float(provenance.started_at_s),
        "worker": provenance.worker,
        "key_literal": trial.keys.literal, "key_canonical": trial.keys.canonical, "key_functional": trial.keys.functional,
    }  # fmt: skip


def to_metrics(row: Mapping[str, Any]) -> Metrics:
    """Return the metrics of a row of ``trials`` or ``measurements``."""
    # the reasons of a trial that has metrics are those of its study's objective: no part of what was measured
    reasons = () if row["status"] == "ok" else tuple(loads(row["reasons"], "a result"))
    return Metrics(loads(row["metrics"], "a result"), row["status"], reasons, row.get("error", ""), row["cost_s"])


def from_row(row: Mapping[str, Any], run: StoredRun, space: DesignSpace) -> Record:
    """Return the record of a row of table ``trials``."""
    plan, context = run.plan, run.context
    provenance = Provenance(
        context.simulator, context.simulator_version, context.space_version, plan.workload, plan.workload_digest, context.fidelity,
        context.simulator_seed, plan.searcher, plan.run, row["worker"], row["started_at_s"], row["wall_s"],
    )  # fmt: skip
    design: Design = space.validate(loads(row["design"], "a design"))
    keys = Keys(row["key_literal"], row["key_canonical"], row["key_functional"])
    trial = Trial(design, to_metrics(row), provenance, keys, row["obtained"], bool(row["duplicate"]), row["number"])
    problem = "; ".join(loads(row["reasons"], "a reason")) if row["status"] == "ok" else ""
    return Record(trial, row["score"], bool(row["feasible"]), row["batch"], problem)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} is not JSON data")
