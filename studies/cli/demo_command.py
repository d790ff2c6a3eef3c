"""``designgym demo``: a search of a DRAM controller with a report, within a minute."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from designgym.studies.demo import DemoTable
    from designgym.studies.run_report import RunReport


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("demo", epilog="Example: designgym demo --html demo.html")(demo)


def demo(
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the report is written.")] = Path("designgym-demo.html"),
    budget: Annotated[int, typer.Option("--budget", metavar="N", min=1, help="Evaluations per search run.")] = 100,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Search runs per searcher.")] = 3,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The first of their seeds.")] = 0,
) -> None:
    """Search a DRAM memory controller with four searchers, and write a report.

    Needs no other program, no network and no Ray. The same seed gives the same designs and results.
    """
    from designgym.studies.cli.progress import Progress
    from designgym.studies.cli.tables import note
    from designgym.studies.demo import ENV, SEARCHERS, WORKLOAD, run_demo
    from designgym.studies.report import check_path

    began = time.perf_counter()
    check_path(html)
    runs = len(SEARCHERS) * seeds
    note(
        f"searching {ENV} on workload {WORKLOAD}: {len(SEARCHERS)} searchers x {seeds} seeds x {budget} evaluations "
        "(the first one compiles the simulator)"
    )

    counted: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        bars: list[Progress] = []

        def show_progress(report: RunReport) -> None:
            new = report.evaluations - counted.get(report.run, 0)
            counted[report.run] = report.evaluations
            if bars:
                bars[0].advance(new)
            else:  # only now, so that the time left is not reckoned from the time of compiling
                bars.append(stack.enter_context(Progress("evaluations", runs * budget - new)))

        def show_first(table: DemoTable, seconds: float) -> None:
            _print(f"After one seed of each searcher, {seconds:.0f} s", table)

        table, _ = run_demo(html=html, budget=budget, seed=seed, seeds=seeds, first=show_first, progress=show_progress)
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
