"""Validating the data-centric model against tables of MAESTRO outputs: what is computed, and how bad tables are refused."""

from pathlib import Path

import pytest

from designgym.core.errors import InputError
from designgym.envs.maestro_validation import MaestroValidator

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
TEXT = (
    r"Network n {\nLayer L {\nType: CONV\nDimensions { K: 4 C: 2 R: 1 S: 1 Y: 4 X: 4 }\nDataflow {\n"
    r"SpatialMap(1,1) K;\nTemporalMap(1,1) C;\n}\n}\n}"
)
HEADER = "row_id,mapping_text,num_pes,noc_bw,offchip_bw,runtime_cycles,num_macs,energy_nJ"
ROW = f'a,"{TEXT}",4,64,64,33,128,0.5'


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_errors_are_counted_and_ours_keeps_the_order_of_the_rows(tmp_path: Path) -> None:
    refused = ROW.replace("SpatialMap(1,1) K", "TemporalMap(1,1) K").replace("a,", "b,", 1)
    rows = [ROW, refused, ROW.replace(",128,", ",,"), ROW.replace(",128,", ",127,").replace("a,", "c,", 1)]
    result = MaestroValidator().compare(table(tmp_path, *rows), folders=[], oracle=None)
    columns = {column.column: column for column in result.columns}
    macs = columns["num_macs"]
    assert (macs.rows, macs.equal_rows, macs.tolerance, macs.max_abs_error, macs.worst_row) == (2, 1, 0.0, 1.0, "c")
    assert result.ours["num_macs"] == [128.0, None, 128.0, 128.0]
    assert columns["energy_nJ"].tolerance == 6e-6
    assert (result.rows, result.equal_rows) == (4, 0)
    (reason,) = result.refused
    assert "row 2 (line 3): each level needs one SpatialMap, or two (MAESTRO: exit 255)" in reason
    assert (columns["refused"].rows, columns["refused"].equal_rows, columns["refused"].worst_row) == (4, 3, "b")


def test_what_upstream_refuses_must_be_refused(tmp_path: Path) -> None:
    bad = ROW.replace("SpatialMap(1,1) K", "TemporalMap(1,1) K")
    unreadable = ROW.replace("SpatialMap", "Spatial")
    rows = [f"{ROW},ok", f"{bad},exit 255".replace("a,", "b,", 1), f"{unreadable},exit 255", f"{ROW},SIGFPE".replace("a,", "d,", 1),
            f"{ROW},timeout"]  # fmt: skip
    result = MaestroValidator().compare(table(tmp_path, *rows, header=f"{HEADER},status"), folders=[], oracle=None)
    assert result.rows == 4 and result.ours["num_macs"] == [128.0, None, None, None, None]
    column = next(column for column in result.columns if column.column == "refused")
    assert (column.rows, column.equal_rows, column.worst_row) == (4, 3, "d")
    assert not result.refused
    assert next(column for column in result.columns if column.column == "num_macs").rows == 1


def test_a_table_of_refusals_only_can_be_compared(tmp_path: Path) -> None:
    bad = ROW.replace("SpatialMap(1,1) K", "TemporalMap(1,1) K")
    result = MaestroValidator().compare(table(tmp_path, f"{bad},exit 255", header=f"{HEADER},status"), folders=[], oracle=None)
    assert (result.rows, result.equal_rows) == (1, 1)


BAD = {
    "empty": ("", [], "is empty"),
    "no rows": (HEADER, [], "has no row to compare"),
    "missing columns": (HEADER.replace("noc_bw,", ""), [], "lacks the columns noc_bw"),
    "nothing to compare": ("mapping_text,num_pes,noc_bw,offchip_bw", [], "has no column to compare: expected one or more of runtime"),
    "bad mapping": (HEADER, [ROW, ROW.replace("SpatialMap", "Spatial")], r"row 2 \(line 3\), column mapping_text, line 6: got 'Spatial'"),
    "bad number": (HEADER, [ROW.replace(",4,64", ",4.5,64")], r"row 1 \(line 2\), column num_pes: got '4.5', expected a positive whole"),
    "no PEs": (HEADER, [ROW.replace(",4,64", ",0,64")], r"column num_pes: got '0', expected a positive whole number"),
    "bad result": (HEADER, [ROW.replace(",128,", ",many,")], r"column num_macs: got 'many', expected a finite number"),
    "two layers": (HEADER, [ROW.replace(r"}\n}\n}", r"}\n}\nLayer M { Type: CONV Dimensions {K 1 C 1 R 1 S 1 Y 1 X 1} }\n}")], "2 layers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_with_row_and_column(tmp_path: Path, name: str) -> None:
    header, rows, message = BAD[name]
    with pytest.raises(InputError, match=message):
        MaestroValidator().compare(table(tmp_path, *rows, header=header), folders=[], oracle=None)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference tables are not here (../shared/oracle)")
def test_public_table_is_found_and_every_row_is_equal() -> None:
    (path,) = MaestroValidator().tables(ORACLE)
    result = MaestroValidator().compare(path, folders=[], oracle=ORACLE)
    assert (result.rows, result.equal_rows, len(result.columns)) == (120, 120, 25)
