"""The simulator: what is trained learns, is repeatable to the last bit, and depends on the canonical cell alone."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from designgym.core.errors import InputError
from designgym.core.testing import equivalent_designs
from designgym.core.workload import Workload
from designgym.simulators.nas.cell import Cell
from designgym.simulators.nas.network import CellNetwork
from designgym.simulators.nas.simulator import CellTraining
from designgym.simulators.nas.space import cell_space
from designgym.simulators.nas.tasks import Task
from designgym.simulators.nas.training import train

IN_ANOTHER_PROCESS = """
import sys, json, numpy as np, torch
from designgym.core.workload import Workload
from designgym.simulators.nas import CellTraining, TaskLibrary
torch.set_num_threads(2)
simulator = CellTraining()
designs = simulator.space.sample(np.random.default_rng(11), 4)
little = Workload("little", TaskLibrary().get("digits").data.head(500))
print(json.dumps([dict(result.values) for result in simulator.evaluate(designs[::-1], little, seed=3)[::-1]]))
"""


def test_a_training_learns(digits: Task) -> None:
    """At full length, a residual cell tells ten digits apart far better than chance, and much better than no cell."""
    residual = Cell(("conv3x3", "conv1x1", "conv3x3"), ((0,), (1,), (0, 2), (0, 3)))
    learned = train(CellNetwork(residual, (1, 8, 8), 10), digits, epochs=digits.epochs, seed=0)
    assert learned.validation_accuracy > 0.8 and learned.test_accuracy > 0.8 and learned.train_loss < 0.3
    untrained = train(CellNetwork(residual, (1, 8, 8), 10), digits, epochs=0, seed=0)
    assert untrained.train_loss == pytest.approx(math.log(10)) and untrained.validation_accuracy < 0.2


def test_results_are_equal_to_the_last_bit_in_another_process_batch_and_with_other_threads(little: Workload) -> None:
    simulator = CellTraining()
    designs = simulator.space.sample(np.random.default_rng(11), 4)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        here = [dict(result.values) for design in designs for result in simulator.evaluate([design], little, seed=3)]
        torch.set_num_threads(2)
        assert [dict(result.values) for result in simulator.evaluate(designs, little, seed=3)] == here
        assert torch.get_num_threads() == 2  # left as it was
    finally:
        torch.set_num_threads(before)
    done = subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == here
    assert len({values["train_loss"] for values in here}) > 1


def test_equal_cells_have_exactly_equal_metrics_and_keys(little: Workload) -> None:
    simulator = CellTraining()
    rng = np.random.default_rng(4)
    pairs = 0
    for design in simulator.space.sample(rng, 4):
        result, key = simulator.evaluate([design], little, seed=1), simulator.probe([design], little)
        for twin in (*list(equivalent_designs(simulator.space, design, rng))[:2], simulator.space.canonical(design)):
            assert simulator.evaluate([twin], little, seed=1) == result and simulator.probe([twin], little) == key
            pairs += twin != design
    assert pairs >= 6


def test_the_seed_sets_the_noise(little: Workload) -> None:
    simulator = CellTraining()
    design = simulator.space.default()
    first, second = (simulator.evaluate([design], little, seed=seed)[0] for seed in (0, 1))
    assert first["train_loss"] != second["train_loss"] and first["parameters"] == second["parameters"]
    assert first.cost_s > 0 and first == simulator.evaluate([design], little, seed=0)[0]


def test_fidelity_is_the_share_of_the_epochs(digits: Task) -> None:
    simulator = CellTraining()
    design = simulator.space.canonical(simulator.space.validate(simulator.space.default().replace(edge_0_6=True, edge_5_6=False)))
    task = digits.head(1500)
    long, short = (Workload(str(epochs), Task(task.images, task.labels, 100, 50, 50, epochs)) for epochs in (8, 2))
    for fidelity in (0.25, 0.2):
        assert simulator.evaluate([design], long, fidelity=fidelity) == simulator.evaluate([design], short)
    assert simulator.evaluate([design], long, fidelity=0.01) == simulator.evaluate([design], short, fidelity=0.5)
    assert simulator.evaluate([design], long) != simulator.evaluate([design], short)


def test_what_cannot_be_trained_is_refused_in_words(little: Workload) -> None:
    simulator = CellTraining()
    design = cell_space().default()
    cut = simulator.space.validate(design.replace(edge_5_6=False))
    good, bad = simulator.evaluate([design, cut], little)
    assert good.ok and bad.status == "infeasible" and "no path of edges leads from the input" in bad.reasons[0]
    assert len({*simulator.probe([design, cut], little)}) == 2
    with pytest.raises(InputError, match=r"fidelity, the share of the epochs, must be in \(0, 1\], got 0"):
        simulator.evaluate([design], little, fidelity=0)
    with pytest.raises(InputError, match="workload 'w' of a cell's training holds int, expected one made by image_task"):
        simulator.evaluate([design], Workload("w", 1))


def test_a_gpu_is_asked_for_by_name_and_missed_in_words(little: Workload) -> None:
    on_gpu = CellTraining(device="cuda")
    assert (on_gpu.resources.gpus, CellTraining().resources.gpus) == (1, 0)
    assert on_gpu.version != CellTraining().version  # rounding differs, so neither's results stand for the other's
    design = on_gpu.space.default()
    if torch.cuda.is_available():
        first, again = (on_gpu.evaluate([design], little)[0] for _ in range(2))
        assert first.ok and first.values == again.values
    else:
        with pytest.raises(InputError, match="sees no GPU in this process"):
            on_gpu.evaluate([design], little)
    with pytest.raises(InputError, match="must be 'cpu' or 'cuda', got 'tpu'"):
        CellTraining(device="tpu")  # type: ignore[arg-type]
