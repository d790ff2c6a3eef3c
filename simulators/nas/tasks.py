"""Image classification tasks that are small enough for a training in about a second; the images come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import UnknownNameError
from designgym.core.workload import Workload

TRAIN, VALIDATION, TEST = 500, 600, 697  # of the 1,797 images; few to learn from, so that cells differ, and many to judge by
SPLIT_SEED = 20190609  # of the order of the images and of what is done to them: part of the tasks, not of a run
STEP_PASSES = 3  # a training step on an image costs about three passes through the network

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled images in three parts, and how long to train on them.

    Attributes:
        images: Pixels in [0, 1], shape ``(train + validation + test, height, width)``; the parts follow each other.
        labels: Classes from 0, shape ``(train + validation + test,)``.
        train: Images to learn from.
        validation: Images that the search judges by.
        test: Images that nothing is chosen by.
        epochs: Passes over the training images at full fidelity.
    """

    images: Images
    labels: Labels
    train: int
    validation: int
    test: int
    epochs: int

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.labels.max()) + 1

    def head(self, passes: int) -> Task:
        """Return a smaller task, on which a training passes about so many images through the network: for tests, not for results."""
        train = min(self.train, max(passes // STEP_PASSES, 2))
        judged = min(self.validation, self.test, max(passes // 10, 1))
        parts = [(0, train), (self.train, judged), (self.train + self.validation, judged)]
        chosen = np.concatenate([np.arange(start, start + count) for start, count in parts])
        epochs = min(self.epochs, max(passes // (STEP_PASSES * train), 1))
        return Task(self.images[chosen], self.labels[chosen], train, judged, judged, epochs)


def digits() -> Task:
    """Return handwritten digits, 8 x 8 pixels, ten classes (UCI Optical Recognition of Handwritten Digits; Alpaydin and Kaynak 1998)."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(data.target))
    images = (data.images[order] / 16).astype(np.float32)
    return Task(images, data.target[order].astype(np.int64), TRAIN, VALIDATION, TEST, epochs=8)


def rotated_digits() -> Task:
    """Return the digits, each turned by a random multiple of 90 degrees: harder (6 and 9 can look alike), so trained longer."""
    upright = digits()
    turns = np.random.default_rng(SPLIT_SEED + 1).integers(4, size=len(upright.labels))
    images = np.stack([np.rot90(image, turn) for image, turn in zip(upright.images, turns, strict=True)])
    return replace(upright, images=np.ascontiguousarray(images), epochs=16)


TASKS: dict[str, Callable[[], Task]] = {"digits": digits, "digits-rotated": rotated_digits}


class TaskLibrary:
    """The tasks as workloads, made when they are asked for."""

    def names(self) -> list[str]:
        """Return the names of the tasks."""
        return list(TASKS)

    def get(self, name: str) -> Workload:
        """Return the task of that name; raises `UnknownNameError` if there is none."""
        if name not in TASKS:
            raise UnknownNameError("workload", name, TASKS)
        return _workload(name)


@lru_cache(maxsize=len(TASKS))
def _workload(name: str) -> Workload:
    return Workload(name, TASKS[name]())
