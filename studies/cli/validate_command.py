"""``designgym validate``: our simulators against reference outputs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from designgym.core.errors import InputError, shorten_list
from designgym.core.files import written_whole
from designgym.studies.cli.errors import DONE, FAILED
from designgym.studies.cli.options import WorkloadsOption, find_environment, use_workload_folders
from designgym.studies.cli.tables import note, print_table

if TYPE_CHECKING:
    from designgym.core.registry import EnvironmentSpec
    from designgym.core.validation import TableComparison

ORACLE = Path("..") / "shared" / "oracle"

EnvironmentOption = Annotated[str | None, typer.Argument(metavar="[ENV_ID]", help="Environment id; all that have references otherwise.")]
ReferenceOption = Annotated[
    Path | None, typer.Option("--reference", metavar="FILE.csv", help="Another table with the same columns as the public ones.")
]
OracleOption = Annotated[Path | None, typer.Option("--oracle", metavar="DIR", help=f"Folder of reference outputs; {ORACLE} otherwise.")]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE.csv",
        help="Write the rows, with a column ours_NAME for every compared column NAME; of JSON lines, the same with our results.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("validate", epilog="Example: designgym validate designgym/DramController-v0 --oracle ../shared/oracle")(validate)


def validate(
    env_id: EnvironmentOption = None,
    reference: ReferenceOption = None,
    workloads: WorkloadsOption = None,
    oracle: OracleOption = None,
    out: OutOption = None,
) -> int:
    """Compare our simulators with reference outputs.

    Prints, per table and column: compared rows, rows that are equal within the stated tolerance, the largest absolute and relative
    error, and the worst row. Exit code 1 means that some row is not equal, or was refused.
    """
    use_workload_folders(workloads)
    specs = _environments(env_id)
    if reference is not None and len(specs) > 1:
        raise InputError(f"--reference needs an ENV_ID: one of {', '.join(spec.id for spec in specs)}")
    folder = _oracle_folder(oracle, needed=reference is None and not all(_built_in(spec) for spec in specs))
    tables = [(spec, table) for spec in specs for table in _tables(spec, reference, folder)]
    if not tables:
        raise InputError(f"no reference table of {', '.join(spec.id for spec in specs)} in {folder}: give another folder with --oracle DIR")
    if out is not None and len(tables) > 1:
        names = shorten_list([table.name for _, table in tables])
        raise InputError(f"--out takes the rows of one table, there are {len(tables)} ({names}): name one with --reference")
    unequal = 0
    for number, (spec, table) in enumerate(tables):
        assert spec.validator is not None  # by _environments
        comparison = spec.validator.compare(table, folders=workloads or [], oracle=folder)
        unequal += sum(column.rows - column.equal_rows for column in comparison.columns) + len(comparison.refused)
        if out is not None:  # before anything is printed: the reader of the output may be gone
            _write(out, table, comparison)
            note(f"wrote {out}")
        if number:
            print()
        _print_comparison(spec, table, comparison)
    return FAILED if unequal else DONE


def _environments(env_id: str | None) -> list[EnvironmentSpec]:
    import designgym.envs

    if env_id is None:
        specs = [spec for spec in designgym.envs.environments() if spec.validator is not None]
        if not specs:
            raise InputError("no environment has reference outputs to be compared with")
        return specs
    spec = find_environment(env_id)
    if spec.validator is None:
        raise InputError(f"{env_id} has no reference outputs to be compared with: its registration names no validator")
    return [spec]


def _oracle_folder(given: Path | None, *, needed: bool) -> Path | None:
    """Return the folder of reference outputs: the one given, or beside the current folder, or beside the checkout."""
    if given is not None:
        if not given.is_dir():
            raise InputError(f"--oracle {str(given)!r} does not exist or is not a folder: check the path")
        return given
    import designgym

    checkout = Path(designgym.__file__).resolve().parent.parent
    places = [ORACLE, *([checkout / ORACLE] if (checkout / "pyproject.toml").is_file() else [])]
    for place in places:
        if place.is_dir():
            return place
    if needed:
        raise InputError(
            f"there are no reference outputs at {' or '.join(map(str, places))}: they are not part of designgym; "
            "say where they are with --oracle DIR, or give one table with --reference FILE.csv"
        )
    return None


def _tables(spec: EnvironmentSpec, reference: Path | None, folder: Path | None) -> list[Path]:
    if reference is not None:
        return [reference]
    if spec.validator is None or (folder is None and not _built_in(spec)):
        return []
    return spec.validator.tables(folder or Path())


def _built_in(spec: EnvironmentSpec) -> bool:
    """Return whether the references of an environment are published figures that come with it."""
    return getattr(spec.validator, "built_in", False)


def _print_comparison(spec: EnvironmentSpec, table: Path, comparison: TableComparison) -> None:
    title = f"{spec.id} against {table.name}: {comparison.equal_rows} of {comparison.rows} rows equal"
    columns = ("column", "rows", "equal", "tolerance", "max abs error", "max rel error", "worst row")
    rows: list[tuple[Any, ...]] = [
        (c.column, c.rows, c.equal_rows, c.tolerance, c.max_abs_error, c.max_rel_error, c.worst_row if c.max_abs_error > 0 else None)
        for c in comparison.columns
    ]
    print_table(title, columns, rows)
    for reason in comparison.refused:
        print(f"refused: {reason}")


def _write(out: Path, table: Path, comparison: TableComparison) -> None:
    """Write the table as it stands, with our values appended; numbers have all their digits. JSON lines are written with ours in them."""
    if comparison.lines is not None:
        with written_whole(out) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in comparison.lines), encoding="utf-8")
        return
    with table.open(newline="", encoding="utf-8-sig") as source:
        header, *rows = [row for row in csv.reader(source) if row]
    ours = {f"ours_{name}": values for name, values in comparison.ours.items()}
    kept = [i for i, name in enumerate(header) if name.strip() not in ours]  # of an output that is compared again
    with written_whole(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow([*(header[i] for i in kept), *ours])
        for number, row in enumerate(rows):
            cells = (values[number] for values in ours.values())
            writer.writerow([*(row[i] for i in kept), *("" if cell is None else repr(cell) for cell in cells)])
