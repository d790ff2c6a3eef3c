"""`StudyResult`: what a study found, read from its store alone."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.metrics import Metrics, MetricSpec, shown_unit
from designgym.core.objectives import Objective, ParetoObjective
from designgym.core.pareto import non_dominated
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.hashing.evidence import Evidence
from designgym.studies.describing import Describing
from designgym.studies.frames import study_frame
from designgym.studies.objective_json import objective_from_json
from designgym.studies.records import StoredRun
from designgym.studies.run_report import RunReport

if TYPE_CHECKING:
    import pandas as pd

    from designgym.studies.figures.meta import StudyMeta
    from designgym.studies.figures.plots import Plots
    from designgym.studies.store import Store


@dataclass(frozen=True)
class BestTrial:
    """A good design.

    Attributes:
        design: The design.
        metrics: Its metrics, in ``units``.
        units: Unit by metric.
        score: Its score, higher is better.
        shown: The objective's terms as people read them.
        feasible: Whether it keeps all constraints.
        obtained: How its result was obtained.
        run: The run that found it first.
        number: Its number there.
        workload: What it was evaluated on.
        description: What the design amounts to, where the simulator says so: a formula, a program; the whole design is ``design``.
    """

    design: Design
    metrics: Mapping[str, float]
    units: Mapping[str, str]
    score: float
    shown: Mapping[str, float]
    feasible: bool
    obtained: str
    run: str
    number: int
    workload: str
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return everything about it as JSON data."""
        return {
            "design": self.design.to_dict(), "metrics": dict(self.metrics), "units": dict(self.units), "score": self.score,
            "objective": dict(self.shown), "feasible": self.feasible, "obtained": self.obtained, "workload": self.workload, "run": self.run,
            "number": self.number,
        }  # fmt: skip

    def __str__(self) -> str:
        from designgym.studies.figures.design_texts import plain_value

        values = self.design.to_dict().items()  # numbers with all digits, groups and orderings in short
        design = "   " + ", ".join(f"{name}={plain_value(value) if isinstance(value, list) else value}" for name, value in values)
        metrics = ", ".join(f"{name} = {value:.6g} {shown_unit(self.units.get(name, ''))}".rstrip() for name, value in self.metrics.items())
        goal = ", ".join(f"{label} = {value:.6g}" for label, value in self.shown.items())
        if self.description:
            lines = self.description.splitlines()
            design = f"   {lines[0]}" if len(lines) == 1 else "".join(f"\n    {line}" for line in lines)
        note = "" if self.feasible else ", breaks a constraint"
        found = f"{self.run} on {self.workload}, trial {self.number}, {self.obtained}"
        return f"{goal}{note}\n  design{design}\n  metrics  {metrics}\n  found by {found}"


