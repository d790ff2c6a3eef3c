"""``designgym/AutoMLZero-v0``: learning algorithms evolved from empty programs, as in AutoML-Zero (Real et al. 2020)."""

from __future__ import annotations

from designgym.core.errors import InputError, shorten
from designgym.core.objectives import Objective, maximize, minimize
from designgym.core.registry import register
from designgym.simulators.programs.simulator import AutoMLZero
from designgym.simulators.programs.space import ALPHABETS
from designgym.simulators.programs.tasks import TaskWorkloads

OBJECTIVES: dict[str, Objective] = {
    "fitness": maximize("fitness"),
    "loss": minimize("loss"),
}


def make_automl_zero(*, operations: str = "all", threads: int = 1) -> AutoMLZero:
    """Return the simulator; the options are those of the environment."""
    if not isinstance(operations, str):
        raise InputError(f"option operations must be one of {', '.join(ALPHABETS)}, got {shorten(operations)}")
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise InputError(f"option threads must be a whole number, got {shorten(threads)}")
    return AutoMLZero(operations, threads=threads)


register(
    "designgym/AutoMLZero-v0",
    make_automl_zero,
    workloads=TaskWorkloads(),
    objectives=OBJECTIVES,
    default_workload="linear-4",
    budget=2000,
    description="Learning algorithms as programs of scalars, vectors and matrices, trained on regression tasks",
    functional="on",  # of 500 random designs the canonical form recognises 170 and a probe 404, at an eighth of the time of measuring
    options={
        "operations": "all (65 operations), linear (the 6 that linear regression by gradient descent needs) or regression (of those, each "
        "list only what it needs); default all",
        "threads": "programs of a batch that are run at a time; default 1",
    },
)
