"""Two metrics against each other, with the front of designs that no other beats in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from designgym.core.metrics import better
from designgym.core.pareto import non_dominated
from designgym.studies.figures.data import Quantity, StudyData
from designgym.studies.figures.sampling import sample_rows
from designgym.studies.figures.style import ACCENT, FRONT, MUTED, axis_title, empty, finish, safe

MAX_POINTS = 2500  # drawn; the front and the best design are always among them
FEW = 3  # outcomes on a front below which two metrics hardly trade off
MAX_HOVER = 14  # parameters listed on hover


@dataclass(frozen=True, eq=False)
class Axes:
    """The two quantities of the plot and why they were chosen."""

    x: Quantity
    y: Quantity
    reason: str


def figure(data: StudyData, *, x: str | None = None, y: str | None = None, dark: bool = False) -> go.Figure:
    """Draw two metrics, the Pareto front, and what breaks a constraint.

    Args:
        data: The study.
        x: Metric on the horizontal axis; chosen from the objective unless given.
        y: Metric on the vertical axis; likewise.
        dark: Whether it will stand on a dark ground.
    """
    title = "Trade-off"
    axes = choose_axes(data, x, y)
    if axes is None:
        return empty(title, "There is no second metric that varies, so there is no trade-off to draw.", dark=dark)
    a, b = axes.x, axes.y
    drawable = np.isfinite(a.values) & np.isfinite(b.values) & data.ok
    if not drawable.any():
        return empty(title, "No trial has metrics yet, so there is no trade-off to draw.", dark=dark)
    front = front_rows(data, axes)
    top = data.best["position"].to_numpy(dtype=int)[:1]
    first = drawable & ~_repeats(data, axes)
    shown = sample_rows(first & data.feasible, MAX_POINTS, np.concatenate([front, top]))
    broken = sample_rows(first & ~data.feasible, MAX_POINTS // 4)
    fa, fb = a.scale.factor, b.scale.factor
    fig = go.Figure()
    if len(broken):
        fig.add_scatter(
            x=a.values[broken] * fa, y=b.values[broken] * fb, mode="markers", name="breaks a constraint",
            marker={"symbol": "x-thin", "size": 6, "line": {"color": MUTED, "width": 1.2}, "opacity": 0.6},
            text=_hover(data, broken, axes), hovertemplate="%{text}<extra>breaks a constraint</extra>",
        )  # fmt: skip
    for label in data.labels:
        rows = shown[data.label[shown] == label]
        if len(rows):
            style = data.styles[label]
            fig.add_scatter(
                x=a.values[rows] * fa, y=b.values[rows] * fb, mode="markers", name=safe(label),
                marker={"color": style.color, "symbol": style.symbol, "size": 6.5, "opacity": 0.6, "line": {"width": 0}},
                text=_hover(data, rows, axes), hovertemplate=f"%{{text}}<extra>{safe(label)}</extra>",
            )  # fmt: skip
    if len(front):
        _draw_front(fig, a.values[front] * fa, b.values[front] * fb, a, b)
    if len(top) and drawable[top[0]]:
        fig.add_scatter(
            x=a.values[top] * fa, y=b.values[top] * fb, mode="markers", name="best by the objective",
            marker={"symbol": "star", "size": 16, "color": ACCENT, "line": {"color": "white", "width": 1.2}},
            text=_hover(data, top, axes), hovertemplate="%{text}<extra>best by the objective</extra>",
        )  # fmt: skip
    _shade_bounds(fig, data, axes)
    fig.update_xaxes(title_text=axis_title(a.label, a.scale.unit, better(a.goal)))
    fig.update_yaxes(title_text=axis_title(b.label, b.scale.unit, better(b.goal)))
    unseen = _zoom(fig, a.values[shown] * fa, b.values[shown] * fb, a, b)
    left_out = int((first & data.feasible).sum()) - len(shown)
    caption = f"{_count(_front_size(data, axes))} on the front. {axes.reason}"
    caption += " One point per outcome and searcher; hover for the design."
    caption += f" The {unseen:,} worst points lie outside the view; a double click shows them." if unseen else ""
    illegal = int((data.frame["status"] == "infeasible").sum())
    caption += f" {illegal:,} infeasible designs have no metrics and are not drawn." if illegal else ""
    caption += f" {left_out:,} points inside the cloud are left out of the drawing (a seeded sample is shown)." if left_out else ""
    return finish(fig, title, caption, dark=dark, height=500)


def choose_axes(data: StudyData, x: str | None = None, y: str | None = None) -> Axes | None:
    """Return two varying metrics: those asked for, the objective's, or the objective's and the declared one least like it."""
    if x is not None and y is not None:
        return Axes(data.metric(x), data.metric(y), "")
    varying = {name: data.metric(name) for name in data.metrics}
    varying = {name: quantity for name, quantity in varying.items() if len(np.unique(quantity.values[np.isfinite(quantity.values)])) > 1}
    if len(data.terms) >= 2:
        a, b = data.terms[:2]
        more = f" (the first two of {len(data.terms)} objectives)" if len(data.terms) > 2 else ""
        return Axes(a, b, f"The axes are the objectives{more}.")
    named = [name for names in data.term_metrics for name in names if name in varying]
    if not named:
        return None
    combined = None
    if len(named) >= 2:
        combined = Axes(_directed(varying[named[1]]), _directed(varying[named[0]]), "The axes are the metrics that the objective combines.")
        if _front_size(data, combined) >= FEW:
            return combined
    main = _directed(varying[named[-1]], data.terms[0].goal if len(named) == 1 else None)
    second = _least_alike(main, [quantity for name, quantity in varying.items() if name not in named])
    if second is None:
        return combined
    if combined is None:
        why = f"The study has one objective; {second.label} is the declared metric that runs least in parallel with it."
        return Axes(_directed(second), main, why)
    why = f"{combined.y.label.capitalize()} and {combined.x.label} hardly trade off here, so {main.label} stands against {second.label}."
    alternative = Axes(main, _directed(second), why)
    return alternative if _front_size(data, alternative) > _front_size(data, combined) else combined


def _front_size(data: StudyData, axes: Axes) -> int:
    rows = front_rows(data, axes)
    return len(np.unique(np.column_stack([axes.x.values[rows], axes.y.values[rows]]), axis=0))


def front_rows(data: StudyData, axes: Axes) -> NDArray[np.int64]:
    """Return the rows of feasible trials on the front, in the order of the horizontal axis."""
    vectors = np.column_stack([axes.x.signed, axes.y.signed])
    vectors[~data.feasible | ~np.isfinite(vectors).all(axis=1)] = -np.inf
    rows = np.flatnonzero(non_dominated(vectors))
    return rows[np.argsort(axes.x.values[rows], kind="stable")]


def _directed(quantity: Quantity, goal: str | None = None) -> Quantity:
    return Quantity(quantity.values, quantity.label, quantity.unit, goal or quantity.goal or "min", quantity.name)


def _least_alike(main: Quantity, others: list[Quantity]) -> Quantity | None:
    """Return the metric with a declared goal whose ranks correlate least with the main one in the wanted directions."""
    usable = np.isfinite(main.values)
    best: tuple[float, Quantity] | None = None
    for other in [quantity for quantity in others if quantity.goal] or others:
        both = usable & np.isfinite(other.values)
        if both.sum() < 3:
            continue
        ranks = np.array([_ranks(main.signed[both]), _ranks(_directed(other).signed[both])])
        correlation = float(np.corrcoef(ranks[0], ranks[1]).flat[1]) if (ranks.std(axis=1) > 0).all() else 1.0
        if best is None or correlation < best[0]:
            best = (correlation, other)
    return None if best is None else best[1]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.unique(values, return_inverse=True)[1].astype(float)


def _repeats(data: StudyData, axes: Axes) -> NDArray[np.bool_]:
    """Return which trials would be drawn on top of an equal one of the same searcher."""
    return pd.DataFrame({"x": axes.x.values, "y": axes.y.values, "label": data.label}).duplicated().to_numpy()


def _draw_front(fig: go.Figure, x: NDArray[np.float64], y: NDArray[np.float64], a: Quantity, b: Quantity) -> None:
    """Draw the staircase of what the front dominates."""
    shape = "hv" if a.goal == "min" else "vh"
    fig.add_scatter(
        x=x, y=y, mode="lines+markers", name="Pareto front", line={"color": FRONT, "width": 1.8, "shape": shape},
        marker={"symbol": "circle", "size": 4, "color": FRONT}, hoverinfo="skip",
    )  # fmt: skip


def _shade_bounds(fig: go.Figure, data: StudyData, axes: Axes) -> None:
    """Shade what a constraint on one of the axes forbids."""
    for bound in data.meta.bounds:
        limit = bound.limit
        for quantity, add in ((axes.x, fig.add_vrect), (axes.y, fig.add_hrect)):
            if bound.expression.text != quantity.name or not np.isfinite(quantity.values).any():
                continue
            finite = quantity.values[np.isfinite(quantity.values)]
            edge = max(finite.max(), limit) if bound.at_most else min(finite.min(), limit)
            if edge != limit:
                ends = {"x0": limit, "x1": edge} if add == fig.add_vrect else {"y0": limit, "y1": edge}
                add(**{k: v * quantity.scale.factor for k, v in ends.items()}, fillcolor=MUTED, opacity=0.12, line_width=0, layer="below")


def _zoom(fig: go.Figure, x: NDArray[np.float64], y: NDArray[np.float64], a: Quantity, b: Quantity) -> int:
    """Leave far outliers on the bad side outside the view (a double click shows them); return how many."""
    seen = np.ones(len(x), dtype=bool)
    if len(x) < 20:
        return 0
    for values, quantity, update in ((x, a, fig.update_xaxes), (y, b, fig.update_yaxes)):
        signed = -values if quantity.goal == "min" else values
        best, usual, worst = signed.max(), np.quantile(signed, 0.12), signed.min()
        span = best - usual
        if span > 0 and usual - worst > 0.8 * span:
            ends = np.array([best + 0.07 * span, max(usual - 0.2 * span, signed[seen].min() - 0.07 * span)])
            seen &= signed >= ends[1]
            update(range=sorted(-ends if quantity.goal == "min" else ends))
    return int((~seen).sum())


def _hover(data: StudyData, rows: NDArray[np.int64], axes: Axes) -> list[str]:
    texts = []
    for row in data.frame.iloc[rows].assign(_row=rows).to_dict("records"):
        lines = [f"<b>{safe(q.label)}: {safe(q.scale.text(float(q.values[row['_row']])))}</b>" for q in (axes.x, axes.y)]
        if data.target.name not in (axes.x.name, axes.y.name):
            lines.append(f"{safe(data.target.label)}: {safe(data.target.scale.text(float(data.target.values[row['_row']])))}")
        lines += [f"{safe(name, 40)}: {safe(text, 60)}" for name, text in list(data.texts(row).items())[:MAX_HOVER]]
        more = len(data.parameters) - MAX_HOVER
        texts.append("<br>".join(lines + ([f"… and {more} more"] if more > 0 else [])))
    return texts


def _count(n: int) -> str:
    return "1 design" if n == 1 else f"{n:,} designs"
