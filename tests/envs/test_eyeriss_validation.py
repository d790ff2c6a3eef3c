"""Validating the loop-nest model against tables of Timeloop's outputs: what is compared, and how bad tables are refused."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from designgym.core.errors import InputError
from designgym.core.validation import TableComparison
from designgym.envs.eyeriss_validation import EyerissValidator

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
BUFFER = {"depth": 64, "rbw": 2, "wbw": 4}
MAPPING = r"""mapping:
  - {target: psum_spad, type: datatype, keep: [Outputs], bypass: [Weights, Inputs]}
  - {target: weights_spad, type: datatype, keep: [Weights], bypass: [Inputs, Outputs]}
  - {target: ifmap_spad, type: datatype, keep: [Inputs], bypass: [Weights, Outputs]}
  - {target: shared_glb, type: datatype, keep: [Inputs, Outputs], bypass: [Weights]}
  - {target: shared_glb, type: spatial, factors: M2 C2, permutation: MC, split: 1}
  - {target: DRAM, type: temporal, factors: P4 Q4, permutation: PQ}
""".replace("\n", r"\n")
# Counted by hand: 64 multiply-accumulates in 16 cycles on 4 elements. Weights stay where they are; each of 16 steps brings 2 inputs, each
# for two elements, and takes away 2 outputs, each the sum of two:
# the global buffer takes in 4 words a cycle.
LEVELS: dict[str, dict[str, dict[str, float | None]]] = {
    "shared_glb": {
        "Inputs": {"inst": 1, "reads": 32, "updates": 0, "fills": 32, "total_pJ": None},
        "Outputs": {"inst": 1, "reads": 0, "updates": 32, "fills": 0, "total_pJ": None},
    },
    "weights_spad": {"Weights": {"inst": 4, "reads": 16, "updates": 0, "fills": 1, "total_pJ": None}},
    "ifmap_spad": {"Inputs": {"inst": 4, "reads": 16, "updates": 0, "fills": 16, "total_pJ": None}},
    "psum_spad": {"Outputs": {"inst": 4, "reads": 0, "updates": 16, "fills": 0, "total_pJ": None}},
    "DRAM": {
        "Weights": {"inst": 1, "reads": 4, "updates": 0, "fills": 0, "total_pJ": 800.0},
        "Inputs": {"inst": 1, "reads": 32, "updates": 0, "fills": 0, "total_pJ": 6400.0},
        "Outputs": {"inst": 1, "reads": 0, "updates": 32, "fills": 0, "total_pJ": 6400.0},
    },
}
ROW: dict[str, object] = {
    "row_id": "hand", "layer": "tiny", "C": 2, "M": 2, "R": 1, "S": 1, "P": 4, "Q": 4, "stride": 1, "num_pes": 4, "meshX": 2,
    "arch_json": json.dumps({name: BUFFER for name in ("glb", "ifmap", "weights", "psum")}), "mapping_yaml": MAPPING,
    "cycles": 16, "utilisation": 1.0, "macs": 64,
    "levels_json": json.dumps(
        {level: {t: {k: v for k, v in figures.items() if v is not None} for t, figures in of.items()} for level, of in LEVELS.items()}
    ),
}  # fmt: skip


def table(folder: Path, *changes: dict[str, object], without: str = "") -> Path:
    path = folder / "table.csv"
    header = [name for name in ROW if name != without]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows([{**ROW, **change} for change in changes])
    return path


def compare(path: Path) -> TableComparison:
    return EyerissValidator().compare(path, folders=[], oracle=None)


def test_figures_counted_by_hand_are_equal(tmp_path: Path) -> None:
    result = compare(table(tmp_path, {}))
    details = [f"levels_json: {what}" for what in ("inst", "reads", "updates", "fills", "total_pJ")]
    expected = ["cycles", "utilisation", "macs", *details]
    assert [(column.column, column.rows, column.equal_rows) for column in result.columns] == [(name, 1, 1) for name in expected]
    assert (result.rows, result.equal_rows, result.ours["cycles"]) == (1, 1, [16.0])


def test_what_differs_is_counted_and_named(tmp_path: Path) -> None:
    levels = json.loads(str(ROW["levels_json"]))
    levels["shared_glb"]["Inputs"]["reads"] = 48
    result = compare(table(tmp_path, {"cycles": 17}, {"cycles": ""}, {"row_id": "other", "levels_json": json.dumps(levels)}))
    found = {column.column: column for column in result.columns}
    assert (found["cycles"].rows, found["cycles"].equal_rows, found["cycles"].max_abs_error) == (2, 1, 1.0)
    reads = found["levels_json: reads"]
    assert (reads.equal_rows, reads.max_abs_error, reads.worst_row) == (2, 16.0, "other: Inputs in shared_glb")
    assert (result.rows, result.equal_rows) == (3, 1)


BAD: dict[str, tuple[dict[str, object], str]] = {
    "text": ({"mapping_yaml": MAPPING.replace("P4", "P5")}, r"row 1 \(line 2\), column mapping_yaml: .*the factors of P multiply to 5"),
    "fit": ({"num_pes": 2}, r"row 1 \(line 2\): the mapping does not fit the architecture: the array would need 2 rows, it has 1"),
    "room": ({"arch_json": str(ROW["arch_json"]).replace('"depth": 64', '"depth": 0')}, "column arch_json: .*depth must be a positive"),
    "json": ({"arch_json": "{"}, r"row 1 \(line 2\), column arch_json: not JSON"),
    "buffer": ({"arch_json": "{}"}, r"column arch_json: psum is None, expected its depth, rbw and wbw"),
    "number": ({"C": "two"}, r"row 1 \(line 2\), column C: got 'two', expected a finite number"),
    "layer": ({"C": 0}, r"row 1 \(line 2\): layer 'tiny': c must be a positive integer, got 0"),
    "figure": ({"cycles": "fast"}, r"column cycles: got 'fast', expected a finite number"),
    "levels": ({"levels_json": "["}, r"column levels_json: not JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_refused_with_row_and_column(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    with pytest.raises(InputError, match=message):
        compare(table(tmp_path, change))


def test_rows_that_do_not_fit_are_refused_and_the_others_compared(tmp_path: Path) -> None:
    result = compare(table(tmp_path, {}, {"num_pes": 2}, {"cycles": 17}))
    assert (result.rows, result.equal_rows, result.ours["cycles"]) == (3, 1, [16.0, None, 16.0])
    (refused,) = result.refused
    assert refused.endswith("row 2 (line 3): the mapping does not fit the architecture: the array would need 2 rows, it has 1")
    found = {column.column: column for column in result.columns}
    assert (found["cycles"].rows, found["cycles"].equal_rows) == (2, 1)


def test_a_refused_row_is_printed_and_fails_the_command(tmp_path: Path) -> None:
    path, code = table(tmp_path, {}, {"num_pes": 2}), "import sys; from designgym.studies.cli import main; sys.exit(main())"
    arguments = ["validate", "designgym/EyerissAccelerator-v0", "--reference", str(path), "--out", str(tmp_path / "out.csv")]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1, result.stderr
    printed = result.stdout
    assert "1 of 2 rows equal" in printed
    assert "row 2 (line 3): the mapping does not fit the architecture: the array would need 2 rows, it has 1" in printed
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["ours_cycles"] for row in csv.DictReader(file)] == ["16.0", ""]


def test_bad_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks the columns mapping_yaml"):
        compare(table(tmp_path, {}, without="mapping_yaml"))
    with pytest.raises(InputError, match="has no row to compare"):
        compare(table(tmp_path))


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference tables are not here (../shared/oracle)")
def test_all_public_rows_are_equal() -> None:
    (public,) = EyerissValidator().tables(ORACLE)
    result = compare(public)
    assert (result.rows, result.equal_rows, len(result.columns)) == (20, 20, 10)
