"""The demonstration: four searchers on a DRAM memory controller, in this process, with nothing else installed or started."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from designgym.studies.results import StudyResult
    from designgym.studies.run_report import RunReport

ENV = "designgym/DramController-v0"
WORKLOAD = "cloud-like"
SEARCHERS = ("random", "genetic", "regularized_evolution", "tpe")  # all quick to start: none imports torch
BUDGET = 100
SEEDS = 3
NAME = "dram-demo"


@dataclass(frozen=True)
class SearcherRow:
    """What one searcher found, over its seeds.

    Attributes:
        searcher: Its name.
        best: Its best result in words, with the unit.
        parts: The metrics behind it, in words, with units.
        mean: Mean over seeds of each run's best, with the unit.
        evaluations: Behaviours tried.
        duplicates: Proposals recognised within their run, which cost nothing.
        saved: Simulation time that recognition saved.
    """

    searcher: str
    best: str
    parts: tuple[str, ...]
    mean: str
    evaluations: int
    duplicates: int
    saved: str


@dataclass(frozen=True)
class DemoTable:
    """Rows by searcher with the words above the columns, and the best design."""

    quantity: str
    parts: tuple[str, ...]
    rows: tuple[SearcherRow, ...]
    best_design: str


def run_demo(
    *,
    html: Path | None,
    budget: int = BUDGET,
    seed: int = 0,
    seeds: int = SEEDS,
    env: str = ENV,
    workload: str | None = WORKLOAD,
    first: Callable[[DemoTable, float], None] | None = None,
    progress: Callable[[RunReport], None] | None = None,
) -> tuple[DemoTable, StudyResult]:
    """Search, and write the report.

    Args:
        html: Where the report goes; None for no report.
        budget: Evaluations per run.
        seed: The first of the seeds.
        seeds: Runs per searcher.
        env: Environment.
        workload: Workload; the environment's default for None.
        first: Receives the table after the first seed of each searcher, and the seconds since the start.
        progress: Receives a report after each batch.
    """
    from designgym.studies.study import Study

    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="designgym-demo-") as folder:

        def search(count: int) -> StudyResult:
            numbers = list(range(seed, seed + count))
            study = Study(
                NAME,
                env,
                workload=workload,
                searchers=list(SEARCHERS),
                budget=budget,
                seeds=numbers,
                store=Path(folder) / "demo.db",
            )
            return study.run(backend="local", progress=progress or False)

        result = search(1)  # one seed each first, so that something can be shown early; the others extend the study
        if seeds > 1:
            if first is not None:
                first(table_of(result), time.perf_counter() - began)
            result = search(seeds)
    if html is not None:
        result.report(html)
    return table_of(result), result


def table_of(result: StudyResult) -> DemoTable:
    """Return what each searcher found, in words and units."""
    import numpy as np

    from designgym.studies.figures.data import StudyData
    from designgym.studies.figures.duplicates import splits_of
    from designgym.studies.figures.units import DASH, duration
    from designgym.studies.report_sections import key_quantities

    data = StudyData(result.frame, result.meta)
    target, scale = data.target, data.target.scale
    parts = [quantity for quantity in key_quantities(data) if quantity.name != target.name][:3]
    splits = splits_of(data)
    rows = []
    runs = data.frame["run"].to_numpy()
    for label in data.labels:
        mine = np.flatnonzero((data.label == label) & data.feasible & np.isfinite(target.values))
        split = splits[label]
        best = mine[np.argmax(target.signed[mine])] if len(mine) else None
        per_run = [
            target.values[rows_of[np.argmax(target.signed[rows_of])]]
            for run in dict.fromkeys(runs[mine])
            if len(rows_of := mine[runs[mine] == run])
        ]
        rows.append(
            SearcherRow(
                str(label), DASH if best is None else scale.text(float(target.values[best])),
                tuple(DASH if best is None else part.scale.text(float(part.values[best])) for part in parts),
                scale.text(float(np.mean(per_run))) if per_run else DASH, split.proposals - split.duplicates, split.duplicates,
                duration(max(split.saved_s, 0.0)),
            )
        )  # fmt: skip
    design = data.design_text(data.best.iloc[0].to_dict()) if len(data.best) else "no feasible design yet"
    return DemoTable(target.label, tuple(part.label for part in parts), tuple(rows), design)
