"""`DramValidator`: tables of DRAMSys outputs, checked row by row and compared with our simulation."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError, shorten, shorten_list
from designgym.core.validation import TableComparison
from designgym.envs.reference_tables import number_in, read_table

if TYPE_CHECKING:
    from designgym.simulators.dram.trace import Trace

TABLES = ("dramsys_ddr3_public.csv", "dramsys_ddr3_oat_public.csv", "dramsys_ddr3_mixed_public.csv")
TRACES = Path("dramsys") / "traces"

_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


class DramValidator:
    """Compares the DRAM simulation with tables of the columns that DRAMSys prints (a `ReferenceValidator`)."""

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public tables that are in the folder."""
        return [oracle / name for name in TABLES if (oracle / name).is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Simulate every row of a table and compare its columns.

        Raises:
            InputError: If the table cannot be used or a trace is not found, naming the row and the column.
        """
        import pandas as pd

        from designgym.simulators.dram.controller import PARAMETER_NAMES
        from designgym.simulators.dram.validation import COMPARED_COLUMNS, compare_with_reference

        header, rows = read_table(reference)
        required = (*PARAMETER_NAMES, "trace")
        if missing := [name for name in required if name not in header]:
            raise InputError(f"{reference} lacks the columns {', '.join(missing)}: it needs the ten parameters and the name of the trace")
        compared = [name for name in COMPARED_COLUMNS if name in header]
        if not compared:
            raise InputError(f"{reference} has no column to compare: expected one or more of {', '.join(COMPARED_COLUMNS)}")
        searched = [*folders, *([oracle / TRACES] if oracle is not None and (oracle / TRACES).is_dir() else [])]
        find = find_trace(searched)
        require_traces(reference, rows, find, searched)
        records: dict[int, dict[str, object]] = {}
        for index, (line, row) in enumerate(rows):
            if row.get("status", "ok") == "ok":
                records[index] = _checked(f"{reference} row {index + 1} (line {line})", row, compared, find)
        if not records:
            raise InputError(f"{reference} has no row to compare" + (": none has status 'ok'" if rows else ""))
        frame = pd.DataFrame.from_dict(records, orient="index")
        result = compare_with_reference(frame, find, threads=len(os.sched_getaffinity(0)))
        ours: dict[str, list[float | None]] = {name: [None] * len(rows) for name in compared}
        for name in compared:
            for number, value in zip(records, result.table[f"ours_{name}"], strict=True):
                ours[name][number] = None if math.isnan(value) else float(value)
        return TableComparison(result.errors, ours, result.equal_rows, len(records))


def require_traces(
    reference: Path, rows: Sequence[tuple[int, dict[str, str]]], find: Callable[[str], Trace], folders: Sequence[Path]
) -> None:
    """Raise one `InputError` that names all traces which do not exist, each with the first row that wants it."""
    from designgym.simulators.dram.workloads.library import ARCHGYM_TRACES, DATA_VARIABLE, UnknownWorkloadError, data_folders

    unknown: dict[str, str] = {}
    for index, (line, row) in enumerate(rows):
        name = row["trace"]
        if not name or name in unknown or row.get("status", "ok") != "ok":
            continue
        try:
            find(name)
        except UnknownWorkloadError:
            unknown[name] = f"{shorten(name)} (row {index + 1}, line {line})"
        except InputError:
            continue  # it is there but cannot be used: an error of its row
    if unknown:
        places = ", ".join(map(str, (*folders, *data_folders()))) or f"no folder ({DATA_VARIABLE} is not set)"
        bring = " (ArchGym's: first `designgym data import dram CLONE`)" if unknown.keys() & set(ARCHGYM_TRACES) else ""
        raise InputError(
            f"{reference} names unknown traces in column trace: {', '.join(unknown.values())}. Looked for as NAME.stl, NAME.trace and "
            f"NAME.csv in {places}, and among the generated ones. Give the folder that holds them with --workloads DIR{bring}"
        )


def _checked(place: str, row: dict[str, str], compared: Sequence[str], find: Callable[[str], Trace]) -> dict[str, object]:
    """Return a row with its numbers as numbers, or raise `InputError` naming the place and the column."""
    from designgym.simulators.dram.controller import PARAMETER_NAMES, ControllerConfig

    values: dict[str, object] = dict(row)
    for name in PARAMETER_NAMES:
        if isinstance(getattr(ControllerConfig, name), int):
            if not _WHOLE.fullmatch(row[name]):
                raise InputError(f"{place}, column {name}: got {shorten(row[name], 40)}, expected a whole number")
            values[name] = int(row[name].partition(".")[0])
    try:
        ControllerConfig.from_mapping(values)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    for name in compared:
        values[name] = number_in(f"{place}, column {name}", row[name])
    try:
        find(row["trace"])
    except InputError as error:
        raise InputError(f"{place}, column trace: {error}") from None
    return values


def find_trace(folders: Sequence[Path]) -> Callable[[str], Trace]:
    """Return what finds a trace by name, in these folders first, and remembers it."""
    return cache(partial(_find, folders=folders))


def _find(name: str, *, folders: Sequence[Path]) -> Trace:
    from designgym.simulators.dram.workloads.library import find_workload

    if not name:
        raise InputError(f"it is empty: expected the name of a trace in {shorten_list([str(folder) for folder in folders]) or 'a folder'}")
    return find_workload(name, directories=folders)
