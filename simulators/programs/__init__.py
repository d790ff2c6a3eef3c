"""Learning algorithms as programs: a register machine for scalars, vectors and matrices, after AutoML-Zero (Real et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.programs.machine import Program as Program
    from designgym.simulators.programs.simulator import AutoMLZero as AutoMLZero
    from designgym.simulators.programs.tasks import TaskSet as TaskSet
    from designgym.simulators.programs.tasks import TaskWorkloads as TaskWorkloads

_HOMES = {"AutoMLZero": "simulator", "Program": "machine", "TaskSet": "tasks", "TaskWorkloads": "tasks"}

__all__ = ["AutoMLZero", "Program", "TaskSet", "TaskWorkloads"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
