"""Traces of requests from CSV files, under the column names that are in use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from designgym.core.errors import InputError, shorten
from designgym.simulators.serving.request_trace import RequestTrace

__all__ = ["holds_requests", "read_requests"]

# Ours; Azure's own, 2023 and 2024; Vidur's and those made from it; splitwise-sim's; traces at one request per second.
_NAMES = {
    "arrival_s": ("arrival_s", "TIMESTAMP", "arrived_at", "arrival_timestamp", "arrival_unit_rate"),
    "prompt_tokens": ("prompt_tokens", "ContextTokens", "num_prefill_tokens", "prompt_size"),
    "output_tokens": ("output_tokens", "GeneratedTokens", "num_decode_tokens", "token_size"),
    "priority": ("priority",),
}
_OPTIONAL = {"priority"}


def read_requests(path: Path, *, requests: int | None = None, rate_rps: float | None = None, users: int = 0) -> RequestTrace:
    """Return the requests of a CSV file.

    Columns are ``arrival_s``, ``prompt_tokens``, ``output_tokens`` and, if wanted, ``priority``; the names of the Azure, Vidur and
    splitwise-sim traces are known too. Times may be seconds or dates, and start at 0 when read.

    Args:
        path: The file.
        requests: Only so many, from the first.
        rate_rps: Stretch or shrink all gaps so that requests come at this rate on average.
        users: Of a closed loop, which leaves out the arrival times; 0 for none.

    Raises:
        InputError: If the file cannot be used, naming the row.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read requests from {str(path)!r}: {' '.join(str(error).split())}") from None
    columns: dict[str, pd.Series] = {}
    for ours, names in _NAMES.items():
        found = [name for name in names if name in table.columns]
        if not found and ours not in _OPTIONAL:
            raise InputError(
                f"{str(path)!r} has no column {ours} (also known as {', '.join(names[1:])}), it has {shorten(list(table.columns))}"
            )
        if found:
            columns[ours] = table[found[0]].head(len(table) if requests is None else requests)
    if table.empty:
        raise InputError(f"{str(path)!r} has no requests: expected one or more rows")
    arrivals = _seconds(columns["arrival_s"], path)
    if rate_rps is not None:
        if len(arrivals) < 2 or arrivals[-1] <= 0:
            raise InputError(f"{str(path)!r} has no time between its requests, so a rate cannot be given to it: leave out the rate")
        arrivals = arrivals * ((len(arrivals) - 1) / arrivals[-1] / rate_rps)
    prompts, outputs = (_whole(columns[name], path, name) for name in ("prompt_tokens", "output_tokens"))
    priority = _whole(columns["priority"], path, "priority") if "priority" in columns else None
    try:
        times = np.zeros(len(arrivals)) if users else arrivals
        return RequestTrace.make(times, prompts, outputs, priority=priority, users=users)
    except InputError as error:
        raise InputError(f"{str(path)!r}: {error}") from None


def holds_requests(path: Path) -> bool:
    """Return whether the first line of a CSV file names the columns."""
    try:
        with path.open(encoding="utf-8") as file:
            header = {name.strip() for name in file.readline().split(",")}
    except (OSError, UnicodeDecodeError):
        return False
    return all(header & set(names) for ours, names in _NAMES.items() if ours not in _OPTIONAL)


def _seconds(column: pd.Series, path: Path) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column):
        try:
            column = pd.to_datetime(column, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise InputError(f"{str(path)!r}: arrival times are neither seconds nor dates: {' '.join(str(error).split())}") from None
        column = (column - column.iloc[0]).dt.total_seconds()
    times = column.to_numpy(dtype=np.float64)
    return times - (times[0] if len(times) and np.isfinite(times[0]) else 0.0)


def _whole(column: pd.Series, path: Path, name: str) -> np.ndarray:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values) | (values != np.rint(values)))
    if bad.size:
        raise InputError(f"{str(path)!r}: {name} of request {bad[0]} is {shorten(str(column.iloc[bad[0]]))}, expected a whole number")
    return values.astype(np.int64)
