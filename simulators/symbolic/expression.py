"""`Expression`: a formula as something that can be called, written down and fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.metrics import is_number
from designgym.simulators.symbolic.canonical import canonical_graph
from designgym.simulators.symbolic.fitting import fit_constants
from designgym.simulators.symbolic.graph import Graph, inputs_of, read_graph, values_of, write_graph
from designgym.simulators.symbolic.operations import CONSTANTS, FIRST_CONSTANT, INPUTS, LITERAL, MOST_INPUTS, ONE
from designgym.simulators.symbolic.parsing import parse
from designgym.simulators.symbolic.rendering import render
from designgym.simulators.symbolic.space import NODES, expression_space

Floats = NDArray[np.float64]

UNFITTED: Final = (1.3719, -0.7361, 2.2583, -1.6127)
"""Values of constants that were never fitted, by their order of first use in the canonical form: equal families are equal functions."""


class Expression:
    """An expression of a design; calling it computes, as it stands, without bringing it into canonical form first.

    A candidate for `designgym.hashing.functional_hash`: ``functional_hash(Expression(design), [X])``.

    Args:
        design: Mapping of ``nodes`` to a list of nodes, for instance a design of `SymbolicRegression`.
        constants: Values by name, ``{"c0": 2.5}``; those not named are `UNFITTED`.
        inputs: How many inputs there are; what reads a higher one reads this many lower.
        names: What the inputs are called in the text, ``x0``, ``x1`` ... unless given.

    Raises:
        InvalidDesignError: If the design is no expression.
        InputError: For constants that are no numbers, or a number of inputs outside 1 to 6.
    """

    def __init__(
        self,
        design: Mapping[str, Any],
        constants: Mapping[str, float] | None = None,
        *,
        inputs: int = MOST_INPUTS,
        names: Sequence[str] = INPUTS,
    ) -> None:
        if isinstance(inputs, bool) or not isinstance(inputs, int) or not 1 <= inputs <= MOST_INPUTS:
            raise InputError(f"inputs must be a whole number from 1 to {MOST_INPUTS}, got {shorten(inputs)}")
        self.design = expression_space().validate(design)
        self.inputs = inputs
        self.names = tuple(names)
        self.graph: Graph = read_graph(self.design[NODES], inputs)
        values = dict.fromkeys(CONSTANTS, UNFITTED[0])
        values |= {CONSTANTS[c - FIRST_CONSTANT]: UNFITTED[i] for i, c in enumerate(canonical_graph(self.graph).sources)}
        for name, value in (constants or {}).items():
            if name not in CONSTANTS:
                raise UnknownNameError("constant", name, CONSTANTS)
            if not is_number(value):
                raise InputError(f"constant {name} is {shorten(value)}, expected a finite number")
            values[name] = float(value)
        self.constants = values

    @classmethod
    def parse(cls, text: str, names: Sequence[str] = INPUTS) -> Expression:
        """Return the expression of a text such as ``m * x**2 / 2``.

        Args:
            text: Python's ``+ - * /``, powers of 2, 3 and 4, ``pi`` and the functions of the space; other numbers become constants.
            names: The inputs that it reads, in the order of the columns it will be called with.

        Raises:
            InputError: If it is no such expression, or too large for a design.
            UnknownNameError: For a name that is neither an input nor known.
        """
        graph, constants = parse(text, names)
        design = {NODES: write_graph(graph)}
        return cls(design, dict(zip(CONSTANTS, constants, strict=False)), inputs=len(names), names=names)

    def __call__(self, x: ArrayLike) -> Floats:
        """Return the values, shape ``(n,)``, NaN and infinities included.

        Args:
            x: Inputs, shape ``(n, inputs)``; columns that the expression does not read may be left out.

        Raises:
            InputError: For another shape, or if the expression reads an input that is not there.
        """
        columns = np.asarray(x, dtype=np.float64)
        read = inputs_of(self.graph)
        if columns.ndim != 2 or columns.shape[1] <= max(read, default=-1):
            raise InputError(f"expected inputs of shape (n, {max(read, default=0) + 1} or more), got shape {columns.shape}")
        with np.errstate(all="ignore"):
            values = values_of(self.graph, list(columns.T[:MOST_INPUTS]), [np.float64(value) for value in self.constants.values()])
        return np.array(np.broadcast_to(values[self.graph.root], columns.shape[:1]), dtype=np.float64)

    def canonical(self) -> Expression:
        """Return the expression in canonical form, which computes the same to the last bit."""
        form = canonical_graph(self.graph)
        constants = {CONSTANTS[i]: self.constants[CONSTANTS[c - FIRST_CONSTANT]] for i, c in enumerate(form.sources)}
        return Expression({NODES: write_graph(form.graph)}, constants, inputs=self.inputs, names=self.names)

    def fitted(self, x: ArrayLike, y: ArrayLike) -> Expression:
        """Return the canonical expression with constants fitted by least squares: see `designgym.simulators.symbolic.fitting`.

        Args:
            x: Inputs, shape ``(n, inputs)``.
            y: What the values should be, shape ``(n,)``.

        Raises:
            InputError: If shapes do not fit, or y is not finite or constant.
        """
        columns, target = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        self(columns[:1] if columns.ndim == 2 else columns)  # refuses other shapes
        if target.shape != columns.shape[:1] or not np.isfinite(target).all() or not np.ptp(target) > 0:
            raise InputError(f"y must hold {len(columns)} finite numbers, not all equal, got shape {target.shape}")
        form = canonical_graph(self.graph)
        fit = fit_constants(form.graph, len(form.sources), list(np.ascontiguousarray(columns.T)[:MOST_INPUTS]), target)
        return Expression(
            {NODES: write_graph(form.graph)}, dict(zip(CONSTANTS, fit.constants, strict=False)), inputs=self.inputs, names=self.names
        )

    def __str__(self) -> str:
        return format(self)

    def __format__(self, spec: str) -> str:
        """Return the text; constants to six digits unless the specification says otherwise, ``f"{expression:.17g}"`` all of them."""
        return render(self.graph, lambda leaf: self._leaf(leaf, spec or ".6g"))

    def __repr__(self) -> str:
        return f"Expression({str(self)!r})"

    def _leaf(self, reference: int, spec: str) -> str:
        if reference < FIRST_CONSTANT:
            return self.names[reference] if reference < len(self.names) else INPUTS[reference]
        return LITERAL if reference == ONE else format(self.constants[CONSTANTS[reference - FIRST_CONSTANT]], spec)
