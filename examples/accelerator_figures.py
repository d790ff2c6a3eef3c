"""What the examples of accelerators draw: trade-offs of searched machines, and rooflines."""

from collections.abc import Iterable, Mapping

import pandas as pd
import plotly.graph_objects as go

from designgym.core.design import Design
from designgym.simulators.accelerator.codesign.inner import Chosen
from designgym.simulators.accelerator.layer import Layer
from designgym.studies.figures.style import ACCENT, FRONT, SYMBOLS, series_styles

Layers = Iterable[tuple[Layer, int, Chosen]]


def trade_off(figure: go.Figure, place: tuple[int, int], trials: pd.DataFrame, x: str, y: str, *, legend: bool = True) -> None:
    """Draw the designs of each searcher by two columns, of which less is better, and the front of them all."""
    row, column = place
    for searcher, style in series_styles(sorted(trials["searcher"].unique())).items():
        of = trials[trials["searcher"] == searcher]
        figure.add_scatter(
            x=of[x], y=of[y], mode="markers", name=searcher, legendgroup=searcher, showlegend=legend,
            marker={"color": style.color, "symbol": style.symbol, "size": 6.5, "opacity": 0.55}, row=row, col=column,
        )  # fmt: skip
    in_order = trials.sort_values([x, y])
    front = in_order[in_order[y] < in_order[y].cummin().shift(fill_value=float("inf"))]
    figure.add_scatter(
        x=front[x], y=front[y], mode="lines", line={"shape": "hv", "color": FRONT, "width": 1.6}, name="front", legendgroup="front",
        showlegend=legend, row=row, col=column,
    )  # fmt: skip


def stars(figure: go.Figure, place: tuple[int, int], points: Mapping[str, tuple[float, float]], *, legend: bool = True) -> None:
    """Mark machines by name: the first with a star, the others with other large symbols."""
    row, column = place
    for (name, (x, y)), symbol in zip(points.items(), ("star", "diamond-tall", "hexagram", "star-square"), strict=False):
        figure.add_scatter(
            x=[x], y=[y], mode="markers", name=name, legendgroup=name, showlegend=legend,
            marker={"size": 15, "symbol": symbol, "color": ACCENT, "line": {"color": "white", "width": 1.2}}, row=row, col=column,
        )  # fmt: skip


def roofline(
    figure: go.Figure, place: tuple[int, int], design: Design, workloads: Mapping[str, Layers], *, legend: bool = True
) -> None:  # fmt: skip
    """Draw what bounds a design, and the layers of workloads: operations for each word that DRAM moves one way, and per cycle."""
    row, column = place
    styles = series_styles(list(workloads))
    points = {name: [(one.name, one.macs / of.dram_one_way, one.macs / of.cycles) for one, _, of in f] for name, f in workloads.items()}
    intensity = [x for of in points.values() for _, x, _ in of]
    pes, bandwidth = design["columns"] * design["rows"], design["dram_words_per_cycle"]
    at = sorted([min(*intensity, pes / bandwidth) / 2, pes / bandwidth, max(*intensity, pes / bandwidth) * 2])
    figure.add_scatter(
        x=at, y=[min(pes, bandwidth * x) for x in at], mode="lines", line={"color": FRONT, "width": 2}, name="roofline",
        legendgroup="roofline", showlegend=legend, row=row, col=column,
    )  # fmt: skip
    for number, (name, of) in enumerate(points.items()):
        names, xs, ys = zip(*of, strict=True)
        figure.add_scatter(
            x=xs, y=ys, text=names, mode="markers", name=name, legendgroup=name, showlegend=legend, row=row, col=column,
            marker={"color": styles[name].color, "symbol": SYMBOLS[number], "size": 9, "opacity": 0.8},
            hovertemplate="%{text}<br>%{x:.3g} operations per word<br>%{y:.3g} per cycle",
        )  # fmt: skip
    figure.update_xaxes(title="multiply-accumulates per DRAM word", type="log", dtick=1, row=row, col=column)
    figure.update_yaxes(title="multiply-accumulates per cycle", type="log", dtick=1, row=row, col=column)
