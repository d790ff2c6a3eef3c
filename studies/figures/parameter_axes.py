"""The axis of one parameter in parallel coordinates: choices, numbers, powers of ten, orderings, groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from designgym.core.groups import Permutation, Repeated
from designgym.studies.figures.data import StudyData, is_numeric
from designgym.studies.figures.design_texts import group_space, shown_texts, shown_value
from designgym.studies.figures.style import plain_safe
from designgym.studies.figures.units import number

MAX_TICKS = 12
TICKS = 8  # at most about, on an axis of numbers
JITTER = 0.16  # of the distance between two choices
LETTERS = 18  # of a tick's text


def parameter_axis(data: StudyData, name: str, rows: NDArray[np.int64]) -> tuple[dict[str, Any], str]:
    """Return a parameter's dimension without its label, and what is drawn in its place where its values are too many; else nothing."""
    column, parameter = data.frame[f"design.{name}"], data.meta.space.parameters.get(name) if data.meta.space is not None else None
    if is_numeric(column):
        numeric = pd.to_numeric(column, errors="coerce")
        distinct = sorted(set(numeric.dropna()))
        if getattr(parameter, "log", False) and len(distinct) > 1 and distinct[0] > 0:
            return _logarithmic(numeric.fillna(numeric.min()).to_numpy(dtype=float)[rows]), ""
        if len(distinct) > MAX_TICKS and not _powers_of_two(distinct):
            return _linear(numeric.fillna(numeric.min()).to_numpy(dtype=float)[rows]), ""
        found = {float(value): value for value in column.dropna().unique()}  # as they are there, so that whole numbers stay whole
        return _choices(shown_texts(column), [shown_value(found[float(value)]) for value in distinct], rows), ""
    space = group_space(data.meta.space, name)
    texts = shown_texts(column, space)
    if isinstance(parameter, Repeated | Permutation) and texts.nunique() > MAX_TICKS:
        if isinstance(parameter, Repeated):
            counts = column.map(len)
            return _choices(counts.map(str), [str(count) for count in range(counts.min(), counts.max() + 1)], rows), "count"
        items = [str(item) for item in parameter.items]
        return _choices(column.map(_first), items, rows), "first item"
    declared = [shown_value(choice) for choice in data.meta.choices.get(name, ())]
    present = set(texts)
    names = [text for text in declared if text in present]
    return _choices(texts, names + sorted(present - set(names)), rows), ""


def _first(ordering: Any) -> str:
    return str(ordering[0])


def _choices(texts: pd.Series[str], names: Sequence[str], rows: NDArray[np.int64]) -> dict[str, Any]:
    codes = texts.map({text: i for i, text in enumerate(names)}).fillna(0).to_numpy(dtype=float)
    step = -(-len(names) // MAX_TICKS)
    jitter = np.random.default_rng(0).uniform(-JITTER, JITTER, len(rows))  # so that lines through the same values lie side by side
    return {
        "values": codes[rows] + jitter, "tickvals": list(range(0, len(names), step)),
        "ticktext": [plain_safe(text, LETTERS) for text in names[::step]], "range": [-0.3, len(names) - 0.7],
    }  # fmt: skip


def _linear(values: NDArray[np.float64]) -> dict[str, Any]:
    low, high = float(values.min()), float(values.max())
    return _axis(values, low, high, ticks := even_ticks(low, high), [number(tick, 6) for tick in ticks])


def _logarithmic(values: NDArray[np.float64]) -> dict[str, Any]:
    """Return an axis of logarithms, with ticks at powers of ten; at 1, 2 and 5 of each where there are few of those."""
    low, high = float(values.min()), float(values.max())
    ticks = power_ticks(low, high)
    return _axis(np.log10(values), math.log10(low), math.log10(high), [math.log10(tick) for tick in ticks], [number(t, 6) for t in ticks])


def _axis(values: NDArray[np.float64], low: float, high: float, ticks: Sequence[float], texts: Sequence[str]) -> dict[str, Any]:
    ends = [low, high] if high > low else [low - 1, high + 1]
    return {"values": values, "tickvals": list(ticks), "ticktext": list(texts), "range": ends}


def even_ticks(low: float, high: float) -> list[float]:
    """Return round numbers from ``low`` to ``high``, evenly spaced; the number itself if both are one."""
    if not high > low:
        return [low]
    rough = (high - low) / TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def power_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten between two positive numbers; those at 1, 2 and 5 times them if there are fewer than three.

    Of more than a dozen powers, every second, third ... is returned.
    """
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

    def inside(tick: float) -> bool:
        return low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)

    powers = [10.0**e for e in exponents if inside(10.0**e)]
    if len(powers) >= 3:
        return powers[:: -(-len(powers) // MAX_TICKS)]
    finer = [factor * 10.0**e for e in exponents for factor in (1, 2, 5) if inside(factor * 10.0**e)]
    return finer if len(finer) >= 2 else even_ticks(low, high)


def _powers_of_two(values: Sequence[float]) -> bool:
    return all(value > 0 and float(np.log2(value)).is_integer() for value in values)
