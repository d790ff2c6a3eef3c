"""Operators of networks as layers: what the importers of PyTorch and ONNX share.

A layer has no batch, groups, dilation or transposition, and one stride. What operators have of these is taken apart exactly; the
multiply-accumulates of the layers are those of the operator, products with zeros of the padding included, as usual.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network

__all__ = ["Convolution", "LayerList", "attention", "matrix_product", "recurrent"]

Layers = list[tuple[Layer, int]]
Phases = Counter[tuple[int, int, int]]
"""How often an axis has so many outputs, of so many taps of the filter, with such a stride."""


@dataclass(frozen=True)
class Convolution:
    """A convolution over one or two axes as frameworks write it, rows first. One over a single axis is of one row.

    Attributes:
        batch: Images.
        inputs: Channels of the input, all groups together.
        outputs: Channels of the output, all groups together.
        groups: Groups of channels.
        filter: Size of the filter by axis.
        pixels: Size of the output by axis.
        stride: By axis.
        dilation: By axis.
        transposed: Whether it is a transposed convolution.
        padding: Rows and columns that a transposed convolution leaves out at the beginning.
    """

    batch: int
    inputs: int
    outputs: int
    groups: int
    filter: Sequence[int]
    pixels: Sequence[int]
    stride: Sequence[int]
    dilation: Sequence[int]
    transposed: bool = False
    padding: Sequence[int] = (0, 0)

    def layers(self, name: str) -> Layers:
        """Return the layers.

        Images are a count, and so are groups; groups of one channel are a depthwise layer of all channels, once for each of the outputs
        that a channel has. A dilated convolution is one without dilation on every d-th row and column, for each of their remainders. A
        transposed one is a convolution of stride 1 for each remainder of the output's rows and columns by the stride, with the taps of
        the filter that meet it; there is no product with the zeros in between, but there is one with those beyond the edges.

        Raises:
            InputError: If it has three axes, or two strides and more than one output along each axis.
        """
        if len(self.filter) > 2:
            raise InputError(f"it has {len(self.filter)} axes, a layer has two")
        lead = [1] * (2 - len(self.filter))
        filters, pixels, strides, dilations = (
            [*lead, *sizes] for sizes in (self.filter, self.pixels, self.stride, self.dilation)
        )  # fmt: skip
        paddings = [*[0] * len(lead), *self.padding[: len(self.filter)]]
        axes = []
        for size, outputs, stride, dilation, padding in zip(filters, pixels, strides, dilations, paddings, strict=True):
            if self.transposed:
                axes.append(_transposed_phases(outputs, size, stride, dilation, padding))
            else:
                axes.append(_phases(outputs, size, stride, dilation))
        k, c = self.outputs // self.groups, self.inputs // self.groups
        depthwise = self.groups > 1 and c == 1
        copies = self.batch * (k if depthwise else self.groups)
        found: Layers = []
        for ((p, r, down), rows), ((q, s, across), columns) in itertools.product(axes[0].items(), axes[1].items()):
            if down != across:  # one tap reads as many rows as it has outputs, as with a stride of 1
                down, across = (1 if r == 1 else down), (1 if s == 1 else across)
            if p > 1 and q > 1 and down != across:
                raise InputError(f"it has a stride of {down} between rows and of {across} between columns, a layer has one stride")
            stride = across if p == 1 else down
            sizes = (1, self.groups) if depthwise else (k, c)
            found.append((Layer(name, *sizes, r, s, p, q, stride, depthwise), copies * rows * columns))
        return found


def matrix_product(left: Sequence[int], right: Sequence[int], name: str) -> Layers:
    """Return the layer of (..., rows, inner) times (..., inner, columns), which stand for weights: p = rows, c = inner, k = columns.

    Leading axes of the left side alone are more rows, since they share the weights; those of the right side alone are more columns, since
    they share the inputs; those of both are a count. A vector on the left is a row, one on the right a column.
    """
    left, right = list(left), list(right)
    left = [1, *left] if len(left) == 1 else left
    right = [*right, 1] if len(right) == 1 else right
    (rows, inner), columns = left[-2:], right[-1]
    depth = max(len(left), len(right)) - 2
    count = 1
    for ours, theirs in zip(_leading(left, depth), _leading(right, depth), strict=True):
        if ours > 1 and theirs > 1:
            count *= ours
        else:
            rows, columns = rows * ours, columns * theirs
    return [(Layer(name, columns, inner, 1, 1, rows, 1), count)]


def attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], name: str) -> Layers:
    """Return scores and reads of attention: (..., heads, tokens, size) by (..., heads, context, size); a mask saves nothing.

    Query heads that share keys and values, because these have fewer heads, are more rows.
    """
    shared = query[-3] // key[-3] if len(query) > 2 and len(key) > 2 else 1
    (*lead, tokens, size), (*keys, context, _) = query, key
    if shared > 1:
        lead, tokens = [*lead[:-1], key[-3]], tokens * shared
    scores = matrix_product([*lead, tokens, size], [*keys, size, context], f"{name}.scores")
    return scores + matrix_product([*np.broadcast_shapes(tuple(lead), tuple(keys)), tokens, context], value, f"{name}.read")


def recurrent(steps: int, batch: int, inputs: int, hidden: int, gates: int, directions: int, name: str) -> Layers:
    """Return the layers of a recurrent operator: inputs of all steps at once, and the hidden state step by step; biases are none."""
    return [
        (Layer(f"{name}.input", gates * hidden, inputs, 1, 1, steps * batch, 1), directions),
        (Layer(f"{name}.hidden", gates * hidden, hidden, 1, 1, batch, 1), directions * steps),
    ]


class LayerList:
    """Layers as they are found, under names of their own."""

    def __init__(self) -> None:
        self._layers: Layers = []
        self._names: Counter[str] = Counter()

    def add(self, layers: Iterable[tuple[Layer, int]]) -> None:
        """Add the layers of an operator; a name that is taken gets a number."""
        for layer, count in layers:
            self._names[layer.name] += 1
            number = self._names[layer.name]
            name = layer.name if number == 1 else f"{layer.name}#{number}"
            self._layers.append((replace(layer, name=name), count))

    def network(self, name: str, source: str) -> Network:
        """Return the network, in which layers of the same shape are one.

        Raises:
            InputError: If there is no layer.
        """
        if not self._layers:
            raise InputError(f"{source} has no operator with multiply-accumulates: expected a convolution or a matrix product at least")
        return Network(name, tuple(self._layers)).merged()


def _leading(shape: Sequence[int], depth: int) -> list[int]:
    return [*[1] * (depth - len(shape) + 2), *shape[:-2]]


def _phases(outputs: int, taps: int, stride: int, dilation: int) -> Phases:
    """Return the convolutions without dilation that one axis consists of.

    Output o reads o stride + t dilation. Outputs that differ by dilation / gcd(stride, dilation) read inputs of the same remainder by the
    dilation, which are stride / gcd apart among each other.
    """
    dilation = dilation if taps > 1 else 1
    common = math.gcd(stride, dilation)
    apart = dilation // common
    each = [-(-(outputs - first) // apart) for first in range(min(apart, outputs))]
    return Counter((at, taps, stride // common if at > 1 else 1) for at in each)  # a single output is apart from none


def _transposed_phases(outputs: int, taps: int, stride: int, dilation: int, padding: int) -> Phases:
    """Return the convolutions of stride 1 that one axis of a transposed convolution consists of.

    Output o is the sum over taps t of input (o + padding - t dilation) / stride, where that is whole.
    """
    found: Phases = Counter()
    for remainder in range(stride):
        at = sum((output + padding) % stride == remainder for output in range(outputs))
        meeting = sum(tap * dilation % stride == remainder for tap in range(taps))
        if at and meeting:
            found += _phases(at, meeting, 1, dilation // math.gcd(stride, dilation))
    return found
