"""A slow interpreter of programs in plain Python, written from the description of the machine and not from its code.

One task at a time; registers are lists of Python floats in a dictionary, so an address that does not exist is a `KeyError`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from designgym.simulators.programs.operations import CODES, OPERATIONS

Answers = list[float]
MASK = (1 << 64) - 1


def _safe(function: Callable[[float], float], x: float) -> float:
    """Python raises where IEEE 754 has an answer."""
    try:
        return function(x)
    except ValueError:
        return -math.inf if function is math.log and x == 0 else math.nan
    except OverflowError:
        return math.inf


def _divide(a: float, b: float) -> float:
    if b != 0 or math.isnan(a):
        return a / b if b != 0 else math.nan
    return math.nan if a == 0 else math.copysign(math.inf, a) * math.copysign(1, b)


def _least(a: float, b: float, sign: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if a == b == 0:
        return a + b
    return a if sign * a < sign * b else b


BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    "min": lambda a, b: _least(a, b, 1),
    "max": lambda a, b: _least(a, b, -1),
}
UNARY: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "reciprocal": lambda x: _divide(1.0, x),
    "heaviside": lambda x: 1.0 if x > 0 else 0.0,
    "relu": lambda x: 0.0 if x < 0 else x,
    **{name: (lambda f: lambda x: _safe(f, x))(getattr(math, name)) for name in ("sin", "cos", "tan", "exp", "log")},
    **{f"arc{name}": (lambda f: lambda x: _safe(f, x))(getattr(math, f"a{name}")) for name in ("sin", "cos", "tan")},
}


def _norm(x: Sequence[float]) -> float:
    total = 0.0
    for each in x:
        total += each * each
    return math.sqrt(total)


def _mean(x: Sequence[float]) -> float:
    total = 0.0
    for each in x:
        total += each
    return total / len(x)


def _std(x: Sequence[float]) -> float:
    mean, total = _mean(x), 0.0
    for each in x:
        total += (each - mean) * (each - mean)
    return math.sqrt(total / len(x))


def _digest(x: int) -> int:
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def _uniform(seed: int, stream: int, element: int, task: int) -> float:
    golden, x = 0x9E3779B97F4A7C15, 0
    for step in (seed + golden, stream * golden, element * golden, (task + 1) * golden):
        x = _digest((x + step) & MASK)
    return (x >> 11) / 2**53


class Machine:
    """One task's memory, and what instructions do to it."""

    def __init__(self, features: int, seed: int, task: int) -> None:
        self.n, self.seed, self.task, self.draws = features, seed, task, 0
        sizes = {"s": (6, 1), "v": (6, features), "m": (3, features * features)}
        self.registers = {f"{letter}{i}": [0.0] * size for letter, (count, size) in sizes.items() for i in range(count)}

    def run(self, instructions: Sequence[Mapping[str, Any]]) -> None:
        for instruction in instructions:
            operation = OPERATIONS[CODES[instruction["op"]]]
            counts = {"scalar": 6, "vector": 6, "matrix": 3}
            given = [
                self.registers[f"{type_[0]}{instruction[name] % counts[type_]}"]
                for name, type_ in zip(("in1", "in2"), operation.inputs, strict=False)
            ]
            out = f"{operation.output[0]}{instruction['out'] % counts[operation.output]}"
            size = len(self.registers[out])
            result = self.result(operation.kind, given, size, instruction["value"])
            assert len(result) == size and all(isinstance(x, float) for x in result)
            self.registers[out] = result

    def result(self, kind: str, given: list[list[float]], size: int, value: float) -> list[float]:
        n = self.n
        if kind in BINARY:
            return [BINARY[kind](a, b) for a, b in zip(*given, strict=True)]
        if kind in UNARY:
            return [UNARY[kind](x) for x in given[0]]
        if kind in ("uniform", "gaussian"):
            stream, self.draws = self.draws, self.draws + 1
            if kind == "uniform":
                return [value * (2.0 * _uniform(self.seed, stream, i, self.task) - 1.0) for i in range(size)]
            pairs = [[_uniform(self.seed, stream, 2 * i + k, self.task) for k in (0, 1)] for i in range(size)]
            return [value * (math.sqrt(-2.0 * math.log(1.0 - u)) * math.cos(2.0 * math.pi * w)) for u, w in pairs]
        if kind == "fill":
            return (given[0] if given else [value]) * size
        a, b = (*given, [])[:2]
        rows = [a[i * n : (i + 1) * n] for i in range(n)]
        match kind:
            case "scale":
                return [a[0] * x for x in b]
            case "dot":
                return self.product(a, b, 1, n, 1)
            case "outer":
                return [x * y for x in a for y in b]
            case "matvec":
                return self.product(a, b, n, n, 1)
            case "matmul":
                return self.product(a, b, n, n, n)
            case "transpose":
                return [a[j * n + i] for i in range(n) for j in range(n)]
            case "norm" | "mean" | "std":
                return [{"norm": _norm, "mean": _mean, "std": _std}[kind](a)]
            case "row_norm" | "row_mean" | "row_std":
                return [{"row_norm": _norm, "row_mean": _mean, "row_std": _std}[kind](row) for row in rows]
            case "column_norm":
                return [_norm(a[j::n]) for j in range(n)]
            case "row_broadcast":
                return a * n
            case "column_broadcast":
                return [x for x in a for _ in range(n)]
        raise AssertionError(kind)

    @staticmethod
    def product(a: list[float], b: list[float], rows: int, inner: int, columns: int) -> list[float]:
        result = []
        for i in range(rows):
            for j in range(columns):
                total = 0.0
                for k in range(inner):
                    total += a[i * inner + k] * b[k * columns + j]
                result.append(total)
        return result


def _reference(program: Mapping[str, Any], train: tuple[Any, Any], valid: tuple[Any, Any], *, seed: int, task: int) -> Answers:
    """Return every prediction; NaN from the first error that is above 100 or NaN."""
    machine = Machine(train[0].shape[1], seed, task)
    machine.run(program["setup"])
    answers: Answers = []
    for learning, (features, labels) in ((True, train), (False, valid)):
        for x, y in zip(features.tolist(), labels.tolist(), strict=True):
            machine.registers |= {"v0": list(x), "s0": [0.0]}
            machine.run(program["predict"])
            answers.append(machine.registers["s1"][0])
            if not abs(y - answers[-1]) <= 100:
                return answers[:-1] + [math.nan] * (len(train[1]) + len(valid[1]) - len(answers) + 1)
            if learning:
                machine.registers |= {"v0": list(x), "s0": [y]}
                machine.run(program["learn"])
    return answers


@pytest.fixture(scope="session")
def reference() -> Callable[..., np.ndarray[Any, Any]]:
    """The slow interpreter, on all tasks of `TaskArrays`: predictions of shape ``(train + valid examples, tasks)``."""

    def run(program: Mapping[str, Any], tasks: Any, *, seed: int = 0) -> np.ndarray[Any, Any]:
        columns = []
        for task in range(tasks.train_y.shape[1]):
            train, valid = (tasks.train_x[..., task], tasks.train_y[:, task]), (tasks.valid_x[..., task], tasks.valid_y[:, task])
            columns.append(_reference(program, train, valid, seed=seed, task=task))
        return np.array(columns).T

    return run
