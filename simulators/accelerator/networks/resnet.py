"""ResNet-18 and ResNet-50 (He et al., CVPR 2016, arXiv:1512.03385, table 1); shortcuts are projections where the shape changes."""

from __future__ import annotations

from collections.abc import Iterator

from designgym.simulators.accelerator.layer import Layer

_STAGES = ((2, 64, 56), (3, 128, 28), (4, 256, 14), (5, 512, 7))  # number, channels, pixels


def layers_18() -> Iterator[Layer]:
    """Yield the layers of ResNet-18: two blocks of two 3 x 3 convolutions per stage."""
    yield Layer("conv1", 64, 3, 7, 7, 112, 112, stride=2)
    channels = 64
    for stage, k, pixels in _STAGES:
        for block in range(2):
            stride = 2 if channels != k else 1
            name = f"conv{stage}_{2 * block + 1}"
            yield Layer(name, k, channels, 3, 3, pixels, pixels, stride=stride)
            yield Layer(f"conv{stage}_{2 * block + 2}", k, k, 3, 3, pixels, pixels)
            if channels != k:
                yield Layer(f"conv{stage}_shortcut", k, channels, 1, 1, pixels, pixels, stride=stride)
            channels = k
    yield Layer("fc", 1000, 512, 1, 1, 1, 1)


def layers_50() -> Iterator[Layer]:
    """Yield the layers of ResNet-50: blocks of 1 x 1, 3 x 3 and 1 x 1; the first of a stage's first block has the stride."""
    yield Layer("conv1", 64, 3, 7, 7, 112, 112, stride=2)
    channels = 64
    for (stage, k, pixels), blocks in zip(_STAGES, (3, 4, 6, 3), strict=True):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 2 else 1
            yield Layer(f"conv{stage}_{block}_1", k, channels, 1, 1, pixels, pixels, stride=stride)
            yield Layer(f"conv{stage}_{block}_2", k, k, 3, 3, pixels, pixels)
            yield Layer(f"conv{stage}_{block}_3", 4 * k, k, 1, 1, pixels, pixels)
            if block == 1:
                yield Layer(f"conv{stage}_shortcut", 4 * k, channels, 1, 1, pixels, pixels, stride=stride)
            channels = 4 * k
    yield Layer("fc", 1000, 2048, 1, 1, 1, 1)
