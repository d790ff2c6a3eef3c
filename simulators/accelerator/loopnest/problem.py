"""The problem of a loop nest: its dimensions, its tensors, and which dimensions move which coordinate of a tensor."""

from __future__ import annotations

from designgym.simulators.accelerator.layer import Layer

__all__ = ["DIMS", "INPUTS", "OUTPUTS", "TENSORS", "WEIGHTS", "C", "M", "P", "Q", "R", "S", "bounds"]

DIMS = "CMRSPQ"
"""Input channels, output channels, filter rows and columns, output rows and columns. Timeloop's N, the batch, is always 1."""

TENSORS = ("Weights", "Inputs", "Outputs")

C, M, R, S, P, Q = range(len(DIMS))
WEIGHTS, INPUTS, OUTPUTS = range(len(TENSORS))


def bounds(layer: Layer) -> tuple[int, ...]:
    """Return the bound of each dimension of `DIMS`."""
    return layer.c, layer.k, layer.r, layer.s, layer.p, layer.q
