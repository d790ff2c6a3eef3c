"""``designgym/NasCell-v0``: the published space, its objectives, and a search that trains every cell once."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import designgym.envs  # registers the id with Gymnasium
from designgym.core.metrics import Metrics
from designgym.envs import environment, make_evaluator
from designgym.envs.nas_cell import REFERENCE
from designgym.simulators.nas.cell import Cell
from designgym.simulators.nas.network import CellNetwork

ID = "designgym/NasCell-v0"


def test_the_space_is_that_of_nas_bench_101() -> None:
    spec = designgym.envs.environment(ID)
    space = spec.simulator().space
    assert space.size() == 509_607_936 and len(space.parameters) == 26
    assert {"edge_0_1", "edge_0_6", "edge_5_6", "op_1", "op_5"} <= space.parameters.keys()
    assert spec.workloads.names() == ["digits", "digits-rotated"]


def test_objectives_prefer_what_is_right_more_often_and_what_is_smaller() -> None:
    spec = environment(ID)

    def result(accuracy: float, parameters: float) -> Metrics:
        others = {"test_accuracy": 0.5, "train_loss": 1.0, "macs": 1e5}
        return Metrics({"validation_accuracy": accuracy, "parameters": parameters} | others)

    small, large, worse = result(0.9, 3_000), result(0.9, 30_000), result(0.8, 30_000)
    assert spec.objective().name == "accuracy"
    assert spec.objective().score(small) == spec.objective().score(large) == pytest.approx(0.9)
    assert spec.objective().score(large) > spec.objective().score(worse)
    scores = [spec.objective("pareto").score(each) for each in (small, large, worse, result(0.4, 3_000))]
    assert scores == sorted(scores, reverse=True) and scores[2] > 0 > scores[3]


def test_the_largest_cell_lies_inside_the_reference_box() -> None:
    chain = CellNetwork(Cell(("conv3x3",) * 5, ((0,), (1,), (2,), (3,), (4,), (5,))), (1, 8, 8), 10)
    space = environment(ID).simulator().space
    drawn = [Cell.of_design(space.canonical(design)) for design in space.sample(np.random.default_rng(0), 300)]
    assert max(CellNetwork(cell, (1, 8, 8), 10).parameters for cell in drawn) <= chain.parameters < REFERENCE["parameters"]


def test_equal_cells_are_trained_once() -> None:
    evaluator = make_evaluator(ID, fidelity=0.125, functional="on")
    space = evaluator.simulator.space
    base = dict.fromkeys([name for name in space.parameters if name.startswith("edge")], False)
    operations = {f"op_{v}": "conv1x1" for v in range(1, 6)}
    first = space.validate(base | operations | {"edge_0_2": True, "edge_2_6": True})
    moved = space.validate(base | operations | {"edge_0_4": True, "edge_4_6": True, "edge_0_1": True, "op_1": "maxpool3x3"})
    other = space.validate(base | operations | {"edge_0_2": True, "edge_2_6": True, "op_2": "conv3x3"})
    trials = evaluator.evaluate([first, moved, other])
    assert [trial.obtained for trial in trials][1] == "exact hit" and trials[0].metrics == trials[1].metrics
    assert trials[0].keys.canonical == trials[1].keys.canonical != trials[2].keys.canonical
    assert evaluator.counts.measured == 2


def test_gymnasium_steps_through_it() -> None:
    env = gymnasium.make(ID, form="design", budget=2).unwrapped
    env.reset(seed=0)
    action = np.zeros(26, dtype=np.int64)
    action[5] = 1  # edge_0_6: the smallest cell
    _, _, _, _, info = env.step(action)
    assert info["score"] == info["metrics"]["validation_accuracy"] > 0.5 and info["metrics"]["parameters"] < 2_000
