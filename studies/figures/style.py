"""One look for all figures: colour-blind safe colours, fonts, axes with units, escaped text, light and dark."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito, "Color Universal Design" (2008), in an order that starts with the best told apart on white and on dark; yellow is
# left out, for it vanishes on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "hexagon")
MUTED = "#8A8F98"
ACCENT = "#D55E00"
FRONT = "#6B7684"  # a grey that holds on white and on dark
FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK = {False: "#1F2933", True: "#E4E7EB"}  # by `dark`
GRID = "rgba(128,134,145,0.22)"
BEST_SCALE = ((0.0, "#D55E00"), (0.05, "#E69F00"), (0.2, "#86BBD8"), (0.5, "#B7C4CF"), (1.0, "#C9CED6"))  # best designs first
BEST_SCALE_DARK = ((0.0, "#FF9A57"), (0.05, "#E69F00"), (0.2, "#3F7FA8"), (0.5, "#3A4A58"), (1.0, "#2B343E"))
HEIGHT = 440  # px


@dataclass(frozen=True)
class SeriesStyle:
    """How one searcher is drawn in every figure."""

    color: str
    dash: str
    symbol: str

    def fill(self, alpha: float) -> str:
        """Return the colour with an opacity, for bands."""
        r, g, b = (int(self.color[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({r},{g},{b},{alpha:g})"


def series_styles(names: Sequence[str]) -> dict[str, SeriesStyle]:
    """Return a style per name; beyond seven, colours repeat with another dash and symbol."""
    n = len(PALETTE)
    return {
        name: SeriesStyle(PALETTE[i % n], DASHES[i // n % len(DASHES)], SYMBOLS[(i + i // n) % len(SYMBOLS)])
        for i, name in enumerate(names)
    }


def safe(text: object, limit: int = 60) -> str:
    """Return user text for a Plotly label: shortened, with ``< > &`` escaped, since Plotly renders a subset of HTML."""
    plain = " ".join(str(text).split())
    plain = plain if len(plain) <= limit else plain[: limit - 1] + "…"
    return html.escape(plain, quote=False).replace("%{", "% {").replace("$", "&#36;")  # no templates, no TeX


def plain_safe(text: object, limit: int = 60) -> str:
    """Return user text for the places where Plotly shows text letter by letter: shortened, angle brackets replaced by their look-alikes."""
    plain = " ".join(str(text).split())
    plain = plain if len(plain) <= limit else plain[: limit - 1] + "…"
    return plain.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}").replace(
        ">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    )


def axis_title(label: str, unit: str = "", note: str = "") -> str:
    """Return ``label (unit), note`` with the label escaped."""
    text = safe(label, 90) + (f" ({safe(unit)})" if unit else "")
    return f"{text}, {note}" if note else text


def template(dark: bool = False) -> go.layout.Template:
    """Return the shared Plotly template."""
    axis: dict[str, Any] = {
        "showline": True, "linecolor": MUTED, "linewidth": 1, "ticks": "outside", "tickcolor": MUTED, "ticklen": 4, "gridcolor": GRID,
        "zeroline": False, "automargin": True, "title": {"standoff": 12, "font": {"size": 13}}, "exponentformat": "power",
        "minexponent": 5, "separatethousands": True,
    }  # fmt: skip
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK[dark]},
            "paper_bgcolor": "rgba(0,0,0,0)" if not dark else "#14181D",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(PALETTE),
            "xaxis": axis,
            "yaxis": axis,
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
            "margin": {"l": 70, "r": 24, "t": 40, "b": 56},
            "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left", "namelength": -1},
            "hovermode": "closest",
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": PALETTE[0]},
            "title": {"x": 0, "xanchor": "left", "xref": "paper", "font": {"size": 17}},
        }
    )


def finish(figure: go.Figure, title: str, caption: str, *, dark: bool = False, height: int = HEIGHT) -> go.Figure:
    """Give a figure the shared look, a title and a caption, and keep both as plain text in ``layout.meta`` for the report.

    Args:
        figure: The figure.
        title: Short title, plain text.
        caption: What is drawn and how to read it, plain text.
        dark: Whether it will stand on a dark ground.
        height: Height in px.
    """
    lines = textwrap.wrap(caption, 120)[:3]
    room = 52 + 17 * len(lines)
    figure.update_layout(
        template=template(dark),
        height=height + room,
        title={
            "text": f"<b>{safe(title, 120)}</b>" + "".join(f"<br><span style='font-size:12px'>{safe(line, 200)}</span>" for line in lines),
            "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 14},
        },
        meta={"title": title, "caption": caption, "height": height},
    )  # fmt: skip
    figure.update_layout(margin_t=room + 40)
    return figure


def words_of(figure: go.Figure) -> dict[str, Any]:
    """Return what `finish` noted: ``title``, ``caption``, ``height``, and ``empty`` if there is nothing to draw."""
    meta: dict[str, Any] = figure.to_dict()["layout"]["meta"]
    return meta


def empty(title: str, reason: str, *, dark: bool = False) -> go.Figure:
    """Return a figure that says in words why there is nothing to draw."""
    figure = go.Figure()
    figure.add_annotation(text=safe(reason, 160), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5, font={"size": 14})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    finish(figure, title, reason, dark=dark, height=140)
    figure.update_layout(meta={"title": title, "caption": reason, "height": 140, "empty": True})
    return figure
