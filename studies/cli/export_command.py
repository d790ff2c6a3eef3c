"""``designgym export``: a study's trials for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from designgym.core.errors import InputError
from designgym.studies.cli.options import StoreOption, StudyArgument
from designgym.studies.cli.tables import note


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("export", epilog="Example: designgym export dram-sweep --store results/sweep.db --to sweep.parquet")(export)


def export(
    study: StudyArgument,
    to: Annotated[
        list[Path] | None, typer.Option("--to", metavar="FILE", help="File to write: .parquet, .csv or .json; may be repeated.")
    ] = None,
    to_optuna: Annotated[
        str | None,
        typer.Option("--to-optuna", metavar="URL", help="Optuna storage to write: sqlite:///optuna.db, or a journal optuna.log."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Export a study's trials. Parquet holds each column's unit in its field's metadata; optuna-dashboard opens an Optuna storage."""
    from designgym.studies.exports import check_format, write_file
    from designgym.studies.results import StudyResult
    from designgym.studies.store import open_store

    if not to and to_optuna is None:
        raise InputError("say where to: --to FILE.parquet (or .csv, .json), or --to-optuna sqlite:///optuna.db")
    for path in to or ():
        check_format(path)
    with open_store(store, create=False, read_only=True) as opened:
        result = StudyResult.load(opened, study)
    for path in to or ():
        note(f"{len(result.frame):,} trials written to {write_file(result, path)}")
    if to_optuna is not None:
        note(f"{len(result.frame):,} trials written; open them with: {result.to_optuna(to_optuna)}")
