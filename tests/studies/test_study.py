"""Definitions: what is refused, what may grow, what the store says, and the results a user sees."""

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import designgym as dg
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.studies.definition import check_searchers
from designgym.studies.frames import study_frame
from designgym.studies.objective_json import objective_from_json, objective_to_json
from designgym.studies.store import Store, open_store
from designgym.studies.study import Study

ENV = "test/Counting-v0"


def local(study: Study, store: Path, **options: Any) -> Any:
    return study.run(backend="local", store=store, **options)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"env": "test/Countin-v0"}, "unknown environment.*did you mean"),
        ({"workload": "on"}, "unknown workload 'on'.*did you mean 'one'"),
        ({"objective": "latenc"}, "unknown objective.*did you mean"),
        ({"objective": dg.minimize("energy_pj")}, "energy_pj"),
        ({"searchers": "randm"}, "unknown searcher 'randm'.*did you mean"),
        ({"searchers": []}, "at least one searcher"),
        ({"searchers": ["random", "random"]}, "given twice"),
        ({"budget": 0}, "budget must be a whole number of at least 1, got 0"),
        ({"budget": 2.5}, "budget must be a whole number"),
        ({"budget": True}, "budget must be a whole number"),
        ({"seeds": 0}, "seeds must be a count"),
        ({"scheduler": "asha"}, "scheduler is 'asha', expected one of Ray Tune's"),
        ({"workloads": "one"}, "workloads is 'one', expected a list; for a single one there is workload="),
        ({"workload": ["one"]}, "workload is .*'one'.*, expected its name"),
        ({"objective": ["both"]}, "objective is .*'both'.*, expected its name"),
        ({"options": ["speed"]}, "options is .*'speed'.*, expected a mapping"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"seeds": [-1]}, "different whole numbers"),
        ({"batch": -3}, "batch must be"),
        ({"functional": "yes"}, "expected 'auto', 'on' or 'off'"),
        ({"fidelity": 0}, r"fidelity must be in \(0, 1\]"),
        ({"options": {"speed": 1}}, "unknown option"),
        ({"workload": "one", "workloads": ["pi"]}, "not both"),
        ({"workloads": ["pi", "pi"]}, "different workloads"),
        ({"workloads": []}, "different workloads"),
        ({"name": "a/b"}, "name of a study"),
        ({"name": ""}, "name of a study"),
        ({"name": "two\nlines"}, "name of a study"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        complete: dict[str, Any] = {"name": "s", "env": ENV, **arguments}
        Study(**complete)
    assert "\n" not in str(caught.value)


def test_run_ids_are_stable_and_unique() -> None:
    recipe = dg.searchers.recipe("regularized_evolution", population=10)
    small = Study("s", ENV, searchers=[recipe], seeds=1)
    large = Study("s", ENV, searchers=["random", "regularized_evolution", recipe], seeds=3)
    ids = [plan.run for plan in large.definition.plans()]
    assert len(set(ids)) == 9 and next(plan.run for plan in small.definition.plans()) in ids
    many = Study("s", ENV, workloads=["one", "pi"], seeds=2)
    assert [plan.run for plan in many.definition.plans()] == ["random-one-s0", "random-one-s1", "random-pi-s0", "random-pi-s1"]


def test_a_larger_budget_more_seeds_and_more_searchers_extend(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    first = local(Study("s", ENV, searchers="evolution", budget=20), store).frame
    wider = Study("s", ENV, searchers=["random", "evolution"], budget=30, seeds=2)
    result = local(wider, store)
    assert {run.plan.run for run in result.runs} == {"random-s0", "random-s1", "evolution-s0", "evolution-s1"}
    assert all(report.evaluations == 30 for report in result.reports) and result.finished
    kept = result.frame[result.frame["run"] == "evolution-s0"].head(20).reset_index(drop=True)
    assert kept["key_literal"].equals(first["key_literal"]) and kept["started_at_s"].equals(first["started_at_s"])
    with pytest.raises(InputError, match=r"budget was 30, is now 20.*searchers lack"):
        local(Study("s", ENV, searchers="evolution", budget=20), store)


def test_another_definition_under_the_same_name_says_what_differs(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    local(Study("s", ENV, budget=8), store)
    with pytest.raises(InputError, match=r'workloads was \[\["one".*batch was 8, is now 4.*fresh=True \(--fresh\)'):
        local(Study("s", ENV, budget=8, workload="pi", batch=4), store)
    result = local(Study("s", ENV, budget=8, workload="pi", batch=4), store, fresh=True)
    assert set(result.frame["workload"]) == {"pi"} and len(result.frame) == 8


def test_a_study_goes_on_where_a_later_version_words_its_definition_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local(Study("s", ENV, budget=8), tmp_path / "s.db")
    monkeypatch.setattr(dg.Objective, "describe", lambda self: "as little latency as can be")
    result = local(Study("s", ENV, budget=16), tmp_path / "s.db")
    assert len(result.frame) == 16 and result.definition["objective"]["words"] == "as little latency as can be"


def test_a_finished_study_starts_nothing(tmp_path: Path) -> None:
    study = Study("s", ENV, budget=16)
    before = local(study, tmp_path / "s.db").frame
    called: list[object] = []
    after = study.run(backend="local", store=tmp_path / "s.db", progress=called.append)
    assert not called and after.frame.equals(before)


def test_results_read_well(tmp_path: Path) -> None:
    result = local(Study("s", ENV, searchers=["random", "evolution"], budget=40, seeds=2), tmp_path / "s.db")
    best = result.best(3)
    assert len(best) == 3 and [trial.score for trial in best] == sorted((trial.score for trial in best), reverse=True)
    assert best.metrics["area_mm2"] <= 6 and best[0].feasible
    text = str(result.best())
    assert "ns" in text and "mm^2" in text and "found by" in text and best[0].obtained in text
    assert "160 trials in 4 runs, 4 finished" in repr(result) and "<table" in result._repr_html_()
    assert list(result.summary()["evaluations"]) == [40] * 4
    assert list(result.summary("searcher")["runs"]) == [2, 2]
    assert result.to_pandas().attrs["units"]["metrics.latency_ns"] == "ns" and result.to_pandas().attrs["units"]["design.width"] == "bit"
    with pytest.raises(InputError, match="expected 'run' or 'searcher'"):
        result.summary("seed")
    with pytest.raises(InputError, match="n >= 1"):
        result.best(0)


def test_results_on_different_workloads_are_not_compared(tmp_path: Path) -> None:
    result = local(Study("s", ENV, workloads=["one", "pi"], objective="both", budget=30), tmp_path / "s.db")
    alone = local(Study("alone", ENV, workload="pi", objective="both", budget=30), tmp_path / "s.db")
    assert [trial.workload for trial in result.best(2)] == ["one", "one", "pi", "pi"]
    assert [trial.design for trial in result.best(2, "pi")] == [trial.design for trial in alone.best(2)]
    assert [trial.metrics for trial in result.front("pi")] == [trial.metrics for trial in alone.front()]
    assert result.front() == result.front("one") + result.front("pi") and len(result.front("pi")) > 1
    with pytest.raises(InputError, match="unknown workload of study 's' 'e'"):
        result.best(workload="e")


def test_the_frame_follows_the_schema(tmp_path: Path) -> None:
    from designgym.studies.frames import LEADING

    frame = local(Study("s", ENV, budget=12, functional="off"), tmp_path / "s.db").frame
    assert list(frame.columns[: len(LEADING)]) == list(LEADING)
    assert list(frame.columns[len(LEADING) :]) == [
        "design.width", "design.ways", "design.policy", "design.depth", "metrics.latency_ns", "metrics.area_mm2",
    ]  # fmt: skip
    assert frame["duplicate"].dtype == bool and frame["feasible"].dtype == bool
    assert list(frame["number"]) == list(range(12)) and set(frame["study"]) == {"s"} and set(frame["searcher_options"]) == {"{}"}
    empty = open_store(tmp_path / "s.db")
    empty.save_definition("never run", Study("never run", ENV).to_json())
    from designgym.studies.results import StudyResult

    nothing = StudyResult.load(empty, "never run")
    assert len(nothing.frame) == 0 and not nothing.best() and not nothing.front() and "no result yet" in repr(nothing)


def test_a_run_that_is_added_while_a_study_is_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local(Study("s", ENV, budget=6, seeds=2, functional="off"), tmp_path / "s.db")
    with open_store(tmp_path / "s.db") as store:
        before = store.runs("s")[:1]
        monkeypatch.setattr(Store, "runs", lambda store, study: before)
        frame = study_frame(store, "s")
    assert set(frame["run"]) == {before[0].plan.run} and len(frame) == 6


def test_whole_numbers_of_any_length_are_read_as_they_are(tmp_path: Path) -> None:
    """A fast parser of JSON takes those of more than 64 bits for floats."""
    space = dg.DesignSpace(n=dg.Integer(2**70 + 1, 2**70 + 6), m=dg.Integer(1, 3))

    @dg.simulator(space=space, metrics=[dg.metric("x")], version="1")
    def excess(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        return {"x": float(design["n"] - 2**70 + design["m"])}

    env = EnvironmentSpec("test/Long-v0", lambda: excess, FixedWorkloads({"w": 1}), {"x": dg.minimize("x")}, "w")
    result = local(Study("long", env, budget=6), tmp_path / "s.db")
    assert result.best().design["n"] == 2**70 + 1
    assert set(result.frame["design.n"]) <= set(range(2**70 + 1, 2**70 + 7))


def test_a_frame_that_is_read_in_parts_is_that_of_all_rows_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "s.db"
    local(Study("s", ENV, budget=12, functional="off"), place)
    with sqlite3.connect(place) as connection:  # so that a column is empty in one part, and text in others
        connection.execute("UPDATE trials SET key_functional = 'a key' WHERE number >= 5")
    connection.close()
    with open_store(place) as store:
        whole, columns = study_frame(store, "s"), Store.trial_columns
        monkeypatch.setattr(Store, "trial_columns", lambda store, runs: columns(store, runs, 5))
        assert len(list(store.trial_columns(store.runs("s")))) > 1
        pd.testing.assert_frame_equal(study_frame(store, "s"), whole)
    assert whole["key_functional"].isna().sum() == 5


@pytest.mark.parametrize(
    "objective",
    [
        dg.minimize("latency_ns", subject_to={"area_mm2": "<= 0.123456789012345"}),
        dg.maximize("latency_ns / area_mm2"),
        dg.weighted({"latency_ns": 2, "area_mm2": -1}, scales={"latency_ns": 10, "area_mm2": 3}),
        dg.target({"latency_ns": 10, "area_mm2": 3}, bonus=0.2, subject_to={"area_mm2": ">= 1"}),
        dg.pareto("latency_ns", "area_mm2", reference={"latency_ns": 9, "area_mm2": 2}, maximize=["area_mm2"]),
    ],
)
def test_objectives_survive_the_store(objective: dg.Objective) -> None:
    import json

    again = objective_from_json(json.loads(json.dumps(objective_to_json(objective))))
    assert again.describe() == objective.describe() and objective_to_json(again) == objective_to_json(objective)
    for values in ({"latency_ns": 5.0, "area_mm2": 2.5}, {"latency_ns": 50.0, "area_mm2": 0.1}):
        assert again.score(dg.Metrics(values)) == objective.score(dg.Metrics(values))


def test_local_backend_refuses_what_needs_ray() -> None:
    with pytest.raises(InputError, match="need Ray"):
        Study("s", ENV).run(backend="local", store=":memory:", address="auto")
    with pytest.raises(InputError, match="expected 'ray' or 'local'"):
        Study("s", ENV).run(backend="dask", store=":memory:")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="store in memory"):
        Study("s", ENV).run(store=":memory:")


def test_long_options_are_cut_in_labels() -> None:
    choices = check_searchers(
        [dg.searchers.recipe("optuna", sampler="TPESampler", n_startup_trials=5, n_ei_candidates=13, multivariate=True)]
    )
    assert len(choices[0].label) <= 60 and choices[0].label.startswith("optuna(")


def test_store_place_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESIGNGYM_STORE", str(tmp_path / "elsewhere.db"))
    Study("s", ENV, budget=4).run(backend="local")
    assert (tmp_path / "elsewhere.db").is_file()
    monkeypatch.delenv("DESIGNGYM_STORE")
    monkeypatch.chdir(tmp_path)
    Study("s", ENV, budget=4).run(backend="local")
    assert (tmp_path / "designgym.db").is_file()
    with pytest.raises(UnknownNameError):
        Study("never", ENV).result()


def test_a_cluster_that_does_not_answer_is_reported_at_once(tmp_path: Path) -> None:
    import time

    from designgym.core.errors import DesignGymError

    began = time.monotonic()
    with pytest.raises(DesignGymError, match=r"no Ray cluster answers at address '127.0.0.1:1'"):
        Study("s", ENV, budget=4).run(store=tmp_path / "s.db", address="127.0.0.1:1")
    assert time.monotonic() - began < 30
