"""Reading tables of reference outputs: what is wrong with one is said with its row, line and column."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from designgym.core.errors import InputError, shorten

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
