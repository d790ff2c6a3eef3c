"""``designgym/SymbolicRegression-v0``: formulas of physics to be found again from points, after AI Feynman (Udrescu and Tegmark 2020)."""

from __future__ import annotations

from designgym.core.objectives import Objective, maximize, pareto
from designgym.core.registry import register
from designgym.simulators.symbolic.samples import FormulaWorkloads
from designgym.simulators.symbolic.simulator import SymbolicRegression

REFERENCE = {"accuracy": 0.5, "complexity": 21.0}
"""Reference point of the Pareto objective: as good as the mean of all values, and one operation more than designs have."""

OBJECTIVES: dict[str, Objective] = {
    "accuracy": maximize("accuracy"),
    "pareto": pareto("accuracy", "complexity", reference=REFERENCE, maximize=["accuracy"]),
}

register(
    "designgym/SymbolicRegression-v0",
    SymbolicRegression,
    workloads=FormulaWorkloads(),
    objectives=OBJECTIVES,
    default_workload="feynman-I.14.4",
    budget=2000,
    description="Expressions with fitted constants that reproduce formulas of the Feynman Lectures, 25 of them",
)
