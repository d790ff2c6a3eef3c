"""Validating the DRAM simulator against tables of DRAMSys outputs: what is computed, and how bad tables are refused."""

from pathlib import Path

import pytest

from designgym.core.errors import InputError
from designgym.envs.dram_validation import DramValidator

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
HEADER = (
    "design_id,PagePolicy,Scheduler,SchedulerBuffer,RequestBufferSize,RespQueue,RefreshPolicy,RefreshMaxPostponed,RefreshMaxPulledin,"
    "Arbiter,MaxActiveTransactions,trace,status,time_ns,n_RD"
)
ROW = "A,Open,Fifo,Bankwise,1,Fifo,NoRefresh,1,1,Simple,1,tiny,ok,100.0,2"
TRACE = "0:\tread\t0x0\n4:\tread\t0x40\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.stl").write_text(TRACE)
    (tmp_path / "broken.stl").write_text(TRACE + "5:\tread\tzero\n")
    return tmp_path


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_errors_are_counted_and_ours_keeps_the_order_of_the_rows(folder: Path) -> None:
    rows = [ROW, ROW.replace("ok", "crash"), ROW.replace("100.0", ""), ROW.replace(",2", ",3")]
    result = DramValidator().compare(table(folder, *rows), folders=[folder], oracle=None)
    time, reads = result.columns
    assert (time.column, time.rows, time.equal_rows, time.tolerance) == ("time_ns", 2, 0, 0.001)
    assert (reads.column, reads.rows, reads.equal_rows, reads.max_abs_error, reads.worst_row) == ("n_RD", 3, 2, 1.0, "A on tiny")
    ours = result.ours["time_ns"]
    assert ours[1] is None and ours[0] == ours[2] == ours[3] and ours[0] is not None and ours[0] > 0
    assert (result.rows, result.equal_rows) == (3, 1)


def test_an_output_can_be_compared_again(folder: Path) -> None:
    first = DramValidator().compare(table(folder, ROW), folders=[folder], oracle=None)
    again = DramValidator().compare(table(folder, f"{ROW},1,1", header=f"{HEADER},ours_time_ns,ours_n_RD"), folders=[folder], oracle=None)
    assert again == first


BAD = {
    "empty": ("", [], "is empty"),
    "no rows": (HEADER, [], "has no row to compare"),
    "no ok row": (HEADER, [ROW.replace("ok", "crash")], "none has status 'ok'"),
    "missing columns": (HEADER.replace("Arbiter,", "").replace("trace,", ""), [], "lacks the columns Arbiter, trace"),
    "nothing to compare": (HEADER.replace("time_ns", "a").replace("n_RD", "b"), [ROW], "has no column to compare"),
    "column twice": (HEADER.replace("n_RD", "time_ns"), [ROW], "column 'time_ns' is there twice"),
    "too few cells": (HEADER, [ROW, ROW[:-2]], r"row 2 \(line 3\): 14 cells, expected 15"),
    "bad choice": (HEADER, [ROW, ROW.replace("Open", "Opened")], r"row 2 \(line 3\): PagePolicy must be one of Open.*'Opened'"),
    "bad number": (HEADER, [ROW.replace("Bankwise,1,", "Bankwise,1.5,")], r"row 1 \(line 2\), column RequestBufferSize: got '1.5'"),
    "number out of range": (HEADER, [ROW.replace("Bankwise,1,", "Bankwise,0,")], r"row 1 \(line 2\): RequestBufferSize must be .*0"),
    "bad result": (HEADER, [ROW.replace("100.0", "fast")], r"row 1 \(line 2\), column time_ns: got 'fast', expected a finite number"),
    "infinite result": (HEADER, [ROW.replace("100.0", "inf")], r"column time_ns: got 'inf'"),
    "unknown traces": (
        HEADER,
        [ROW, ROW.replace("tiny", "teeny"), ROW.replace("tiny", "weeny"), ROW.replace("tiny", "teeny"), ROW.replace("tiny", "broken")],
        r"names unknown traces in column trace: 'teeny' \(row 2, line 3\), 'weeny' \(row 3, line 4\)\. Looked for .*--workloads DIR$",
    ),
    "unknown traces of ArchGym": (HEADER, [ROW.replace("tiny", "cloud-2")], r"'cloud-2' \(row 1, line 2\).*designgym data import dram"),
    "no trace": (HEADER, [ROW.replace("tiny", "")], r"row 1 \(line 2\), column trace: it is empty"),
    "broken trace": (HEADER, [ROW.replace("tiny", "broken")], r"column trace: .*broken.stl.* line 3"),
    "broken quotes": (HEADER, ['"A"x,' + ROW[2:]], "not CSV"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_with_row_and_column(folder: Path, name: str) -> None:
    header, rows, message = BAD[name]
    with pytest.raises(InputError, match=message):
        DramValidator().compare(table(folder, *rows, header=header), folders=[folder], oracle=None)


def test_unreadable_tables(folder: Path) -> None:
    (folder / "bytes.csv").write_bytes(b"\xff\xfe,\n")
    for path, message in [(folder / "none.csv", "No such file"), (folder, "Is a directory"), (folder / "bytes.csv", "not UTF-8")]:
        with pytest.raises(InputError, match=message):
            DramValidator().compare(path, folders=[], oracle=None)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference tables are not here (../shared/oracle)")
def test_public_tables_are_found_and_their_rows_are_equal(folder: Path) -> None:
    tables = DramValidator().tables(ORACLE)
    assert [path.name for path in tables] == ["dramsys_ddr3_public.csv", "dramsys_ddr3_oat_public.csv", "dramsys_ddr3_mixed_public.csv"]
    lines = tables[2].read_text().splitlines()
    result = DramValidator().compare(table(folder, *lines[1:40], header=lines[0]), folders=[], oracle=ORACLE)
    assert (result.rows, result.equal_rows, len(result.columns)) == (39, 39, 18)