class BestTrials(tuple[BestTrial, ...]):
    """The best designs, best first; ``design``, ``metrics`` and ``score`` are those of the first."""

    __slots__ = ()

    @property
    def design(self) -> Design:
        """The best design."""
        return self[0].design

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its metrics."""
        return self[0].metrics

    @property
    def score(self) -> float:
        """Its score."""
        return self[0].score

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no result yet"

    __repr__ = __str__


class StudyResult:
    """What the store holds of a study at one moment; made by `Study.run`, `Study.result` or `load`.

    Attributes:
        name: Name of the study.
        definition: Its definition, as JSON data.
        objective: What it searches for.
        space: Where it searches.
        runs: Its runs.
        frame: Its trials (see `frames.study_frame`).
        decisions: What was found out once and noted, such as whether fingerprints pay.
    """

    def __init__(
        self,
        definition: dict[str, Any],
        runs: list[StoredRun],
        frame: pd.DataFrame,
        decisions: Mapping[str, Any] | None = None,
        workloads: Iterable[Workload] = (),
    ) -> None:
        self.name: str = definition["name"]
        self.definition, self.runs, self.frame, self.decisions = definition, runs, frame, decisions or {}
        self._workloads = tuple(workloads)

    @classmethod
    def load(cls, store: Store, study: str, workloads: Iterable[Workload] = ()) -> StudyResult:
        """Return what a store holds; raises `UnknownNameError` for a study that it does not.

        Args:
            store: The store, which holds no workloads.
            study: Name of the study.
            workloads: Its workloads, as far as they are at hand: designs are shown in their words; others are looked up by their names.
        """
        return cls(store.definition(study), store.runs(study), study_frame(store, study), store.decisions(study), workloads)

    @cached_property
    def objective(self) -> Objective:
        """What the study searches for."""
        return objective_from_json(self.definition["objective"])

    @cached_property
    def space(self) -> DesignSpace:
        """Where it searches."""
        return DesignSpace.from_json(self.definition["space"])

    @cached_property
    def describe(self) -> Describing:
        """Called with a design and a workload's name, returns what the design amounts to; nothing if the simulator does not say."""
        return Describing(self.definition, self._workloads)

    @property
    def finished(self) -> bool:
        """Whether every run has ended."""
        return all(run.status in ("finished", "stopped") for run in self.runs)

    @property
    def workloads(self) -> list[str]:
        """Names of what designs are evaluated on; results on different ones do not compare."""
        return [name for name, _ in self.definition["workloads"]]

    @property
    def gpus(self) -> float:
        """GPUs that one evaluation occupies."""
        return float(self.definition.get("gpus", 0.0))

    @property
    def gpu_s(self) -> float:
        """Seconds that evaluations occupied GPUs, each counted."""
        return sum(map(self._gpu_s, self.runs))

    @property
    def saved_gpu_s(self) -> float:
        """Seconds that hits would have occupied GPUs, each counted."""
        return self.gpus * sum(report.saved_s for report in self.reports)

    def best(self, n: int = 1, workload: str | None = None) -> BestTrials:
        """Return the ``n`` best different behaviours, best first: feasible ones before others; failures, and what has no score, never.

        Of a study on several workloads: those of the one named, or of each in turn.
        """
        if n < 1:
            raise InputError(f"best(n) needs n >= 1, got {n!r}")
        return self._on_each(workload, lambda frame: self._best(frame, n))

    def front(self, workload: str | None = None) -> BestTrials:
        """Return the feasible trade-offs that no other dominates, best in the first term first; for one term, the best design.

        Of a study on several workloads: the front on the one named, or on each in turn.
        """
        return self._on_each(workload, self._front)

    def _on_each(self, workload: str | None, choose: Callable[[pd.DataFrame], BestTrials]) -> BestTrials:
        if workload is not None and workload not in self.workloads:
            raise UnknownNameError(f"workload of study {self.name!r}", workload, self.workloads)
        names = self.workloads if workload is None else [workload]
        return BestTrials(trial for name in names for trial in choose(self.frame[self.frame["workload"] == name]))

    def _best(self, frame: pd.DataFrame, n: int) -> BestTrials:
        scores = frame["score"].to_numpy()
        ranked = np.argsort(-scores, kind="stable")
        ranked = ranked[((frame["status"] == "ok").to_numpy() & (scores > -math.inf))[ranked]]
        first = ~frame["key_canonical"].iloc[ranked].duplicated().to_numpy()
        return BestTrials(self._trial(row) for row in frame.iloc[ranked[first][:n]].to_dict("records"))

    def _front(self, frame: pd.DataFrame) -> BestTrials:
        return BestTrials(self._trial(row) for row in self._non_dominated(frame).to_dict("records"))

    def _non_dominated(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the feasible trials that no other dominates, one of each behaviour, best in the first term first."""
        good = frame[frame["feasible"]].drop_duplicates("key_canonical")
        if not len(good):
            return good
        names = [spec["name"] for spec in self.definition["metrics"]]
        terms, values = self.objective.terms, good[[f"metrics.{name}" for name in names]].to_numpy().tolist()
        vectors = np.array([[term.signed(metrics) for term in terms] for row in values for metrics in [dict(zip(names, row, strict=True))]])
        keep = np.flatnonzero(non_dominated(vectors))
        return good.iloc[keep[np.argsort(-vectors[keep, 0], kind="stable")]]

    def to_pandas(self) -> pd.DataFrame:
        """Return the trials as a frame of one's own, units in ``attrs["units"]``."""
        return self.frame.copy()

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write the trials as Parquet, the unit of each column in its field's metadata (key ``unit``)."""
        from designgym.studies.exports import write_parquet

        return write_parquet(cast("Any", self), Path(path))  # pyright knows this class by two paths

    def to_optuna(self, url: str) -> str:
        """Write the trials to an Optuna storage; see `exports_optuna.export_optuna`."""
        from designgym.studies.exports_optuna import export_optuna

        return export_optuna(cast("Any", self), url)

    @cached_property
    def reports(self) -> list[RunReport]:
        """How far each run is, in the order of `runs`."""
        return [self._report(run) for run in self.runs]

    @cached_property
    def fingerprints(self) -> list[Evidence]:
        """What audits found out about the fingerprints of each run, in the order of `runs`; without counts before its first batch."""
        return [Evidence.of(run.progress["fingerprints"]) if run.progress else Evidence() for run in self.runs]

    def summary(self, by: str = "run") -> pd.DataFrame:
        """Return a table of the runs, or of the searchers (``by="searcher"``: medians and ranges over seeds and workloads).

        Where evaluations need GPUs, ``gpu_s`` and ``saved_gpu_s`` are the seconds that these were occupied, and would have been more.
        """
        import pandas as pd

        rows = []
        for run, report in zip(self.runs, self.reports, strict=True):
            shown = {f"best {label}": value for label, value in report.best_shown.items()}
            counts = {
                name: value for name, value in report.to_json().items() if name not in ("run", "best_shown", "elapsed_s", "stop_reason")
            }
            if self.gpus:
                counts |= {"gpu_s": self._gpu_s(run), "saved_gpu_s": self.gpus * report.saved_s}
            rows.append(
                {"run": run.plan.run, "searcher": run.plan.searcher, "options": dict(run.plan.options), "workload": run.plan.workload,
                 "seed": run.plan.seed, "status": run.status, "stop_reason": run.stop_reason, **counts, **shown}
            )  # fmt: skip
        table = pd.DataFrame(rows)
        if by == "run":
            return table
        if by != "searcher":
            raise InputError(f"summary by {by!r} does not exist: expected 'run' or 'searcher'")
        table["label"] = [run.plan.run.removesuffix(f"-s{run.plan.seed}") for run in self.runs]
        numbers = [name for name in table.select_dtypes("number").columns if name not in ("seed", "budget")]
        grouped = table.groupby("label", sort=False)
        parts = {"runs": grouped.size()} | {name: grouped[name].median() for name in numbers}
        parts |= {"worst best_score": grouped["best_score"].min(), "best best_score": grouped["best_score"].max()}
        return pd.DataFrame(parts).rename_axis("searcher").reset_index()

    @cached_property
    def meta(self) -> StudyMeta:
        """The study in words and units, for figures and reports."""
        from designgym.studies.figures.meta import RunMeta, StudyMeta
        from designgym.studies.repeating import commands_of, versions

        definition = self.definition
        runs = [
            RunMeta(
                run.plan.run, run.plan.searcher, run.plan.seed, run.stop_reason, report.elapsed_s,
                float((run.progress or {}).get("fingerprints", {}).get("_probe_s", 0.0)), run.stop_reason if run.status == "failed" else "",
                evidence,
            )
            for run, report, evidence in zip(self.runs, self.reports, self.fingerprints, strict=True)
        ]  # fmt: skip
        return StudyMeta.of(
            self.name, definition["env"], ", ".join(name for name, _ in definition["workloads"]), self.objective,
            [MetricSpec(**spec) for spec in definition["metrics"]], space=self.space, runs=runs, budget=definition["budget"],
            gpus=self.gpus, workload_digest=", ".join(digest for _, digest in definition["workloads"]),
            commands=commands_of(definition), versions=versions(), describe=self.describe,
        )  # fmt: skip

    @property
    def plot(self) -> Plots:
        """Figures: ``result.plot.pareto().show()``."""
        from designgym.studies.figures import Plots

        return Plots(self.frame, self.meta)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write a self-contained HTML report."""
        from designgym.studies.report import write_report

        return write_report(self.frame, self.meta, path)

    def _trial(self, row: Mapping[Any, Any]) -> BestTrial:
        specs = self.definition["metrics"]
        metrics = {spec["name"]: row[f"metrics.{spec['name']}"] for spec in specs}
        design = self.space.validate({name: row[f"design.{name}"] for name in self.space.parameters})
        shown = {term.label: float(term.expression(metrics)) for term in self.objective.terms}
        units = {spec["name"]: spec["unit"] for spec in specs}
        return BestTrial(
            design, metrics, units, row["score"], shown, row["feasible"], row["obtained"], row["run"], row["number"], row["workload"],
            self.describe(design, row["workload"]),
        )  # fmt: skip

    def _report(self, run: StoredRun) -> RunReport:
        frame = self.frame[self.frame["run"] == run.plan.run]
        hits = frame["obtained"].isin(["exact hit", "functional hit"])
        best = frame.iloc[int(frame["score"].to_numpy().argmax())].to_dict() if len(frame) else None
        metrics = self._metrics_of(best) if best is not None and best["status"] == "ok" else None
        return RunReport(
            run.plan.run, self.definition["budget"], int((~frame["duplicate"]).sum()), len(frame), int(frame["duplicate"].sum()),
            int(frame["obtained"].isin(["measured", "audited"]).sum()), int((frame["obtained"] == "exact hit").sum()),
            int((frame["obtained"] == "functional hit").sum()), int(frame["status"].isin(["failed", "timeout"]).sum()),
            -math.inf if best is None else float(best["score"]), {} if metrics is None else self.objective.shown(metrics),
            self.objective.hypervolume([self._metrics_of(row) for row in self._non_dominated(frame).to_dict("records")])
            if isinstance(self.objective, ParetoObjective) else None,
            float((frame["cost_s"] - frame["wall_s"]).clip(lower=0)[hits].sum()), self._wall_s(frame), run.stop_reason,
        )  # fmt: skip

    def _gpu_s(self, run: StoredRun) -> float:
        return self.gpus * float(self.frame.loc[self.frame["run"] == run.plan.run, "wall_s"].sum())

    def _metrics_of(self, row: Mapping[Any, Any]) -> Metrics:
        return Metrics({spec["name"]: float(row[f"metrics.{spec['name']}"]) for spec in self.definition["metrics"]})

    @staticmethod
    def _wall_s(frame: pd.DataFrame) -> float:
        """Seconds from the first batch to the last: pauses between sessions count, since nothing tells them from work."""
        return float(frame["started_at_s"].max() - frame["started_at_s"].min()) if len(frame) else 0.0

    def __repr__(self) -> str:
        done = sum(run.status in ("finished", "stopped") for run in self.runs)
        lines = [
            f"study {self.name!r} on {self.definition['env']}: {self.definition['objective']['words']}",
            f"{len(self.frame)} trials in {len(self.runs)} runs, {done} finished; {int(self.frame['duplicate'].sum())} duplicates skipped",
        ]
        if self.gpus:
            lines.append(f"GPUs occupied for {self.gpu_s:.1f} s, {self.saved_gpu_s:.1f} s saved")
        return "\n".join([*lines, f"best: {self.best()}"])

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>{self.summary().to_html(index=False)}"
