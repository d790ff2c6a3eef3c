"""Comparing memory systems with other simulators' published runs: what is computed, and how bad tables are refused."""

from pathlib import Path

import pytest

from designgym.core.errors import InputError
from designgym.envs.dram_peers import PEERS, WITHOUT_COUNTERPART
from designgym.envs.dram_peers_validation import MemorySystemValidator

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
HEADER = "simulator,config,trace,total_cycles,avg_read_latency_ns"
SIMULATOR, NAME = next(key for key in PEERS if "no refresh" in key[1])
ROW = f'{SIMULATOR},"{NAME}",tiny,28,32.5'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.stl").write_text("0:\tread\t0x0\n4:\tread\t0x40\n")
    (tmp_path / "writes.stl").write_text("0:\twrite\t0x0\n")
    return tmp_path


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_run_worked_out_by_hand(folder: Path) -> None:
    """DDR3-1600J: ACT in clock 1 at the latest, RD ten clocks on, data after ten more and four clocks long: 24 clocks, then 4 more."""
    result = MemorySystemValidator().compare(table(folder, ROW), folders=[folder], oracle=None)
    assert result.ours["total_cycles"] == [28.0]
    assert result.ours["avg_read_latency_ns"] == [1.25 * 24]
    clocks, latency = result.columns
    assert (clocks.column, clocks.equal_rows, clocks.max_abs_error) == ("total_cycles: DRAMSys 4.0", 1, 0.0)
    assert (latency.equal_rows, latency.max_abs_error) == (0, 2.5)
    assert (result.equal_rows, result.rows) == (0, 1)


def test_cells_may_be_empty_and_columns_may_be_missing(folder: Path) -> None:
    result = MemorySystemValidator().compare(table(folder, ROW.replace(",32.5", ",")), folders=[folder], oracle=None)
    assert (result.equal_rows, result.columns[1].rows) == (1, 0)
    header, row = HEADER.rpartition(",")[0], ROW.rpartition(",")[0]
    result = MemorySystemValidator().compare(table(folder, row, header=header), folders=[folder], oracle=None)
    assert [column.column for column in result.columns] == ["total_cycles: DRAMSys 4.0"]


def test_a_trace_without_reads_has_no_latency_of_reads(folder: Path) -> None:
    result = MemorySystemValidator().compare(table(folder, ROW.replace("tiny", "writes")), folders=[folder], oracle=None)
    assert result.ours["avg_read_latency_ns"] == [None]
    assert (result.columns[1].rows, result.columns[1].equal_rows) == (1, 0)


def test_what_nothing_here_is_close_to_is_refused_with_its_reason(folder: Path) -> None:
    (simulator, config), reason = next(iter(WITHOUT_COUNTERPART.items()))
    rows = [ROW, f'{simulator},"{config}",tiny,28,30']
    result = MemorySystemValidator().compare(table(folder, *rows), folders=[folder], oracle=None)
    assert result.ours["total_cycles"] == [28.0, None]
    assert result.rows == 2 and len(result.refused) == 1 and "row 2 (line 3)" in result.refused[0] and reason in result.refused[0]


BAD = {
    "missing columns": ("simulator,trace,total_cycles", ["a,tiny,1"], "lacks the columns config"),
    "nothing to compare": ("simulator,config,trace", ["a,b,tiny"], "has no column to compare"),
    "no rows": (HEADER, [], "has no row to compare"),
    "unknown configuration": (
        HEADER,
        ["DRAMsim3,fast,tiny,1,1"],
        r"row 1 \(line 2\): unknown configuration 'fast' of simulator 'DRAMsim3'",
    ),
    "bad number": (HEADER, [ROW.replace(",28,", ",many,")], r"row 1 \(line 2\), column total_cycles: got 'many'"),
    "unknown trace": (HEADER, [ROW.replace("tiny", "teeny")], r"unknown traces in column trace: 'teeny' \(row 1, line 2\)"),
    "no trace": (HEADER, [ROW.replace("tiny", "")], "column trace: it is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_with_row_and_column(folder: Path, name: str) -> None:
    header, rows, message = BAD[name]
    with pytest.raises(InputError, match=message):
        MemorySystemValidator().compare(table(folder, *rows, header=header), folders=[folder], oracle=None)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference tables are not here (../shared/oracle)")
def test_dramsys_is_met_exactly_and_the_others_closely() -> None:
    (path,) = MemorySystemValidator().tables(ORACLE)
    result = MemorySystemValidator().compare(path, folders=[], oracle=ORACLE)
    assert result.rows - result.equal_rows == len(result.refused) == 6
    exact = [column for column in result.columns if "DRAMSys" in column.column]
    assert {(column.rows, column.equal_rows) for column in exact} == {(36, 36)}
    assert exact[0].max_abs_error == 0
