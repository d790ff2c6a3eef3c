"""The network around a cell, as a plan of tensors: stem, cell, down-sampling, cell of twice the width, global pooling, dense layer.

The cell works as in NAS-Bench-101: an edge from the input passes a 1x1 projection of its own, an interior vertex sums what reaches it
and applies its operation, the output joins the vertices with an edge to it along the channels, and an edge from input to output adds a
projection to that. Convolutions are followed by batch normalisation and ReLU. What is computed in which order, and drawn by which name,
comes from `designgym.simulators.nas.roles`; it differs from the words above by what batch normalisation's epsilon makes of a factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from designgym.simulators.nas.cell import Cell
from designgym.simulators.nas.roles import Roles, roles_of

WIDTHS = (12, 24)  # output channels of the cells; the second works at half the resolution. 12 divides evenly among up to four vertices
KERNEL_SIZES = {"conv1x1": 1, "conv3x3": 3}
EPSILON = 1e-5  # that batch normalisation adds to variances
MOMENTUM_ALL = 1.0  # of running statistics: those of the last batch alone


@dataclass(frozen=True)
class Convolution:
    """A convolution with batch normalisation and ReLU; or several of one input, computed as one.

    Attributes:
        roles: The names that its weights are drawn by, and output channels of each; names are different in all of a network.
        shape: Of the kernel, ``(out, in, size, size)``.
        pixels: Of its images, height times width.
    """

    roles: tuple[tuple[str, int], ...]
    shape: tuple[int, int, int, int]
    pixels: int

    @property
    def parameters(self) -> int:
        """Trained numbers: the kernel, a scale and a shift per channel."""
        out, inward, size, _ = self.shape
        return out * inward * size * size + 2 * out

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of the kernel on an image."""
        out, inward, size, _ = self.shape
        return out * inward * size * size * self.pixels


@dataclass(frozen=True)
class _Stage:
    """A cell in its place.

    Attributes:
        roles: What it computes.
        projection: The index of all projections of its input, which are computed as one convolution.
        convolutions: By name of a convolving step, its index.
    """

    roles: Roles
    projection: int
    convolutions: Mapping[str, int]


@dataclass
class Weights:
    """What a network computes with.

    Attributes:
        kernels: By convolution.
        scales: By convolution, shape ``(out,)``.
        shifts: By convolution, shape ``(out,)``.
        dense: Shape ``(features, classes)``.
        bias: Shape ``(classes,)``.
        means: By convolution, running means of batch normalisation; empty to normalise by the batch alone.
        variances: Likewise.
    """

    kernels: list[Tensor]
    scales: list[Tensor]
    shifts: list[Tensor]
    dense: Tensor
    bias: Tensor
    means: list[Tensor] = field(default_factory=list)
    variances: list[Tensor] = field(default_factory=list)


class CellNetwork:
    """A cell, stacked and wrapped up for images of a size and a number of classes.

    Args:
        cell: The cell.
        shape: Of an image: channels, height and width, these at least `SMALLEST`.
        classes: Classes.

    Attributes:
        convolutions: All convolutions, in a fixed order.
        features: Inputs of the dense layer.
    """

    def __init__(self, cell: Cell, shape: tuple[int, int, int], classes: int) -> None:
        channels, height, width = shape
        self.classes = classes
        self.convolutions: list[Convolution] = []
        self._stem = self._add({"stem": WIDTHS[0]}, channels, 3, height * width)
        self._stages: list[_Stage] = []
        inward = WIDTHS[0]
        for number, out in enumerate(WIDTHS):
            pixels = (height >> number) * (width >> number)
            self._stages.append(self._stage(f"cell {number}", roles_of(cell, out), inward, pixels))
            inward = out
        self.features = inward

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return sum(conv.parameters for conv in self.convolutions) + (self.features + 1) * self.classes

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of convolutions and the dense layer on an image."""
        return sum(conv.macs for conv in self.convolutions) + self.features * self.classes

    def _add(self, roles: Mapping[str, int], inward: int, size: int, pixels: int) -> int:
        shape = (sum(roles.values()), inward, size, size)
        self.convolutions.append(Convolution(tuple(roles.items()), shape, pixels))
        return len(self.convolutions) - 1

    def _stage(self, place: str, roles: Roles, inward: int, pixels: int) -> _Stage:
        projection = self._add({f"{place} {name}": n for name, n in roles.projections.items()}, inward, 1, pixels)
        convolutions = {
            name: self._add({f"{place} {name}": step.channels}, step.channels, KERNEL_SIZES[step.operation], pixels)
            for name, step in roles.steps.items()
            if step.operation in KERNEL_SIZES
        }
        return _Stage(roles, projection, convolutions)

    def __call__(self, images: Tensor, weights: Weights, *, fixed: bool = False) -> Tensor:
        """Return the logits, shape ``(n, classes)``.

        Args:
            images: Shape ``(n, channels, height, width)``.
            weights: The weights.
            fixed: Whether batch normalisation uses the running statistics; else it uses the batch's, and notes them if there is room.
        """

        def convolved(x: Tensor, i: int) -> Tensor:
            kernel = weights.kernels[i]
            x = functional.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
            mean, variance = (weights.means[i], weights.variances[i]) if weights.means else (None, None)
            x = functional.batch_norm(x, mean, variance, weights.scales[i], weights.shifts[i], not fixed, MOMENTUM_ALL, EPSILON)
            return functional.relu(x)

        x = convolved(images, self._stem).contiguous(memory_format=torch.channels_last)  # later layers keep it: a sixth faster
        for number, stage in enumerate(self._stages):
            if number:
                x = functional.max_pool2d(x, 2)
            projections = stage.roles.projections
            pieces = convolved(x, stage.projection).split(list(projections.values()), 1)
            atoms = dict(zip(projections, pieces, strict=True))
            for name, step in stage.roles.steps.items():
                if step.terms:
                    total = _sum([_times(_first(atoms[atom], step.channels), count) for atom, count in step.terms])
                    pooled = step.operation == "maxpool3x3"
                    atoms[name] = functional.max_pool2d(total, 3, 1, 1) if pooled else convolved(total, stage.convolutions[name])
            parts = [_times(atoms[name], factor) for name, factor in stage.roles.joined]
            outputs = [torch.cat(parts, 1)] if parts else []
            x = _sum([*outputs, *([atoms[stage.roles.shortcut]] if stage.roles.shortcut else [])])
        return torch.addmm(weights.bias, x.mean((2, 3)), weights.dense)


def _sum(tensors: list[Tensor]) -> Tensor:
    first, *others = tensors
    for other in others:
        first = first + other
    return first


def _times(x: Tensor, factor: int) -> Tensor:
    return x if factor == 1 else x * factor


def _first(x: Tensor, channels: int) -> Tensor:
    return x if x.shape[1] == channels else x[:, :channels]
