"""Validating the SoC simulator against tables of FARSI's outputs: what is compared, and how bad tables are refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from designgym.core.errors import InputError
from designgym.envs.farsi_validation import TABLES, FarsiValidator
from designgym.simulators.soc.farsi_design import farsi_soc
from designgym.simulators.soc.library import built_in
from designgym.simulators.soc.simulate import simulate

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
GRAPH = built_in("edge_detection").graph
DESIGN: dict[str, Any] = {
    "pes": ["A53_pe", "computeGradient_IP0_4_6_pe"], "mems": ["LMEM_2_4_mem", "GMEM_3_8_mem"], "buses": ["LMEM_ic_1_4_ic"],
    "pe_to_bus": [0, 0], "mem_to_bus": [0, 0], "bus_links": [],
    "task_to_pe": dict.fromkeys(GRAPH.names, 0) | {"computeGradient": 1},
    "task_to_mem": dict.fromkeys(GRAPH.names, 0) | {"souurce": 1},
}  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    runs = [simulate(farsi_soc(DESIGN, built_in("edge_detection")), built_in("edge_detection"), model="as_farsi", load_order=order)
            for order in ("alphabetical", "file")]  # fmt: skip
    latencies = [run.latency_s for run in runs]
    values = {"row_id": "one", "workload": "edge_detection", "latency_s": latencies[0], "cost": runs[0].cost, "n_phases": runs[1].phases}
    return values | {"latency_s_min": min(latencies), "latency_s_max": max(latencies), "design_json": json.dumps(DESIGN)} | changes


def table(folder: Path, *rows: dict[str, Any], columns: list[str] | None = None) -> Path:
    path = folder / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.skipif(not (ORACLE / TABLES[0]).is_file(), reason=f"reference outputs of FARSI are not at {ORACLE}")
def test_every_column_of_every_public_row_equals_farsi() -> None:
    tables = FarsiValidator().tables(ORACLE)
    assert [path.name for path in tables] == list(TABLES)
    for path, rows, columns in zip(tables, (120, 60), (14, 6), strict=True):
        comparison = FarsiValidator().compare(path, folders=[], oracle=ORACLE)
        assert comparison.equal_rows == comparison.rows == rows and len(comparison.columns) == columns
        assert all(column.equal_rows == column.rows == rows and column.max_rel_error < 1e-9 for column in comparison.columns)


def test_errors_are_relative_and_ours_keeps_the_order_of_the_rows(tmp_path: Path) -> None:
    good = row()
    off = row(row_id="two", latency_s=good["latency_s"] * (1 + 3e-9), cost="")
    result = FarsiValidator().compare(table(tmp_path, good, off), folders=[], oracle=None)
    columns = {column.column: column for column in result.columns}
    assert (result.rows, result.equal_rows) == (2, 1) and list(columns) == [
        "latency_s",
        "cost",
        "n_phases",
        "latency_s_min",
        "latency_s_max",
    ]
    latency = columns["latency_s"]
    assert (latency.rows, latency.equal_rows, latency.worst_row) == (2, 1, "two on edge_detection")
    assert latency.max_rel_error == pytest.approx(3e-9, rel=1e-3) and (columns["cost"].rows, columns["cost"].equal_rows) == (1, 1)
    assert result.ours["latency_s"] == [good["latency_s"]] * 2


def test_what_cannot_be_simulated_is_not_equal(tmp_path: Path) -> None:
    idle = json.dumps({**DESIGN, "task_to_pe": dict.fromkeys(GRAPH.names, 1)})
    result = FarsiValidator().compare(table(tmp_path, row(design_json=idle)), folders=[], oracle=None)
    assert result.equal_rows == 0 and result.ours["latency_s"] == [None] and result.columns[0].max_abs_error == float("inf")


def test_workloads_of_a_folder_come_first(tmp_path: Path) -> None:
    tasks = [{"name": name, "processor_cycles": 1e6 * (name == "f")} for name in ("in", "f", "out")]
    (tmp_path / "mine.json").write_text(json.dumps({"tasks": tasks, "transfers": [["in", "f", 1000], ["f", "out", 1000]]}))
    everywhere = dict.fromkeys(("in", "f", "out"), 0)
    design = {**DESIGN, "pes": ["A53_pe"], "pe_to_bus": [0], "task_to_pe": everywhere, "task_to_mem": everywhere}
    path = table(tmp_path, {"workload": "mine", "latency_s": 1e-3, "design_json": json.dumps(design)})
    assert FarsiValidator().compare(path, folders=[tmp_path], oracle=None).equal_rows == 1


def broken(**changes: Any) -> str:
    return json.dumps({**DESIGN, **changes})


BAD: dict[str, tuple[list[dict[str, Any]], str]] = {
    "unknown workload": ([row(), row(workload="edges")], r"row 2 \(line 3\), column workload: unknown workload 'edges'"),
    "no JSON": ([row(design_json="{")], r"row 1 \(line 2\), column design_json: got '\{', expected JSON"),
    "no list": ([row(design_json="[]")], "expected an object with pes, mems"),
    "unknown block": ([row(design_json=broken(mems=["HBM_0_1_mem", "LMEM_0_1_mem"]))], "column design_json: got block 'HBM_0_1_mem'"),
    "no such bus": ([row(design_json=broken(pe_to_bus=[0, 1]))], "column design_json: pe_bus names bus 1, expected a number from 0 to 0"),
    "task left out": ([row(design_json=broken(task_to_pe={}))], "task_pe lacks the task 'souurce'"),
    "bad number": ([row(latency_s="fast")], r"row 1 \(line 2\), column latency_s: got 'fast'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_refused_with_row_and_column(tmp_path: Path, name: str) -> None:
    rows, message = BAD[name]
    with pytest.raises(InputError, match=message):
        FarsiValidator().compare(table(tmp_path, *rows), folders=[], oracle=None)


def test_bad_tables_are_refused(tmp_path: Path) -> None:
    validator = FarsiValidator()
    with pytest.raises(InputError, match="lacks the columns design_json"):
        validator.compare(table(tmp_path, row(), columns=["workload", "latency_s"]), folders=[], oracle=None)
    with pytest.raises(InputError, match="has no column to compare"):
        validator.compare(table(tmp_path, row(), columns=["workload", "design_json"]), folders=[], oracle=None)
    with pytest.raises(InputError, match="cannot read"):
        validator.compare(tmp_path / "none.csv", folders=[], oracle=None)
    (tmp_path / "rows.csv").write_text("")
    with pytest.raises(InputError, match="is empty"):
        validator.compare(tmp_path / "rows.csv", folders=[], oracle=None)
    (tmp_path / "rows.csv").write_text("workload,design_json,cost\na,b\n")
    with pytest.raises(InputError, match=r"row 1 \(line 2\): 2 cells, expected 3"):
        validator.compare(tmp_path / "rows.csv", folders=[], oracle=None)
    (tmp_path / "rows.csv").write_text("workload,design_json,cost\n")
    with pytest.raises(InputError, match="has no row to compare"):
        validator.compare(tmp_path / "rows.csv", folders=[], oracle=None)
