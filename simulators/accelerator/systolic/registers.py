"""A fold of a systolic array register by register and cycle by cycle: slow, and what the formulas of `costs` are checked against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError

__all__ = ["output_stationary_fold", "stationary_fold"]

Matrix = NDArray[np.float64]


def stationary_fold(stationary: Matrix, streamed: Matrix) -> tuple[Matrix, int]:
    """Return ``streamed @ stationary`` and the cycles that an array of the shape of ``stationary`` takes.

    The stationary matrix (reduction x columns) moves in from the top, a row a cycle. Then operands enter each row from the left, one cycle
    later than the row above; partial sums move down and leave at the bottom.

    Args:
        stationary: Shape ``(R, C)``: weights, or inputs.
        streamed: Shape ``(T, R)``: inputs, or weights.
    """
    rows, columns = _shape(stationary, streamed)
    steps = streamed.shape[0]
    held = np.zeros((rows, columns))
    cycle = 0
    for row in reversed(stationary):  # the last row goes first, to the bottom
        held = np.vstack([row[None], held[:-1]])
        cycle += 1
    result = np.full((steps, columns), np.nan)
    operands, sums = np.zeros((rows, columns)), np.zeros((rows, columns))
    loaded = cycle
    while np.isnan(result).any():
        at = cycle - loaded - np.arange(rows)  # the step whose operand enters each row now
        entering = np.where((at >= 0) & (at < steps), streamed[np.clip(at, 0, steps - 1), np.arange(rows)], 0.0)
        operands = np.hstack([entering[:, None], operands[:, :-1]])
        sums = np.vstack([np.zeros((1, columns)), sums[:-1]]) + operands * held
        leaving = cycle - loaded - (rows - 1) - np.arange(columns)  # the step whose sum is complete at the bottom of each column
        for column in np.flatnonzero((leaving >= 0) & (leaving < steps)):
            result[leaving[column], column] = sums[-1, column]
        cycle += 1
    return result, cycle


def output_stationary_fold(left: Matrix, top: Matrix) -> tuple[Matrix, int]:
    """Return ``left @ top`` and the cycles until the last sum is complete in its element; that results leave is not counted.

    Args:
        left: Shape ``(R, K)``: each row enters from the left, one cycle later than the row above.
        top: Shape ``(K, C)``: each column enters from the top, one cycle later than the column before.
    """
    _shape(top, left)
    (rows, steps), columns = left.shape, top.shape[1]
    sums, counts = np.zeros((rows, columns)), np.zeros((rows, columns), dtype=np.int64)
    rightwards, downwards = np.zeros((rows, columns)), np.zeros((rows, columns))
    present = np.zeros((rows, columns), dtype=bool)
    cycle = 0
    while (counts < steps).any():
        at_row, at_column = cycle - np.arange(rows), cycle - np.arange(columns)
        enters = (at_row >= 0) & (at_row < steps)
        from_left = np.where(enters, left[np.arange(rows), np.clip(at_row, 0, steps - 1)], 0.0)
        inside = (at_column >= 0) & (at_column < steps)
        from_top = np.where(inside, top[np.clip(at_column, 0, steps - 1), np.arange(columns)], 0.0)
        rightwards = np.hstack([from_left[:, None], rightwards[:, :-1]])
        downwards = np.vstack([from_top[None], downwards[:-1]])
        present = np.hstack([enters[:, None], present[:, :-1]])
        sums += rightwards * downwards
        counts += present
        cycle += 1
    return sums, cycle


def _shape(held: Matrix, streamed: Matrix) -> tuple[int, int]:
    if held.ndim != 2 or streamed.ndim != 2 or not held.size or not streamed.size or streamed.shape[1] != held.shape[0]:
        raise InputError(f"two matrices that can be multiplied are needed, got shapes {streamed.shape} and {held.shape}")
    return held.shape[0], held.shape[1]
