"""``designgym/FarsiSoc-v0``: the budgets of the paper, its options, and users' own task graphs."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import designgym.envs  # registers the id with Gymnasium
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.core.testing import check_env
from designgym.envs import environment, make_evaluator

ID = "designgym/FarsiSoc-v0"
METRICS = [spec.name for spec in environment(ID).simulator().metrics]


def result(**values: float) -> Metrics:
    return Metrics(dict.fromkeys(METRICS, 1.0) | values)


def test_it_passes_the_kit() -> None:
    check_env(ID)


def test_budgets_are_no_more_than_and_beating_them_is_better() -> None:
    spec = environment(ID)
    for name, latency in (("budget_21ms", 21.0), ("budget_34ms", 34.0)):
        objective = spec.objective(name)
        met = result(latency_ms=latency, power_mw=8.737, area_mm2=17.475)
        beaten = result(latency_ms=latency / 2, power_mw=8.737, area_mm2=17.475)
        missed = result(latency_ms=latency * 1.01, power_mw=1.0, area_mm2=1.0)
        worse = result(latency_ms=latency * 2, power_mw=1.0, area_mm2=1.0)
        scores = [objective.score(each) for each in (beaten, met, missed, worse)]
        assert scores == sorted(scores, reverse=True) and scores[1] == 0 > scores[2] > scores[3]
    assert spec.default_objective == "budget_21ms" and spec.default_workload == "audio_decoder"


def test_workloads_are_those_of_farsi() -> None:
    assert environment(ID).workloads.names() == ["audio_decoder", "hpvm_cava", "edge_detection"]


@pytest.mark.parametrize(("tasks", "parameters"), [(18, 54), (9, 36), (8, 34)])
def test_archgyms_space_is_an_option(tasks: int, parameters: int) -> None:
    env = gymnasium.make(ID, space="archgym", tasks=tasks, workload={18: "audio_decoder", 9: "hpvm_cava", 8: "edge_detection"}[tasks])
    env.reset(seed=0)
    _, _, _, _, info = env.step(env.action_space.sample())
    assert env.action_space.shape == (parameters,) and info["trial"] is not None
    env.close()


def test_options_reach_the_simulator() -> None:
    corrected, farsi = (environment(ID).simulator(model=model) for model in ("corrected", "as_farsi"))
    designs = corrected.space.sample(np.random.default_rng(0), 20)
    workload = environment(ID).workload("edge_detection")
    pairs = list(zip(corrected.evaluate(designs, workload), farsi.evaluate(designs, workload), strict=True))
    assert all(a["area_mm2"] > 0 and b["area_mm2"] > 0 for a, b in pairs if a.ok and b.ok)
    assert any(a.ok and b.ok and abs(a["power_mw"] / b["power_mw"] - 1) > 0.1 for a, b in pairs)  # FARSI's windows are moved
    with pytest.raises(InputError, match="corrected or as_farsi"):
        environment(ID).simulator(model="upstream")


def test_designs_that_are_alike_are_measured_once() -> None:
    evaluator = make_evaluator(ID, workload="hpvm_cava")
    base = evaluator.simulator.space.default().to_dict()
    wide = [{"width_bytes": 64, "clock_mhz": 400, "parent": 0}]
    fast = [{"width_bytes": 32, "clock_mhz": 800, "parent": 0}, {"width_bytes": 4, "clock_mhz": 100, "parent": 0}]
    designs = [evaluator.simulator.space.validate({**base, "buses": buses}) for buses in (wide, fast)]
    trials = evaluator.evaluate(designs)
    assert trials[1].obtained == "exact hit" and trials[0].metrics == trials[1].metrics


def test_a_task_graph_of_ones_own(tmp_path: Path) -> None:
    tasks = [{"name": "in", "processor_cycles": 0}, {"name": "f", "processor_cycles": 1e6}, {"name": "out", "processor_cycles": 0}]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"tasks": tasks, "transfers": [["in", "f", 1000], ["f", "out", 1000]]}))
    simulator = environment(ID).simulator()
    [found] = simulator.evaluate([simulator.space.default()], environment(ID).workload(path))
    assert found["latency_ms"] == pytest.approx(1.0)
    assert designgym.envs.environment(ID) is environment(ID)
