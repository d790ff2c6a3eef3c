"""Cells that the tests of cell search share."""

from __future__ import annotations

import numpy as np
import pytest

from designgym.core.workload import Workload
from designgym.simulators.nas.cell import Cell
from designgym.simulators.nas.space import cell_space
from designgym.simulators.nas.tasks import Task, TaskLibrary


@pytest.fixture(scope="session")
def digits() -> Task:
    task: Task = TaskLibrary().get("digits").data
    return task


@pytest.fixture(scope="session")
def little() -> Workload:
    """A task of three training steps."""
    return Workload("little", TaskLibrary().get("digits").data.head(500))


@pytest.fixture(scope="session")
def cells() -> list[Cell]:
    """Different cells: drawn ones, and those with the most vertices joined and the most channels to divide."""
    space = cell_space()
    drawn = [Cell.of_design(space.canonical(design)) for design in space.sample(np.random.default_rng(3), 12)]
    wide = Cell(("conv1x1", "conv3x3", "maxpool3x3", "conv1x1", "maxpool3x3"), ((0,), (0,), (1,), (1,), (1,), (2, 3, 4, 5)))
    uneven = Cell(("conv3x3",) * 4 + ("maxpool3x3",), ((0,), (1,), (1,), (1,), (0,), (1, 2, 3, 4, 5)))
    return [*dict.fromkeys(drawn), wide, uneven, Cell((), ((0,),))]
