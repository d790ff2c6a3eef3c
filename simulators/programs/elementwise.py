"""Operations that go element by element, on blocks of any length."""

import math

from designgym.simulators.programs.compiled import Array, at, compiled, inlined
from designgym.simulators.programs.operations import KINDS

__all__ = ["binary", "unary"]

_ADD, _SUB, _MUL, _DIV, _MIN, _MAX = (KINDS.index(name) for name in ("add", "sub", "mul", "div", "min", "max"))
_ABS, _RECIPROCAL, _HEAVISIDE, _RELU = (KINDS.index(name) for name in ("abs", "reciprocal", "heaviside", "relu"))
_SIN, _COS, _TAN, _EXP, _LOG = (KINDS.index(name) for name in ("sin", "cos", "tan", "exp", "log"))
_ARCSIN, _ARCCOS, _ARCTAN = (KINDS.index(name) for name in ("arcsin", "arccos", "arctan"))


@inlined
def smaller(a: float, b: float) -> float:
    """Returns the smaller number, NaN if one is NaN; of two zeros what their order cannot change."""
    return a if a < b else (b if b < a else (a if a == b and a != 0.0 else a + b))


@inlined
def larger(a: float, b: float) -> float:
    """Returns the larger number, NaN if one is NaN; of two zeros what their order cannot change."""
    return a if a > b else (b if b > a else (a if a == b and a != 0.0 else a + b))


@compiled
def binary(kind: int, memory: Array, one: int, two: int, out: int, n: int) -> None:
    """Writes the results of an operation on two blocks of ``n`` numbers into a third one."""
    if kind == _ADD:
        for i in range(n):
            memory[at(out + i)] = memory[at(one + i)] + memory[at(two + i)]
    elif kind == _SUB:
        for i in range(n):
            memory[at(out + i)] = memory[at(one + i)] - memory[at(two + i)]
    elif kind == _MUL:
        for i in range(n):
            memory[at(out + i)] = memory[at(one + i)] * memory[at(two + i)]
    elif kind == _DIV:
        for i in range(n):
            memory[at(out + i)] = memory[at(one + i)] / memory[at(two + i)]
    elif kind == _MIN:
        for i in range(n):
            memory[at(out + i)] = smaller(memory[at(one + i)], memory[at(two + i)])
    elif kind == _MAX:
        for i in range(n):
            memory[at(out + i)] = larger(memory[at(one + i)], memory[at(two + i)])


@compiled
def unary(kind: int, memory: Array, one: int, out: int, n: int) -> None:
    """Writes the results of an operation on a block of ``n`` numbers into another one."""
    if kind == _ABS:
        for i in range(n):
            memory[at(out + i)] = abs(memory[at(one + i)])
    elif kind == _RECIPROCAL:
        for i in range(n):
            memory[at(out + i)] = 1.0 / memory[at(one + i)]
    elif kind == _HEAVISIDE:
        for i in range(n):
            memory[at(out + i)] = 1.0 if memory[at(one + i)] > 0.0 else 0.0
    elif kind == _RELU:
        for i in range(n):
            x = memory[at(one + i)]
            memory[at(out + i)] = 0.0 if x < 0.0 else x
    elif kind == _SIN:
        for i in range(n):
            memory[at(out + i)] = math.sin(memory[at(one + i)])
    elif kind == _COS:
        for i in range(n):
            memory[at(out + i)] = math.cos(memory[at(one + i)])
    elif kind == _TAN:
        for i in range(n):
            memory[at(out + i)] = math.tan(memory[at(one + i)])
    elif kind == _ARCSIN:
        for i in range(n):
            memory[at(out + i)] = math.asin(memory[at(one + i)])
    elif kind == _ARCCOS:
        for i in range(n):
            memory[at(out + i)] = math.acos(memory[at(one + i)])
    elif kind == _ARCTAN:
        for i in range(n):
            memory[at(out + i)] = math.atan(memory[at(one + i)])
    elif kind == _EXP:
        for i in range(n):
            memory[at(out + i)] = math.exp(memory[at(one + i)])
    elif kind == _LOG:
        for i in range(n):
            memory[at(out + i)] = math.log(memory[at(one + i)])
