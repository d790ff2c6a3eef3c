"""``designgym studies``: what a store holds."""

from __future__ import annotations

import json

import typer

from designgym.studies.cli.options import JsonOption, StoreOption
from designgym.studies.cli.tables import note, print_table


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("studies", epilog="Example: designgym studies --store results/sweep.db")(studies)


def studies(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the studies of a store, oldest first."""
    from designgym.studies.cli.study_tables import ago
    from designgym.studies.store import open_store

    with open_store(store, create=False, read_only=True) as opened:
        found, shown = opened.studies(), opened.shown
    if as_json:
        keys = ("name", "created_at_s", "last_write_s", "runs", "finished", "trials")
        more = ("env", "budget")
        print(json.dumps([{key: study[key] for key in keys} | {key: study["definition"][key] for key in more} for study in found]))
        return
    if not found:
        note(f"store {shown} holds no study yet")
        return
    print_table(
        f"studies in {shown}",
        ["study", "environment", "workload", "runs", "finished", "trials", "last write"],
        [
            [
                study["name"], study["definition"]["env"], ", ".join(name for name, _ in study["definition"]["workloads"]), study["runs"],
                study["finished"], study["trials"], ago(study["last_write_s"]),
            ]
            for study in found
        ],
    )  # fmt: skip
