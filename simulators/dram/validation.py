"""Comparing the simulation with the outputs of a reference, row by row and column by column."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from designgym.core.errors import InputError
from designgym.core.validation import ColumnComparison
from designgym.simulators.dram.controller import PARAMETER_NAMES, ControllerConfig
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.run import DramRun
from designgym.simulators.dram.simulate import default_memory, simulate_batch
from designgym.simulators.dram.trace import Trace

__all__ = ["COMPARED_COLUMNS", "Comparison", "compare_with_reference"]


@dataclass(frozen=True)
class _Column:
    """How a column of a reference is computed, and by how much a printed value may differ from the exact one."""

    value: Callable[[DramRun, MemorySpec], float]
    tolerance: float


def _count(name: str) -> _Column:
    return _Column(lambda run, memory: run.counts[name], 0)


def _bandwidth(run: DramRun, memory: MemorySpec, time_ns: float) -> float:
    """Return the bandwidth in Gb/s as DRAMSys counts it: over the requests that the controller knows to be answered."""
    return run.n_completed * memory.burst_bytes * 8 / time_ns


# Names as in the tables of reference outputs; half a unit of the last printed digit, and a little for binary rounding.
_COLUMNS: dict[str, _Column] = {
    "time_ns": _Column(lambda run, memory: run.total_time_ns, 0.001),
    "energy_pJ": _Column(lambda run, memory: run.energy_pj, 0.01),
    "power_mW": _Column(lambda run, memory: run.power_mw, 0.005001),
    "avg_bw_Gbps": _Column(lambda run, memory: _bandwidth(run, memory, run.total_time_ns), 0.005001),
    "avg_bw_pct": _Column(lambda run, memory: 100 * _bandwidth(run, memory, run.total_time_ns) / memory.peak_bandwidth_gbps, 0.005001),
    "avg_bw_noidle_Gbps": _Column(lambda run, memory: _bandwidth(run, memory, run.busy_time_ns), 0.005001),
    "max_bw_Gbps": _Column(lambda run, memory: memory.peak_bandwidth_gbps, 0.005001),
    "lat_avg_ns": _Column(lambda run, memory: run.latency.avg_ns, 5.01e-7),
    "lat_acc_avg_ns": _Column(lambda run, memory: run.latency_from_accept.avg_ns, 5.01e-7),
    "lat_max_ns": _Column(lambda run, memory: run.latency.max_ns, 5.01e-4),
    "n_ACT": _count("ACT"),
    "n_PRE": _count("PRE"),
    "n_PREA": _count("PREA"),
    "n_RD": _count("RD"),
    "n_RDA": _count("RDA"),
    "n_WR": _count("WR"),
    "n_WRA": _count("WRA"),
    "n_REFA": _count("REFA"),
}
COMPARED_COLUMNS = tuple(_COLUMNS)


@dataclass(frozen=True)
class Comparison:
    """The outcome: `errors` by column, and the reference `table` with a column ``ours_NAME`` for every compared column."""

    table: pd.DataFrame
    errors: tuple[ColumnComparison, ...] = field(default=())

    @property
    def equal_rows(self) -> int:
        """Rows of which every compared column is equal."""
        return int(self.equal.sum())

    @property
    def equal(self) -> "pd.Series[bool]":
        """Whether every compared column is equal, by row."""
        equal = pd.Series(True, index=self.table.index)
        for error in self.errors:
            equal &= _is_equal(self.table, error.column, error.tolerance)
        return equal

    def to_pandas(self) -> pd.DataFrame:
        """Return the error table, one row per column."""
        return pd.DataFrame([vars(error) for error in self.errors])


def compare_with_reference(
    reference: pd.DataFrame,
    find_trace: Callable[[str], Trace],
    memory: MemorySpec | None = None,
    *,
    threads: int = 1,
    tolerances: Mapping[str, float] | None = None,
) -> Comparison:
    """Simulate every row of a reference and compare the columns of `COMPARED_COLUMNS` that it has.

    Args:
        reference: The ten parameters, `trace`, and any of `COMPARED_COLUMNS`; rows whose `status` is not ``ok`` are dropped,
            and columns ``ours_NAME`` of an earlier comparison replaced.
        find_trace: Returns the trace of a name; its errors pass through.
        memory: The memory, by default `default_memory`.
        threads: Simulations at a time.
        tolerances: Other tolerances than the default ones, by column.

    Raises:
        InputError: If a column for the parameters or the trace is missing, or none is left to compare.
    """
    memory = default_memory() if memory is None else memory
    missing = [name for name in (*PARAMETER_NAMES, "trace") if name not in reference.columns]
    if missing:
        raise InputError(f"The reference lacks the columns {', '.join(missing)}. It needs the ten parameters and the name of the trace.")
    columns = [name for name in COMPARED_COLUMNS if name in reference.columns]
    if not columns:
        raise InputError(f"The reference has none of the columns that can be compared: {', '.join(COMPARED_COLUMNS)}.")
    table = reference[reference["status"] == "ok"].copy() if "status" in reference.columns else reference.copy()
    ours = pd.DataFrame(index=table.index, columns=[f"ours_{name}" for name in columns], dtype=float)
    table = table.drop(columns=ours.columns, errors="ignore")  # of an output that is compared again
    for trace_name, rows in table.groupby("trace", sort=False):
        trace = find_trace(str(trace_name))
        configs = [ControllerConfig.from_mapping(row) for row in rows[list(PARAMETER_NAMES)].to_dict("records")]
        runs = simulate_batch(configs, trace, memory, threads=threads)
        ours.loc[rows.index] = [[np.nan if run.failed else _COLUMNS[name].value(run, memory) for name in columns] for run in runs]
    table = pd.concat([table, ours], axis=1)
    limits = {name: (tolerances or {}).get(name, _COLUMNS[name].tolerance) for name in columns}
    return Comparison(table, tuple(_column_error(table, name, limits[name]) for name in columns))


def _difference(table: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Return the absolute differences; infinite where the simulation failed, NaN where the reference has no value."""
    reference = table[column].astype(float)
    ours = table[f"ours_{column}"].astype(float)
    return (ours - reference).abs().mask(ours.isna() & reference.notna(), np.inf)


def _is_equal(table: pd.DataFrame, column: str, tolerance: float) -> "pd.Series[bool]":
    difference = _difference(table, column)
    return (difference <= tolerance) | difference.isna()


def _column_error(table: pd.DataFrame, column: str, tolerance: float) -> ColumnComparison:
    difference = _difference(table, column).dropna()
    if difference.empty:
        return ColumnComparison(column, 0, 0, tolerance, 0.0, 0.0, None)
    reference = table.loc[difference.index, column].astype(float).abs()
    relative = (difference / reference)[reference > 0]
    worst = difference.idxmax()
    return ColumnComparison(
        column=column,
        rows=len(difference),
        equal_rows=int((difference <= tolerance).sum()),
        tolerance=tolerance,
        max_abs_error=float(difference.max()),
        max_rel_error=float(relative.max()) if len(relative) else 0.0,
        worst_row=_label(table, worst),
    )


def _label(table: pd.DataFrame, index: object) -> str:
    row = table.loc[index]  # type: ignore[call-overload]
    name = row.get("design_id", row.get("row", index))
    return f"{name} on {row['trace']}"
