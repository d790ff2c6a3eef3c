"""``designgym data``: data of other projects, brought in from the user's own clone or download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from designgym.core.errors import UnknownNameError
from designgym.studies.cli.errors import DONE, FAILED
from designgym.studies.cli.tables import note, print_table

KINDS = ("dram",)

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help=f"What is brought in: {', '.join(KINDS)}.")]
PathArgument = Annotated[Path, typer.Argument(metavar="PATH", help="A file, a folder, or a clone of the project that has them.")]
ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", help="Folder to write to; in the first folder of DESIGNGYM_DATA otherwise.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace other data of the same name.")]
ClampOption = Annotated[bool, typer.Option("--clamp-times", help="Accept times that go back, as the latest time so far.")]


def register(app: typer.Typer) -> None:
    """Add the command and its sub-command to an application."""
    data = typer.Typer(rich_markup_mode="markdown", help="Bring in data of other projects.")
    data.callback(epilog="Example: designgym data import dram oss-arch-gym --to data")(_data)
    data.command("import", epilog="Example: designgym data import dram oss-arch-gym --to data")(import_data)
    app.add_typer(data, name="data")


def _data() -> None:
    """Bring in data of other projects: checked, and converted to our formats."""


def import_data(
    kind: KindArgument,
    path: PathArgument,
    to: ToOption = None,
    overwrite: OverwriteOption = False,
    clamp_times: ClampOption = False,
) -> int:
    """Check files from your own clone or download, and convert them.

    The folder they are written to is searched when DESIGNGYM_DATA names it, or with --workloads DIR. Files of a folder that cannot be
    used are listed with the reason; exit code 1 means that no file could be.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of data", kind, KINDS)
    from designgym.simulators.dram.workloads.imports import import_traces

    traces = import_traces(path, to, overwrite=overwrite, clamp_times=clamp_times)
    done = [trace for trace in traces if trace.status != "refused"]
    if done:
        columns = ("workload", "status", "requests", "reads [%]", "file")
        print_table("", columns, [(t.name, t.status, t.requests, 100 * t.read_share, str(t.path)) for t in done])
    for trace in traces:
        if trace.status == "refused":
            note(f"refused {trace.source.name}: {trace.reason}")
    if to is not None and done:
        note(f"they are found with --workloads {to}, or once DESIGNGYM_DATA names {to.absolute()}")
    return DONE if done else FAILED
