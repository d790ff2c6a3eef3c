"""The public rows of splitwise-sim: every percentile, slowdown and verdict, with its token costs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from designgym.simulators.cluster import ClusterConfig, Pool, simulate
from designgym.simulators.cluster.machines import measured_curves
from designgym.simulators.cluster.service_level import (
    PERCENTILES,
    REFERENCE_MACHINE,
    SLOWDOWN_LIMITS,
    latencies_of,
    reference_latencies,
)
from designgym.simulators.serving.request_trace import RequestTrace

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "oracle" / "llm"
ROWS = pd.read_csv(FOLDER / "splitwise_public.csv") if FOLDER.is_dir() else pd.DataFrame()


def cluster(row: pd.Series) -> ClusterConfig:
    prompts, tokens = int(row["num_prompt"]), int(row["num_token"])
    kind = str(row["design"]).split("-")[1]
    if str(row["design"]).startswith("Baseline"):
        machine = kind.lower()
        return ClusterConfig((Pool(machine, int(row[f"num_{machine}"])),), scheduler="token_jsq")
    first = {
        "AA": (Pool("a100", prompts, "prompt"), Pool("a100", tokens, "token")),
        "HH": (Pool("h100", prompts, "prompt"), Pool("h100", tokens, "token")),
        "HA": (Pool("a100", tokens, "token"), Pool("h100", prompts, "prompt")),
        "HHcap": (Pool("h100_capped", tokens, "token"), Pool("h100", prompts, "prompt")),
    }
    return ClusterConfig(first[kind])


@pytest.mark.skipif(ROWS.empty, reason="the reference outputs are not here (../shared/oracle)")
@pytest.mark.parametrize("number", range(len(ROWS)))
def test_a_row_is_equal(number: int) -> None:
    row = ROWS.iloc[number]
    table = pd.read_csv(FOLDER / str(row["trace_file"]))
    trace = RequestTrace.make(*(table[name].to_numpy() for name in ("arrival_timestamp", "prompt_size", "token_size")))
    config, model = cluster(row), str(row["model"])
    run = simulate(config, trace, model, token_costs="paper")
    latencies = latencies_of(run, "paper")
    slowdowns = latencies.divided_by(reference_latencies(trace, measured_curves(model, REFERENCE_MACHINE), "paper"))
    for name, limits in SLOWDOWN_LIMITS.items():
        for p, limit, seconds, slowdown in zip(
            PERCENTILES, limits, latencies.percentiles()[name], slowdowns.percentiles()[name], strict=True
        ):
            assert seconds == pytest.approx(row[f"{name}_p{p}_s"], rel=2e-5)
            assert slowdown == pytest.approx(row[f"{name}_slowdown_p{p}"], rel=2e-5)
            assert slowdown <= limit or not row["slo_all_met"]
    met = all(
        slowdown <= limit
        for name, limits in SLOWDOWN_LIMITS.items()
        for slowdown, limit in zip(slowdowns.percentiles()[name], limits, strict=True)
    )
    assert met == row["slo_all_met"]
    assert config.cost_usd_per_h / 8 == pytest.approx(row["cost_per_hr_units"]) and config.power_units == pytest.approx(row["power_units"])
