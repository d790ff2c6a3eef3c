"""`Layer`: one convolution (or matrix product) of a network, in the letters of the field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral

from designgym.core.errors import InputError

__all__ = ["Layer"]


@dataclass(frozen=True)
class Layer:
    """A convolution without batch: for all k, c, r, s, p, q: output[k, p, q] += weight[k, c, r, s] * input[c, p stride + r, q stride + s].

    A fully connected layer or a matrix product has r = s = 1. A depthwise layer keeps its channels apart: output[c, p, q]; its k is 1.

    Attributes:
        name: For messages and tables.
        k: Output channels (Timeloop's M); 1 for a depthwise layer.
        c: Input channels.
        r: Rows of the filter.
        s: Columns of the filter.
        p: Rows of the output.
        q: Columns of the output.
        stride: Of both directions.
        depthwise: Whether each input channel has an output channel of its own.

    Raises:
        InputError: For a number that is not a positive integer, or a depthwise layer with k other than 1.
    """

    name: str
    k: int
    c: int
    r: int
    s: int
    p: int
    q: int
    stride: int = 1
    depthwise: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("name", "depthwise") and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
                raise InputError(f"layer {self.name!r}: {field.name} must be a positive integer, got {value!r}")
        if self.depthwise and self.k != 1:
            raise InputError(f"layer {self.name!r} is depthwise, so its channels are c, and k must be 1, got {self.k}")

    @property
    def y(self) -> int:
        """Rows of the input that the output needs, padding included."""
        return (self.p - 1) * self.stride + self.r

    @property
    def x(self) -> int:
        """Columns of the input that the output needs, padding included."""
        return (self.q - 1) * self.stride + self.s

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations."""
        return self.k * self.c * self.r * self.s * self.p * self.q

    @property
    def input_words(self) -> int:
        """Elements of the input."""
        return self.c * self.y * self.x

    @property
    def weight_words(self) -> int:
        """Elements of the weights."""
        return self.k * self.c * self.r * self.s

    @property
    def output_words(self) -> int:
        """Elements of the output."""
        return (self.c if self.depthwise else self.k) * self.p * self.q
