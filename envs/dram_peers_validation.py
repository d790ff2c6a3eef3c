"""`MemorySystemValidator`: published runs of DRAMSys, DRAMsim3 and Ramulator 2, compared with the memory systems that come closest."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from designgym.core.errors import InputError, shorten
from designgym.core.validation import ColumnComparison, TableComparison
from designgym.envs.dram_peers import DRAMSYS, PEERS, WITHOUT_COUNTERPART, Peer
from designgym.envs.dram_validation import TRACES, find_trace, require_traces
from designgym.envs.reference_tables import agrees, column_comparison, number_in, read_table

if TYPE_CHECKING:
    from designgym.simulators.dram.trace import Trace

TABLE = "dram_cross_simulators.csv"
CLOCKS, LATENCY = "total_cycles", "avg_read_latency_ns"
_NAMED = ("simulator", "config", "trace")

# DRAMSys prints whole clocks, and latencies in picoseconds. The others are models of their own: what is allowed is what they may differ
# by among themselves, with and without writes.
_EXACT = 1e-5
_READS, _MIXED, _LATENCIES = 0.10, 0.15, 0.20


@dataclass(frozen=True)
class _Case:
    label: str
    peer: Peer
    trace: Trace
    simulator: str
    expected: dict[str, float]

    def compared_under(self, column: str) -> tuple[str, float]:
        """Return what a column of it is listed under, and how far it may be off."""
        if self.simulator == DRAMSYS:
            return self.simulator, _EXACT
        if column == LATENCY:
            return self.simulator, _LATENCIES
        mixed = bool(np.any(self.trace.is_write))
        return f"{self.simulator}, {'reads and writes' if mixed else 'reads'}", _MIXED if mixed else _READS


class MemorySystemValidator:
    """Compares memory systems with tables of other simulators' runs (a `ReferenceValidator`).

    A row names the simulator, its configuration (`PEERS` has those that are known) and a trace, and has the total time in clocks of the
    memory (``total_cycles``), the mean latency of reads (``avg_read_latency_ns``), or both. A request is offered per clock from its time
    stamp on, so that time stamps count clocks of the memory at hand. A latency is from when a request is first offered until its data has
    been moved.
    """

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public table if it is in the folder."""
        return [oracle / TABLE] if (oracle / TABLE).is_file() else []

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Simulate every row and compare; rows of configurations that nothing here is close to are refused, with the reason.

        Raises:
            InputError: If the table cannot be used or a trace is not found, naming the row and the column.
        """
        header, rows = read_table(reference)
        if missing := [name for name in _NAMED if name not in header]:
            raise InputError(f"{reference} lacks the columns {', '.join(missing)}: it needs {', '.join(_NAMED)}")
        compared = [name for name in (CLOCKS, LATENCY) if name in header]
        if not compared:
            raise InputError(f"{reference} has no column to compare: expected {CLOCKS}, {LATENCY} or both")
        searched = [*folders, *([oracle / TRACES] if oracle is not None and (oracle / TRACES).is_dir() else [])]
        find = find_trace(searched)
        require_traces(reference, rows, find, searched)
        cases: dict[int, _Case] = {}
        refused: list[str] = []
        for index, (line, row) in enumerate(rows):
            place = f"{reference} row {index + 1} (line {line})"
            expected = {name: number_in(f"{place}, column {name}", row[name]) for name in compared}
            if reason := WITHOUT_COUNTERPART.get((row["simulator"], row["config"])):
                refused.append(f"{place}: {row['simulator']}, {row['config']}, {row['trace']}: {reason}")
                continue
            peer = PEERS.get((row["simulator"], row["config"]))
            if peer is None:
                raise InputError(
                    f"{place}: unknown configuration {shorten(row['config'])} of simulator {shorten(row['simulator'])}; known are "
                    + "; ".join(f"{simulator}: {config}" for simulator, config in PEERS)
                )
            try:
                trace = find(row["trace"])
            except InputError as error:
                raise InputError(f"{place}, column trace: {error}") from None
            cases[index] = _Case(f"{row['config']}, {row['trace']}", peer, trace, row["simulator"], expected)
        if not cases and not refused:
            raise InputError(f"{reference} has no row to compare")
        ours = {index: _run(case) for index, case in cases.items()}
        shown: dict[str, list[float | None]] = {name: [None] * len(rows) for name in compared}
        for name, (index, values) in itertools.product(compared, ours.items()):
            shown[name][index] = None if math.isnan(values[name]) else values[name]
        columns, wrong = _columns(cases, ours, compared)
        return TableComparison(tuple(columns), shown, len(cases) - len(wrong), len(rows), refused=tuple(refused))


def _run(case: _Case) -> dict[str, float]:
    """Return our total time in clocks and our mean latency of reads in ns, NaN where there is none."""
    from designgym.simulators.dram.system.config import MemorySystemConfig
    from designgym.simulators.dram.system.simulate import simulate_system
    from designgym.simulators.dram.trace import Trace

    memory = case.peer.memory()
    trace = Trace(case.trace.name, case.trace.arrival_ticks, case.trace.is_write, case.trace.addresses, memory.clock_ns)
    run = simulate_system(MemorySystemConfig.from_mapping({"Memory": "DDR3-1600", **case.peer.design}), trace, memory)
    assert run.requests is not None
    reads = ~np.asarray(trace.is_write, dtype=bool)
    clocks = (run.requests.response - run.requests.presented)[reads]
    return {
        CLOCKS: run.total_time_ns / memory.clock_ns,
        LATENCY: float(clocks.mean()) * memory.clock_ns if clocks.size else math.nan,
    }


def _columns(
    cases: dict[int, _Case], ours: dict[int, dict[str, float]], compared: Sequence[str]
) -> tuple[list[ColumnComparison], set[int]]:
    """Return how far each column is off, by simulator, and the rows in which one is not equal."""
    columns: list[ColumnComparison] = []
    wrong: set[int] = set()
    for name in compared:
        groups: dict[tuple[str, float], list[int]] = {}
        for index, case in cases.items():
            if name == LATENCY and not case.peer.same_latency:
                continue
            groups.setdefault(case.compared_under(name), []).append(index)
        for (group, tolerance), members in groups.items():
            values = [ours[index][name] for index in members]
            expected = [cases[index].expected[name] for index in members]
            columns.append(column_comparison(f"{name}: {group}", expected, values, tolerance, [cases[index].label for index in members]))
            wrong |= {i for i, e, v in zip(members, expected, values, strict=True) if not agrees(e, v, tolerance)}
    return columns, wrong
