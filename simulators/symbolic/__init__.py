"""Symbolic regression: expression graphs fitted to points of published formulas, or of one's own measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.symbolic.expression import Expression as Expression
    from designgym.simulators.symbolic.formulas import Formula as Formula
    from designgym.simulators.symbolic.samples import FormulaWorkloads as FormulaWorkloads
    from designgym.simulators.symbolic.samples import Samples as Samples
    from designgym.simulators.symbolic.samples import formula as formula
    from designgym.simulators.symbolic.simulator import SymbolicRegression as SymbolicRegression
    from designgym.simulators.symbolic.tables import Table as Table
    from designgym.simulators.symbolic.tables import table as table

_HOMES = {
    "Expression": "expression", "Formula": "formulas", "FormulaWorkloads": "samples", "Samples": "samples",
    "SymbolicRegression": "simulator", "Table": "tables", "formula": "samples", "table": "tables",
}  # fmt: skip

__all__ = ["Expression", "Formula", "FormulaWorkloads", "Samples", "SymbolicRegression", "Table", "formula", "table"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
