"""Exports: what other programs read is what the store holds, units included."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import designgym as dg
from designgym.core.errors import DesignGymError, InputError, UnknownNameError
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.studies.exports import write_file
from designgym.studies.results import StudyResult
from designgym.studies.study import Study

SPACE = dg.DesignSpace(
    width=dg.PowerOfTwo(1, 64, unit="bit"),
    gain=dg.Float(0.5, 2.0),
    order=dg.Permutation("a", "b", "c"),
    mixed=dg.Categorical(1, "x", True),
    level=dg.Ordinal("low", "mid", "high"),
    layers=dg.Repeated(dg.DesignSpace(kind=dg.Categorical("u", "v"), size=dg.Integer(1, 3)), 0, 3),
    conditions=[dg.Condition("gain", "level != 'low'")],
)


@dg.simulator(space=SPACE, metrics=[dg.metric("lat_ns", goal="min"), dg.metric("area_mm2", goal="min")], version="1")
def structured(design: dg.Design, workload: float, *, seed: int) -> dict[str, float]:
    """All kinds of parameters; one value in seven crashes."""
    if design["width"] == 64:
        raise ValueError("too wide")
    return {"lat_ns": workload * 100 / design["width"] + len(design["layers"]), "area_mm2": design["width"] / 8}


@pytest.fixture(scope="module")
def result() -> StudyResult:
    objective = dg.pareto("lat_ns", "area_mm2", reference={"lat_ns": 130, "area_mm2": 8}, subject_to={"area_mm2": "<= 2"})
    env = EnvironmentSpec("mine/Structured-v0", lambda: structured, FixedWorkloads({"w": 1.0, "x": 2.0}), {"both": objective}, "w")
    study = Study("export me", env, workloads=["w", "x"], searchers=["random", "genetic"], budget=30)
    return study.run(backend="local", store=":memory:")


def test_parquet_has_units_nested_types_and_the_definition(result: StudyResult, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(result.to_parquet(tmp_path / "sub" / "out.parquet"))
    assert table.num_rows == len(result.frame) == 120 and table.column_names == list(result.frame.columns)
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in table.schema}
    assert (
        units["metrics.lat_ns"] == "ns"
        and units["metrics.area_mm2"] == "mm^2"
        and units["design.width"] == "bit"
        and units["cost_s"] == "s"
    )
    assert units["design.gain"] == ""
    layers = table.schema.field("design.layers").type
    assert pa.types.is_list(layers) and pa.types.is_struct(layers.value_type) and layers.value_type.field("size").type == pa.int64()
    assert table["design.layers"].to_pylist() == result.frame["design.layers"].tolist()
    assert [list(order) for order in table["design.order"].to_pylist()] == result.frame["design.order"].tolist()
    assert table.schema.field("design.width").type == pa.int64() and table.schema.field("duplicate").type == pa.bool_()
    scores = table["score"].to_pylist()
    assert scores == result.frame["score"].tolist() and -math.inf in scores
    latencies = table["metrics.lat_ns"].to_pylist()
    assert [value is None for value in latencies] == (result.frame["status"] != "ok").tolist()
    assert json.loads(table.schema.metadata[b"designgym.definition"]) == result.definition


def test_csv_and_json(result: StudyResult, tmp_path: Path) -> None:
    frame = pd.read_csv(write_file(result, tmp_path / "out.csv"))
    assert list(frame.columns) == list(result.frame.columns) and frame["metrics.lat_ns"].equals(result.frame["metrics.lat_ns"])
    assert [json.loads(text) for text in frame["design.layers"]] == result.frame["design.layers"].tolist()
    data = json.loads(write_file(result, tmp_path / "out.json").read_text())
    assert data["units"]["metrics.lat_ns"] == "ns" and len(data["trials"]) == 120 and len(data["runs"]) == 4
    assert {trial["score"] is None for trial in data["trials"] if trial["status"] == "failed"} == {True}


def test_formats_and_places_that_cannot_be(result: StudyResult, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown export format '\.xlsx'.*extension"):
        write_file(result, tmp_path / "out.xlsx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        write_file(result, tmp_path / "folder.csv")
    with pytest.raises(DesignGymError, match="cannot export"):
        write_file(result, Path("/proc/nothing/out.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_optuna_reads_the_same_trials(result: StudyResult, tmp_path: Path, kind: str) -> None:
    import optuna

    url = f"sqlite:///{tmp_path / 'optuna.db'}" if kind == "sqlite" else str(tmp_path / "optuna.log")
    assert result.to_optuna(url) == f"optuna-dashboard {url}"
    storage: Any = url
    if kind == "journal":
        from optuna.storages.journal import JournalFileBackend

        storage = optuna.storages.JournalStorage(JournalFileBackend(url))
    for workload in ("w", "x"):
        study = optuna.load_study(study_name=f"export me ({workload})", storage=storage)
        rows = result.frame[result.frame["workload"] == workload]
        assert [direction.name for direction in study.directions] == ["MINIMIZE", "MINIMIZE"]
        assert study.metric_names == ["lat_ns", "area_mm2"] and study.user_attrs["units"]["metrics.lat_ns"] == "ns"
        assert len(study.trials) == len(rows) == 60
        for trial, row in zip(study.trials, rows.to_dict("records"), strict=True):
            assert trial.user_attrs["run"] == row["run"] and trial.user_attrs["obtained"] == row["obtained"]
            assert (trial.state.name == "COMPLETE") == (row["status"] == "ok")
            assert trial.params["width"] == row["design.width"] and trial.params["layers.length"] == len(row["design.layers"])
            assert ("gain" in trial.params) == (row["design.level"] != "low")
            if row["status"] == "ok":
                assert trial.values == [row["metrics.lat_ns"], row["metrics.area_mm2"]]
                assert (trial.system_attrs["constraints"][0] <= 0) == row["feasible"]
        assert study.best_trials  # Optuna agrees on what is feasible and not dominated
        assert all(trial.user_attrs["feasible"] for trial in study.best_trials)
    with pytest.raises(InputError, match="holds a study 'export me"):
        result.to_optuna(url)


def test_optuna_dashboard_opens_it(tmp_path: Path) -> None:
    import optuna
    from optuna_dashboard import wsgi

    study = Study("single", "test/Counting-v0", searchers=["random"], budget=20)
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    result = study.run(backend="local", store=":memory:")
    result.to_optuna(url)
    loaded = optuna.load_study(study_name="single", storage=url)
    assert (
        loaded.best_value == pytest.approx(result.best().metrics["latency_ns"])
        and loaded.best_params["ways"] == result.best().design["ways"]
    )
    app = wsgi(url)

    def get(path: str) -> Any:
        status: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http", "CONTENT_LENGTH": "0",
        }  # fmt: skip
        respond: Any = lambda code, headers, *_: status.append(code)  # noqa: E731
        body = b"".join(app(environ, respond))
        assert status[0].startswith("200"), (status, body[:300])
        return json.loads(body)

    listed = get("/api/studies")
    summaries = listed.get("study_summaries") or listed["studies"]
    assert [summary["study_name"] for summary in summaries] == ["single"]
    detail = get(f"/api/studies/{summaries[0]['study_id']}")
    assert len(detail["trials"]) == 20


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("optuna.db", "neither a database URL"),
        ("sqlite:////proc/x/y.db", "cannot be opened|cannot export"),
        ("foo://bar", "cannot be opened"),
    ],
)
def test_optuna_storages_that_cannot_be(result: StudyResult, url: str, expected: str) -> None:
    with pytest.raises(DesignGymError, match=expected):
        result.to_optuna(url)
