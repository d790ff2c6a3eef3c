"""`SplitwiseValidator`: tables of splitwise-sim's outputs, checked row by row and compared with our simulation of its rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError, shorten
from designgym.core.validation import TableComparison
from designgym.envs.reference_tables import agrees, column_comparison, find_file, number_in, read_table

if TYPE_CHECKING:
    from designgym.simulators.serving.request_trace import RequestTrace

FOLDER = "llm"  # in the folder of reference outputs
TABLE = "splitwise_public.csv"
REQUIRED = ("design", "model", "num_prompt", "num_token", "trace_file")
TOLERANCE = 1e-6  # in each column's unit: tables have six digits after the point
_VERDICTS = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0, "": math.nan}


class SplitwiseValidator:
    """Compares the cluster simulation with tables of splitwise-sim's outputs (a `ReferenceValidator`).

    Traces are looked up in the folders given, beside the table, and in the folder of reference outputs. Verdicts must be equal, all
    other columns within 1e-6.
    """

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public table, if it is in the folder."""
        return [path for path in [oracle / FOLDER / TABLE] if path.is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Simulate every row of a table and compare its columns.

        Raises:
            InputError: If the table cannot be used or a trace is not found, naming the row and the column.
        """
        from designgym.simulators.cluster.splitwise_rows import FIGURES, VERDICTS
        from designgym.simulators.serving.workloads.files import read_requests

        header, rows = read_table(reference)
        if missing := [name for name in REQUIRED if name not in header]:
            raise InputError(f"{reference} lacks the columns {', '.join(missing)}")
        compared = [name for name in (*FIGURES, *VERDICTS) if name in header]
        if not compared:
            raise InputError(f"{reference} has no column to compare: expected one or more of {', '.join((*FIGURES, *VERDICTS))}")
        used = [i for i, (_, row) in enumerate(rows) if row.get("status", "ok") == "ok"]
        if not used:
            raise InputError(f"{reference} has no row to compare" + (": none has status 'ok'" if rows else ""))
        places = [*folders, reference.parent, *([oracle / FOLDER, oracle] if oracle is not None else [])]

        @cache
        def trace(name: str) -> RequestTrace:
            return read_requests(find_file(name, places))

        expected: dict[str, list[float]] = {name: [math.nan] * len(rows) for name in compared}
        ours: dict[str, list[float]] = {name: [math.nan] * len(rows) for name in compared}
        for i in used:
            line, row = rows[i]
            place = f"{reference} row {i + 1} (line {line})"
            for name in compared:
                where = f"{place}, column {name}"
                expected[name][i] = _verdict(where, row[name]) if name in VERDICTS else number_in(where, row[name])
            try:
                requests = trace(row["trace_file"])
            except InputError as error:
                raise InputError(f"{place}, column trace_file: {error}") from None
            found = _simulated(place, row, requests)
            for name in compared:
                ours[name][i] = found[name]
        labels = [f"{row.get('config_id', i + 1)} {row['design']}" for i, (_, row) in enumerate(rows)]
        tolerances = {name: 0.0 if name in VERDICTS or name == "n_requests" else TOLERANCE for name in compared}
        columns = tuple(column_comparison(name, expected[name], ours[name], tolerances[name], labels, relative=False) for name in compared)
        equal = sum(all(agrees(expected[name][i], ours[name][i], tolerances[name], relative=False) for name in compared) for i in used)
        shown = {name: [None if math.isnan(value) else value for value in values] for name, values in ours.items()}
        return TableComparison(columns, shown, equal, len(used))


def _simulated(place: str, row: dict[str, str], trace: RequestTrace) -> dict[str, float | bool]:
    """Return our columns of a row."""
    from designgym.simulators.cluster.designs import DESIGNS, splitwise_cluster
    from designgym.simulators.cluster.machines import MODELS
    from designgym.simulators.cluster.simulate import simulate
    from designgym.simulators.cluster.splitwise_rows import splitwise_row

    prompt, token = (_whole(f"{place}, column {name}", row[name]) for name in ("num_prompt", "num_token"))
    try:
        split = row["design"] in DESIGNS and DESIGNS[row["design"]].token_machine is not None
        config = splitwise_cluster(row["design"], prompt, token if split else 0)  # of a baseline both are the number of all machines
        if row["model"] not in MODELS:
            raise InputError(f"unknown model {shorten(row['model'], 40)}, expected {' or '.join(MODELS)}")
        model = MODELS[row["model"]]
        return splitwise_row(simulate(config, trace, model, token_costs="paper"), model)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _verdict(place: str, text: str) -> float:
    if text.lower() not in _VERDICTS:
        raise InputError(f"{place}: got {shorten(text, 40)}, expected True or False")
    return _VERDICTS[text.lower()]


def _whole(place: str, text: str) -> int:
    value = number_in(place, text)
    if math.isnan(value) or value != int(value) or not 0 <= value <= 100_000:
        raise InputError(f"{place}: got {shorten(text, 40)}, expected a whole number of machines")
    return int(value)
