"""All parameters and the metrics that matter, one line per design, the best designs in colour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from designgym.studies.figures.data import Quantity, StudyData
from designgym.studies.figures.design_texts import shown_texts
from designgym.studies.figures.parameter_axes import parameter_axis
from designgym.studies.figures.sampling import sample_rows
from designgym.studies.figures.style import BEST_SCALE, BEST_SCALE_DARK, empty, finish, safe, words_of
from designgym.studies.figures.units import number

MAX_LINES = 1500
MAX_PARAMETERS = 12  # axes; beyond 20 parameters only these are drawn
MANY = 20
MAX_METRICS = 3
AXIS_WIDTH = 78  # px below which labels would meet


def figure(data: StudyData, *, order: Sequence[str] | None = None, dark: bool = False) -> go.Figure:
    """Draw parallel coordinates.

    Args:
        data: The study.
        order: Parameters from the most to the least important; with more than 20 parameters only the first 12 of them are drawn.
        dark: Whether it will stand on a dark ground.
    """
    title = "Designs in parallel coordinates"
    target = data.target
    usable = data.feasible & np.isfinite(target.values) & ~data.repeated
    if not usable.any() or not data.parameters:
        return empty(title, "No feasible result yet, so there is no design to draw.", dark=dark)
    ranks = np.full(len(usable), np.nan)
    ranks[usable] = _fractional_ranks(target.signed[usable])
    top = np.flatnonzero(usable & (ranks <= 0.05))
    rows = sample_rows(usable, MAX_LINES, top[np.argsort(ranks[top], kind="stable")])
    rows = rows[np.argsort(-ranks[rows], kind="stable")]  # the best are drawn last, on top
    names, note = _parameters(data, order)
    metrics = _metrics(data)
    width = max(12, min(20, 150 // (len(names) + len(metrics))))  # letters that fit above an axis
    axes = [_parameter_axis(data, name, rows, width) for name in names]
    dimensions = [axis for axis, _ in axes]
    dimensions += [_metric_axis(quantity, rows, width) for quantity in metrics]
    scales = {"light": _best_last(BEST_SCALE), "dark": _best_last(BEST_SCALE_DARK)}
    fig = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={
                "color": 1 - ranks[rows], "colorscale": scales["dark" if dark else "light"], "cmin": 0, "cmax": 1,
                "showscale": True, "colorbar": _colorbar(target, ranks),
            },
            labelfont={"size": 11}, tickfont={"size": 11}, rangefont={"size": 1, "color": "rgba(0,0,0,0)"}, labelside="top",
            unselected={"line": {"color": "#B7C4CF", "opacity": 0.08}},
        )
    )  # fmt: skip
    left_out = int(usable.sum()) - len(rows)
    caption = (
        f"One line per distinct behaviour ({int(usable.sum()):,} feasible), coloured by rank: the best 5 % stand out. On metric axes "
        f"better is up. Drag along an axis to select.{note}"
    )
    if {"count", "first item"} & {instead for _, instead in axes}:
        caption += " Of groups that differ much their length is drawn, of orderings the first item."
    caption += f" {left_out:,} lines are left out of the drawing (a seeded sample is shown)." if left_out else ""
    finish(fig, title, caption, dark=dark, height=470)
    longest = max((len(text) for text in dimensions[0].get("ticktext", ())), default=4)
    fig.update_layout(margin={"l": max(44, 7 * longest + 14), "r": 24, "b": 28})
    fig.update_layout(
        meta={**words_of(fig), "scales": scales, "width": AXIS_WIDTH * len(dimensions) + 150}
    )  # the report switches with its reader's setting
    return fig


def _best_last(scale: Sequence[tuple[float, str]]) -> list[list[Any]]:
    """Return a colour scale by rank turned round, since higher colours are drawn on top."""
    return [[1 - place, color] for place, color in reversed(scale)]


def _parameters(data: StudyData, order: Sequence[str] | None) -> tuple[list[str], str]:
    varying = [name for name in data.parameters if shown_texts(data.frame[f"design.{name}"]).nunique() > 1] or data.parameters[:1]
    constant = len(data.parameters) - len(varying)
    note = (
        f" {constant} parameter{'s' if constant > 1 else ''} with one value only {'are' if constant > 1 else 'is'} left out."
        if constant
        else ""
    )
    if len(varying) <= MANY:
        return varying, note
    ranked = [name for name in order or () if name in varying]
    chosen = (ranked + [name for name in varying if name not in ranked])[:MAX_PARAMETERS]
    by = "most important" if ranked else "first"
    return chosen, f"{note} Of {len(varying)} parameters the {len(chosen)} {by} are drawn."


def _metrics(data: StudyData) -> list[Quantity]:
    """Return the objective's quantities, and the metrics that a combined one is made of."""
    parts = [name for term, names in zip(data.terms, data.term_metrics, strict=True) if term.name not in data.metrics for name in names]
    quantities = [data.metric(name) for name in parts] + [*data.terms, data.target]
    unique = {quantity.name: quantity for quantity in quantities if np.isfinite(quantity.values).any()}
    return list(unique.values())[:MAX_METRICS] if len(unique) <= MAX_METRICS else [*list(unique.values())[: MAX_METRICS - 1], data.target]


