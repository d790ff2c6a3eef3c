"""Runs packed programs on tasks: scratch memory, threads, and what a run leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.programs.instructions import Packed, as_arrays
from designgym.simulators.programs.kernel import BLOCKS, memory_size, run_program
from designgym.simulators.programs.operations import REGISTERS
from designgym.simulators.programs.tasks import TaskArrays

MAX_ABS_ERROR = 100.0  # a task stops at a larger error, as in AutoML-Zero

_DECODED_FIELDS = 8


@dataclass(frozen=True)
class Run:
    """What a program did.

    Attributes:
        finished: Whether each task came to its end, shape ``(tasks,)``.
        mean_squared_error: In validation, of no meaning for a task that did not, shape ``(tasks,)``.
        answers: Every prediction if asked for, shape ``(train + valid examples, tasks)``, NaN from where a task stops; else no rows.
        scales: Largest magnitude in each register after half of the training examples and after all, of the tasks that still run then, if
            asked for, shape ``(2, REGISTERS)``; else no rows.
        executed: Instructions executed, each once for all tasks.
    """

    finished: NDArray[np.bool_]
    mean_squared_error: NDArray[np.float64]
    answers: NDArray[np.float64]
    scales: NDArray[np.float64]
    executed: int

    @cached_property
    def rms_error(self) -> NDArray[np.float64]:
        """In validation, shape ``(tasks,)``; `MAX_ABS_ERROR` for tasks that did not finish."""
        return np.where(self.finished, np.sqrt(self.mean_squared_error), MAX_ABS_ERROR)

    @property
    def fitness(self) -> float:
        """Mean over the tasks of ``1 - 2 arctan(RMS error) / pi``, 0 for those that did not finish: in [0, 1], 1 without error.

        As in AutoML-Zero, whose published code maps errors to fitness by an arctangent that is about affine up to an error of 0.5.
        """
        return float(np.mean(np.where(self.finished, 1.0 - 2.0 / np.pi * np.arctan(self.rms_error), 0.0)))


class _Scratch(threading.local):
    """Arrays that a thread uses again for programs of any length on tasks of one shape."""

    shape: tuple[int, int] = (0, 0)
    memory: NDArray[np.float64] = np.zeros(0)
    slots: NDArray[np.int64] = np.zeros(0, np.int64)
    decoded: NDArray[np.int64] = np.zeros((0, _DECODED_FIELDS), np.int64)

    def fit(self, features: int, tasks: int, instructions: int) -> None:
        if self.shape != (features, tasks):
            self.shape = (features, tasks)
            self.memory = np.zeros(memory_size(features, tasks))
            self.slots = np.zeros(BLOCKS, np.int64)
        if len(self.decoded) < instructions:
            self.decoded = np.zeros((2 * instructions, _DECODED_FIELDS), np.int64)


_scratch = _Scratch()


def run_packed(
    packed: Packed,
    tasks: TaskArrays,
    *,
    n_train: int | None = None,
    seed: int = 0,
    keep_answers: bool = False,
    keep_scales: bool = False,
    limit: float = MAX_ABS_ERROR,
) -> Run:
    """Run a packed program, whatever it contains, as it stands.

    Args:
        packed: The program.
        tasks: What it is run on.
        n_train: Examples to train on, the first ones; all by default.
        seed: Of the random numbers that it draws.
        keep_answers: Whether every prediction is kept.
        keep_scales: Whether `Run.scales` are.
        limit: A task stops at an error above this, or at one that is NaN; with a limit that is NaN it never does.
    """
    code, bounds = as_arrays(packed)
    features, n_tasks = tasks.train_x.shape[1:]
    n_train = len(tasks.train_x) if n_train is None else n_train
    if not 0 <= n_train <= len(tasks.train_x):
        raise ValueError(f"n_train must be from 0 to {len(tasks.train_x)}, got {n_train}")
    _scratch.fit(features, n_tasks, len(code))
    running, errors = np.empty(n_tasks, np.int64), np.empty(n_tasks)
    answers = np.empty((n_train + len(tasks.valid_x) if keep_answers else 0, n_tasks))
    scales = np.empty((2 if keep_scales else 0, REGISTERS))
    executed = run_program(
        code, code.view(np.float64)[:, 4], bounds, *tasks.flat, n_train, limit, np.uint64(seed),
        _scratch.memory, _scratch.slots, _scratch.decoded, running, errors, answers, scales,
    )  # fmt: skip
    return Run(running != 0, errors / len(tasks.valid_x), answers, scales, int(executed))


def run_batch(programs: Sequence[Packed], tasks: TaskArrays, *, n_train: int, seed: int, threads: int = 1) -> list[Run]:
    """Run several programs, ``threads`` at a time; see `run_packed`. Their order and company change nothing."""

    def run(packed: Packed) -> Run:
        return run_packed(packed, tasks, n_train=n_train, seed=seed)

    if threads == 1 or len(programs) < 2:
        return [run(packed) for packed in programs]
    with ThreadPoolExecutor(min(threads, len(programs))) as pool:
        return list(pool.map(run, programs))
