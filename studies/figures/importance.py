"""Which parameters matter, as bars with their spread over folds; the model's fit comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from designgym.studies.figures.data import StudyData
from designgym.studies.figures.style import MUTED, PALETTE, axis_title, empty, finish, safe
from designgym.studies.figures.units import Scale

if TYPE_CHECKING:
    from designgym.studies.importance import Importance

MAX_BARS = 20
POOR = 0.5  # R² below which the bars are greyed


def figure(data: StudyData, importance: Importance | None = None, *, dark: bool = False) -> go.Figure:
    """Draw parameter importance.

    Args:
        data: The study.
        importance: What `parameter_importance` returned; computed here unless given.
        dark: Whether it will stand on a dark ground.
    """
    from designgym.studies.importance import FOLDS, parameter_importance

    title = "Parameter importance"
    result = importance if importance is not None else parameter_importance(data)
    if result.reason:
        return empty(title, result.reason, dark=dark)
    scale = Scale(1.0, "%") if result.unit == "%" else Scale.of(result.effect, result.unit)
    shown = list(reversed(range(min(len(result.parameters), MAX_BARS))))
    effects = [result.effect[i] * scale.factor for i in shown]
    spreads = [result.spread[i] * scale.factor for i in shown]
    fig = go.Figure(
        go.Bar(
            y=[safe(result.parameters[i], 32) for i in shown], x=effects, orientation="h", showlegend=False,
            error_x={"type": "data", "array": spreads, "color": MUTED, "thickness": 1.4, "width": 4},
            marker={"color": PALETTE[0] if result.r2 >= POOR else "#B7C4CF", "line": {"width": 0}},
            customdata=spreads, hovertemplate=f"%{{y}}: %{{x:.3~g}} ± %{{customdata:.2~g}} {safe(scale.unit)}<extra></extra>",
        )
    )  # fmt: skip
    label = f"typical effect on {data.target.label}" if result.logarithmic else f"mean |SHAP| of {data.target.label}"
    fig.update_xaxes(title_text=axis_title(label, scale.unit), rangemode="tozero")
    fig.update_yaxes(showgrid=False, ticklen=0, ticklabelstandoff=6, showline=False)
    fig.update_layout(bargap=0.35)
    more = len(result.parameters) - len(shown)
    folds = f"{FOLDS} folds: {min(result.r2_folds):.3f} to {max(result.r2_folds):.3f}{', of the logarithm' if result.logarithmic else ''}"
    caption = (
        f"Cross-validated fit: R² = {result.r2:.3f} out of fold ({folds}; XGBoost on {result.rows:,} distinct designs). {result.verdict} "
        "Bars: mean absolute SHAP value on held-out designs; whiskers: standard deviation over folds. The designs are those that the "
        "searchers chose."
    )
    caption += f" The {more} least important parameters are left out." if more > 0 else ""
    return finish(fig, title, caption, dark=dark, height=90 + 30 * len(shown))
