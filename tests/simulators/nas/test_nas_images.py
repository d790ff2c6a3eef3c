"""Images of one's own as a task of cells: other sizes, colours, files, and refusals in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.core.errors import InputError
from designgym.envs import environment
from designgym.simulators.nas import CellTraining, image_task

SIMULATOR = CellTraining()
DESIGN = SIMULATOR.space.default()


def stripes(count: int = 240, height: int = 10, width: int = 14, channels: int = 0) -> tuple[Any, Any]:
    """Images with horizontal or vertical stripes in noise, and which."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=count)
    rows, columns = np.indices((height, width)) // 2 % 2
    images = np.where(labels[:, None, None] == 1, rows, columns) * 0.8 + 0.2 * rng.random((count, height, width))
    return (images if not channels else np.stack([images] * channels, axis=-1)), labels


@pytest.mark.parametrize(("shape", "channels"), [((10, 14), 0), ((7, 5), 0), ((16, 16), 3), ((2, 2), 1)])
def test_images_of_any_size_are_learned(shape: tuple[int, int], channels: int) -> None:
    images, labels = stripes(160, *shape, channels)
    workload = image_task(images, labels, epochs=20)
    (result,) = SIMULATOR.evaluate([DESIGN], workload)
    assert result.ok and (min(shape) == 2 or result["validation_accuracy"] > 0.9)
    pixels, quarter = shape[0] * shape[1], (shape[0] // 2) * (shape[1] // 2)
    stem, one = 9 * max(channels, 1) * 12, 12 * 12 + 5 * 9 * 12 * 12
    assert result["macs"] == (stem + one) * pixels + (12 * 24 + 5 * 9 * 24 * 24) * quarter + 24 * 2
    assert len(SIMULATOR.probe([DESIGN], workload)) == 1


def test_bytes_are_scaled_and_the_split_is_as_told() -> None:
    images, labels = stripes()
    task = image_task((images * 255).astype(np.uint8), labels, train=100, validation=40).data
    assert (task.train, task.validation, task.test) == (100, 40, 100) and 0.9 < task.images.max() <= 1
    assert sorted(task.labels) == sorted(labels)
    other = image_task(images, labels, epochs=9)
    assert other.digest == image_task(images, labels, epochs=9).digest != image_task(images, labels).digest


def test_a_file_of_arrays_is_a_workload_by_its_path(tmp_path: Path) -> None:
    images, labels = stripes(60)
    file = str(tmp_path / "stripes.npz")
    np.savez(file, images=images, labels=labels)
    found = environment("designgym/NasCell-v0").workload(file)
    assert found.digest == image_task(images, labels).digest and found.name == file
    np.savez(file, x=images)
    with pytest.raises(InputError, match="lacks images and labels: it holds x"):
        environment("designgym/NasCell-v0").workload(file)
    Path(file).write_text("nothing")
    for path, words in ((file, "cannot be read"), (str(tmp_path / "none.npz"), "does not exist")):
        with pytest.raises(InputError, match=words):
            environment("designgym/NasCell-v0").workload(path)


@pytest.mark.parametrize(
    ("images", "labels", "options", "words"),
    [
        (np.zeros((10, 64)), np.zeros(10, int), {}, r"images have the shape \(10, 64\), expected \(n, height, width\)"),
        (np.zeros((10, 1, 9)), np.zeros(10, int), {}, "at least 2 x 2 pixels"),
        (np.zeros((10, 3, 32, 32)), np.zeros(10, int), {}, r"channels come last, so use numpy.moveaxis\(images, 1, -1\)"),
        (np.full((10, 8, 8), 7.0), np.zeros(10, int), {}, "pixels go from 7 to 7, expected bytes"),
        (np.full((10, 8, 8), np.nan), np.zeros(10, int), {}, "pixels go from nan"),
        (np.zeros((10, 8, 8), complex), np.zeros(10, int), {}, "of type complex128"),
        (np.zeros((10, 8, 8)), np.zeros(9, int), {}, r"labels have the shape \(9,\), expected \(10,\): one for each image"),
        (np.zeros((10, 8, 8)), np.array(["a"] * 10), {}, "labels are .*'a'.*, expected whole numbers from 0"),
        (np.zeros((10, 8, 8)), np.arange(10) - 1, {}, "expected whole numbers from 0"),
        (np.zeros((10, 8, 8)), np.arange(10) % 2 * 1000, {}, "labels go up to 1000, but only 2 different ones occur"),
        (np.zeros((10, 8, 8)), np.zeros(10, int), {}, "all of class 0: expected two classes or more"),
        (np.zeros((10, 8, 8)), np.arange(10) % 2, {"train": 9}, "10 images cannot be split into 9 to learn from"),
        (np.zeros((10, 8, 8)), np.arange(10) % 2, {"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        (np.zeros((0, 8, 8)), np.zeros(0, int), {}, r"shape \(0, 8, 8\), expected .* at least 4 of them"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_words(images: Any, labels: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        image_task(images, labels, **options)
