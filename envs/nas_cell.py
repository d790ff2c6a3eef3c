"""``designgym/NasCell-v0``: the cells of NAS-Bench-101 (Ying et al., ICML 2019), really trained on small images."""

from __future__ import annotations

from designgym.core.objectives import Objective, maximize, pareto
from designgym.core.registry import register
from designgym.simulators.nas.simulator import CellTraining
from designgym.simulators.nas.tasks import TaskLibrary

REFERENCE = {"validation_accuracy": 0.5, "parameters": 40_000.0}
"""Reference point of the Pareto objective: half of the images right, and a little more than the largest cell has (five 3x3 convolutions
in a row: 33,646 parameters)."""

OBJECTIVES: dict[str, Objective] = {
    "accuracy": maximize("validation_accuracy"),
    "pareto": pareto("validation_accuracy", "parameters", reference=REFERENCE, maximize=["validation_accuracy"]),
}

register(
    "designgym/NasCell-v0",
    CellTraining,
    workloads=TaskLibrary(),
    objectives=OBJECTIVES,
    default_workload="digits",
    description="Cells of NAS-Bench-101 (423,624 of them), trained on scikit-learn's digits on one core in less than a second",
    functional="off",  # the canonical form finds all but 5,967 of 423,624 equals (docs/environments.md)
    options={"device": "where networks are trained: cpu, or cuda for a GPU that each evaluation declares; default cpu"},
)
