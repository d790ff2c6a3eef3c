"""``designgym show``: a study's runs and best designs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from designgym.studies.cli.options import JsonOption, StoreOption, StudyArgument

if TYPE_CHECKING:
    from designgym.studies.results import StudyResult


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


def show_json(result: StudyResult, best: int) -> dict[str, object]:
    """Return a study as JSON data: definition, runs with their counts and audits, best designs."""
    from designgym.hashing.evidence import Evidence

    return {
        "study": result.name, "definition": result.definition, "finished": result.finished, "decisions": dict(result.decisions),
        "fingerprints": Evidence.total(result.fingerprints).to_json(),
        "runs": [
            report.to_json()
            | {"status": run.status, "workload": run.plan.workload, "searcher": run.plan.searcher, "seed": run.plan.seed}
            | {"fingerprints": evidence.to_json()}
            for run, report, evidence in zip(result.runs, result.reports, result.fingerprints, strict=True)
        ],
        "best": [trial.to_json() for trial in result.best(best)],
    }  # fmt: skip
