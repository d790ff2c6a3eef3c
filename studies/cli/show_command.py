"""``designgym show``: a study's runs and best designs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from designgym.studies.cli.options import JsonOption, StoreOption

StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="Name of the study (`designgym studies` lists them).")]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("show", epilog="Example: designgym show dram-sweep --store results/sweep.db")(show)


def show(
    study: StudyArgument,
    store: StoreOption = None,
    best: Annotated[int, typer.Option("--best", metavar="N", min=1, help="How many of the best designs to show.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show a study: its runs, how far they are, and the best designs with units."""
    from designgym.studies.cli.study_tables import print_best, print_summary
    from designgym.studies.results import StudyResult
    from designgym.studies.store import open_store

    with open_store(store, create=False, read_only=True) as opened:
        result = StudyResult.load(opened, study)
    if as_json:
        print(json.dumps(show_json(result, best), allow_nan=False))
        return
    print_summary(result)
    print()
    print_best(result, best)


def show_json(result: object, best: int) -> dict[str, object]:
    """Return a study as JSON data: definition, runs with their counts, best designs."""
    from designgym.studies.results import StudyResult

    assert isinstance(result, StudyResult)
    return {
        "study": result.name, "definition": result.definition, "finished": result.finished,
        "runs": [
            report.to_json() | {"status": run.status, "workload": run.plan.workload, "searcher": run.plan.searcher, "seed": run.plan.seed}
            for run, report in zip(result.runs, result.reports, strict=True)
        ],
        "best": [
            {"design": t.design.to_dict(), "metrics": dict(t.metrics), "units": dict(t.units), "score": t.score, "objective": dict(t.shown),
             "feasible": t.feasible, "obtained": t.obtained, "run": t.run, "number": t.number, "workload": t.workload}
            for t in result.best(best)
        ],
    }  # fmt: skip
