"""The network against its definition, counted and computed another way; and what is drawn and judged alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from designgym.core.workload import content_digest
from designgym.simulators.nas import network as network_module
from designgym.simulators.nas.cell import Cell
from designgym.simulators.nas.network import WIDTHS, CellNetwork, Weights
from designgym.simulators.nas.probing import answer, probed
from designgym.simulators.nas.roles import roles_of
from designgym.simulators.nas.tasks import TASKS, Task, TaskLibrary
from designgym.simulators.nas.training import train
from designgym.simulators.nas.weights import FlatWeights

MERGED = [
    # two poolings of one vertex, added up before a convolution
    (("conv1x1", "maxpool3x3", "conv3x3"), ((0,), (1,), (2,), (3,))),
    (("conv1x1", "maxpool3x3", "maxpool3x3", "conv3x3"), ((0,), (1,), (1,), (2, 3), (4,))),
    # three of them
    (("conv1x1", "maxpool3x3", "maxpool3x3", "maxpool3x3", "conv3x3"), ((0,), (1,), (1,), (1,), (2, 3, 4), (5,))),
]
APART = [
    (("conv1x1", "conv1x1", "conv3x3"), ((0,), (1,), (2,), (3,))),
    # two convolutions of one vertex have weights of their own
    (("conv1x1", "conv1x1", "conv1x1", "conv3x3"), ((0,), (1,), (1,), (2, 3), (4,))),
    # a factor in the output is seen by the dense layer
    (("conv1x1", "maxpool3x3"), ((0,), (1,), (2,))),
    (("conv1x1", "maxpool3x3", "maxpool3x3"), ((0,), (1,), (1,), (2, 3))),
    (("conv1x1", "maxpool3x3"), ((0,), (1,), (1, 2))),
    (("maxpool3x3", "maxpool3x3"), ((0,), (0,), (1, 2))),
    (("maxpool3x3",), ((0,), (1,))),
]


EPSILON = 1e-12  # so small that a factor of a convolution's input, which the network leaves out, makes no difference


def plain_network(cell: Cell, network: CellNetwork, weights: Weights, images: Tensor) -> Tensor:
    """Compute a cell's network as NAS-Bench-101 words it: vertex by vertex and edge by edge, with each projection on its own."""
    named: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
    for conv, *tensors in zip(network.convolutions, weights.kernels, weights.scales, weights.shifts, strict=True):
        sizes = [size for _, size in conv.roles]
        named |= zip((role for role, _ in conv.roles), zip(*(tensor.split(sizes) for tensor in tensors), strict=True), strict=True)

    def layer(x: Tensor, role: str) -> Tensor:
        kernel, scale, shift = named.pop(role)  # of one use
        x = functional.conv2d(x, kernel, padding="same")
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
        return torch.relu((x - mean) / torch.sqrt(variance + EPSILON) * scale[:, None, None] + shift[:, None, None])

    x = layer(images, "stem")
    for stage, width in enumerate(WIDTHS):
        x = functional.max_pool2d(x, 2) if stage else x
        channels, roles = cell.channels(width), roles_of(cell, width)
        values: dict[int, Tensor] = {}
        for v in cell.interior:
            total = torch.zeros(())
            for source in cell.sources_of(v):
                total = total + (values[source][:, : channels[v]] if source else layer(x, f"cell {stage} {roles.fed[v]}"))
            pooled = cell.operation(v) == "maxpool3x3"
            values[v] = functional.max_pool2d(total, 3, 1, 1) if pooled else layer(total, f"cell {stage} {roles.vertices[v]}")
        sharing = sorted((v for v in cell.output_sources if v), key=lambda v: roles.vertices[v])
        joined = torch.cat([values[v] for v in sharing], 1) if sharing else torch.zeros(())
        x = joined + layer(x, f"cell {stage} {roles.shortcut}") if roles.shortcut else joined
        assert x.shape[1] == width
    assert not named
    return x.mean((2, 3)) @ weights.dense + weights.bias


def random_weights(network: CellNetwork) -> Weights:
    torch.manual_seed(0)
    vector = FlatWeights(network, 0)
    return vector.views(torch.rand(len(vector.vector), dtype=torch.float64) - 0.3)


def test_the_network_computes_what_nas_bench_101_defines(cells: list[Cell], digits: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_module, "EPSILON", EPSILON)
    cells = [*cells, *(Cell(*parts) for parts in (*MERGED, *APART))]
    images = torch.from_numpy(digits.images[:7].astype(np.float64))[:, None]
    for cell in cells:
        network = CellNetwork(cell, (1, 8, 8), 10)
        weights = random_weights(network)
        expected = plain_network(cell, network, weights, images)
        torch.testing.assert_close(network(images, weights), expected, rtol=1e-9, atol=1e-9)


