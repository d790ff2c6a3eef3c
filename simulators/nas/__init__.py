"""Neural architecture search: cells of NAS-Bench-101, trained on small images, and their canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.nas.cell import Cell as Cell
    from designgym.simulators.nas.simulator import CellTraining as CellTraining
    from designgym.simulators.nas.space import cell_space as cell_space
    from designgym.simulators.nas.tasks import Task as Task
    from designgym.simulators.nas.tasks import TaskLibrary as TaskLibrary
    from designgym.simulators.nas.tasks import image_task as image_task

_HOMES = {
    "Cell": "cell", "CellTraining": "simulator", "Task": "tasks", "TaskLibrary": "tasks", "cell_space": "space", "image_task": "tasks",
}  # fmt: skip

__all__ = ["Cell", "CellTraining", "Task", "TaskLibrary", "cell_space", "image_task"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
