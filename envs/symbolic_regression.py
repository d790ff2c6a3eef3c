"""``designgym/SymbolicRegression-v0``: formulas of physics to be found again from points, after AI Feynman (Udrescu and Tegmark 2020)."""

from __future__ import annotations

from designgym.core.errors import InputError, shorten
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


def make_symbolic_regression(*, complexity: bool = True) -> SymbolicRegression:
    """Return the simulator; the options are those of the environment."""
    if not isinstance(complexity, bool):
        raise InputError(f"option complexity must be true or false, got {shorten(complexity)}")
    return SymbolicRegression(complexity=complexity)


register(
    "designgym/SymbolicRegression-v0",
    make_symbolic_regression,
    workloads=FormulaWorkloads(),
    objectives=OBJECTIVES,
    default_workload="feynman-I.14.4",
    budget=2000,
    description="Expressions with fitted constants that reproduce formulas of the Feynman Lectures, 25 of them",
    functional="off",  # of 400 random designs the canonical form recognises 98, a probe seven more, which costs more than it saves
    options={"complexity": "whether complexity is a metric (default true); without, equal functions of any length are measured once"},
)
