"""Studies on noisy simulators: means instead of lucky scores, which are never taken for single measurements."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.averaging import Averaged
from designgym.core.errors import InputError
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.envs import make_evaluator
from designgym.studies.repeating import commands_of
from designgym.studies.results import StudyResult
from designgym.studies.study import Study
from designgym.studies.tune_trial import Payload

CALLS: list[int] = []


@dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 63)), metrics=[dg.metric("cost_ns", goal="min")], version="1", deterministic=False)
def noisy(design: dg.Design, workload: Any, *, seed: int) -> dict[str, float]:
    CALLS.append(seed)
    return {"cost_ns": design["a"] + float(np.random.default_rng([seed, design["a"]]).normal())}


ENV = EnvironmentSpec("mine/Noisy-v0", lambda: noisy, FixedWorkloads({"w": 1}), {"cost": dg.minimize("cost_ns")}, "w")


def run(name: str, store: Path, **options: Any) -> tuple[StudyResult, int]:
    CALLS.clear()
    result = Study(name, ENV, searchers="grid", budget=64, functional="off", **options).run(backend="local", store=store, progress=False)
    return result, len(CALLS)


def spread(result: StudyResult) -> float:
    return statistics.pstdev(result.frame["metrics.cost_ns"] - result.frame["design.a"])


def test_measurements_reduce_the_spread_and_cost_no_budget(tmp_path: Path) -> None:
    once, calls = run("once", tmp_path / "s.db")
    assert calls == 64
    mean, calls = run("mean", tmp_path / "s.db", measurements=9)
    assert calls == 9 * 64  # single measurements of the other study are no means of nine
    assert len(mean.frame) == len(once.frame) == 64 and (mean.frame["obtained"] == "measured").all()
    assert 2.0 < spread(once) / spread(mean) < 4.5  # 3 expected
    again, calls = run("again", tmp_path / "s.db", measurements=9)
    assert calls == 0 and (again.frame["obtained"] == "exact hit").all()  # but those of nine are
    assert again.frame["metrics.cost_ns"].tolist() == mean.frame["metrics.cost_ns"].tolist()
    assert run("single", tmp_path / "s.db")[0].frame["metrics.cost_ns"].tolist() == once.frame["metrics.cost_ns"].tolist()
    with pytest.raises(InputError, match=r"another definition: simulator was .*measurements was 9, is now 4"):
        run("mean", tmp_path / "s.db", measurements=4)
    assert "    measurements=9," in commands_of(mean.definition)
    assert "measurements" not in once.definition  # studies that earlier versions stored go on


class Twins:
    """Designs come in fours that behave alike, which the probe shows, with noise of one per cent that depends on the design."""

    name, version, deterministic = "twins", "1", False
    space, metrics, resources = dg.DesignSpace(a=dg.Integer(0, 255)), (dg.metric("cost_ns", goal="min"),), dg.Resources()

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        noise = [float(np.random.default_rng([seed, design["a"]]).normal(1.0, 0.01)) for design in designs]
        return [dg.Metrics({"cost_ns": (10 + d["a"] // 4) * factor}) for d, factor in zip(designs, noise, strict=True)]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes]:
        return [b"%d" % (design["a"] // 4) for design in designs]


def test_agreement_lets_fingerprints_of_noisy_results_stand(tmp_path: Path) -> None:
    env = EnvironmentSpec("mine/Twins-v0", Twins, FixedWorkloads({"w": 1}), {"cost": dg.minimize("cost_ns")}, "w")
    obtained = {}
    for agreement in (1e-9, 0.06):
        study = Study("s", env, searchers="random", budget=120, duplicate_cap=1000, functional="on", agreement=agreement)
        result = study.run(backend="local", store=":memory:", progress=False)
        obtained[agreement] = result.frame["obtained"].tolist()
        assert ("    agreement=0.06," in commands_of(result.definition)) == (agreement == 0.06)
        assert result.frame.loc[result.frame["obtained"] == "audited", "duplicate"].eq(agreement == 0.06).all()
    assert "functional hit" not in obtained[1e-9] and obtained[0.06].count("functional hit") > 50
    evaluator = make_evaluator(env, functional="on", agreement=0.06)
    evaluator.evaluate([Twins.space.validate({"a": a}) for a in range(256)])
    assert evaluator.counts.functional_hits > 100
    with pytest.raises(InputError, match=r"agreement must be in \[0, 1\), got 1.0"):
        Study("s", env, agreement=1.0)


def test_workers_average_as_the_driver_does() -> None:
    payload = Payload("s", "", "", ENV, {}, {}, {}, {}, {}, measurements=3)
    simulator = payload.simulator()
    assert isinstance(simulator, Averaged) and simulator.version == Study("s", ENV, measurements=3).definition.simulator.version


def test_an_evaluator_returns_running_means_that_scatter_less_and_forgets() -> None:
    def results(asked: int, **options: Any) -> list[float]:
        """What the last of several evaluations of each design says, less the truth."""
        CALLS.clear()
        evaluator = make_evaluator(ENV, **options)
        designs = [noisy.space.validate({"a": a}) for a in range(64)]
        trials = [evaluator.evaluate(designs) for _ in range(asked)][-1]
        return [trial.metrics["cost_ns"] - trial.design["a"] for trial in trials]

    once = results(3)
    assert len(CALLS) == 64
    mean = results(12, measurements=9)
    assert len(CALLS) == 9 * 64
    assert 2.0 < statistics.pstdev(once) / statistics.pstdev(mean) < 4.5
    results(12, forget=0.25)
    assert 64 * 2 < len(CALLS) < 64 * 5  # 11 servings, and a measurement after each that was the last
    assert len(set(CALLS)) > 2  # under other seeds


def test_measurements_without_effect_are_refused() -> None:
    with pytest.raises(InputError, match="measurements of counting are all the same"):
        Study("s", "test/Counting-v0", measurements=2)
    with pytest.raises(InputError, match="measurements must be a whole number of at least 1, got 0"):
        Study("s", ENV, measurements=0)
    several: list[dict[str, Any]] = [{"measurements": 2}, {"forget": 0.1}]
    for options in several:
        with pytest.raises(InputError, match="measurements of counting are all the same"):
            make_evaluator("test/Counting-v0", **options)
        with pytest.raises(InputError, match="for cache='local'"):
            make_evaluator(ENV, cache=None, **options)
    with pytest.raises(InputError, match="forget of a cache is 1"):
        make_evaluator(ENV, forget=1.0)
