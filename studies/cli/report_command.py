"""``designgym report``: a stored study as one HTML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from designgym.studies.cli.options import StoreOption, StudyArgument


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("report", epilog="Example: designgym report dram-sweep --html sweep.html")(report)


def report(
    study: StudyArgument,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the report is written; folders on the way are made.")],
    store: StoreOption = None,
) -> None:
    """Write a study's HTML report.

    One file that opens offline: best designs, progress, trade-off, parameter importance, duplicates skipped, and how to repeat it. A
    study that is still running is reported as far as it has come.
    """
    from designgym.studies.report import check_path
    from designgym.studies.results import StudyResult
    from designgym.studies.store import open_store

    check_path(html)
    with open_store(store, read_only=True) as opened:
        result = StudyResult.load(opened, study)
    written = result.report(html)
    print(f"report of {len(result.frame):,} trials: {os.path.abspath(written)}")
