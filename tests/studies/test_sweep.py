"""Studies on Ray Tune: the same trials as without Ray, early stops, pools, errors; all in one Ray session that is not ours."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import designgym as dg
from designgym.core.errors import DesignGymError, InputError, UnknownNameError
from designgym.studies.results import StudyResult
from designgym.studies.run_report import RunReport
from designgym.studies.store import open_store
from designgym.studies.study import Study

ENV = "test/Counting-v0"
SAME = ["run", "number", "duplicate", "status", "score", "feasible", "key_literal", "key_canonical"]


@pytest.fixture(scope="module", autouse=True)
def ray_around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Ray that the user started: the sweeps must use it and leave it running."""
    import ray

    log = tmp_path_factory.mktemp("log") / "calls.log"
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "DESIGNGYM_TEST_LOG": str(log)}
    plugins = os.environ.pop("DESIGNGYM_PLUGINS", None)  # its workers know nothing of the plugin
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    if plugins is not None:
        os.environ["DESIGNGYM_PLUGINS"] = plugins
    yield
    assert ray.is_initialized()
    ray.shutdown()
    del os.environ["DESIGNGYM_TEST_LOG"]


def sorted_frame(result: StudyResult) -> pd.DataFrame:
    return result.frame.sort_values(["run", "number"]).reset_index(drop=True)[SAME]


def test_same_trials_with_one_worker_two_workers_and_none(tmp_path: Path) -> None:
    log = Path(os.environ["DESIGNGYM_TEST_LOG"])
    log.write_text("")
    study = Study("s", ENV, searchers=["random", "evolution"], budget=40, seeds=2)
    reports: list[RunReport] = []
    two = study.run(store=tmp_path / "two.db", workers=2, progress=reports.append)
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)) > 40  # each behaviour was measured once in the whole sweep
    one = study.run(store=tmp_path / "one.db", workers=1)
    none = study.run(store=tmp_path / "none.db", backend="local")
    pd.testing.assert_frame_equal(sorted_frame(two), sorted_frame(one))
    pd.testing.assert_frame_equal(sorted_frame(two), sorted_frame(none))
    assert two.finished and {report.run for report in reports} == {run.plan.run for run in two.runs}
    assert sum(bool(report.stop_reason) for report in reports) >= 4
    pids = set(two.frame["worker"].str.split(":").str[1])
    assert pids and str(os.getpid()) not in pids


def test_more_seeds_extend_and_nothing_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Study("s", ENV, searchers="random", budget=16).run(store="sqlite:///s.db")  # relative to this process, not to the workers
    result = Study("s", ENV, searchers="random", budget=24, seeds=2).run(store=tmp_path / "s.db")
    assert [report.evaluations for report in result.reports] == [24, 24]
    began = time.monotonic()
    Study("s", ENV, searchers="random", budget=24, seeds=2).run(store=tmp_path / "s.db")
    assert time.monotonic() - began < 2  # no sweep is started for a finished study


def test_a_scheduler_stops_runs_early_and_it_is_recorded(tmp_path: Path) -> None:
    from ray.tune.schedulers import ASHAScheduler

    scheduler = ASHAScheduler(time_attr="evaluations", max_t=400, grace_period=8, reduction_factor=2)
    study = Study("s", ENV, searchers=["random", "evolution"], budget=60, seeds=4, batch=4, scheduler=scheduler)
    result = study.run(store=tmp_path / "s.db")
    stopped = [(run, report) for run, report in zip(result.runs, result.reports, strict=True) if run.status == "stopped"]
    assert stopped and result.finished
    for run, report in stopped:
        assert "stopped early" in run.stop_reason and 8 <= report.evaluations < 60 and not run.owner
    assert any(run.status == "finished" for run in result.runs)
    before = len(result.frame)
    assert len(study.run(store=tmp_path / "s.db").frame) == before  # what was stopped stays stopped


def test_a_run_that_spent_its_budget_is_finished_though_the_scheduler_ends_it_there(tmp_path: Path) -> None:
    from ray.tune.schedulers import AsyncHyperBandScheduler

    scheduler = AsyncHyperBandScheduler(time_attr="evaluations", max_t=16, grace_period=16)
    result = Study("s", ENV, budget=16, seeds=2, scheduler=scheduler).run(store=tmp_path / "s.db")
    assert {(run.status, run.stop_reason) for run in result.runs} == {("finished", "budget of 16 evaluations spent")}


