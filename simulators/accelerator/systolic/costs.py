"""`evaluate`: cycles and buffer accesses of layers on systolic arrays, for many layers and arrays at a time.

A layer is a product of matrices: pixels x reduction of inputs, and reduction x filters of weights. Two of the three dimensions are laid
out over the rows and columns of the array, in folds if they are larger; the third one streams through it (Samajdar et al., ISPASS 2020).

| dataflow | rows | columns | streamed | cycles of a fold |
| --- | --- | --- | --- | --- |
| weight stationary | reduction | filters | pixels | streamed + 2 rows + columns - 2 |
| input stationary | reduction | pixels | filters | streamed + 2 rows + columns - 2 |
| output stationary | pixels | filters | reduction | streamed + rows + columns - 2 |

A fold with something stationary is loaded row by row first, hence its second "rows". Results of an output-stationary fold leave while
the next one is computed. Folds do not overlap otherwise. Memory is never waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.layer import Layer

__all__ = ["Dataflow", "MatrixProducts", "SystolicCosts", "evaluate"]

Dataflow = Literal["weight_stationary", "output_stationary", "input_stationary"]


@dataclass(frozen=True, eq=False)
class MatrixProducts:
    """B layers as products of matrices, float64 of shape ``(B,)``; numpy or torch.

    Attributes:
        reduction: Products that are summed for an output.
        filters: Output channels.
        pixels: Outputs of a channel.
        channels: Products of this shape, one after the other: the channels of a depthwise layer, else 1.
    """

    reduction: Array
    filters: Array
    pixels: Array
    channels: Array

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> MatrixProducts:
        """Return layers as arrays of numpy."""
        rows = [
            (layer.r * layer.s, 1, layer.p * layer.q, layer.c)
            if layer.depthwise
            else (layer.c * layer.r * layer.s, layer.k, layer.p * layer.q, 1)
            for layer in layers
        ]
        return cls(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)


@dataclass(frozen=True, eq=False)
class SystolicCosts:
    """Costs of B layers, shape ``(B,)`` each.

    Attributes:
        cycles: From the first operand that enters to the last result that leaves.
        folds: Fillings of the array.
        utilisation: Multiply-accumulates per cycle and element.
        mapping_efficiency: Share of the elements that hold something, averaged over folds.
        input_reads: Words read from the buffer of inputs; operands are passed on inside the array.
        weight_reads: Words read from the buffer of weights.
        output_writes: Words written to the buffer of outputs, partial sums of all folds of the reduction.
    """

    cycles: Array
    folds: Array
    utilisation: Array
    mapping_efficiency: Array
    input_reads: Array
    weight_reads: Array
    output_writes: Array


def evaluate(
    products: MatrixProducts, rows: Array | int, columns: Array | int, dataflow: Dataflow, *, whole_folds: bool = True
) -> SystolicCosts:
    """Return the costs of the layers.

    Args:
        products: The layers.
        rows: Rows of the array, of all layers or ``(B,)``.
        columns: Columns of the array, likewise.
        dataflow: What stays in the array.
        whole_folds: Whether a fold at the edge takes as long as a full one, as in SCALE-Sim, or only passes the rows and columns
            that it uses, which is what the array needs at least.

    Raises:
        InputError: For an unknown dataflow or an array without elements.
    """
    if dataflow not in get_args(Dataflow):
        raise InputError(f"dataflow must be one of {', '.join(get_args(Dataflow))}, got {shorten(dataflow)}")
    xp = namespace(products.pixels)
    one = xp.ones_like(products.pixels)
    rows, columns = rows * one, columns * one
    if not bool(xp.all((rows >= 1) & (columns >= 1))):
        raise InputError("a systolic array needs one or more rows and columns")
    reduction, filters, pixels = products.reduction, products.filters, products.pixels
    match dataflow:
        case "weight_stationary":
            down, across, streamed, loads = reduction, filters, pixels, 2.0
        case "input_stationary":
            down, across, streamed, loads = reduction, pixels, filters, 2.0
        case _:
            down, across, streamed, loads = pixels, filters, reduction, 1.0
    down_folds, across_folds = xp.ceil(down / rows), xp.ceil(across / columns)
    folds = down_folds * across_folds
    if whole_folds:
        cycles = folds * (streamed + loads * rows + columns - 2)
    else:  # the rows used by all folds add up to `down`, for each fold across
        cycles = folds * (streamed - 2) + loads * down * across_folds + across * down_folds
    macs = reduction * filters * pixels
    passes = {"down": across_folds, "across": down_folds}
    match dataflow:
        case "weight_stationary":
            reads = pixels * reduction * passes["down"], reduction * filters, pixels * filters * passes["across"]
        case "input_stationary":
            reads = pixels * reduction, reduction * filters * passes["down"], pixels * filters * passes["across"]
        case _:
            reads = pixels * reduction * passes["down"], reduction * filters * passes["across"], pixels * filters
    efficiency = down * across / (folds * rows * columns)
    every = (products.channels * cycles, products.channels * folds, macs / (rows * columns * cycles), efficiency)
    return SystolicCosts(*every, *(products.channels * words for words in reads))
