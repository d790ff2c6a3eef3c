"""Operations on vectors and matrices. A block holds the numbers of a register row by row, those of all tasks side by side."""

import math

from designgym.simulators.programs.compiled import Array, at, compiled
from designgym.simulators.programs.operations import KINDS

__all__ = ["broadcast", "products", "reductions"]

_SCALE, _FILL, _DOT, _OUTER = (KINDS.index(name) for name in ("scale", "fill", "dot", "outer"))
_MATVEC, _MATMUL, _TRANSPOSE = (KINDS.index(name) for name in ("matvec", "matmul", "transpose"))
_NORM, _MEAN, _STD = (KINDS.index(name) for name in ("norm", "mean", "std"))
_ROW_NORM, _COLUMN_NORM, _ROW_MEAN = (KINDS.index(name) for name in ("row_norm", "column_norm", "row_mean"))
_ROW_BROADCAST = KINDS.index("row_broadcast")


@compiled
def products(kind: int, memory: Array, one: int, two: int, out: int, size: int, n: int, tasks: int) -> None:
    """Writes products, fills and transposes; ``size`` is that of the output, ``n`` the number of features."""
    if kind == _SCALE:
        for k in range(size):
            for t in range(tasks):
                memory[at(out + k * tasks + t)] = memory[at(one + t)] * memory[at(two + k * tasks + t)]
    elif kind == _FILL:
        for k in range(size):
            for t in range(tasks):
                memory[at(out + k * tasks + t)] = memory[at(one + t)]
    elif kind == _DOT:
        _multiply(memory, one, two, out, 1, n, 1, tasks)
    elif kind == _OUTER:
        for i in range(n):
            for j in range(n):
                for t in range(tasks):
                    memory[at(out + (i * n + j) * tasks + t)] = memory[at(one + i * tasks + t)] * memory[at(two + j * tasks + t)]
    elif kind == _MATVEC:
        _multiply(memory, one, two, out, n, n, 1, tasks)
    elif kind == _MATMUL:
        _multiply(memory, one, two, out, n, n, n, tasks)
    elif kind == _TRANSPOSE:
        for i in range(n):
            for j in range(n):
                for t in range(tasks):
                    memory[at(out + (i * n + j) * tasks + t)] = memory[at(one + (j * n + i) * tasks + t)]


@compiled
def _multiply(memory: Array, one: int, two: int, out: int, rows: int, inner: int, columns: int, tasks: int) -> None:
    """Writes the product of a matrix of ``rows * inner`` by one of ``inner * columns``; sums run upwards from 0."""
    for i in range(rows):
        for j in range(columns):
            o = out + (i * columns + j) * tasks
            for t in range(tasks):
                memory[at(o + t)] = 0.0
            for k in range(inner):
                a, b = one + (i * inner + k) * tasks, two + (k * columns + j) * tasks
                for t in range(tasks):
                    memory[at(o + t)] += memory[at(a + t)] * memory[at(b + t)]


@compiled
def reductions(kind: int, memory: Array, one: int, out: int, size: int, n: int, tasks: int) -> None:
    """Writes norms, means and standard deviations: of all ``size`` numbers of the input, or of each of its rows or columns."""
    if kind in (_NORM, _MEAN, _STD):
        what = 0 if kind == _NORM else (1 if kind == _MEAN else 2)
        _reduce(what, memory, one, 1, size, out, tasks)
        return
    what = 0 if kind in (_ROW_NORM, _COLUMN_NORM) else (1 if kind == _ROW_MEAN else 2)
    for i in range(n):
        first, step = (one + i * tasks, n) if kind == _COLUMN_NORM else (one + i * n * tasks, 1)
        _reduce(what, memory, first, step, n, out + i * tasks, tasks)


@compiled
def _reduce(what: int, memory: Array, first: int, step: int, count: int, out: int, tasks: int) -> None:
    """Writes the norm (0), the mean (1) or the standard deviation of the population (2) of numbers ``step`` apart."""
    for t in range(tasks):
        total = 0.0
        for k in range(count):
            x = memory[at(first + k * step * tasks + t)]
            total += x * x if what == 0 else x
        if what == 0:
            total = math.sqrt(total)
        else:
            total /= count
        if what == 2:
            mean, total = total, 0.0
            for k in range(count):
                x = memory[at(first + k * step * tasks + t)] - mean
                total += x * x
            total = math.sqrt(total / count)
        memory[at(out + t)] = total


@compiled
def broadcast(kind: int, memory: Array, one: int, out: int, n: int, tasks: int) -> None:
    """Writes a matrix of which every row, or every column, is the vector."""
    for i in range(n):
        for j in range(n):
            source = one + (j if kind == _ROW_BROADCAST else i) * tasks
            for t in range(tasks):
                memory[at(out + (i * n + j) * tasks + t)] = memory[at(source + t)]
