"""`ConvShape`: a layer as the data-centric model sees it: sizes of six dimensions, of which Y and X are those of the padded input."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer

__all__ = ["DIMENSIONS", "ConvShape", "coupled"]

DIMENSIONS = "KCRSYX"
"""Output channels, input channels, filter rows and columns, input rows and columns; the order of all arrays by dimension."""


def coupled(depthwise: bool) -> dict[str, str]:
    """Return the dimensions that each tensor has. Y and X of the output are its own rows and columns; K of a depthwise layer is none's."""
    return {"input": "CYX", "weight": "CRS" if depthwise else "KCRS", "output": "CYX" if depthwise else "KYX"}


@dataclass(frozen=True)
class ConvShape:
    """Sizes in elements. Unlike `Layer`'s, the input may be larger than the outputs need, and strides may differ by direction.

    Attributes:
        k: Output channels; no tensor of a depthwise layer has them.
        c: Input channels.
        r: Filter rows.
        s: Filter columns.
        y: Input rows, padding included.
        x: Input columns, padding included.
        stride_y: Rows from one output to the next.
        stride_x: Columns from one output to the next.
        depthwise: Whether each input channel has an output channel of its own (``DSCONV``).

    Raises:
        InputError: For a number that is not a positive integer, or a filter that is larger than the input.
    """

    k: int
    c: int
    r: int
    s: int
    y: int
    x: int
    stride_y: int = 1
    stride_x: int = 1
    depthwise: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "depthwise" and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
                raise InputError(f"size {field.name} of a layer must be a positive integer, got {value!r}")
        if self.r > self.y or self.s > self.x:
            raise InputError(
                f"a filter of {self.r} x {self.s} does not fit into an input of {self.y} x {self.x}: y and x include the padding"
            )

    @classmethod
    def of(cls, layer: Layer) -> ConvShape:
        """Return the shape of a layer, whose input is as large as its outputs need."""
        return cls(layer.k, layer.c, layer.r, layer.s, layer.y, layer.x, layer.stride, layer.stride, layer.depthwise)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes in the order of `DIMENSIONS`."""
        return (self.k, self.c, self.r, self.s, self.y, self.x)

    @property
    def p(self) -> int:
        """Output rows."""
        return (self.y - self.r) // self.stride_y + 1

    @property
    def q(self) -> int:
        """Output columns."""
        return (self.x - self.s) // self.stride_x + 1

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations that the layer takes."""
        return (1 if self.depthwise else self.k) * self.c * self.r * self.s * self.p * self.q
