"""How a search run is doing: counts, best so far, hypervolume, time saved."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective, ParetoObjective
from designgym.core.pareto import non_dominated
from designgym.studies.records import Record


@dataclass(frozen=True)
class RunReport:
    """A run after a batch.

    Attributes:
        run: Identifier within the study.
        budget: Behaviours it may try.
        evaluations: Behaviours new to this run so far: what the budget counts.
        trials: All trials, duplicates included.
        duplicates: Trials whose behaviour this run had met before.
        measured: Trials for which a simulator ran.
        exact_hits: Trials served by the canonical key, from this run or another.
        functional_hits: Trials served by the fingerprint.
        failed: Trials that failed or timed out.
        best_score: Highest score, -inf before the first result.
        best_shown: The best result as people read it, in the terms' own directions.
        hypervolume: Of the feasible results, for several objectives, each in units of its reference; otherwise None.
        saved_s: Seconds of simulation that hits saved.
        elapsed_s: Seconds since the run began here.
        stop_reason: Why it ended; empty while it runs.
    """

    run: str
    budget: int
    evaluations: int = 0
    trials: int = 0
    duplicates: int = 0
    measured: int = 0
    exact_hits: int = 0
    functional_hits: int = 0
    failed: int = 0
    best_score: float = -math.inf
    best_shown: dict[str, float] = field(default_factory=dict)
    hypervolume: float | None = None
    saved_s: float = 0.0
    elapsed_s: float = 0.0
    stop_reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data; a score of -inf becomes None."""
        return asdict(self) | {"best_score": self.best_score if math.isfinite(self.best_score) else None}


class RunTally:
    """Adds up the records of a run, stored ones and new ones alike."""

    def __init__(self, run: str, budget: int, objective: Objective) -> None:
        self._run, self._budget, self._objective = run, budget, objective
        self._counts = dict.fromkeys(("evaluations", "trials", "duplicates", "measured", "exact_hits", "functional_hits", "failed"), 0)
        self._front: list[Metrics] = []
        self._saved_s = 0.0
        self._began = time.monotonic()
        self.best: Record | None = None
        self.duplicates_in_a_row = 0

    @property
    def evaluations(self) -> int:
        """Behaviours new to this run so far."""
        return self._counts["evaluations"]

    @property
    def trials(self) -> int:
        """All trials so far."""
        return self._counts["trials"]

    def add(self, records: list[Record]) -> None:
        """Take in a batch."""
        counts = self._counts
        for record in records:
            trial = record.trial
            counts["trials"] += 1
            counts["duplicates" if trial.duplicate else "evaluations"] += 1
            counts["measured"] += trial.obtained in ("measured", "audited")
            counts["exact_hits"] += trial.obtained == "exact hit"
            counts["functional_hits"] += trial.obtained == "functional hit"
            counts["failed"] += trial.metrics.status in ("failed", "timeout")
            self._saved_s += max(0.0, trial.metrics.cost_s - trial.provenance.wall_s) if "hit" in trial.obtained else 0.0
            self.duplicates_in_a_row = self.duplicates_in_a_row + 1 if trial.duplicate else 0
            if self.best is None or record.score > self.best.score:
                self.best = record
        if isinstance(self._objective, ParetoObjective):
            self._front += [record.trial.metrics for record in records if record.feasible and not record.trial.duplicate]
            keep = non_dominated([self._objective.vector(metrics) for metrics in self._front])
            self._front = [metrics for metrics, kept in zip(self._front, keep, strict=True) if kept]

    def report(self, stop_reason: str = "") -> RunReport:
        """Return the run as it stands."""
        objective, best = self._objective, self.best
        return RunReport(
            self._run, self._budget, **self._counts, best_score=best.score if best else -math.inf,
            best_shown=objective.shown(best.trial.metrics) if best else {},
            hypervolume=objective.hypervolume(self._front) if isinstance(objective, ParetoObjective) else None,
            saved_s=self._saved_s, elapsed_s=time.monotonic() - self._began, stop_reason=stop_reason,
        )  # fmt: skip
