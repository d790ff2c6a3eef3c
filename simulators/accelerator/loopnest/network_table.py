"""A network of the user's own from a table (CSV): a layer per line."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network

__all__ = ["read_network"]

_NEEDED = ("name", "k", "c", "r", "s", "p", "q")
_OPTIONAL = {"stride": 1, "depthwise": 0, "count": 1}


def read_network(path: str | os.PathLike[str]) -> Network:
    """Return the network of a table with the columns name, k, c, r, s, p, q, and if wanted stride, depthwise (0 or 1) and count.

    Raises:
        InputError: If the file cannot be read, naming the line and the column of what is wrong.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True, skipinitialspace=True)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            if missing := [name for name in _NEEDED if name not in header]:
                raise InputError(f"{path} lacks the columns {', '.join(missing)}: a layer needs {', '.join(_NEEDED)}")
            if unknown := [name for name in header if name not in (*_NEEDED, *_OPTIONAL)]:
                raise InputError(f"{path} has the unknown column {unknown[0]!r}: expected {', '.join((*_NEEDED, *_OPTIONAL))}")
            layers = [_layer(f"{path} line {reader.line_num}", row) for row in reader]
    except OSError as error:
        raise InputError(f"cannot read the network {path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no table (CSV) of layers: {error}") from None
    if not layers:
        raise InputError(f"{path} has no layer: expected one per line")
    return Network(Path(path).stem, tuple(layers))


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