def _parameter_axis(data: StudyData, name: str, rows: NDArray[np.int64], width: int) -> tuple[dict[str, Any], str]:
    """Return a parameter's axis, and what stands for its values there if they are too many."""
    axis, instead = parameter_axis(data, name, rows)
    unit = data.unit(f"design.{name}")
    return {"label": wrapped(name, width, f"({instead or unit})" if instead or unit != "1" else ""), **axis}, instead


def _metric_axis(quantity: Quantity, rows: NDArray[np.int64], width: int) -> dict[str, Any]:
    """Return a metric's axis with the better end up; positive values that span more than a factor of two are spread by their logarithm."""
    scale = quantity.scale
    values = quantity.values[rows] * scale.factor
    values = np.where(np.isfinite(values), values, np.nanmax(values))
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high > 2 * low
    placed = np.log(values) if logarithmic else values
    places = np.linspace(placed.min(), placed.max(), 6)
    shown = np.exp(places) if logarithmic else places
    digits = 3 if high - low > 0.02 * max(abs(high), abs(low)) else 5
    ends = [float(places[0]), float(places[-1])] if high > low else [float(places[0]) - 1, float(places[0]) + 1]
    return {
        "label": f"<b>{wrapped(quantity.label, width, f'({scale.unit})' if scale.unit else '')}</b>",
        "values": placed, "tickvals": places.tolist(), "ticktext": [number(float(value), digits) for value in shown],
        "range": ends[::-1] if quantity.goal == "min" else ends,
    }  # fmt: skip


def _colorbar(target: Quantity, ranks: NDArray[np.float64]) -> dict[str, Any]:
    known = np.isfinite(ranks)
    ordered = np.sort(target.signed[known])[::-1] * (-1 if target.goal == "min" else 1) * target.scale.factor
    stops = [(0.0, "best"), (0.2, "20 %"), (0.5, "median"), (1.0, "worst")]
    values = [float(ordered[min(round(q * (len(ordered) - 1)), len(ordered) - 1)]) for q, _ in stops]
    unit = f"<br>({safe(target.scale.unit)})" if target.scale.unit else ""
    return {
        "title": {"text": f"rank by<br>{wrapped(target.label, 18)}{unit}<br> ", "side": "top", "font": {"size": 12}},
        "tickvals": [1 - q for q, _ in stops],
        "ticktext": [f"{word}: {number(value, 3)}" for (_, word), value in zip(stops, values, strict=True)],
        "thickness": 12, "len": 0.8, "y": 0, "yanchor": "bottom", "outlinewidth": 0, "tickfont": {"size": 11}, "x": 1.02, "xpad": 12,
    }  # fmt: skip


def _fractional_ranks(signed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 0 (highest) to 1 (lowest); equal values share the best rank."""
    ordered = np.sort(-signed)
    return np.searchsorted(ordered, -signed, side="left") / max(len(signed) - 1, 1)


def wrapped(name: str, width: int = 13, end: str = "") -> str:
    """Return a label on at most two lines, broken at words, underscores and capitals; escaped, joined by ``<br>``.

    Args:
        name: The label, plain text.
        width: Letters per line.
        end: Put after the last word, where there is room (a unit).
    """
    glue = " " if " " in name else ""
    lines: list[str] = [""]
    parts = [part for part in re.split(r"(?<=[a-z0-9])(?=[A-Z])|(?<=_)|\s+", name) if part]
    for part in [*parts, *([f"{end}"] if end else [])]:
        space = " " if lines[-1] and (glue or part == end) else ""
        if len(lines[-1]) + len(space) + len(part) <= width or not lines[-1] or len(lines) == 2:
            lines[-1] += space + part
        else:
            lines.append(part)
    return "<br>".join(safe(line, width + 6) for line in lines)
