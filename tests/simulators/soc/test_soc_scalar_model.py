"""The plain model that the product is compared with equals FARSI on every public row."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.simulators.soc.reference_rows import TABLES, graph, memory_table, needs_rows, rows, soc
from tests.simulators.soc.scalar_model import Result, simulate

METRICS = {"latency_s": "latency_s", "power_W": "power_w", "area_m2": "area_m2", "energy_J": "energy_j", "cost": "cost"}
pytestmark = needs_rows


def run(row: dict[str, Any], load_order: Sequence[str]) -> Result:
    return simulate(graph(row["workload"]), soc(row["workload"], row["design"]), memory_table(), load_order)


@pytest.mark.parametrize("table", TABLES)
def test_medians_are_those_of_the_alphabetical_load_order(table: str) -> None:
    assert len(rows(table)) == TABLES[table]
    for row in rows(table):
        result = run(row, sorted(row["design"]["task_to_pe"]))
        ours = {column: getattr(result, name) for column, name in METRICS.items()}
        assert ours == pytest.approx({column: row[column] for column in METRICS}, rel=1e-9, abs=0), row["row_id"]


def test_ranges_and_first_evaluations_are_those_of_both_load_orders() -> None:
    for row in rows("farsi_public.csv"):
        both = [run(row, order) for order in (list(graph(row["workload"]).work), sorted(row["design"]["task_to_pe"]))]
        first = both[0]
        for column in ("latency_s", "power_W", "area_m2"):
            values = [getattr(result, METRICS[column]) for result in both]
            assert [min(values), max(values)] == pytest.approx([row[f"{column}_min"], row[f"{column}_max"]], rel=1e-9, abs=0), row["row_id"]
        assert first.n_phases == row["n_phases"]
        assert [first.pe_area_m2, first.memory_area_m2] == pytest.approx([row["pe_area_m2"], row["mem_area_m2"]], rel=1e-9, abs=0)
        assert sorted(first.peak_bytes) == pytest.approx(sorted(json.loads(row["mem_bytes_json"]).values()), rel=1e-9, abs=0)


def test_phases_of_the_wide_rows() -> None:
    for row in rows("farsi_wide_public.csv"):
        assert run(row, sorted(row["design"]["task_to_pe"])).n_phases == row["n_phases"], row["row_id"]
