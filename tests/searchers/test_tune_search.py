"""Our searchers as Ray Tune's ``search_alg``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.core.errors import InputError

pytest.importorskip("ray.tune")
SPACE = dg.DesignSpace(a=dg.Integer(0, 15), b=dg.Categorical("x", "y"))


def make(**options: Any) -> Any:
    from designgym.searchers import TuneSearch

    return TuneSearch("evolution", SPACE, seed=1, population=4, **options)


def result(config: dict[str, Any]) -> dict[str, Any]:
    return {"latency/ns": float((config["a"] - 7) ** 2), "area": 1.0}


def test_suggests_learns_and_restores_from_json(tmp_path: Path) -> None:
    search = make(metric="latency/ns", mode="min")
    assert search.set_search_properties("latency/ns", "min", {"constant": 5})
    for i in range(8):
        config = search.suggest(str(i))
        assert config.keys() == {"a", "b", "constant"}
        search.on_trial_complete(str(i), None if i == 3 else result(config), error=i == 3)
    search.suggest("running")
    search.save_to_dir(str(tmp_path), "session")
    (file,) = tmp_path.iterdir()
    assert file.suffix == ".json"
    json.loads(file.read_text())
    other = make(metric="latency/ns", mode="min")
    other.restore_from_dir(str(tmp_path))
    assert other.inner.state() == search.inner.state()
    observed = list(search.inner.observations.values())
    assert [each.failed for each in observed] == [False] * 3 + [True] + [False] * 4
    assert observed[0].value == -float((observed[0].design["a"] - 7) ** 2)
    for each in (search, other):
        each.on_trial_complete("running", {"latency/ns": 1.0})
        each.on_trial_complete("never suggested", {"latency/ns": 1.0})
    assert other.inner.ask(2) == search.inner.ask(2)


def test_objective_with_renamed_metrics_and_lost_results() -> None:
    search = make(objective=dg.minimize("latency_ns", subject_to={"area": "<= 0.5"}), metrics={"latency_ns": "latency/ns"})
    config = search.suggest("0")
    search.on_trial_complete("0", result(config))
    search.suggest("1")
    search.on_trial_complete("1", {"area": 1.0})
    first, second = search.inner.observations.values()
    assert (first.feasible, first.violation, second.failed) == (False, 1.0, True)
    search.add_evaluated_point({"a": 1, "b": "x"}, {"latency/ns": 3.0, "area": 0.1})
    assert len(search.inner.observations) == 3


def test_ends_when_the_space_does() -> None:
    search = make(metric="m", mode="max")
    configs = [search.suggest(str(i)) for i in range(32)]
    assert len({json.dumps(config) for config in configs}) == 32
    assert search.suggest("more") is None  # something is still running
    for i, config in enumerate(configs):
        search.on_trial_complete(str(i), {"m": float(config["a"])})
    assert search.suggest("more") == "FINISHED"


def test_misuse_is_refused(tmp_path: Path) -> None:
    from ray import tune

    with pytest.raises(InputError, match="needs objective="):
        make().suggest("0")
    with pytest.raises(InputError, match="leave only constants"):
        make().set_search_properties("m", "min", {"a": tune.uniform(0, 1)})
    with pytest.raises(InputError, match="got metric=None"):
        make().set_search_properties(None, None, {})
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(InputError, match="cannot restore"):
        make(metric="m", mode="min").restore(str(tmp_path / "x.json"))


@pytest.mark.slow
def test_in_a_real_tuner(tmp_path: Path) -> None:
    import ray
    from ray import tune

    def trainable(config: dict[str, Any]) -> None:
        if config["a"] == 3:
            raise ValueError("planted")
        tune.report({"latency/ns": float((config["a"] - 7) ** 2 + config["constant"])})

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        search = make()
        config = tune.TuneConfig(search_alg=search, metric="latency/ns", mode="min", num_samples=16, max_concurrent_trials=2)
        run = tune.RunConfig(storage_path=str(tmp_path), name="run", verbose=0)
        results = tune.Tuner(trainable, param_space={"constant": 1}, tune_config=config, run_config=run).fit()
    finally:
        ray.shutdown()
    assert len(results) == 16
    assert len(search.inner.observations) == 16
    restored = make(metric="latency/ns", mode="min")
    restored.restore_from_dir(str(tmp_path / "run"))
    assert restored.inner.state() == search.inner.state()