def test_expensive_simulators_run_on_a_pool_and_give_the_same_trials(tmp_path: Path) -> None:
    study = Study("s", ENV, searchers="random", budget=16)
    pooled = study.run(store=tmp_path / "pool.db", evaluate_on="pool")
    alone = study.run(store=tmp_path / "local.db", backend="local")
    pd.testing.assert_frame_equal(sorted_frame(pooled), sorted_frame(alone))
    assert (pooled.frame["obtained"] == "measured").all()


def test_a_search_in_another_process_sees_a_users_own_environment(tmp_path: Path) -> None:
    """Not registered anywhere, defined in a module that workers cannot import."""

    @dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 99)), metrics=["cost_ns"], version="1")
    def mine(design: dg.Design, workload: int, *, seed: int) -> Mapping[str, float]:
        return {"cost_ns": float(design["a"] * workload)}

    from designgym.core.registry import EnvironmentSpec, FixedWorkloads

    env = EnvironmentSpec("mine/Own-v0", lambda: mine, FixedWorkloads({"w": 3}), {"cost": dg.minimize("cost_ns")}, "w")
    result = Study("s", env, searchers="random", budget=10).run(store=tmp_path / "s.db")
    assert (result.frame["metrics.cost_ns"] == 3 * result.frame["design.a"]).all()


class Broken:
    """A searcher that fails at its third batch."""

    def __init__(self, space: dg.DesignSpace, objective: dg.Objective, *, seed: int) -> None:
        import numpy as np

        self.space, self.rng, self.asked = space, np.random.default_rng(seed), 0

    def ask(self, n: int) -> list[dg.Design]:
        self.asked += 1
        if self.asked == 3:
            raise ZeroDivisionError("a bug in a searcher")
        return self.space.sample(self.rng, n)

    def tell(self, trials: Sequence[dg.Trial]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {"asked": self.asked, "rng": self.rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.asked, self.rng.bit_generator.state = state["asked"], state["rng"]


def test_bad_input_found_by_a_worker_is_bad_input_here_too(tmp_path: Path) -> None:
    """Whether simulators run in the trials or on a pool, and for the more special kinds of `InputError`."""

    class Picky:
        name, version, deterministic = "picky", "1", True
        space, metrics, resources = dg.DesignSpace(a=dg.Integer(0, 9)), (dg.metric("cost_ns"),), dg.Resources()

        def evaluate(
            self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0
        ) -> list[dg.Metrics]:
            raise UnknownNameError("kind of trace", workload.data, ["long", "short"])

        def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> None:
            return None

    from designgym.core.registry import EnvironmentSpec, FixedWorkloads

    env = EnvironmentSpec("mine/Picky-v0", Picky, FixedWorkloads({"w": "shrot"}), {"cost": dg.minimize("cost_ns")}, "w")
    for place in ("run", "pool"):
        with pytest.raises(InputError, match="unknown kind of trace 'shrot': did you mean 'short'"):
            Study(place, env, searchers="random", budget=4).run(store=tmp_path / "s.db", evaluate_on=place)


def test_a_searchers_bug_fails_its_run_only_and_is_told(tmp_path: Path) -> None:
    dg.register_searcher("broken", Broken)
    study = Study("s", ENV, searchers=["broken", "random"], budget=40)
    with pytest.raises(DesignGymError, match=r"1 of 2 runs failed; run 'broken-s0': ZeroDivisionError: a bug in a searcher"):
        study.run(store=tmp_path / "s.db")
    with open_store(tmp_path / "s.db") as store:
        result = StudyResult.load(store, "s")
    assert [run.status for run in result.runs] == ["failed", "finished"]
    assert [report.trials for report in result.reports] == [16, 40]


@pytest.mark.parametrize("evaluate_on", ["run", "auto"])  # auto: on a pool
def test_what_cannot_run_is_refused(tmp_path: Path, evaluate_on: Any) -> None:
    class Large:
        name, version, deterministic = "large", "1", True
        space, metrics = dg.DesignSpace(a=dg.Integer(0, 9)), (dg.metric("cost_ns"),)
        resources = dg.Resources(cpus=1, gpus=3)

        def evaluate(
            self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0
        ) -> list[dg.Metrics]:
            raise AssertionError

        def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> None:
            return None

    from designgym.core.registry import EnvironmentSpec, FixedWorkloads

    env = EnvironmentSpec("mine/Large-v0", Large, FixedWorkloads({"w": 3}), {"cost": dg.minimize("cost_ns")}, "w")
    with pytest.raises(InputError, match="needs 3 GPU, this Ray cluster has 0"):
        Study("s", env, searchers="random", budget=10).run(store=tmp_path / "s.db", evaluate_on=evaluate_on)
