"""Checks of arguments that statistics share."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError, shorten

__all__ = ["confidence_in", "numbers", "share", "whole"]


def numbers(name: str, values: ArrayLike, *, low: float = -math.inf, high: float = math.inf, least: int = 1) -> NDArray[np.float64]:
    """Return values as a row of finite numbers; raises `InputError` if they are not, too few, or outside of their range."""
    try:
        row = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {shorten(values)}, expected a list of numbers") from None
    if row.ndim != 1 or len(row) < least or not np.isfinite(row).all():
        raise InputError(f"{name} is {shorten(values)}, expected a list of {least} or more finite numbers")
    if (row < low).any() or (row > high).any():
        bad = row[(row < low) | (row > high)][0]
        raise InputError(f"{name} has {bad:g}, expected numbers from {low:g} to {high:g}")
    return row


def whole(name: str, value: object, low: int, high: float = math.inf) -> int:
    """Return a whole number; raises `InputError` if it is none or outside of its range."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        bounds = f"from {low} to {high:g}" if high < math.inf else f"of {low} or more"
        raise InputError(f"{name} is {shorten(value)}, expected a whole number {bounds}")
    return int(value)


def share(name: str, value: object) -> float:
    """Return a number from 0 to 1; raises `InputError` if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise InputError(f"{name} is {shorten(value)}, expected a probability from 0 to 1")
    return float(value)


def confidence_in(value: object) -> float:
    """Return a confidence; raises `InputError` unless it lies between 0 and 1."""
    if (found := share("confidence", value)) in (0.0, 1.0):
        raise InputError(f"confidence is {found:g}, expected a number between 0 and 1, such as 0.95")
    return found
