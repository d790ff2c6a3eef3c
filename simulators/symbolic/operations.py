"""What expressions are made of: operations with their derivatives, and the names of operands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Array = Any
"""An array of float64, or a single one."""

MOST_INPUTS: Final = 6
MOST_CONSTANTS: Final = 4
MOST_NODES: Final = 20

INPUTS: Final = tuple(f"x{i}" for i in range(MOST_INPUTS))
CONSTANTS: Final = tuple(f"c{i}" for i in range(MOST_CONSTANTS))
LITERAL: Final = "1"
BACK: Final = tuple(f"back{k}" for k in range(1, MOST_NODES))
OPERANDS: Final = (*INPUTS, *CONSTANTS, LITERAL, *BACK)
"""Operands as designs name them; ``back3`` is the result of the node three places before."""

FIRST_CONSTANT: Final = MOST_INPUTS
ONE: Final = FIRST_CONSTANT + MOST_CONSTANTS
FIRST_NODE: Final = ONE + 1
"""References are whole numbers: inputs from 0, constants from `FIRST_CONSTANT`, the number 1, and nodes from `FIRST_NODE`."""


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: As designs name it.
        arity: 1 or 2 operands.
        function: Its value from the operands ``(a, b)``; ``b`` has no meaning for one operand.
        slopes: Its partial derivatives from ``(a, b, value)``, ``None`` for 0.
        text: How it is written, with the operands in place of ``{a}`` and ``{b}``.
        precedence: Of the outermost operator in ``text``: 1 for sums, 2 for products, 3 for a minus sign, 4 for powers, 5 for functions.
    """

    name: str
    arity: int
    function: Callable[[Array, Array], Array]
    slopes: Callable[[Array, Array, Array], tuple[Array, Array]]
    text: str
    precedence: int = 5


OPERATIONS: Final = (
    Operation("add", 2, np.add, lambda a, b, v: (1.0, 1.0), "{a} + {b}", 1),
    Operation("sub", 2, np.subtract, lambda a, b, v: (1.0, -1.0), "{a} - {b}", 1),
    Operation("mul", 2, np.multiply, lambda a, b, v: (b, a), "{a} * {b}", 2),
    Operation("div", 2, np.divide, lambda a, b, v: (1.0 / b, -v / b), "{a} / {b}", 2),
    Operation("neg", 1, lambda a, b: -a, lambda a, b, v: (-1.0, None), "-{a}", 3),
    Operation("inverse", 1, lambda a, b: 1.0 / a, lambda a, b, v: (-v * v, None), "1 / {a}", 2),
    Operation("square", 1, lambda a, b: a * a, lambda a, b, v: (2.0 * a, None), "{a}**2", 4),
    Operation("sqrt", 1, lambda a, b: np.sqrt(a), lambda a, b, v: (0.5 / v, None), "sqrt({a})"),
    Operation("exp", 1, lambda a, b: np.exp(a), lambda a, b, v: (v, None), "exp({a})"),
    Operation("log", 1, lambda a, b: np.log(a), lambda a, b, v: (1.0 / a, None), "log({a})"),
    Operation("sin", 1, lambda a, b: np.sin(a), lambda a, b, v: (np.cos(a), None), "sin({a})"),
    Operation("cos", 1, lambda a, b: np.cos(a), lambda a, b, v: (-np.sin(a), None), "cos({a})"),
    Operation("tanh", 1, lambda a, b: np.tanh(a), lambda a, b, v: (1.0 - v * v, None), "tanh({a})"),
)
"""Nothing is protected: a division by zero, a root or a logarithm of a negative number give what IEEE 754 says."""

CODES: Final = {operation.name: code for code, operation in enumerate(OPERATIONS)}
ARITIES: Final = tuple(operation.arity for operation in OPERATIONS)
