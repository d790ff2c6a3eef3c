"""Regression tasks, generated: what programs learn.

As in AutoML-Zero (Real et al. 2020, section 4.1, and the tasks of its published demonstration): features are standard normal, labels come
from a linear regressor or a two-layer network with ReLU whose weights are standard normal, without noise; a program is scored on several
tasks that differ in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final, Literal

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from designgym.core.errors import InputError, UnknownNameError
from designgym.core.workload import Workload

Kind = Literal["linear", "affine", "nonlinear"]
Floats = NDArray[np.float64]

KINDS: Final[tuple[Kind, ...]] = ("linear", "affine", "nonlinear")
MOST_FEATURES: Final = 16
VERSION: Final = 1  # raise it with any change of the numbers below
TASKS: Final = 32  # the demonstration of AutoML-Zero searches with 10 and selects with 100; this many fill vector registers
TRAIN_EXAMPLES: Final = 2500
VALID_EXAMPLES: Final = 250

_NAME = re.compile(rf"({'|'.join(KINDS)})-(\d+)(?:-s(\d+))?")


@dataclass(frozen=True)
class TaskArrays:
    """The examples of several tasks.

    Attributes:
        train_x: Features, shape ``(train_examples, features, tasks)``.
        train_y: Labels, shape ``(train_examples, tasks)``.
        valid_x: Features, shape ``(valid_examples, features, tasks)``.
        valid_y: Labels, shape ``(valid_examples, tasks)``.
    """

    train_x: Floats
    train_y: Floats
    valid_x: Floats
    valid_y: Floats

    @cached_property
    def flat(self) -> tuple[Floats, Floats, Floats, Floats]:
        """All numbers of each array in one row, as the compiled interpreter reads them."""
        return self.train_x.reshape(-1), self.train_y.reshape(-1), self.valid_x.reshape(-1), self.valid_y.reshape(-1)


@dataclass(frozen=True)
class TaskSet:
    """Several regression tasks of a kind; equal fields mean equal examples.

    Attributes:
        kind: ``linear`` (y = w x), ``affine`` (y = w x + b) or ``nonlinear`` (y = w relu(W x)).
        features: Length of the feature vector.
        seed: Of weights and features.
        tasks: Tasks, each with weights of its own.
        train_examples: Examples that a program learns from, each seen once.
        valid_examples: Examples that it is scored on.
    """

    kind: Kind
    features: int
    seed: int = 0
    tasks: int = TASKS
    train_examples: int = TRAIN_EXAMPLES
    valid_examples: int = VALID_EXAMPLES

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("kind of task", self.kind, KINDS)
        limits = {"features": MOST_FEATURES, "tasks": 1 << 12, "train_examples": 1 << 20, "valid_examples": 1 << 20}
        for name, high in limits.items():
            if not 1 <= getattr(self, name) <= high:
                raise InputError(f"{name} of a task set must be from 1 to {high}, got {getattr(self, name)}")

    @property
    def digest(self) -> str:
        """Digest of what the examples are generated from."""
        return blake3(f"tasks {VERSION} {self!r}".encode()).hexdigest(length=16)

    def head(self, train_examples: int) -> TaskSet:
        """Return the same tasks with the first examples only."""
        return replace(self, train_examples=min(train_examples, self.train_examples))

    def arrays(self) -> TaskArrays:
        """Return the examples; do not write into them."""
        return _generate(self)


@lru_cache(maxsize=16)
def _generate(spec: TaskSet) -> TaskArrays:
    """Draw task by task and validation first, so that neither more tasks nor more examples to train on change what others hold."""
    columns = [_task(spec, task) for task in range(spec.tasks)]
    return TaskArrays(*(np.ascontiguousarray(np.stack(parts, axis=-1)) for parts in zip(*columns, strict=True)))


def _task(spec: TaskSet, task: int) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng([VERSION, KINDS.index(spec.kind), spec.features, spec.seed, task])
    label = _teacher(spec.kind, spec.features, rng)
    valid = rng.standard_normal((spec.valid_examples, spec.features))
    train = rng.standard_normal((spec.train_examples, spec.features))
    return train, label(train), valid, label(valid)


def _teacher(kind: Kind, features: int, rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """Return the function that labels examples of shape ``(n, features)``. Sums run in a fixed order, whatever a BLAS would do."""
    weights, bias = rng.standard_normal(features), rng.standard_normal()
    hidden = rng.standard_normal((features, features)) if kind == "nonlinear" else None

    def label(x: Floats) -> Floats:
        if hidden is not None:
            x = np.maximum(sum(x[:, i, None] * hidden[i] for i in range(features)), 0.0)
        answer = sum(x[:, i] * weights[i] for i in range(features))
        return np.asarray(answer + bias if kind == "affine" else answer)

    return label


@lru_cache(maxsize=16)
def probe_tasks(features: int, examples: int, repetitions: int, *, train_examples: int | None = None) -> TaskArrays:
    """Return the fixed canonical examples of the functional key: some features and labels that no program is made for.

    The labels of the repetitions come from a linear, an affine and a nonlinear teacher in turn, so that the key depends on the number of
    features alone and not on the workload.

    Args:
        features: Length of the feature vector.
        examples: To validate on.
        repetitions: Tasks.
        train_examples: To train on, ``examples`` by default; fewer of them are the first of more.
    """
    train_examples = examples if train_examples is None else train_examples
    parts = [
        _generate(TaskSet(KINDS[i % len(KINDS)], features, 1_000_003 + i, 1, train_examples, valid_examples=examples))
        for i in range(repetitions)
    ]
    join = [np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in ("train_x", "train_y", "valid_x", "valid_y")]
    return TaskArrays(*(np.ascontiguousarray(array) for array in join))


class TaskWorkloads:
    """Generated task sets by name: ``linear-4``, ``affine-8``, ``nonlinear-4``; with ``-s7`` other tasks of the kind, of seed 7."""

    def names(self) -> list[str]:
        """Return the usual names; other numbers of features, up to `MOST_FEATURES`, and other seeds can be had too."""
        return [f"{kind}-{features}" for features in (4, 8) for kind in KINDS] + ["linear-2"]

    def get(self, name: str) -> Workload:
        """Return the tasks of that name as a workload."""
        found = _NAME.fullmatch(name)
        if found is None or not 1 <= int(found[2]) <= MOST_FEATURES:
            hint = f"(or KIND-FEATURES-sSEED with 1 to {MOST_FEATURES} features, such as linear-6-s7)"
            raise UnknownNameError("workload", name, self.names(), hint)
        kind = KINDS[KINDS.index(found[1])]
        return Workload(name, TaskSet(kind, int(found[2]), seed=int(found[3] or 0)))
