"""Options that several commands share, declared once so that they are named and explained alike.

``--plugin FILE.py`` and ``--debug`` are not here: the application adds them to every command (see `designgym.studies.cli.app`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from designgym.core.errors import InputError
from designgym.studies.cli.design_files import NotFiniteError, parse_json

if TYPE_CHECKING:
    from designgym.core.registry import EnvironmentSpec

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENV_ID", help="Environment id, for instance designgym/DramController-v0.")]
DesignsOption = Annotated[
    str,
    typer.Option(
        "--designs", metavar="FILE|-", help="Designs: one JSON object, an array of objects, or JSON lines; - reads standard input."
    ),
]
WorkloadOption = Annotated[
    str | None,
    typer.Option("--workload", metavar="NAME", help="Workload, or the path of a file of one; the environment's default otherwise."),
]
WorkloadsOption = Annotated[
    list[Path] | None,
    typer.Option("--workloads", metavar="DIR", help="Folder in which workloads are looked up first; may be repeated."),
]
FidelityOption = Annotated[float, typer.Option("--fidelity", metavar="X", help="Share of the full evaluation, more than 0 to 1.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed; without effect on a deterministic simulator.")]
AssignmentsOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Option by name; may be repeated. Values are read as JSON, else as text."),
]
StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="Name of the study (`designgym studies` lists them).")]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", envvar="DESIGNGYM_STORE", help="Where results are kept: a file, or an SQLAlchemy URL."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def parse_assignments(assignments: Sequence[str] | None) -> dict[str, Any]:
    """Return ``key=value`` texts as a mapping.

    A value is read as JSON (``0.1``, ``true``, ``[1, 2]``, ``"text"``), with Python's ``True``, ``False`` and ``None`` accepted
    too, and otherwise taken as text.

    Raises:
        InputError: If there is no ``=``, the key is empty or given twice, or the value is a number that is not finite.
    """
    options: dict[str, Any] = {}
    for assignment in assignments or ():
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"--option {assignment!r} must look like key=value")
        if key in options:
            raise InputError(f"--option {key!r} is given twice, as {options[key]!r} and {text!r}: give it once")
        options[key] = _parse_value(key, text.strip())
    return options


def _parse_value(key: str, text: str) -> Any:
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    try:
        return parse_json(text)
    except NotFiniteError as error:
        raise InputError(f"--option {key}={text}: {error}") from None
    except (ValueError, RecursionError):
        return text


def use_workload_folders(folders: Iterable[Path] | None) -> None:
    """Let the folders of ``--workloads`` be searched first, by this process and those that it starts.

    Raises:
        InputError: If one is not a folder.
    """
    given = list(folders or ())
    for folder in given:
        if not folder.is_dir():
            raise InputError(f"--workloads {str(folder)!r} does not exist or is not a folder: check the path")
    if given:
        known = [part for part in os.environ.get("DESIGNGYM_DATA", "").split(os.pathsep) if part]
        os.environ["DESIGNGYM_DATA"] = os.pathsep.join([*(str(folder.absolute()) for folder in given), *known])


def find_environment(env_id: str) -> EnvironmentSpec:
    """Return a built-in or registered environment; raises `UnknownNameError` with close names if there is none."""
    from designgym.envs import environment

    return environment(env_id)
