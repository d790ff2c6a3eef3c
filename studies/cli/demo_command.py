"""``designgym demo``: a search of a DRAM controller with a report, within a minute."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from designgym.studies.demo import BUDGET, SEEDS

if TYPE_CHECKING:
    from designgym.studies.demo import DemoTable


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("demo", epilog="Example: designgym demo --html demo.html")(demo)


def demo(
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the report is written.")] = Path("designgym-demo.html"),
    budget: Annotated[int, typer.Option("--budget", metavar="N", min=1, help="Evaluations per search run.")] = BUDGET,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Search runs per searcher.")] = SEEDS,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The first of their seeds.")] = 0,
) -> None:
    """Search a DRAM memory controller with four searchers, and write a report.

    Needs no other program, no network and no Ray. The same seed gives the same designs and results.
    """
    from designgym.studies.cli.tables import note
    from designgym.studies.demo import ENV, SEARCHERS, WORKLOAD, run_demo
    from designgym.studies.progress import StudyProgress
    from designgym.studies.report import check_path

    began = time.perf_counter()
    check_path(html)
    runs = len(SEARCHERS) * seeds
    note(
        f"searching {ENV} on workload {WORKLOAD}: {len(SEARCHERS)} searchers x {seeds} seeds x {budget} evaluations "
        "(the first one compiles the simulator)"
    )

    def show_first(table: DemoTable, seconds: float) -> None:
        _print(f"After one seed of each searcher, {seconds:.0f} s", table)

    with StudyProgress(runs, budget) as progress:
        table, _ = run_demo(html=html, budget=budget, seed=seed, seeds=seeds, first=show_first, progress=progress)
    _print(f"After {runs} runs, {time.perf_counter() - began:.0f} s", table)
    print(f"best design: {table.best_design}")
    print(f"report:      {os.path.abspath(html)} (open it in a browser)")
    print()
    print("next: a sweep on Ray Tune     designgym run examples/dram_sweep.py   (in a clone of the repository)")
    print(f"      a search of your own    designgym search {ENV} --searcher tpe --budget 200 --seed 1")


def _print(title: str, table: DemoTable) -> None:
    from designgym.studies.cli.tables import print_table

    columns = ["searcher", f"best {table.quantity}", *table.parts, "mean over seeds", "evaluations", "duplicates skipped", "time saved"]
    rows = [[row.searcher, row.best, *row.parts, row.mean, row.evaluations, row.duplicates, row.saved] for row in table.rows]
    print_table(title, columns, rows)
    print(flush=True)
