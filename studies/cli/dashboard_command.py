"""``designgym dashboard``: all studies of a store as HTML pages, in a browser on this machine or in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from designgym.core.errors import InputError
from designgym.studies.cli.options import StoreOption

PortOption = Annotated[
    int | None,
    typer.Option("--port", metavar="N", min=0, max=65535, help="Port on this machine, 8050 unless given; 0 takes any that is free."),
]
FolderOption = Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Write the pages to this folder instead of serving them.")]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("dashboard", epilog="Example: designgym dashboard --store results/sweep.db --port 8050")(dashboard)


def dashboard(store: StoreOption = None, port: PortOption = None, to: FolderOption = None) -> None:
    """Show all studies of a store in the browser: a list that leads to the report of each.

    Pages are served to this machine only, each as the store is when it is loaded, also while studies run. Ctrl-C ends it. With --to they
    are written to a folder, and open offline.
    """
    if to is not None and port is not None:
        raise InputError(f"--to {str(to)!r} writes pages and --port {port} serves them: give one of the two")
    if to is None:
        from designgym.studies.dashboard_server import DEFAULT_PORT, serve_dashboard

        serve_dashboard(store, DEFAULT_PORT if port is None else port, _announce)
        return
    from designgym.studies.dashboard import write_dashboard
    from designgym.studies.store import open_store

    with open_store(store, create=False, read_only=True) as opened:
        index = write_dashboard(opened, to)
    print(f"dashboard: {os.path.abspath(index)} (open it in a browser)")


def _announce(url: str) -> None:
    print(f"dashboard: {url} (Ctrl-C ends it)", flush=True)
