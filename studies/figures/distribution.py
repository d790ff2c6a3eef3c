"""How the results of each searcher are distributed: the share of its evaluations that is at least as good as a value."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from designgym.core.metrics import better
from designgym.studies.figures.data import StudyData
from designgym.studies.figures.style import axis_title, empty, finish, safe
from designgym.studies.figures.units import number

MAX_STEPS = 400
SKEWED = 4  # ratio of the ends beyond which the axis is logarithmic


def figure(data: StudyData, *, dark: bool = False) -> go.Figure:
    """Draw the cumulative distribution of the optimised quantity over each searcher's paid evaluations.

    Args:
        data: The study.
        dark: Whether it will stand on a dark ground.
    """
    title = "Distribution of results"
    quantity = data.target
    usable = data.feasible & ~data.duplicate & np.isfinite(quantity.values)
    if not usable.any():
        return empty(title, "No feasible result yet, so there is no distribution to draw.", dark=dark)
    scale = quantity.scale
    fig = go.Figure()
    for label in data.labels:
        values = np.sort(quantity.values[usable & (data.label == label)])
        if not len(values):
            continue
        quantiles = np.linspace(0, 1, min(len(values), MAX_STEPS))
        x = np.quantile(values, quantiles) * scale.factor
        share = (quantiles if quantity.goal == "min" else 1 - quantiles) * 100
        style = data.styles[label]
        fig.add_scatter(
            x=x, y=share, mode="lines", name=safe(label), line={"color": style.color, "width": 2.2, "dash": style.dash},
            hovertemplate=f"{safe(label)}: %{{y:.1f}} % at least as good as %{{x:.4~g}} {safe(scale.unit)}<extra></extra>",
        )  # fmt: skip
    low, high = np.quantile(quantity.values[usable], [0.0, 0.95] if quantity.goal == "min" else [0.05, 1.0]) * scale.factor
    if low > 0 and high > SKEWED * low:
        fig.update_xaxes(type="log", range=np.log10([low * 0.98, high * 1.02]).tolist())
        places, texts = _round_ticks(low, high)
        fig.update_xaxes(tickvals=places, ticktext=texts)
    elif high > low:
        fig.update_xaxes(range=[low - 0.03 * (high - low), high + 0.03 * (high - low)])
    fig.update_xaxes(title_text=axis_title(quantity.label, scale.unit, better(quantity.goal)))
    fig.update_yaxes(title_text="evaluations at least as good (%)", range=[0, 102])
    caption = (
        "Share of each searcher's feasible evaluations, duplicates aside, that are at least as good as a value. A curve that rises early "
        "spends its budget on good designs."
    )
    return finish(fig, title, caption, dark=dark)


def _round_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Return ticks at 1, 2 and 5 times powers of ten, written out: Plotly's own would leave out the powers."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    values = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5) if low <= digit * 10.0**decade <= high]
    return values, [number(value, 2) for value in values]
