"""MobileNetV2 (Sandler et al., CVPR 2018, arXiv:1801.04381, table 2), width 1."""

from __future__ import annotations

from collections.abc import Iterator

from designgym.simulators.accelerator.layer import Layer

# expansion, output channels, blocks, stride of the first one
_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def layers() -> Iterator[Layer]:
    """Yield the layers: a block expands by 1 x 1, filters each channel by 3 x 3, and projects by 1 x 1."""
    yield Layer("conv1", 32, 3, 3, 3, 112, 112, stride=2)
    channels, pixels, number = 32, 112, 0
    for expansion, k, blocks, first_stride in _BLOCKS:
        for block in range(blocks):
            number += 1
            stride = first_stride if block == 0 else 1
            wide = expansion * channels
            if expansion > 1:
                yield Layer(f"block{number}_expand", wide, channels, 1, 1, pixels, pixels)
            pixels //= stride
            yield Layer(f"block{number}_depthwise", 1, wide, 3, 3, pixels, pixels, stride=stride, depthwise=True)
            yield Layer(f"block{number}_project", k, wide, 1, 1, pixels, pixels)
            channels = k
    yield Layer("conv_last", 1280, 320, 1, 1, 7, 7)
    yield Layer("fc", 1000, 1280, 1, 1, 1, 1)
