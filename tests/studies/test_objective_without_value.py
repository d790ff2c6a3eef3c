"""An objective that has no value for some results (a division by zero): the trials say so, and no run ends."""

import json
import logging
import math
import re
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

import designgym as dg
from designgym.core.objectives import Objective
from designgym.core.registry import EnvironmentSpec, FixedWorkloads, searchers
from designgym.searchers.recipe import recipe
from designgym.studies.cli.study_tables import all_failed, print_best, print_summary
from designgym.studies.exports import write_file
from designgym.studies.results import StudyResult
from designgym.studies.store import open_store
from designgym.studies.study import Study

SPACE = dg.DesignSpace(width=dg.PowerOfTwo(1, 64), ways=dg.Integer(1, 12), policy=dg.Categorical("lru", "fifo", "plru"))
HOLES = 0.3  # share of the designs of which the hit rate is 0, so that nothing can be divided by it
QUICK: dict[str, dict[str, Any]] = {
    "botorch": {"initial": 4, "candidates": 16, "samples": 16},
    "xgboost": {"initial": 6, "candidates": 32, "members": 3, "trees": 10},
    "tpe": {"n_startup_trials": 4},
}
OBJECTIVES: dict[str, Objective] = {
    "single": dg.minimize("cost / hit_rate"),
    "bounded": dg.minimize("cost", subject_to={"cost / hit_rate": "<= 9"}),
    "pareto": dg.pareto("cost / hit_rate", "area", reference={"cost / hit_rate": 20, "area": 20}),
}
ONE_OBJECTIVE = ("cmaes",)  # searches for no front


@dg.simulator(space=SPACE, metrics=["cost", "area", "hit_rate"], version="1")
def holed(design: dg.Design, workload: None, *, seed: int) -> dict[str, float]:
    """A smooth cost, and a hit rate of 0 for some designs."""
    hole = blake3(design.literal.encode()).digest()[0] < 256 * HOLES
    return {
        "cost": 1 + abs(math.log2(design["width"]) - 4) + abs(design["ways"] - 7) / 4,
        "area": design["width"] / 8 + design["ways"],
        "hit_rate": 0.0 if hole else 0.5,
    }


ENV = EnvironmentSpec("mine/Holed-v0", lambda: holed, FixedWorkloads({"w": None}), OBJECTIVES, "w")


def search(searcher: str, objective: str, budget: int = 20, store: str | Path = ":memory:") -> StudyResult:
    chosen = recipe(searcher, **QUICK.get(searcher, {}))
    return Study("holes", ENV, objective=objective, searchers=chosen, budget=budget, batch=4).run(backend="local", store=store)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("searcher", [name for name in searchers() if name.isidentifier() and name != "confirm"])  # it needs a study
def test_every_searcher_goes_on(searcher: str, objective: str) -> None:
    if objective == "pareto" and searcher in ONE_OBJECTIVE:
        pytest.skip(f"{searcher} searches for one objective, not for a front")
    budget = 10 if searcher == "botorch" else 20  # it fits a Gaussian process per batch
    result = search(searcher, objective, budget)
    frame = result.frame
    holes = frame["metrics.hit_rate"] == 0
    assert len(frame) >= budget and result.finished and (frame["status"] == "ok").all()
    assert 0 < holes.sum() < len(frame), "the test needs both kinds"
    assert (frame["score"][holes] == -math.inf).all() and not frame["feasible"][holes].any()
    assert frame["reasons"][holes].str.contains("'cost / hit_rate' cannot be evaluated").all()
    assert (frame["score"][~holes] > -math.inf).all() and (frame["reasons"][~holes] == "").all()
    assert all(best.metrics["hit_rate"] > 0 for best in result.best(50)) and all(best.feasible for best in result.front())


def test_the_first_one_is_logged_with_its_design_and_expression(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "designgym.studies"):
        result = search("random", "single")
    first = result.frame[result.frame["score"] == -math.inf].iloc[0]
    [said] = [record.getMessage() for record in caplog.records if record.name == "designgym.studies"]
    assert "'cost / hit_rate'" in said and f'"ways":{first["design.ways"]}' in said and "goes on" in said


def test_tables_report_and_exports_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = search("random", "single")
    count = int((result.frame["score"] == -math.inf).sum())
    print_summary(result)
    print_best(result)
    assert re.search(rf"no value +{count} of 20 trials, the first: expression 'cost / hit_rate'", capsys.readouterr().out)
    page = result.report(tmp_path / "report.html").read_text()
    assert "Why the objective has no value" in page and "break a constraint" not in page
    rows = json.loads(write_file(result, tmp_path / "trials.json").read_text())["trials"]
    assert sum("cannot be evaluated" in row["reasons"] and row["score"] is None for row in rows) == count
    assert write_file(result, tmp_path / "trials.parquet").exists() and write_file(result, tmp_path / "trials.csv").exists()
    assert not all_failed(result)


def test_optuna_sees_failed_trials(tmp_path: Path) -> None:
    import optuna

    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    search("random", "bounded").to_optuna(url)
    trials = optuna.load_study(study_name="holes", storage=url).trials
    holes = [trial for trial in trials if trial.user_attrs["hit_rate"] == 0]
    assert holes and all(trial.state == optuna.trial.TrialState.FAIL for trial in holes)
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials if trial not in holes)


def test_a_run_that_is_gone_on_with_equals_one_that_was_not_stopped(tmp_path: Path) -> None:
    search("evolution", "single", 10, tmp_path / "s.db")
    resumed, whole = search("evolution", "single", 24, tmp_path / "s.db"), search("evolution", "single", 24)
    columns = ["number", "status", "score", "feasible", "reasons", "design.width", "design.ways", "design.policy"]
    assert resumed.frame[columns].to_dict("records") == whole.frame[columns].to_dict("records")


def test_another_objective_takes_the_measured_metrics_without_the_reasons(tmp_path: Path) -> None:
    search("random", "single", 12, tmp_path / "s.db")
    other = Study("other", ENV, objective=dg.minimize("cost"), searchers="random", budget=12, batch=4)
    result = other.run(backend="local", store=tmp_path / "s.db")
    assert (result.frame["obtained"] == "exact hit").all() and result.frame["feasible"].all() and (result.frame["reasons"] == "").all()
    with open_store(tmp_path / "s.db", read_only=True) as store:
        runs = store.runs("holes")
        records = store.trials(runs[0], SPACE)
    assert any(record.problem for record in records) and all(record.trial.metrics.reasons == () for record in records)


def test_no_value_at_all_counts_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    study = Study("never", ENV, objective=dg.minimize("cost / (area - area)"), searchers="random", budget=4)
    result = study.run(backend="local", store=":memory:")
    assert all_failed(result) and not result.best()
    print_best(result)
    assert "no design has a result" in capsys.readouterr().out
