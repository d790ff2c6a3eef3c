"""The network around a cell, as a plan of tensors: stem, cell, down-sampling, cell of twice the width, global pooling, dense layer.

The cell works as in NAS-Bench-101: an edge from the input passes a 1x1 projection of its own, an interior vertex sums what reaches it
and applies its operation, the output joins the vertices with an edge to it along the channels, and an edge from input to output adds a
projection to that. Convolutions are followed by batch normalisation and ReLU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from designgym.simulators.nas.cell import INPUT, OUTPUT, Cell
from designgym.simulators.nas.roles import Roles, roles_of

WIDTHS = (12, 24)  # output channels of the cells; the second works at half the resolution. 12 divides evenly among up to four vertices
IMAGE_CHANNELS = 1
EPSILON = 1e-5  # of batch normalisation in training
MOMENTUM_ALL = 1.0  # of running statistics: those of the last batch alone


@dataclass(frozen=True)
class Convolution:
    """A convolution with batch normalisation and ReLU; or several of one input, computed as one.

    Attributes:
        roles: The names that its weights are drawn by, and output channels of each; names are different in all of a network.
        shape: Of the kernel, ``(out, in, size, size)``.
        side: Height and width of its images.
    """

    roles: tuple[tuple[str, int], ...]
    shape: tuple[int, int, int, int]
    side: int

    @property
    def parameters(self) -> int:
        """Trained numbers: the kernel, a scale and a shift per channel."""
        out, inward, size, _ = self.shape
        return out * inward * size * size + 2 * out

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of the kernel on an image."""
        out, inward, size, _ = self.shape
        return out * inward * size * size * self.side * self.side


@dataclass(frozen=True)
class _Stage:
    """A cell in its place.

    Attributes:
        roles: What its vertices compute.
        channels: By interior vertex.
        operations: By convolving vertex, the index of its convolution.
        projection: The index of the projections of its input, which are computed as one convolution.
        projected: By vertex that a projection goes to (the output included), its channels.
    """

    roles: Roles
    channels: Mapping[int, int]
    operations: Mapping[int, int]
    projection: int
    projected: Mapping[int, int]


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
        side: Height and width of the images, even.
        classes: Classes.

    Attributes:
        convolutions: All convolutions, in a fixed order.
        features: Inputs of the dense layer.
    """

    def __init__(self, cell: Cell, side: int, classes: int) -> None:
        self.cell, self.classes = cell, classes
        self.convolutions: list[Convolution] = []
        self._stem = self._add({"stem": WIDTHS[0]}, IMAGE_CHANNELS, 3, side)
        self._stages: list[_Stage] = []
        inward = WIDTHS[0]
        for number, width in enumerate(WIDTHS):
            self._stages.append(self._stage(f"cell {number}", inward, width, side >> number))
            inward = width
        self.features = inward

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return sum(conv.parameters for conv in self.convolutions) + (self.features + 1) * self.classes

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of convolutions and the dense layer on an image."""
        return sum(conv.macs for conv in self.convolutions) + self.features * self.classes

    def _add(self, roles: Mapping[str, int], inward: int, size: int, side: int) -> int:
        shape = (sum(roles.values()), inward, size, size)
        self.convolutions.append(Convolution(tuple(roles.items()), shape, side))
        return len(self.convolutions) - 1

    def _stage(self, place: str, inward: int, width: int, side: int) -> _Stage:
        cell, roles = self.cell, roles_of(self.cell, width)
        channels = cell.channels(width)
        names = {**roles.projections, **({OUTPUT: roles.shortcut} if roles.shortcut else {})}
        projected = {vertex: channels.get(vertex, width) for vertex in names}
        projection = self._add({f"{place} {names[v]}": n for v, n in projected.items()}, inward, 1, side)
        operations = {}
        for v in cell.interior:
            if cell.operation(v) != "maxpool3x3":
                size = 3 if cell.operation(v) == "conv3x3" else 1
                operations[v] = self._add({f"{place} {roles.operations[v]}": channels[v]}, channels[v], size, side)
        return _Stage(roles, channels, operations, projection, projected)

    def __call__(self, images: Tensor, weights: Weights, *, fixed: bool = False, epsilon: float = EPSILON) -> Tensor:
        """Return the logits, shape ``(n, classes)``.

        Args:
            images: Shape ``(n, 1, side, side)``.
            weights: The weights.
            fixed: Whether batch normalisation uses the running statistics; else it uses the batch's, and notes them if there is room.
            epsilon: What batch normalisation adds to variances.
        """

        def convolved(x: Tensor, i: int) -> Tensor:
            kernel = weights.kernels[i]
            x = functional.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
            mean, variance = (weights.means[i], weights.variances[i]) if weights.means else (None, None)
            x = functional.batch_norm(x, mean, variance, weights.scales[i], weights.shifts[i], not fixed, MOMENTUM_ALL, epsilon)
            return functional.relu(x)

        x = convolved(images, self._stem).contiguous(memory_format=torch.channels_last)  # later layers keep it: a sixth faster
        for number, stage in enumerate(self._stages):
            if number:
                x = functional.max_pool2d(x, 2)
            pieces = convolved(x, stage.projection).split(list(stage.projected.values()), 1)
            projected = dict(zip(stage.projected, pieces, strict=True))
            values: dict[int, Tensor] = {}
            for v in self.cell.interior:
                total = _sum(
                    projected[v] if source == INPUT else _first(values[source], stage.channels[v]) for source in self.cell.sources_of(v)
                )
                values[v] = convolved(total, stage.operations[v]) if v in stage.operations else functional.max_pool2d(total, 3, 1, 1)
            parts = [torch.cat([values[v] for v in stage.roles.joined], 1)] if values else []
            x = _sum([*parts, *([projected[OUTPUT]] if OUTPUT in projected else [])])
        return torch.addmm(weights.bias, x.mean((2, 3)), weights.dense)


def _sum(tensors: Iterator[Tensor] | list[Tensor]) -> Tensor:
    first, *others = tensors
    for other in others:
        first = first + other
    return first


def _first(x: Tensor, channels: int) -> Tensor:
    return x if x.shape[1] == channels else x[:, :channels]
