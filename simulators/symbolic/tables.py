"""A table of one's own as the points that a formula is to be found from."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from blake3 import blake3
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError, shorten
from designgym.core.workload import Workload
from designgym.simulators.symbolic.canonical import inputs_trait
from designgym.simulators.symbolic.fitting import MOST_STARTS, STARTS
from designgym.simulators.symbolic.formulas import Range
from designgym.simulators.symbolic.operations import INPUTS, MOST_INPUTS
from designgym.simulators.symbolic.points import FEWEST_POINTS, Points, columns_of

Floats = NDArray[np.float64]

FEWEST_ROWS: Final = 2 * FEWEST_POINTS
TARGET: Final = "y"
SUFFIX: Final = ".csv"
_SHUFFLED: Final = 20200420  # seed of which rows are fitted to: a table is often sorted


@dataclass(frozen=True, eq=False)
class Table:
    """Measured values; made by `table`.

    Attributes:
        names: Names of the inputs, as they can stand in a formula.
        x: Inputs, shape ``(n, inputs)``.
        y: What the values should be, shape ``(n,)``.
        starts: Most starts of a fit.
    """

    names: tuple[str, ...]
    x: Floats
    y: Floats
    starts: int = STARTS

    @cached_property
    def digest(self) -> str:
        """Digest of names and numbers."""
        head = f"table {self.names!r} {self.x.shape} {self.starts}".encode()
        return blake3(head + self.x.tobytes() + self.y.tobytes()).hexdigest(length=16)

    @property
    def identity(self) -> str:
        """What the probed points are drawn by."""
        return self.digest

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return len(self.names)

    @property
    def points(self) -> int:
        """Rows to fit on: half of them."""
        return len(self.y) // 2

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The smallest and the largest value of each input."""
        return tuple((float(low), float(high)) for low, high in zip(self.x.min(0), self.x.max(0), strict=True))

    def head(self, points: int) -> Table:
        """Return fewer rows and a single start: for tests, not for results."""
        count = max(min(points // 5, len(self.y)), FEWEST_ROWS)
        return replace(self, x=self.x[:count], y=self.y[:count], starts=1)

    def arrays(self) -> Points:
        """Return the rows, half of them to fit on and the others to judge by; do not write into them."""
        return self._split

    @cached_property
    def _split(self) -> Points:
        order = np.random.default_rng(_SHUFFLED).permutation(len(self.y))
        train, test = order[: self.points], order[self.points :]
        return Points(columns_of(self.x[train]), self.y[train], columns_of(self.x[test]), self.y[test])


def table(
    data: str | os.PathLike[str] | ArrayLike,
    y: ArrayLike | None = None,
    *,
    target: str | None = None,
    names: Sequence[str] | None = None,
    name: str = "table",
    starts: int = STARTS,
) -> Workload:
    """Return a workload of one's own measurements: ``table("runs.csv")``, or ``table(x, y)``.

    A random half of the rows is fitted to and the other half judged by, always the same ones.

    Args:
        data: A CSV file with names in its first row, unless that holds numbers alone; or the inputs as an array, shape ``(n, inputs)``.
        y: With an array: what the values should be, shape ``(n,)``.
        target: With a file: the column of the values; ``y`` unless given, or the last one if none is called that.
        names: With an array: names of the inputs, ``x0``, ``x1`` ... unless given.
        name: With an array: name of the workload; that of a file is its path.
        starts: Most starts of a fit, from 1 to 8.

    Raises:
        InputError: If there is no such file, or it holds anything but finite numbers, naming row and column; for fewer than 32 rows, more
            than 6 inputs, or values that are all equal.
    """
    if isinstance(starts, bool) or not isinstance(starts, int) or not 1 <= starts <= MOST_STARTS:
        raise InputError(f"starts must be from 1 to {MOST_STARTS}, got {shorten(starts)}")
    if isinstance(data, str | os.PathLike):
        if y is not None or names is not None:
            raise InputError("y= and names= go with an array of inputs; of a file, target= names the column of the values")
        what = os.fspath(data)
        found, columns, begin = _read(Path(data))
        values = found.pop(columns.index(_target(what, columns, target)))
        return _workload(what, (what, begin), found, values, starts)
    if y is None or target is not None:
        raise InputError("a table of arrays needs inputs and values: table(x, y); target= goes with a file")
    x = np.asarray(data)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or not 1 <= x.shape[1] <= MOST_INPUTS:
        raise InputError(f"inputs must have the shape (n, 1 to {MOST_INPUTS}), got {x.shape}")
    called = list(INPUTS[: x.shape[1]] if names is None else names)
    if len(called) != x.shape[1]:
        raise InputError(f"names must name each of the {x.shape[1]} inputs, got {shorten(called)}")
    if len(set(map(str, called))) < len(called):
        raise InputError(f"names of the inputs must differ, got {shorten(called)}")
    if np.shape(y) != (len(x),):
        raise InputError(f"values must have the shape ({len(x)},), one per row of the inputs, got {np.shape(y)}")
    given = [(str(one), x[:, i]) for i, one in enumerate(called)]
    return _workload(name, ("the table", "row 0"), given, (TARGET, np.asarray(y)), starts)


def _read(path: Path) -> tuple[list[tuple[str, Any]], list[str], str]:
    """Return the columns of a file as texts, by name, their names, and where they begin."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, header=None, dtype=str, skipinitialspace=True, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"workload file {str(path)!r} does not exist") from None
    except (OSError, ValueError) as error:
        raise InputError(f"workload file {str(path)!r} cannot be read as CSV: {' '.join(str(error).split())}") from None
    first = [text.strip() for text in frame.iloc[0]]
    headed = not all(_is_number(text) for text in first)
    names = first if headed else [*(f"x{i}" for i in range(len(first) - 1)), TARGET]
    if len(set(names)) < len(names) or "" in names:
        raise InputError(f"{path}: columns need different names in the first row, got {', '.join(map(repr, names))}")
    rows = frame.iloc[1:] if headed else frame
    return [(name, rows[i].to_numpy()) for i, name in enumerate(names)], names, f"line {1 + headed}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _target(what: str, columns: Sequence[str], target: str | None) -> str:
    if len(columns) < 2:
        raise InputError(f"{what} has the column {columns[0]!r} alone: expected one or more inputs and the values, separated by commas")
    if target is not None and target not in columns:
        raise InputError(f"{what} has no column {target!r}: its columns are {', '.join(columns)}")
    if target is not None:
        return target
    return TARGET if TARGET in columns else columns[-1]


def _workload(name: str, source: tuple[str, str], inputs: Sequence[tuple[str, Any]], values: tuple[str, Any], starts: int) -> Workload:
    what, begin = source
    if len(inputs) > MOST_INPUTS:
        raise InputError(
            f"{what} has {len(inputs)} inputs, at most {MOST_INPUTS} fit: {', '.join(one for one, _ in inputs)}; leave some columns out"
        )
    numbers = [_numbers(what, begin, one, column) for one, column in [*inputs, values]]
    if len(numbers[0]) < FEWEST_ROWS:
        raise InputError(f"{what} has {len(numbers[0])} rows, expected {FEWEST_ROWS} or more: half of them are fitted to, half judged by")
    found = Table(_as_words([one for one, _ in inputs]), np.stack(numbers[:-1], axis=1), numbers[-1], starts)
    for part in (found.arrays().train_y, found.arrays().test_y):
        if not np.ptp(part) > 0:
            raise InputError(f"column {values[0]!r} of {what} is {part[0]:g} in all or nearly all rows: there is nothing to be found")
    return Workload(name, found, frozenset({inputs_trait(found.inputs)}))


def _as_words(names: Sequence[str]) -> tuple[str, ...]:
    """Return names as they can stand in a formula that is to be read again: ``unit price (EUR)`` is ``unit_price_EUR``."""
    words: list[str] = []
    for name in names:
        word = name if name.isidentifier() else re.sub(r"\W+", "_", name).strip("_")
        word = f"_{word}" if not word or word[0].isdigit() else word
        while keyword.iskeyword(word) or word in words:
            word += "_"
        words.append(word)
    return tuple(words)


def _numbers(what: str, begin: str, name: str, column: Any) -> Floats:
    word, first = begin.split()
    found = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        try:
            found[row] = float(value)
        except (TypeError, ValueError):
            found[row] = np.nan
        if not np.isfinite(found[row]):
            shown = "empty" if isinstance(value, str) and not value.strip() else shorten(getattr(value, "item", lambda v=value: v)())
            raise InputError(f"column {name!r} of {what} is {shown} in {word} {int(first) + row}, expected a finite number")
    return found
