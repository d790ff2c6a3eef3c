"""EfficientNet-B0 (Tan and Le, ICML 2019, arXiv:1905.11946, table 1); squeeze and excitation, to a quarter, are matrix products."""

from __future__ import annotations

from collections.abc import Iterator

from designgym.simulators.accelerator.layer import Layer

# expansion, filter, output channels, blocks, stride of the first one
_BLOCKS = ((1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1), (6, 5, 192, 4, 2), (6, 3, 320, 1, 1))


def layers() -> Iterator[Layer]:
    """Yield the layers: a block expands, filters each channel, weighs the channels by their means (squeeze, excite), and projects."""
    yield Layer("conv1", 32, 3, 3, 3, 112, 112, stride=2)
    channels, pixels, number = 32, 112, 0
    for expansion, size, k, blocks, first_stride in _BLOCKS:
        for block in range(blocks):
            number += 1
            stride = first_stride if block == 0 else 1
            wide, squeezed = expansion * channels, channels // 4
            if expansion > 1:
                yield Layer(f"block{number}_expand", wide, channels, 1, 1, pixels, pixels)
            pixels //= stride
            yield Layer(f"block{number}_depthwise", 1, wide, size, size, pixels, pixels, stride=stride, depthwise=True)
            yield Layer(f"block{number}_squeeze", squeezed, wide, 1, 1, 1, 1)
            yield Layer(f"block{number}_excite", wide, squeezed, 1, 1, 1, 1)
            yield Layer(f"block{number}_project", k, wide, 1, 1, pixels, pixels)
            channels = k
    yield Layer("conv_last", 1280, 320, 1, 1, 7, 7)
    yield Layer("fc", 1000, 1280, 1, 1, 1, 1)
