"""Every row of the reference outputs must be met to its last printed digit."""

from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.validation import compare_with_reference

_ORACLE = Path(__file__).resolve().parents[4] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not (_ORACLE / "dramsys" / "traces").is_dir(), reason=f"reference outputs of DRAMSys are not at {_ORACLE}")


@cache
def _trace(name: str) -> Trace:
    lines = (_ORACLE / "dramsys" / "traces" / f"{name}.stl").read_text().split("\n")
    fields = [line.replace(":", " ").split() for line in lines if line.strip()]
    ticks, directions, addresses = zip(*fields, strict=True)
    return Trace(
        name,
        [int(tick) for tick in ticks],
        [direction == "write" for direction in directions],
        [int(address, 16) for address in addresses],
    )


@pytest.mark.parametrize(
    ("table", "rows", "compared"),
    [
        ("dramsys_ddr3_public", 600, 18),
        ("dramsys_ddr3_oat_public", 320, 18),
        ("dramsys_ddr3_mixed_public", 450, 18),
    ],
)
def test_every_column_of_every_row_equals_dramsys(table: str, rows: int, compared: int) -> None:
    comparison = compare_with_reference(pd.read_csv(_ORACLE / f"{table}.csv"), _trace)
    assert len(comparison.table) == rows
    assert len(comparison.errors) == compared
    assert [error for error in comparison.errors if error.equal_rows != rows] == []
    assert comparison.equal_rows == rows


def test_published_sample_of_archgym_is_met_to_its_printed_digits() -> None:
    # Times and energies were published with seven significant digits, powers with six.
    reference = pd.read_csv(_ORACLE / "archgym_published_sample.csv")
    comparison = compare_with_reference(reference, _trace)
    errors = {error.column: error for error in comparison.errors}
    assert errors["power_mW"].equal_rows == len(reference) == 100
    assert errors["time_ns"].max_rel_error < 5e-7
    assert errors["energy_pJ"].max_rel_error < 5e-7
