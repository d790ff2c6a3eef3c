"""AlexNet (Krizhevsky, Sutskever and Hinton, NIPS 2012, section 3.5); the second, fourth and fifth layer are in two groups."""

from __future__ import annotations

from collections.abc import Iterator

from designgym.simulators.accelerator.layer import Layer


def layers() -> Iterator[Layer]:
    """Yield the layers; each of the two groups of a grouped layer is a layer."""
    yield Layer("conv1", 96, 3, 11, 11, 55, 55, stride=4)
    yield from (Layer(f"conv2_{half}", 128, 48, 5, 5, 27, 27) for half in "ab")
    yield Layer("conv3", 384, 256, 3, 3, 13, 13)
    yield from (Layer(f"conv4_{half}", 192, 192, 3, 3, 13, 13) for half in "ab")
    yield from (Layer(f"conv5_{half}", 128, 192, 3, 3, 13, 13) for half in "ab")
    yield Layer("fc6", 4096, 256 * 6 * 6, 1, 1, 1, 1)
    yield Layer("fc7", 4096, 4096, 1, 1, 1, 1)
    yield Layer("fc8", 1000, 4096, 1, 1, 1, 1)
