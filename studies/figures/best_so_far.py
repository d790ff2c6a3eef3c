"""Best result found so far, per searcher, over evaluations or time; the spread over seeds as a band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from designgym.core.metrics import better
from designgym.core.pareto import hypervolume, non_dominated
from designgym.studies.figures.data import Quantity, StudyData
from designgym.studies.figures.style import axis_title, empty, finish, safe

Against = Literal["evaluations", "wall_time"]
MAX_STEPS = 400  # points per curve
RANGE_BELOW = 8  # with fewer seeds the band is their full range, for quantiles of so few mean little


@dataclass(frozen=True, eq=False)
class Curve:
    """Best so far of one searcher, over its seeds.

    Attributes:
        x: Evaluations (from 1) or seconds, shape ``(n,)``.
        centre: Interquartile mean over seeds, shape ``(n,)``; NaN until every seed has a feasible result.
        low: Lower edge of the band, shape ``(n,)``.
        high: Upper edge of the band, shape ``(n,)``.
        seeds: Number of runs.
    """

    x: NDArray[np.float64]
    centre: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    seeds: int


def figure(data: StudyData, *, against: Against = "evaluations", dark: bool = False) -> go.Figure:
    """Draw the best result so far.

    Args:
        data: The study.
        against: ``evaluations`` (distinct behaviours, what the budget counts) or ``wall_time``.
        dark: Whether it will stand on a dark ground.
    """
    title = "Best result so far"
    quantity, per_row = _progress(data)
    curves = curves_of(data, quantity, per_row, against)
    if not any(np.isfinite(curve.centre).any() for curve in curves.values()):
        return empty(title, "No feasible result yet, so there is no best one to follow.", dark=dark)
    scale = quantity.scale
    unit_of_x = "s" if against == "wall_time" else "evaluations"
    fig = go.Figure()
    for label, curve in curves.items():
        style = data.styles[label]
        keep = np.isfinite(curve.centre)
        if not keep.any():
            continue
        x, low, centre, high = (
            values[keep] for values in (curve.x, curve.low * scale.factor, curve.centre * scale.factor, curve.high * scale.factor)
        )
        if curve.seeds > 1:
            fig.add_scatter(
                x=x, y=low, mode="lines", line={"width": 0, "shape": "hv"}, hoverinfo="skip", showlegend=False, legendgroup=safe(label)
            )
            fig.add_scatter(
                x=x, y=high, mode="lines", line={"width": 0, "shape": "hv"}, fill="tonexty", fillcolor=style.fill(0.13), hoverinfo="skip",
                showlegend=False, legendgroup=safe(label),
            )  # fmt: skip
        fig.add_scatter(
            x=x, y=centre, mode="lines", name=safe(label), legendgroup=safe(label),
            line={"color": style.color, "width": 2.4, "dash": style.dash, "shape": "hv"},
            hovertemplate=f"{safe(label)}: %{{y:.5g}} {safe(scale.unit)} after %{{x:.5~g}} {unit_of_x}<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(
        title_text="wall time of the run (s)" if against == "wall_time" else "evaluations (behaviours new to the run)", rangemode="tozero"
    )
    fig.update_yaxes(title_text=axis_title(quantity.label, scale.unit, better(quantity.goal)))
    _zoom(fig, curves, quantity, scale.factor)
    return finish(fig, title, _caption(curves, quantity), dark=dark)


def curves_of(data: StudyData, quantity: Quantity, per_row: NDArray[np.float64], against: Against = "evaluations") -> dict[str, Curve]:
    """Return the curve of each searcher.

    Args:
        data: The study.
        quantity: What is followed.
        per_row: Its best value so far in the row's run, shape ``(rows,)``, NaN before the first feasible result.
        against: What it is followed against.
    """
    runs = data.frame["run"].to_numpy()
    curves = {}
    for label in data.labels:
        of_label = data.label == label
        series = []
        for run in dict.fromkeys(runs[of_label]):
            rows = np.flatnonzero(of_label & (runs == run))
            series.append((_clock(data, rows, against), per_row[rows]))
        grid = _grid([x for x, _ in series], against)
        values = np.array([_at(x, y, grid) for x, y in series]).reshape(len(series), len(grid))
        values[:, ~np.isfinite(values).all(axis=0)] = np.nan  # a mean over the lucky seeds only would flatter
        if len(series) < RANGE_BELOW:
            low, high = values.min(axis=0), values.max(axis=0)
        else:
            low, high = np.quantile(values, [0.1, 0.9], axis=0)
        curves[label] = Curve(grid, interquartile_mean(values), low, high, len(series))
    return curves


def interquartile_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the middle half of each column of an ``(n, m)`` array; rows at its edge count in part, so n = 3 works too."""
    n = len(values)
    edges = np.arange(n + 1) / n
    weights = np.clip(np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25), 0, None)
    return np.asarray(weights @ np.sort(values, axis=0) / weights.sum())


