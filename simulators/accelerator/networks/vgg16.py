"""VGG-16 (Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556, table 1, configuration D)."""

from __future__ import annotations

from collections.abc import Iterator

from designgym.simulators.accelerator.layer import Layer

_BLOCKS = ((2, 64, 224), (2, 128, 112), (3, 256, 56), (3, 512, 28), (3, 512, 14))  # layers, channels, pixels


def layers() -> Iterator[Layer]:
    """Yield the layers."""
    channels = 3
    for block, (count, k, pixels) in enumerate(_BLOCKS, 1):
        for i in range(1, count + 1):
            yield Layer(f"conv{block}_{i}", k, channels, 3, 3, pixels, pixels)
            channels = k
    yield Layer("fc6", 4096, 512 * 7 * 7, 1, 1, 1, 1)
    yield Layer("fc7", 4096, 4096, 1, 1, 1, 1)
    yield Layer("fc8", 1000, 4096, 1, 1, 1, 1)
