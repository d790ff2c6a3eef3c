"""The operations of the register machine, as data: what each reads, what it writes, and how it may be rewritten.

They are those of AutoML-Zero (Real et al. 2020, https://arxiv.org/abs/2003.03384, supplementary table of operations, OP1 to OP64), with
these differences: ``relu`` is an operation of its own (there ``max`` with a register of zeros), constants are positive and scalar, and
random numbers are centred at zero and drawn in setup only. Scalars, vectors and matrices share the code of operations that go element
by element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

RegisterType = Literal["scalar", "vector", "matrix"]

SCALARS: Final = 6
VECTORS: Final = 6
MATRICES: Final = 3
ADDRESSES: Final = 6  # of an operand; an address beyond the registers of a type wraps around
TYPES: Final[tuple[RegisterType, ...]] = ("scalar", "vector", "matrix")
COUNTS: Final = (SCALARS, VECTORS, MATRICES)
OFFSETS: Final = (0, SCALARS, SCALARS + VECTORS)  # of each type in the numbering of all registers
REGISTERS: Final = sum(COUNTS)

LABEL: Final = 0  # s0: the label while learning, 0 before
PREDICTION: Final = 1  # s1: read after predict
FEATURES: Final = SCALARS  # v0: set before predict and before learn

KINDS: Final = (
    "add", "sub", "mul", "div", "min", "max", "abs", "reciprocal", "heaviside", "relu",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log",
    "scale", "fill", "dot", "outer", "matvec", "matmul", "transpose", "norm", "mean", "std",
    "row_norm", "column_norm", "row_mean", "row_std", "row_broadcast", "column_broadcast", "uniform", "gaussian",
)  # fmt: skip
"""The routines of the interpreter; an operation is a routine on registers of certain types."""


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: As designs write it.
        kind: Routine of the interpreter, one of `KINDS`.
        inputs: Types of the registers that it reads, none to two.
        output: Type of the register that it writes, all of it.
        commutative: Whether the two inputs may be exchanged, to the last bit of the result.
        uses_value: Whether the instruction's number matters.
        setup_only: Whether predict and learn may not use it.
    """

    name: str
    kind: str
    inputs: tuple[RegisterType, ...]
    output: RegisterType
    commutative: bool = False
    uses_value: bool = False
    setup_only: bool = False


def _operations() -> tuple[Operation, ...]:
    s, v, m = TYPES
    found = [Operation("s_const", "fill", (), s, uses_value=True)]
    for letter, type_ in zip("svm", TYPES, strict=True):
        for kind in ("add", "sub", "mul", "div", "min", "max"):
            commutative = kind not in ("sub", "div")
            found.append(Operation(f"{letter}_{kind}", kind, (type_, type_), type_, commutative))
        found += [Operation(f"{letter}_{kind}", kind, (type_,), type_) for kind in ("abs", "reciprocal", "heaviside", "relu")]
    found += [Operation(f"s_{kind}", kind, (s,), s) for kind in ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log")]
    found += [
        Operation("sv_scale", "scale", (s, v), v),
        Operation("sm_scale", "scale", (s, m), m),
        Operation("sv_fill", "fill", (s,), v),
        Operation("vv_dot", "dot", (v, v), s, commutative=True),
        Operation("vv_outer", "outer", (v, v), m),
        Operation("mv_product", "matvec", (m, v), v),
        Operation("mm_product", "matmul", (m, m), m),
        Operation("m_transpose", "transpose", (m,), m),
    ]
    for letter, type_ in zip("vm", TYPES[1:], strict=True):
        found += [Operation(f"{letter}_{kind}", kind, (type_,), s) for kind in ("norm", "mean", "std")]
    found += [Operation(f"m_{kind}", kind, (m,), v) for kind in ("row_norm", "column_norm", "row_mean", "row_std")]
    found += [Operation(f"v_{kind}", kind, (v,), m) for kind in ("row_broadcast", "column_broadcast")]
    for letter, type_ in zip("svm", TYPES, strict=True):
        found += [Operation(f"{letter}_{kind}", kind, (), type_, uses_value=True, setup_only=True) for kind in ("uniform", "gaussian")]
    return tuple(found)


OPERATIONS: Final[tuple[Operation, ...]] = _operations()
CODES: Final[dict[str, int]] = {operation.name: code for code, operation in enumerate(OPERATIONS)}
"""By an operation's name, its number in packed instructions."""
