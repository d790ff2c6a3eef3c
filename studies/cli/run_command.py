"""``designgym run``: a study defined in a Python file, on Ray Tune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from designgym.core.errors import InputError, UnknownNameError
from designgym.studies.cli.errors import DONE, FAILED, Interrupted
from designgym.studies.cli.options import StoreOption, WorkloadsOption, use_workload_folders
from designgym.studies.cli.tables import users_code

if TYPE_CHECKING:
    from designgym.studies.study import Study


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("run", epilog="Example: designgym run examples/dram_sweep.py --store results/sweep.db")(run)


def run(
    file: Annotated[Path, typer.Argument(metavar="STUDY.py", help="Python file with one or more dg.Study(...) at its top level.")],
    store: StoreOption = None,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="ADDRESS", help="Ray cluster, auto for the one around; this machine otherwise."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what the store holds of the study first.")] = False,
    study: Annotated[str | None, typer.Option("--study", metavar="NAME", help="Run only this study of the file.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", metavar="N", min=1, help="Runs at once; as many as fit otherwise.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Run in this process, one run after the other, without Ray.")] = False,
    workloads: WorkloadsOption = None,
) -> int:
    """Run the studies of a Python file, or go on with them: what is stored is not measured again.

    Exit code 1 means that nothing came of a study: every evaluation failed, or the objective has no value for any result.
    """
    from designgym.studies.cli.study_tables import all_failed, print_best, print_summary
    from designgym.studies.store_opening import MEMORY, default_place

    use_workload_folders(workloads)
    code = DONE
    for chosen in _studies(file, study):
        try:
            with users_code():
                result = chosen.run(backend="local" if local else "ray", address=address, fresh=fresh, workers=workers, store=store)
        except KeyboardInterrupt:
            if (store or chosen.store or default_place()) != MEMORY:
                raise
            raise Interrupted(f"nothing is kept of {chosen.name}, whose store is in memory: --store FILE keeps it") from None
        print_summary(result)
        print()
        print_best(result)
        code = FAILED if all_failed(result) else code
    return code


def _studies(file: Path, name: str | None) -> list[Study]:
    """Return the studies at the top level of a file, in the order of their names there.

    Raises:
        InputError: If there is none, or two of the same name.
        UnknownNameError: If there is none of the name asked for.
    """
    from designgym.studies.plugins import load_plugin
    from designgym.studies.study import Study

    found: dict[str, Study] = {}
    with users_code():
        module = load_plugin(file)
    for value in vars(module).values():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Study) and found.setdefault(item.name, item) is not item:
                raise InputError(f"{file} defines two studies named {item.name!r}: give them different names")
    if not found:
        raise InputError(
            f"{file} defines no study: expected something like study = dg.Study('name', env=..., searchers=[...]) at its top level"
        )
    if name is None:
        return list(found.values())
    if name not in found:
        raise UnknownNameError(f"study in {file}", name, found)
    return [found[name]]
