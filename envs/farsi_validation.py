"""`FarsiValidator`: tables of FARSI's outputs, checked row by row and compared with our simulation of FARSI's model."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError, shorten
from designgym.core.validation import ColumnComparison, TableComparison

if TYPE_CHECKING:
    from designgym.simulators.soc.simulate import SocRun
    from designgym.simulators.soc.workload import SocWorkload

TABLES = ("farsi_public.csv", "farsi_wide_public.csv")
TOLERANCE = 1e-9  # relative

_METRICS: dict[str, Callable[[SocRun], float]] = {
    "latency_s": lambda run: run.latency_s,
    "power_W": lambda run: run.power_w,
    "area_m2": lambda run: run.area_m2,
    "energy_J": lambda run: run.energy_j,
    "cost": lambda run: run.cost,
}
_FIRST: dict[str, Callable[[SocRun], float]] = {
    "n_phases": lambda run: float(run.phases) if not run.refused else math.nan,
    "pe_area_m2": lambda run: run.pe_area_m2,
    "mem_area_m2": lambda run: run.memory_area_m2,
}


class FarsiValidator:
    """Compares the simulation with tables of FARSI's outputs (a `ReferenceValidator`).

    Medians are those of the alphabetical load order. Columns ``_min`` and ``_max`` are over the alphabetical order and that of the file; in
    tables that have them, phases and the parts of the area are those of the file's order. Tolerances are relative.
    """

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public tables that are in the folder."""
        return [oracle / name for name in TABLES if (oracle / name).is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Simulate every row of a table and compare its columns.

        Raises:
            InputError: If the table cannot be used or a workload is not found, naming the row and the column.
        """
        from designgym.simulators.soc.farsi_design import farsi_soc
        from designgym.simulators.soc.simulate import simulate

        header, rows = _read(reference)
        if missing := [name for name in ("workload", "design_json") if name not in header]:
            raise InputError(f"{reference} lacks the columns {', '.join(missing)}")
        known = [*_METRICS, *_FIRST, *(f"{name}_{end}" for name in _METRICS for end in ("min", "max"))]
        compared = [name for name in known if name in header]
        if not compared:
            raise InputError(f"{reference} has no column to compare: expected one or more of {', '.join(known)}")
        if not rows:
            raise InputError(f"{reference} has no row to compare")
        both = any(name.endswith(("_min", "_max")) for name in compared)

        @cache
        def workload(name: str) -> SocWorkload:
            return _workload(name, folders)

        expected: dict[str, list[float]] = {name: [] for name in compared}
        ours: dict[str, list[float]] = {name: [] for name in compared}
        for i, (line, row) in enumerate(rows):
            place = f"{reference} row {i + 1} (line {line})"
            for name in compared:
                expected[name].append(_number(f"{place}, column {name}", row[name]))
            try:
                data = workload(row["workload"])
            except InputError as error:
                raise InputError(f"{place}, column workload: {error}") from None
            try:
                soc = farsi_soc(row["design_json"], data)
            except InputError as error:
                raise InputError(f"{place}, column design_json: {error}") from None
            runs = [simulate(soc, data, model="as_farsi", load_order=order) for order in ("alphabetical", "file")[: 1 + both]]
            for name in compared:
                ours[name].append(_value(name, runs))
        labels = [f"{row.get('row_id', i + 1)} on {row['workload']}" for i, (_, row) in enumerate(rows)]
        columns = tuple(_column(name, expected[name], ours[name], labels) for name in compared)
        equal = sum(all(_equal(expected[name][i], ours[name][i]) for name in compared) for i in range(len(rows)))
        return TableComparison(
            columns, {name: [None if math.isnan(value) else value for value in ours[name]] for name in compared}, equal, len(rows)
        )


def _value(name: str, runs: Sequence[SocRun]) -> float:
    if name in _METRICS:
        return _METRICS[name](runs[0])
    if name in _FIRST:
        return _FIRST[name](runs[-1])
    metric, _, end = name.rpartition("_")
    values = [_METRICS[metric](run) for run in runs]
    return min(values) if end == "min" else max(values)


def _equal(expected: float, ours: float) -> bool:
    return math.isnan(expected) or abs(ours - expected) <= TOLERANCE * abs(expected)


def _column(name: str, expected: Sequence[float], ours: Sequence[float], labels: Sequence[str]) -> ColumnComparison:
    errors = {
        i: (math.inf if math.isnan(value) else abs(value - reference))
        for i, (reference, value) in enumerate(zip(expected, ours, strict=True))
        if not math.isnan(reference)
    }
    relative = [error / abs(expected[i]) for i, error in errors.items() if expected[i]]
    worst = max(errors, key=errors.__getitem__, default=None)
    return ColumnComparison(
        column=name,
        rows=len(errors),
        equal_rows=sum(_equal(expected[i], ours[i]) for i in errors),
        tolerance=TOLERANCE,
        max_abs_error=max(errors.values(), default=0.0),
        max_rel_error=max(relative, default=0.0),
        worst_row=None if worst is None else labels[worst],
    )


def _workload(name: str, folders: Sequence[Path]) -> SocWorkload:
    """Return a workload: the file of that name in one of the folders, or a built-in one."""
    from designgym.simulators.soc.library import built_in, load

    for folder in folders:
        for suffix in (".json", ".csv"):
            if (path := folder / f"{name}{suffix}").is_file():
                return load(path)
    return built_in(name)


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header and, for each row, the number of its line and its cells by column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows: list[tuple[int, dict[str, str]]] = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise InputError(f"{path} row {len(rows) + 1} (line {reader.line_num}): {len(cells)} cells, expected {len(header)}")
                rows.append((reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))))
    except OSError as error:
        raise InputError(f"cannot read the reference table {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: expected a table (CSV)") from None
    except csv.Error as error:
        raise InputError(f"{path}: not CSV: {error}") from None
    if not header:
        raise InputError(f"{path} is empty: expected a table (CSV) whose first line names the columns")
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{path} line 1: column {repeated[0]!r} is there twice")
    return header, rows


def _number(place: str, text: str) -> float:
    """Return a cell's number, NaN for an empty cell."""
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: got {shorten(text, 40)}, expected a finite number, or nothing where the reference has none")
    return value
