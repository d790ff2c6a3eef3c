"""`FarsiValidator`: tables of FARSI's outputs, checked row by row and compared with our simulation of FARSI's model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError
from designgym.core.validation import TableComparison
from designgym.envs.reference_tables import agrees, column_comparison, number_in, read_table

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

        header, rows = read_table(reference)
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
                expected[name].append(number_in(f"{place}, column {name}", row[name]))
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
        columns = tuple(column_comparison(name, expected[name], ours[name], TOLERANCE, labels) for name in compared)
        equal = sum(all(agrees(expected[name][i], ours[name][i], TOLERANCE) for name in compared) for i in range(len(rows)))
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


def _workload(name: str, folders: Sequence[Path]) -> SocWorkload:
    """Return a workload: the file of that name in one of the folders, or a built-in one."""
    from designgym.simulators.soc.library import built_in, load

    for folder in folders:
        for suffix in (".json", ".csv"):
            if (path := folder / f"{name}{suffix}").is_file():
                return load(path)
    return built_in(name)
