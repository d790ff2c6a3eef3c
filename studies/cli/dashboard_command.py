"""``designgym dashboard``: all studies of a store as HTML pages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from designgym.studies.cli.options import StoreOption


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("dashboard", epilog="Example: designgym dashboard --store results/sweep.db --to pages")(dashboard)


def dashboard(
    store: StoreOption = None,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder for the pages.")] = Path("designgym-dashboard"),
) -> None:
    """Write all studies of a store as HTML pages: a list that leads to the report of each.

    The pages open offline. They show the store as it is now; run the command again to see what came since.
    """
    from designgym.studies.dashboard import write_dashboard
    from designgym.studies.store import open_store

    with open_store(store, create=False, read_only=True) as opened:
        index = write_dashboard(opened, to)
    print(f"dashboard: {os.path.abspath(index)} (open it in a browser)")
