"""The restatement that the product is tested against must itself give MAESTRO's figures."""

from pathlib import Path

import pandas as pd
import pytest

from designgym.simulators.accelerator.datacentric.mapping_text import parse_network
from tests.simulators.accelerator.datacentric.scalar_model import Problem, evaluate

_TABLE = Path(__file__).resolve().parents[5] / "shared" / "oracle" / "maestro_public.csv"
ROUNDED = {"energy_nJ", "area_um2", "power_mW", "throughput_MACs_per_cycle", "avg_utilised_pes", "utilisation"}


@pytest.mark.skipif(not _TABLE.is_file(), reason=f"reference outputs of MAESTRO are not at {_TABLE}")
def test_every_column_of_every_row_equals_maestro() -> None:
    rows = pd.read_csv(_TABLE).to_dict("records")
    assert len(rows) == 120
    for row in rows:
        layer = parse_network(row["mapping_text"].replace("\\n", "\n"))[0]
        levels = [[("S" if d.spatial else "T", d.dimension, d.size, d.offset) for d in level] for level in layer.mapping.levels]
        shape = layer.shape
        found = evaluate(
            Problem(
                dict(zip("KCRSYX", shape.sizes, strict=True)), levels, list(layer.mapping.clusters), row["num_pes"], shape.depthwise,
                shape.stride_y, shape.stride_x, row["noc_bw"], row["offchip_bw"], row["noc_hops"] * row["noc_hop_latency"],
                row["simd_lanes"],
            )
        )  # fmt: skip
        assert len(found) == 24
        for name, value in found.items():
            assert value == (pytest.approx(row[name], rel=6e-6) if name in ROUNDED else row[name]), (row["row_id"], name)
