"""Every figure builds, on ordinary studies and on odd ones, and says what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import designgym as dg
from designgym.studies.figures import Plots
from designgym.studies.figures.data import StudyData
from designgym.studies.figures.duplicates import splits_of
from designgym.studies.figures.pareto import choose_axes, front_rows
from designgym.studies.figures.style import safe

FEW = ("run", "searcher", "status", "score", "feasible", "number")
FIGURES = ("best_so_far", "pareto", "parallel_coordinates", "importance", "duplicates", "distribution")


def drawn(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as plain data."""
    return figure.to_dict()


def _all_failed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame["status"], frame["feasible"], frame["score"], frame["error"] = "failed", False, -np.inf, "boom"
    frame[[c for c in frame.columns if str(c).startswith("metrics.")]] = np.nan
    return frame


def _with_nan(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[frame.index[::3], "metrics.energy_pj"] = np.nan
    frame.loc[frame.index[::5], ["cost_s", "wall_s", "started_at_s"]] = np.nan
    return frame


EDGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "normal": lambda frame: frame,
    "empty": lambda frame: frame.iloc[:0],
    "one trial": lambda frame: frame.iloc[:1],
    "all failed": _all_failed,
    "not a number": _with_nan,
    "one metric": lambda frame: frame.drop(columns=["metrics.power_mw", "metrics.row_hit_rate", "metrics.bandwidth_gbps"]),
    "few columns": lambda frame: frame[[c for c in frame.columns if str(c).startswith(("design.", "metrics.")) or c in FEW]],
}  # fmt: skip


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", FIGURES)
def test_builds(study: Any, name: str, edge: str) -> None:
    figure = getattr(Plots(EDGES[edge](study.frame), study.meta), name)()
    assert isinstance(figure, go.Figure)
    data = json.loads(figure.to_json() or "")
    assert "NaN" not in json.dumps(data["layout"])
    meta = data["layout"]["meta"]
    assert meta["title"]
    assert meta["caption"].endswith(".")
    if edge == "normal":
        assert not meta.get("empty")


def test_dark_and_light_differ_in_ink_only(study: Any) -> None:
    light, dark = (drawn(Plots(study.frame, study.meta, dark=dark).pareto()) for dark in (False, True))
    assert light["layout"]["template"]["layout"]["font"]["color"] != dark["layout"]["template"]["layout"]["font"]["color"]
    assert [t["name"] for t in light["data"]] == [t["name"] for t in dark["data"]]


def test_axes_have_units_and_directions(study: Any) -> None:
    layout = drawn(Plots(study.frame, study.meta).pareto())["layout"]
    assert layout["xaxis"]["title"]["text"] == "total time (µs), lower is better"
    assert layout["yaxis"]["title"]["text"] == "energy (µJ), lower is better"
    assert drawn(Plots(study.frame, study.meta).best_so_far())["layout"]["yaxis"]["title"]["text"] == "edp (nJ·s), lower is better"


def test_front_is_what_nothing_dominates(study: Any) -> None:
    data = StudyData(study.frame, study.meta)
    axes = choose_axes(data)
    assert axes is not None
    front = front_rows(data, axes)
    x, y = axes.x.values, axes.y.values
    for i in front:
        assert not (data.feasible & (x <= x[i]) & (y <= y[i]) & ((x < x[i]) | (y < y[i]))).any()
    for i in np.setdiff1d(np.flatnonzero(data.feasible), front):
        assert (data.feasible & (x <= x[i]) & (y <= y[i]) & ((x < x[i]) | (y < y[i]))).any()


def test_a_single_objective_gets_a_second_metric_that_trades_off(make_study: Callable[..., Any]) -> None:
    study = make_study(objective=dg.minimize("power_mw"), seeds=1, budget=40)
    axes = choose_axes(StudyData(study.frame, study.meta))
    assert axes is not None
    assert axes.y.name == "power_mw"
    assert axes.x.name in {"total_time_ns", "bandwidth_gbps"}  # slow designs draw less power
    assert "one objective" in axes.reason


def test_constraints_are_shaded_and_broken_designs_marked(make_study: Callable[..., Any]) -> None:
    study = make_study(objective=dg.minimize("energy_pj", subject_to={"total_time_ns": "<= 90000"}), seeds=1, budget=40)
    figure = drawn(Plots(study.frame, study.meta).pareto(x="total_time_ns", y="energy_pj"))
    assert "breaks a constraint" in [trace["name"] for trace in figure["data"]]
    assert figure["layout"]["shapes"][0]["x0"] == pytest.approx(90.0)  # µs, as the axis


def test_splits_add_up(study: Any) -> None:
    data = StudyData(study.frame, study.meta)
    splits = splits_of(data)
    assert sum(split.proposals for split in splits.values()) == len(study.frame)
    assert sum(split.duplicates for split in splits.values()) == int(study.frame["duplicate"].sum()) > 0
    hits = study.frame["obtained"].isin(["exact hit", "functional hit"]) & (study.frame["status"] == "ok")
    assert sum(split.saved_s for split in splits.values()) == pytest.approx(0.012 * hits.sum())
    assert sum(split.counts["failed"] for split in splits.values()) == int((study.frame["status"] == "failed").sum())


def test_best_designs_are_of_distinct_behaviour(study: Any) -> None:
    best = StudyData(study.frame, study.meta).best
    assert not best["key_canonical"].duplicated().any()
    assert not best[["metrics.total_time_ns", "metrics.energy_pj"]].duplicated().any()
    assert best["target"].is_monotonic_increasing
    assert best["alike"].sum() <= len(study.frame)


def test_one_name_with_several_options_becomes_several_searchers(study: Any) -> None:
    frame = study.frame[study.frame["searcher"] == "genetic"].copy()
    frame["searcher_options"] = np.where(frame["run_seed"] == 0, '{"population": 20, "elite": 2}', '{"population": 50, "elite": 2}')
    assert StudyData(frame, study.meta).labels == ["genetic (population=20)", "genetic (population=50)"]


def test_structured_and_constant_parameters_are_drawn(study: Any) -> None:
    frame = study.frame.head(60).copy()
    frame["design.order"] = [["a", "b"] if i % 2 else ["b", "a"] for i in range(len(frame))]
    frame["design.constant"] = 3
    frame["design.flag"] = [bool(i % 2) for i in range(len(frame))]
    frame["design.size"] = np.linspace(0.1, 9.0, len(frame))
    plots = Plots(frame, study.meta)
    labels = [dimension["label"] for dimension in drawn(plots.parallel_coordinates())["data"][0]["dimensions"]]
    assert {"order", "flag", "size"} <= set(labels)
    assert "constant" not in labels
    assert "1 parameter with one value only is left out" in drawn(plots.parallel_coordinates())["layout"]["meta"]["caption"]
    bars = drawn(plots.importance())["data"][0]["y"]
    assert {"order", "flag", "size"} <= set(bars) and "constant" not in bars


def test_user_text_is_escaped_for_plotly() -> None:
    assert safe("<b onclick=1>&") == "&lt;b onclick=1&gt;&amp;"
    assert "%{" not in safe("%{x}")
    assert "$" not in safe("$\\alpha$")
    assert len(safe("x" * 500)) == 60