def _progress(data: StudyData) -> tuple[Quantity, NDArray[np.float64]]:
    """Return what is followed, and its best value so far for each row within the row's run."""
    runs = data.frame["run"].to_numpy()
    best = np.full(len(runs), np.nan)
    volume = data.meta.kind == "ParetoObjective" and len(data.terms) == 2 and len(data.meta.reference) == 2
    quantity = data.target
    for run in dict.fromkeys(runs):
        rows = np.flatnonzero(runs == run)
        if volume:
            best[rows] = _volumes(data, rows)
        else:
            signed = np.where(data.feasible[rows], quantity.signed[rows], np.nan)
            running = np.fmax.accumulate(signed) if len(rows) else signed
            best[rows] = -running if quantity.goal == "min" else running
    if volume:
        quantity = Quantity(best, "hypervolume, each term over its reference", "1", "max", "hypervolume")
    return Quantity(best, quantity.label, quantity.unit, quantity.goal, quantity.name), best


def _volumes(data: StudyData, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the hypervolume reached at each row of one run, each term in units of its reference value."""
    inside = []
    for term, meta in zip(data.terms, data.meta.terms, strict=True):
        reference = data.meta.reference[meta.label]
        inside.append((term.signed[rows] - (-reference if term.goal == "min" else reference)) / (abs(reference) or 1.0))
    points = np.array(inside).T
    usable = data.feasible[rows] & np.isfinite(points).all(axis=1)
    volumes, front, current = np.full(len(rows), np.nan), np.empty((0, points.shape[1])), np.nan
    for i, point in enumerate(points):
        if usable[i] and not (front >= point).all(axis=1).any():
            front = np.vstack([front, point])
            front = front[non_dominated(front)]
            current = hypervolume(front, np.zeros(len(point)))
        volumes[i] = current
    return volumes


def _clock(data: StudyData, rows: NDArray[np.int64], against: Against) -> NDArray[np.float64]:
    if against == "evaluations":
        return data.evaluation[rows].astype(float)
    started = data.frame["started_at_s"].to_numpy(dtype=float)[rows]
    ended = started + np.nan_to_num(data.frame["wall_s"].to_numpy(dtype=float)[rows])
    return np.maximum.accumulate(ended - np.nanmin(started)) if np.isfinite(ended).all() else np.full(len(rows), np.nan)


def _grid(clocks: list[NDArray[np.float64]], against: Against) -> NDArray[np.float64]:
    times = np.unique(np.concatenate(clocks)) if clocks else np.array([])
    times = times[np.isfinite(times)]
    if against == "evaluations":
        times = np.arange(1, int(times.max()) + 1, dtype=float) if len(times) else times
    if len(times) > MAX_STEPS:
        picked = np.unique(
            np.concatenate([np.geomspace(1, len(times), MAX_STEPS // 2), np.linspace(1, len(times), MAX_STEPS // 2)]).round()
        )
        times = times[picked.astype(int) - 1]
    return times


def _at(x: NDArray[np.float64], y: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the last ``y`` at or before each grid point; the last value is carried on after the run has ended."""
    index = np.searchsorted(x, grid, side="right") - 1
    return np.where(index >= 0, y[np.maximum(index, 0)], np.nan)


def _zoom(fig: go.Figure, curves: dict[str, Curve], quantity: Quantity, factor: float) -> None:
    """Leave the first unlucky draws outside the view where they would flatten everything that follows."""
    finite = {label: curve.centre[np.isfinite(curve.centre)] * factor for label, curve in curves.items()}
    ends = np.array([values[-1] for values in finite.values() if len(values)])
    early = np.array([values[min(len(values) - 1, max(2, len(values) // 7))] for values in finite.values() if len(values)])
    starts = np.array([values[0] for values in finite.values() if len(values)])
    best, worst = (ends.min(), early.max()) if quantity.goal == "min" else (ends.max(), early.min())
    span = abs(worst - best)
    if span > 0 and np.abs(starts - best).max() > 2.5 * span:
        edge = worst + (0.25 * span if quantity.goal == "min" else -0.25 * span)
        fig.update_yaxes(range=sorted([best - (0.08 * span if quantity.goal == "min" else -0.08 * span), edge]))


def _caption(curves: dict[str, Curve], quantity: Quantity) -> str:
    seeds = sorted({curve.seeds for curve in curves.values()})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    if seeds[-1] == 1:
        return "One run per searcher. Duplicates cost no evaluation and are not counted."
    band = "their full range" if seeds[-1] < RANGE_BELOW else "their 10 to 90 % range"
    last = {label: curve.centre[-1] for label, curve in curves.items() if len(curve.centre) and np.isfinite(curve.centre[-1])}
    best = quantity.scale.text((min if quantity.goal == "min" else max)(last.values())) if last else ""
    leaders = [label for label, value in last.items() if quantity.scale.text(value) == best]  # as far as can be read
    lead = f" At the end {' and '.join(leaders)} lead{'s' if len(leaders) == 1 else ''} with {best}." if len(last) > len(leaders) else ""
    return f"Line: interquartile mean over {count} seeds; band: {band}. Duplicates cost no evaluation and are not counted.{lead}"
