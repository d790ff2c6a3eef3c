"""Tables of reference outputs: reading them, where what is wrong is said with its row, line and column, and comparing their columns."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from designgym.core.errors import InputError, shorten, shorten_list
from designgym.core.validation import ColumnComparison

LONGEST_CELL = 1 << 24  # characters; a cell may hold a whole mapping or its results as JSON


def read_table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header and, for each row, the number of its line and its cells by column.

    Raises:
        InputError: If the file cannot be read, or is no table.
    """
    csv.field_size_limit(LONGEST_CELL)
    line = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if not header:
                raise InputError(f"{path} is empty: expected a table (CSV) whose first line names the columns")
            if repeated := sorted({name for name in header if header.count(name) > 1}):
                raise InputError(f"{path} line 1: column {repeated[0]!r} is there twice")
            rows: list[tuple[int, dict[str, str]]] = []
            for cells in reader:
                line = reader.line_num
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise InputError(f"{path} row {len(rows) + 1} (line {line}): {len(cells)} cells, expected {len(header)}")
                rows.append((line, dict(zip(header, map(str.strip, cells), strict=True))))
    except OSError as error:
        raise InputError(f"cannot read the reference table {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: expected a table (CSV)") from None
    except csv.Error as error:
        raise InputError(f"{path} after line {line}: not CSV: {error}") from None
    return header, rows


def number_in(place: str, text: str) -> float:
    """Return a cell's number, NaN for an empty cell; raises `InputError` naming the place for anything else."""
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: got {shorten(text, 40)}, expected a finite number, or nothing where the reference has none")
    return value


def find_file(name: str, places: Sequence[Path]) -> Path:
    """Return a file that a row names, from the first folder that has it; raises `InputError` if none has."""
    for folder in places:
        if name and (folder / name).is_file():
            return folder / name
    searched = shorten_list([str(folder) for folder in places])
    raise InputError(
        f"{shorten(name, 80) if name else 'a file without name'} is in none of {searched}: give its folder with --workloads DIR"
    )


def agrees(expected: float, ours: float, tolerance: float, *, relative: bool = True) -> bool:
    """Return whether a number is that of the reference up to a tolerance, or the reference has none (NaN)."""
    return math.isnan(expected) or abs(ours - expected) <= tolerance * (abs(expected) if relative else 1.0)


def column_comparison(
    name: str, expected: Sequence[float], ours: Sequence[float], tolerance: float, labels: Sequence[str], *, relative: bool = True
) -> ColumnComparison:
    """Return how far a column is off.

    Args:
        name: The column.
        expected: The reference by row, NaN where it has no number.
        ours: Our numbers, NaN where the simulation failed.
        tolerance: Largest difference of rows that count as equal, relative or in the column's unit.
        labels: The rows in words.
        relative: Whether the tolerance is relative.
    """
    errors = {
        i: math.inf if math.isnan(value) else abs(value - reference)
        for i, (reference, value) in enumerate(zip(expected, ours, strict=True))
        if not math.isnan(reference)
    }
    worst = max(errors, key=errors.__getitem__, default=None)
    return ColumnComparison(
        column=name,
        rows=len(errors),
        equal_rows=sum(agrees(expected[i], ours[i], tolerance, relative=relative) for i in errors),
        tolerance=tolerance,
        max_abs_error=max(errors.values(), default=0.0),
        max_rel_error=max((error / abs(expected[i]) for i, error in errors.items() if expected[i]), default=0.0),
        worst_row=None if worst is None else labels[worst],
    )
