"""Networks as tables (CSV): a layer per line."""

from __future__ import annotations

import csv
import io

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.accelerator.layer import Layer

__all__ = ["parse_table", "print_table"]

_NEEDED = ("name", "k", "c", "r", "s", "p", "q")
_OPTIONAL = {"stride": 1, "depthwise": 0, "count": 1}
_COLUMNS = (*_NEEDED, *_OPTIONAL)


def parse_table(text: str, source: str) -> list[tuple[Layer, int]]:
    """Return the layers of a table with the columns name, k, c, r, s, p, q, and if wanted stride, depthwise (0 or 1) and count.

    Args:
        text: The table.
        source: What messages call it: the path of the file.

    Raises:
        InputError: Naming the line and the column of what is wrong.
    """
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
        header = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = header
        if missing := [name for name in _NEEDED if name not in header]:
            raise InputError(f"{source} lacks the columns {', '.join(missing)}: expected {','.join(_COLUMNS)}")
        if unknown := [name for name in header if name not in _COLUMNS]:
            raise UnknownNameError(f"column of {source}", unknown[0], _COLUMNS)
        if len(set(header)) < len(header):
            raise InputError(f"{source} has a column twice: {', '.join(header)}")
        return [_layer(f"{source} line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{source} is no table (CSV) of layers: {error}") from None


def print_table(layers: tuple[tuple[Layer, int], ...]) -> str:
    """Return layers as a table with all columns; `parse_table` reads the same layers from it."""
    file = io.StringIO()
    file.write(",".join(_COLUMNS) + "\n")
    rows = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")  # a name may begin with a space, or hold a comma
    for layer, count in layers:
        sizes = [int(getattr(layer, column)) for column in _COLUMNS if column not in ("name", "count")]
        rows.writerow([layer.name, *sizes, int(count)])
    return file.getvalue()


def _layer(place: str, row: dict[str, str | None]) -> tuple[Layer, int]:
    if None in row or None in row.values():
        raise InputError(f"{place}: another number of cells than the header")
    numbers = dict(_OPTIONAL)
    for column, text in row.items():
        if column != "name":
            assert text is not None  # checked above
            try:
                numbers[column] = int(text)
            except ValueError:
                raise InputError(f"{place}, column {column}: got {shorten(text, 40)}, expected a whole number") from None
    count, depthwise = numbers.pop("count"), numbers.pop("depthwise")
    if depthwise not in (0, 1) or count < 1:
        raise InputError(f"{place}: depthwise must be 0 or 1 and count 1 or more, got {depthwise} and {count}")
    try:
        return Layer(str(row["name"]), depthwise=bool(depthwise), **numbers), count
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
