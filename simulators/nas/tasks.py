"""Image classification tasks that are small enough for a training in about a second; the images come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.workload import Workload

TRAIN, VALIDATION, TEST = 500, 600, 697  # of the 1,797 images; few to learn from, so that cells differ, and many to judge by
SPLIT_SEED = 20190609  # of the order of the images and of what is done to them: part of the tasks, not of a run
EPOCHS = 8
SMALLEST = 2  # pixels in height and width: the second cell works at half the resolution
MOST_CHANNELS = 4
FEWEST = 4  # images: two to learn from and one for each of the other parts
SUFFIX = ".npz"
STEP_PASSES = 3  # a training step on an image costs about three passes through the network

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled images in three parts, and how long to train on them.

    Attributes:
        images: Pixels in [0, 1], shape ``(train + validation + test, height, width)``, or with channels as the last axis; the parts follow
            each other.
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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        height, width, *channels = self.images.shape[1:]
        return (channels[0] if channels else 1), height, width

    def planes(self) -> Images:
        """Return the images with channels as the second axis, shape ``(n, channels, height, width)``."""
        return self.images[:, None] if self.images.ndim == 3 else np.ascontiguousarray(np.moveaxis(self.images, -1, 1))

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
    return Task(images, data.target[order].astype(np.int64), TRAIN, VALIDATION, TEST, epochs=EPOCHS)


def rotated_digits() -> Task:
    """Return the digits, each turned by a random multiple of 90 degrees: harder (6 and 9 can look alike), so trained longer."""
    upright = digits()
    turns = np.random.default_rng(SPLIT_SEED + 1).integers(4, size=len(upright.labels))
    images = np.stack([np.rot90(image, turn) for image, turn in zip(upright.images, turns, strict=True)])
    return replace(upright, images=np.ascontiguousarray(images), epochs=16)


TASKS: dict[str, Callable[[], Task]] = {"digits": digits, "digits-rotated": rotated_digits}


def image_task(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    train: int | None = None,
    validation: int | None = None,
    epochs: int = EPOCHS,
    name: str = "images",
) -> Workload:
    """Return a workload of one's own images: ``image_task(images, labels)``.

    Images are put in a random order, always the same, and split into those to learn from, to search by, and to report.

    Args:
        images: Shape ``(n, height, width)`` or ``(n, height, width, channels)``, of at least 2 x 2 pixels: bytes from 0 to 255, or
            numbers in [0, 1].
        labels: Classes, whole numbers from 0, shape ``(n,)``.
        train: Images to learn from; half of them unless given.
        validation: Images to search by; half of the others unless given. What remains is for the test.
        epochs: Passes over the training images at full fidelity.
        name: Name of the workload.

    Raises:
        InputError: For other shapes, kinds of numbers or sizes of the parts.
    """
    pixels, classes = _pixels(np.asarray(images)), _classes(np.asarray(labels), len(np.asarray(images)))
    count = len(pixels)
    train = count // 2 if train is None else _whole("train", train)
    validation = (count - train) // 2 if validation is None else _whole("validation", validation)
    if min(train, validation, count - train - validation) < 1 or train < 2:
        raise InputError(
            f"{count} images cannot be split into {train} to learn from (2 or more), {validation} for validation and "
            f"{count - train - validation} for test (1 or more each)"
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    task = Task(pixels[order], classes[order], train, validation, count - train - validation, _whole("epochs", epochs))
    if len(np.unique(task.labels[:train])) < 2:
        raise InputError(f"the {train} images to learn from are all of class {task.labels[0]}: expected two classes or more")
    return Workload(name, task)


def image_file(path: str) -> Workload:
    """Return the task of an ``.npz`` file with the arrays ``images`` and ``labels``; raises `InputError` if it holds none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise InputError(f"workload file {path!r} does not exist") from None
    except (OSError, ValueError, BadZipFile) as error:
        raise InputError(
            f"workload file {path!r} cannot be read: {error}; numpy.savez({path!r}, images=..., labels=...) writes one"
        ) from None
    if missing := [key for key in ("images", "labels") if key not in arrays]:
        raise InputError(f"workload file {path!r} lacks {' and '.join(missing)}: it holds {', '.join(arrays) or 'nothing'}")
    return image_task(arrays["images"], arrays["labels"], name=path)


def _pixels(images: Any) -> Images:
    if images.ndim not in (3, 4) or len(images) < FEWEST or min(images.shape[1:3]) < SMALLEST or images.shape[-1] < 1:
        raise InputError(
            f"images have the shape {images.shape}, expected (n, height, width) or (n, height, width, channels) with at least "
            f"{SMALLEST} x {SMALLEST} pixels, and at least {FEWEST} of them"
        )
    if images.ndim == 4 and images.shape[1] <= MOST_CHANNELS < images.shape[3]:
        raise InputError(f"images have the shape {images.shape}: channels come last, so use numpy.moveaxis(images, 1, -1)")
    if images.dtype == np.uint8:
        return np.asarray(images / np.float32(255), dtype=np.float32)
    if images.dtype.kind not in "fiub":
        raise InputError(f"images are of type {images.dtype}, expected bytes or numbers in [0, 1]")
    found = images.astype(np.float32)
    if not (np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1):
        raise InputError(
            f"pixels go from {found.min():g} to {found.max():g}, expected bytes (uint8) or numbers in [0, 1]: scale them, for instance "
            "(images - images.min()) / numpy.ptp(images)"
        )
    return found


def _classes(labels: Any, count: int) -> Labels:
    if labels.shape != (count,):
        raise InputError(f"labels have the shape {labels.shape}, expected ({count},): one for each image")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError(
            f"labels are {shorten(np.unique(labels)[:5].tolist())}, expected whole numbers from 0: "
            "numpy.unique(labels, return_inverse=True)[1]"
        )
    if (classes := int(labels.max()) + 1) > max(2 * len(np.unique(labels)), 2):
        raise InputError(
            f"labels go up to {classes - 1}, but only {len(np.unique(labels))} different ones occur: number them from 0 with "
            "numpy.unique(labels, return_inverse=True)[1]"
        )
    return labels.astype(np.int64)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} must be a whole number of at least 1, got {shorten(value)}")
    return value


class TaskLibrary:
    """The tasks as workloads, made when they are asked for. The path of an ``.npz`` file is a task too: see `image_file`."""

    def names(self) -> list[str]:
        """Return the names of the tasks."""
        return list(TASKS)

    def get(self, name: str) -> Workload:
        """Return the task of that name; raises `UnknownNameError` if there is none."""
        if name.endswith(SUFFIX):
            return image_file(name)
        if name not in TASKS:
            raise UnknownNameError("workload", name, TASKS, f"(or images of yours, FILE{SUFFIX} with the arrays images and labels)")
        return _workload(name)


@lru_cache(maxsize=len(TASKS))
def _workload(name: str) -> Workload:
    return Workload(name, TASKS[name]())