def test_parameters_and_macs_are_what_torch_counts(cells: list[Cell]) -> None:
    for cell in cells:
        network = CellNetwork(cell, (1, 8, 8), 10)
        flat = FlatWeights(network, 0)
        assert network.parameters == len(flat.vector)
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 1, 8, 8), flat.views(flat.vector))
        assert network.macs * 2 == counter.get_total_flops()


def test_channels_are_divided_as_in_nas_bench_101() -> None:
    five = Cell(("conv1x1",) * 5, ((0,), (0,), (0,), (0,), (0,), (1, 2, 3, 4, 5)))
    assert five.channels(12) == {1: 3, 2: 3, 3: 2, 4: 2, 5: 2}
    inherited = Cell(("conv1x1",) * 4, ((0,), (1,), (1,), (0, 2), (3, 4)))
    assert inherited.channels(12) == {1: 6, 2: 6, 3: 6, 4: 6}
    chain = Cell(("conv1x1", "maxpool3x3"), ((0,), (1,), (0, 2)))
    assert chain.channels(12) == {1: 12, 2: 12}


def test_weights_depend_on_role_and_seed_alone() -> None:
    """Pooling twice and adding up is pooling once and doubling, which a convolution does not see."""
    once = CellNetwork(Cell(("conv1x1", "maxpool3x3", "conv3x3"), ((0,), (1,), (2,), (3,))), (1, 8, 8), 10)
    twice = CellNetwork(Cell(("conv1x1", "maxpool3x3", "maxpool3x3", "conv3x3"), ((0,), (1,), (1,), (2, 3), (4,))), (1, 8, 8), 10)
    assert torch.equal(FlatWeights(once, 1).vector, FlatWeights(twice, 1).vector)
    assert not torch.equal(FlatWeights(once, 1).vector, FlatWeights(once, 2).vector)
    assert len({role for conv in twice.convolutions for role, _ in conv.roles}) == sum(len(conv.roles) for conv in twice.convolutions)


def test_the_probe_merges_equal_functions_and_no_others(digits: Task) -> None:
    keys = [[probed(CellNetwork(Cell(*parts), (1, 8, 8), 10), digits, seed) for parts in (*MERGED, *APART)] for seed in (0, 1)]
    for of_seed in keys:
        merged, apart = of_seed[: len(MERGED)], of_seed[len(MERGED) :]
        assert len(set(merged)) == 1 and len({*apart, merged[0]}) == len(APART) + 1
    assert set(keys[0]).isdisjoint(keys[1])


def test_merged_cells_train_alike_to_the_last_bit(digits: Task) -> None:
    """Not only in theory: what is computed for them is the same, so an audit of a functional hit finds equal metrics."""
    results = [train(CellNetwork(Cell(*parts), (1, 8, 8), 10), digits.head(600), epochs=1, seed=0) for parts in MERGED]
    assert results == [results[0]] * len(MERGED)
    answers = [answer(CellNetwork(Cell(*parts), (1, 8, 8), 10), digits, 0) for parts in MERGED]
    assert all(torch.equal(other, answers[0]) for other in answers)
    assert answers[0].shape == (10, 10) and answers[0].dtype == torch.float64 and answers[0].std() > 0.1


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_what_they_say(name: str, digits: Task) -> None:
    workload = TaskLibrary().get(name)
    task: Task = workload.data
    assert len(task.images) == len(task.labels) == task.train + task.validation + task.test == 1797
    assert task.classes == 10 and task.images.min() == 0 and task.images.max() == 1 and task.images.dtype == np.float32
    assert len(np.unique(task.images.reshape(1797, -1), axis=0)) == 1797  # no image is in two parts
    turns = {
        tuple(np.array_equal(image, np.rot90(upright, k)) for k in range(4))
        for image, upright in zip(task.images, digits.images, strict=True)
    }
    assert len(turns) == (1 if name == "digits" else 4)
    assert {any(turn) for turn in turns} == {True}
    assert content_digest(TASKS[name]()) == workload.digest


def test_a_smaller_task_is_a_part_of_the_whole(digits: Task) -> None:
    small = digits.head(300)
    assert (small.train, small.validation, small.test, small.epochs) == (100, 30, 30, 1)
    assert np.array_equal(small.images[:100], digits.images[:100]) and np.array_equal(small.labels[100:130], digits.labels[500:530])
    assert np.array_equal(small.images[130:], digits.images[1100:1130])
    assert digits.head(10**9).epochs == digits.epochs
