"""The scalar model against the figures that Timeloop prints: what the batched model is compared with must itself be right."""

import pytest

from tests.simulators.accelerator.loopnest import public_rows
from tests.simulators.accelerator.loopnest.scalar_model import evaluate


@pytest.mark.skipif(not public_rows.TABLE.is_file(), reason="the reference table is not here (../shared/oracle/timeloop_public.csv)")
def test_every_public_row_is_equal() -> None:
    rows = public_rows.rows()
    found = {row["row_id"]: public_rows.differences(row, evaluate(public_rows.nest(row))) for row in rows}
    assert len(rows) == 20
    assert not {name: problems for name, problems in found.items() if problems}
