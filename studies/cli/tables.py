"""Tables, quantities and notes as the command line prints them: for people on a terminal, plain aligned text elsewhere."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from designgym.core.metrics import shown_unit
from designgym.studies.figures.units import fixed_point

LONGEST_COUNT = 10**15  # larger numbers of designs are shown by their order of magnitude
SIGNIFICANT_DIGITS = 6  # what people compare; JSON and Parquet have every digit


def format_number(value: float) -> str:
    """Return a number with thousands separators and about six significant digits; integers, and whole numbers below 10^9, are exact."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "infinite" if value == math.inf else str(value)
    if value == 0:
        return "0"
    # beyond that in powers of ten as programming languages write them: a terminal may have no raised digits
    return fixed_point(value, SIGNIFICANT_DIGITS) if 1e-4 <= abs(value) < 1e9 else f"{value:.{SIGNIFICANT_DIGITS}g}"


def format_quantity(value: float, unit: str) -> str:
    """Return a number with its unit, as declared; counts and ratios (unit ``"1"`` or none) stand alone."""
    return f"{format_number(value)} {shown_unit(unit)}".rstrip()


def format_cell(value: Any) -> str:
    """Return a table cell as text: ``-`` for nothing, readable numbers, sequences joined by commas."""
    if value is None:
        return "-"
    if isinstance(value, bool | int | float):
        return format_number(value)
    if isinstance(value, list | tuple):
        return ", ".join(format_cell(item) for item in value)
    return str(value)


def design_value(value: Any) -> str:
    """Return a design's value as a table cell; groups and orderings in short."""
    from designgym.studies.figures.design_texts import plain_value

    return plain_value(value) if isinstance(value, bool | list | tuple) else format_cell(value)


def counted(count: int, what: str) -> str:
    """Return a count with what is counted: ``1 duplicate``, ``2,000 duplicates``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def size_in_words(size: int | None) -> str:
    """Return the number of designs of a space: ``1,769,472``, ``2.3e78``, ``infinitely many`` for None, a continuum."""
    if size is None:
        return "infinitely many"
    return f"{size:,}" if size < LONGEST_COUNT else f"{Decimal(size):.1e}".replace("e+", "e")


def with_unit(name: str, unit: str) -> str:
    """Return a column title with its unit: ``latency_ns [ns]``."""
    return f"{name} [{unit}]" if shown_unit(unit) else name


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table on standard output; columns of numbers are aligned at the right.

    Args:
        title: Shown above; empty for none.
        columns: Titles of the columns; put units in them with `with_unit`.
        rows: One sequence of values per row, as many as there are columns. Values are formatted by `format_cell`.
    """
    values = [list(row) for row in rows]
    cells = [[format_cell(value) for value in row] for row in values]
    numeric = [
        bool(values) and all(value is None or isinstance(value, int | float) for value in column) for column in zip(*values, strict=True)
    ]
    numeric = numeric or [False] * len(columns)
    if sys.stdout.isatty():
        _print_rich(title, columns, cells, numeric)
        return
    if title:
        print(title)
    widths = [max(len(text) for text in column) for column in zip(columns, *cells, strict=True)]
    for line in [list(columns), *cells]:
        padded = [text.rjust(w) if right else text.ljust(w) for text, w, right in zip(line, widths, numeric, strict=True)]
        print("  ".join(padded).rstrip())


def print_pairs(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print ``name  value`` lines with the values aligned; a value that is None or empty is left out."""
    shown = [(name, format_cell(value)) for name, value in pairs if value not in (None, "", (), [])]
    width = max((len(name) for name, _ in shown), default=0)
    room = shutil.get_terminal_size().columns - width - 2 if sys.stdout.isatty() else 0
    for name, value in shown:
        lines = textwrap.wrap(value, max(room, 30), break_on_hyphens=False, break_long_words=False) if room else [value]
        for number, line in enumerate(lines):
            print(f"{'' if number else name:<{width}}  {line}")


def print_descriptions(texts: Sequence[str], what: str = "") -> None:
    """Print what designs amount to below their table, by their number there; several lines are indented."""
    for number, text in enumerate(texts, 1):
        lines = text.splitlines()
        head = f"{what}{number}:"
        print(f"{head} {lines[0]}" if len(lines) == 1 else "\n".join([head, *(f"    {line}" for line in lines)]))


def note(message: str) -> None:
    """Print a remark for people on standard error, so that standard output holds results only."""
    print(message, file=sys.stderr, flush=True)


def users_code() -> contextlib.AbstractContextManager[object]:
    """Return a context for code of the user: what it prints goes to standard error, so that standard output holds results only."""
    return contextlib.redirect_stdout(sys.stderr)


def _print_rich(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(text) for text in row))
    Console().print(table)
