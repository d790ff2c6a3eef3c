"""Symbolic regression: expression graphs fitted to points of published formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.symbolic.expression import Expression as Expression
    from designgym.simulators.symbolic.formulas import Formula as Formula
    from designgym.simulators.symbolic.samples import FormulaWorkloads as FormulaWorkloads
    from designgym.simulators.symbolic.samples import Samples as Samples
    from designgym.simulators.symbolic.simulator import SymbolicRegression as SymbolicRegression

_HOMES = {
    "Expression": "expression", "Formula": "formulas", "FormulaWorkloads": "samples", "Samples": "samples",
    "SymbolicRegression": "simulator",
}  # fmt: skip

__all__ = ["Expression", "Formula", "FormulaWorkloads", "Samples", "SymbolicRegression"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
