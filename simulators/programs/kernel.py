"""The compiled interpreter: a program is run on all tasks at once.

All registers of all tasks lie in one array. A register is a block of ``size * tasks`` numbers, the task running fastest, so that one
decoded instruction serves every task and its loops run along memory. There is one block more than registers of each type: an operation
writes into the spare block, which then changes places with the one of its output. So no operation overwrites what it still reads, and
nothing is copied or allocated.

Memory safety: addresses and operations are taken modulo their number when a program is decoded, whatever it contains; blocks are found
through `slots`, which only ever holds a permutation of them.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.simulators.programs.compiled import (
    COUNT_OF,
    KIND_OF,
    NONE,
    OUTPUT_TYPE_OF,
    TYPE_1_OF,
    TYPE_2_OF,
    Array,
    at,
    compiled,
    entry_point,
    inlined,
    source_digest,
)
from designgym.simulators.programs.elementwise import binary, unary
from designgym.simulators.programs.linear_algebra import broadcast, products, reductions
from designgym.simulators.programs.operations import COUNTS, KINDS, LABEL, MATRICES, PREDICTION, SCALARS, VECTORS
from designgym.simulators.programs.random_numbers import normal, uniform

__all__ = ["BLOCKS", "memory_size", "run_program"]

BLOCKS = SCALARS + VECTORS + MATRICES + len(COUNTS)  # the registers and a spare block of each type

_FIRST_SLOT = np.array([0, SCALARS + 1, SCALARS + VECTORS + 2])
_ABS, _SCALE, _FILL, _NORM = (KINDS.index(name) for name in ("abs", "scale", "fill", "norm"))
_ROW_BROADCAST, _UNIFORM, _GAUSSIAN = (KINDS.index(name) for name in ("row_broadcast", "uniform", "gaussian"))


def memory_size(features: int, tasks: int) -> int:
    """Return how many numbers the memory of ``tasks`` tasks takes."""
    return tasks * sum((count + 1) * features**power for power, count in enumerate(COUNTS))


@inlined
def _size(type_: int, features: int) -> int:
    """Returns the numbers of a register of a type."""
    return 1 if type_ == 0 else (features if type_ == 1 else features * features)


@compiled
def _lay_out(slots: Array, features: int, tasks: int) -> None:
    """Fills where the block of each register, and the spare one of its type, begins."""
    offset = 0
    for type_ in range(COUNT_OF.size):
        for i in range(COUNT_OF[type_] + 1):
            slots[_FIRST_SLOT[type_] + i] = offset
            offset += _size(type_, features) * tasks


@compiled
def _slot(type_: int, address: int) -> int:
    return 0 if type_ == NONE else _FIRST_SLOT[type_] + address % COUNT_OF[type_]


@compiled
def _decode(code: Array, decoded: Array) -> None:
    """Fills, for each instruction: routine, slots of the inputs and the output, types of the input and the output, spare slot."""
    stream = 0
    for i in range(code.shape[0]):
        op = code[i, 0] % KIND_OF.size
        output = OUTPUT_TYPE_OF[op]
        decoded[i, 0] = KIND_OF[op]
        decoded[i, 1] = _slot(TYPE_1_OF[op], code[i, 1])
        decoded[i, 2] = _slot(TYPE_2_OF[op], code[i, 2])
        decoded[i, 3] = _slot(output, code[i, 3])
        decoded[i, 4] = TYPE_1_OF[op]
        decoded[i, 5] = output
        decoded[i, 6] = _FIRST_SLOT[output] + COUNT_OF[output]
        if KIND_OF[op] >= _UNIFORM:
            decoded[i, 7] = stream
            stream += 1


@compiled
def _draw(kind: int, value: float, seed: int, stream: int, memory: Array, out: int, size: int, tasks: int) -> None:
    for element in range(size):
        for task in range(tasks):
            if kind == _GAUSSIAN:
                drawn = value * normal(seed, stream, element, task)
            else:
                drawn = value * (2.0 * uniform(seed, stream, element, task) - 1.0)
            memory[at(out + element * tasks + task)] = drawn


@compiled
def _execute(
    decoded: Array, values: Array, first: int, last: int, memory: Array, slots: Array, features: int, tasks: int, seed: int
) -> None:
    """Runs the instructions from ``first`` up to ``last``."""
    for i in range(first, last):
        kind = decoded[i, 0]
        one, two, out = slots[decoded[i, 1]], slots[decoded[i, 2]], slots[decoded[i, 6]]
        size = _size(decoded[i, 5], features)
        if kind < _ABS:
            binary(kind, memory, one, two, out, size * tasks)
        elif kind < _SCALE:
            unary(kind, memory, one, out, size * tasks)
        elif kind == _FILL and decoded[i, 4] == NONE:
            for k in range(size * tasks):
                memory[at(out + k)] = values[i]
        elif kind < _NORM:
            products(kind, memory, one, two, out, size, features, tasks)
        elif kind < _ROW_BROADCAST:
            reductions(kind, memory, one, out, _size(decoded[i, 4], features), features, tasks)
        elif kind < _UNIFORM:
            broadcast(kind, memory, one, out, features, tasks)
        else:
            _draw(kind, values[i], seed, decoded[i, 7], memory, out, size, tasks)
        slots[decoded[i, 6]] = slots[decoded[i, 3]]
        slots[decoded[i, 3]] = out


@compiled
def _show(
    features_of: Array, labels_of: Array, example: int, show_labels: bool, memory: Array, slots: Array, features: int, tasks: int
) -> None:
    """Writes an example into v0, and its labels, or zeros, into s0."""
    block, source = slots[SCALARS + 1], example * features * tasks
    for k in range(features * tasks):
        memory[at(block + k)] = features_of[at(source + k)]
    block, source = slots[LABEL], example * tasks
    if show_labels:
        for task in range(tasks):
            memory[at(block + task)] = labels_of[at(source + task)]
    else:
        for task in range(tasks):
            memory[at(block + task)] = 0.0


@compiled
def _judge(labels_of: Array, example: int, limit: float, memory: Array, slots: Array, tasks: int, running: Array, errors: Array) -> bool:
    """Adds the squared errors of the tasks that still run; stops those with an error that is no number or too large."""
    block, source = slots[PREDICTION], example * tasks
    left, unlimited = 0, limit != limit
    for task in range(tasks):
        error = labels_of[at(source + task)] - memory[at(block + task)]
        still = running[at(task)] * (1 if abs(error) <= limit or unlimited else 0)
        errors[at(task)] += error * error
        running[at(task)] = still
        left += still
    return left > 0


@compiled
def _keep(answers: Array, answer: int, memory: Array, slots: Array, tasks: int, running: Array) -> None:
    """Keeps the predictions for the answer of that number: NaN for a task that has stopped."""
    block = slots[PREDICTION]
    for task in range(tasks):
        answers[answer, task] = memory[at(block + task)] if running[task] else math.nan


@compiled
def _measure(scales: Array, row: int, memory: Array, slots: Array, features: int, tasks: int, running: Array) -> None:
    """Fills a row with the largest magnitude in each register, of the tasks that still run; NaN does not count."""
    register = 0
    for type_ in range(COUNT_OF.size):
        for i in range(COUNT_OF[type_]):
            block, largest = slots[_FIRST_SLOT[type_] + i], 0.0
            for element in range(_size(type_, features)):
                for task in range(tasks):
                    magnitude = abs(memory[at(block + element * tasks + task)])
                    if magnitude > largest and running[task]:
                        largest = magnitude
            scales[row, register] = largest
            register += 1


@compiled
def _run_program(
    code: Array,
    values: Array,
    bounds: Array,
    train_x: Array,
    train_y: Array,
    valid_x: Array,
    valid_y: Array,
    n_train: int,
    limit: float,
    seed: Any,
    memory: Array,
    slots: Array,
    decoded: Array,
    running: Array,
    errors: Array,
    answers: Array,
    scales: Array,
) -> int:
    """See `_compile_run`, whose function has the same arguments and result."""
    tasks = running.size
    n_valid = valid_y.size // tasks
    features = valid_x.size // valid_y.size
    for k in range(memory.size):
        memory[at(k)] = 0.0
    for task in range(tasks):
        running[task] = 1
        errors[task] = 0.0
    _lay_out(slots, features, tasks)
    _decode(code, decoded)
    keep = answers.shape[0] == n_train + n_valid
    halves = scales.shape[0]
    for row in range(halves):
        for register in range(scales.shape[1]):
            scales[row, register] = 0.0
    done = 0
    _execute(decoded, values, bounds[0], bounds[1], memory, slots, features, tasks, seed)
    executed = bounds[1] - bounds[0]
    alive = True
    while alive and done < n_train:
        _show(train_x, train_y, done, False, memory, slots, features, tasks)
        _execute(decoded, values, bounds[1], bounds[2], memory, slots, features, tasks, seed)
        alive = _judge(train_y, done, limit, memory, slots, tasks, running, errors)
        if keep:
            _keep(answers, done, memory, slots, tasks, running)
        done += 1
        executed += bounds[2] - bounds[1]
        if alive:
            _show(train_x, train_y, done - 1, True, memory, slots, features, tasks)
            _execute(decoded, values, bounds[2], bounds[3], memory, slots, features, tasks, seed)
            executed += bounds[3] - bounds[2]
            if halves == 2 and (done == n_train // 2 or done == n_train):
                _measure(scales, 1 if done == n_train else 0, memory, slots, features, tasks, running)
    for task in range(tasks):
        errors[task] = 0.0
    example = 0
    while alive and example < n_valid:
        _show(valid_x, valid_y, example, False, memory, slots, features, tasks)
        _execute(decoded, values, bounds[1], bounds[2], memory, slots, features, tasks, seed)
        alive = _judge(valid_y, example, limit, memory, slots, tasks, running, errors)
        if keep:
            _keep(answers, done, memory, slots, tasks, running)
        done += 1
        example += 1
        executed += bounds[2] - bounds[1]
    if keep:
        for answer in range(done, answers.shape[0]):
            for task in range(tasks):
                answers[answer, task] = math.nan
    return executed


def _compile_run(sources: int) -> Callable[..., int]:
    """Returns `run_program`. What is compiled depends on the digest of all sources, so code kept on disk never outlives a change."""

    @entry_point
    def run_program(
        code: Array,
        values: Array,
        bounds: Array,
        train_x: Array,
        train_y: Array,
        valid_x: Array,
        valid_y: Array,
        n_train: int,
        limit: float,
        seed: Any,
        memory: Array,
        slots: Array,
        decoded: Array,
        running: Array,
        errors: Array,
        answers: Array,
        scales: Array,
    ) -> int:
        """Sets up, trains on one example after another, and validates, on all tasks.

        Args:
            code: Packed instructions, shape ``(instructions, 5)``.
            values: Their numbers, shape ``(instructions,)``.
            bounds: Where setup, predict and learn begin, and learn ends, shape ``(4,)``.
            train_x: Features to train on, those of ``(examples, features, tasks)`` one after the other.
            train_y: Their labels, those of ``(examples, tasks)``.
            valid_x: Features to validate on, likewise.
            valid_y: Their labels, likewise.
            n_train: Examples to train on, the first ones.
            limit: A task stops at an error above this, or at one that is NaN; with a limit that is NaN it never does.
            seed: Of the random numbers in setup.
            memory: Scratch, at least `memory_size` numbers.
            slots: Scratch, shape ``(BLOCKS,)``.
            decoded: Scratch, shape ``(instructions, 8)``.
            running: Filled with 1 for each task that came to its end, else 0, int64, shape ``(tasks,)``.
            errors: Filled with the sums of squared errors in validation, of no meaning for a task that stopped, shape ``(tasks,)``.
            answers: Filled with every prediction, shape ``(n_train + validated examples, tasks)``, NaN from where a task stops; or of no
                rows, where they are not wanted.
            scales: Filled with the largest magnitude in each register after half of the training examples and after all, of the tasks that
                still run, 0 where none does, shape ``(2, REGISTERS)``; or of no rows, where they are not wanted.

        Returns:
            Instructions executed, an instruction on all tasks counting once.
        """
        if sources == 0:
            return 0
        return _run_program(
            code,
            values,
            bounds,
            train_x,
            train_y,
            valid_x,
            valid_y,
            n_train,
            limit,
            seed,
            memory,
            slots,
            decoded,
            running,
            errors,
            answers,
            scales,
        )

    return run_program


run_program = _compile_run(source_digest())
