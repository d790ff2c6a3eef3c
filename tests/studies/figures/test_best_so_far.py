"""Best so far: its statistics on a frame small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest

import designgym as dg
from designgym.studies.figures import best_so_far
from designgym.studies.figures.best_so_far import curves_of, interquartile_mean
from designgym.studies.figures.data import StudyData
from designgym.studies.figures.meta import StudyMeta

METRICS = [dg.metric("latency_ns", goal="min"), dg.metric("area_mm2", goal="min")]


def _frame(runs: dict[str, list[tuple[float, bool]]]) -> pd.DataFrame:
    """Return a frame of runs given as (latency, duplicate) pairs; a NaN latency is a failure."""
    rows = [
        {
            "run": run, "searcher": run.split("-")[0], "number": i, "duplicate": duplicate,
            "status": "ok" if np.isfinite(latency) else "failed",
            "feasible": bool(np.isfinite(latency)), "score": -latency, "metrics.latency_ns": latency, "metrics.area_mm2": 1.0,
            "key_canonical": f"{run}{i}", "design.x": i, "started_at_s": 100.0 + 2 * i, "wall_s": 1.0,
        }
        for run, trials in runs.items()
        for i, (latency, duplicate) in enumerate(trials)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _curves(frame: pd.DataFrame, against: best_so_far.Against = "evaluations") -> dict[str, best_so_far.Curve]:
    meta = StudyMeta.of("s", "e/E-v0", "w", dg.minimize("latency_ns"), METRICS)
    data = StudyData(frame, meta)
    return curves_of(data, *best_so_far._progress(data), against)


def test_duplicates_are_not_counted_and_runs_that_end_early_carry_their_last_value() -> None:
    curve = _curves(_frame({
        "a-s0": [(9.0, False), (9.0, True), (5.0, False), (7.0, False)],
        "a-s1": [(6.0, False), (8.0, False)],
    }))["a"]  # fmt: skip
    assert curve.x.tolist() == [1, 2, 3]
    assert curve.low.tolist() == [6, 5, 5]
    assert curve.high.tolist() == [9, 6, 6]
    assert curve.centre.tolist() == [7.5, 5.5, 5.5]
    assert curve.seeds == 2


def test_nothing_is_drawn_before_every_seed_has_a_feasible_result() -> None:
    curve = _curves(_frame({"a-s0": [(3.0, False), (2.0, False)], "a-s1": [(np.nan, False), (4.0, False)]}))["a"]
    assert np.isnan(curve.centre[0])
    assert curve.centre[1] == 3.0


def test_wall_time_counts_from_the_start_of_the_run() -> None:
    curve = _curves(_frame({"a-s0": [(3.0, False), (2.0, True)]}), "wall_time")["a"]
    assert curve.x.tolist() == [1.0, 3.0]
    assert curve.centre.tolist() == [3.0, 2.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0], 5.0),
        ([1.0, 3.0], 2.0),
        ([0.0, 1.0, 100.0], (1 / 12 * 0 + 1 / 3 * 1 + 1 / 12 * 100) / 0.5),  # thirds cut at quarters: 1/12, 1/3, 1/12
        ([0.0, 1.0, 3.0, 1e9], 2.0),
        ([-1e9, 0, 1, 2, 3, 4, 5, 1e9], 2.5),
    ],
)
def test_interquartile_mean(values: list[float], expected: float) -> None:
    assert interquartile_mean(np.array(values)[:, None])[0] == pytest.approx(expected)


def test_hypervolume_of_two_objectives_is_followed() -> None:
    frame = _frame({"a-s0": [(5.0, False), (9.0, False), (1.0, False)]})
    frame["metrics.area_mm2"] = [1.0, 0.5, 1.9]
    meta = StudyMeta.of("s", "e/E-v0", "w", dg.pareto("latency_ns", "area_mm2", reference={"latency_ns": 10, "area_mm2": 2}), METRICS)
    data = StudyData(frame, meta)
    quantity, best = best_so_far._progress(data)
    assert quantity.goal == "max"
    # shares of the box 10 x 2: (0.5, 0.5) adds 0.25; (0.1, 0.75) adds 0.1 * 0.25; (0.9, 0.05) adds 0.4 * 0.05
    assert best.tolist() == pytest.approx([0.25, 0.275, 0.295])
    assert "hypervolume" in best_so_far.figure(data).to_dict()["layout"]["yaxis"]["title"]["text"]


def test_a_maximised_metric_rises() -> None:
    frame = _frame({"a-s0": [(1.0, False), (0.5, False), (2.0, False)]})
    meta = StudyMeta.of("s", "e/E-v0", "w", dg.maximize("latency_ns"), METRICS)
    data = StudyData(frame, meta)
    curve = curves_of(data, *best_so_far._progress(data))["a"]
    assert curve.centre.tolist() == [1, 1, 2]
    assert "higher is better" in best_so_far.figure(data).to_dict()["layout"]["yaxis"]["title"]["text"]
