"""A cluster for a day of requests: which machines, and when to switch them off, as a table and a page.

Run it: ``python examples/serving_cluster.py [BUDGET [SEEDS [WORKLOAD]]]``; it writes ``serving-cluster.html``. The best design found is
compared with the smallest cluster of the same pools whose machines are always on. Step times, start-up times and the day are models.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

import designgym as dg
from designgym.core.design import Design
from designgym.core.metrics import Metrics
from designgym.core.workload import Workload
from designgym.envs import environment
from designgym.simulators.cluster.autoscaled import AutoscaledCluster
from designgym.studies.figures.style import PALETTE, finish

ENV = "designgym/AutoscaledCluster-v0"
COLUMNS = ("cost_usd", "energy_kwh", "mean_instances", "most_instances", "starts", "utilisation", "worst_slowdown", "worst_part_slowdown")
PARTS = 48  # of the day, in the figure


def always_on(simulator: AutoscaledCluster, design: Design, workload: Workload) -> Design | None:
    """Return the same pools, never scaled, with as few machines as keep the limits: one after the other loses machines as far as it can."""

    def sized(counts: list[int]) -> Design:
        pools = [pool.to_dict() | {"machines": n, "min_machines": n} for pool, n in zip(design["pools"], counts, strict=True)]
        return simulator.space.validate(design.to_dict() | {"pools": pools})

    def serves(counts: list[int]) -> bool:
        [found] = simulator.evaluate([sized(counts)], workload)
        return found.ok and found["worst_slowdown"] <= 1

    counts = [pool["machines"] for pool in design["pools"]]
    if not serves(counts):
        return None
    for i in range(len(counts)):
        low, high = 0, counts[i]  # `high` serves
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if serves([*counts[:i], middle, *counts[i + 1 :]]) else (middle, high)
        counts[i] = high
    return sized(counts)


def draw(trials: pd.DataFrame, both: dict[str, tuple[Design, Metrics]], simulator: AutoscaledCluster, workload: Workload) -> go.Figure:
    titles = ("What was tried", "Instances that computed, over the day")
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, specs=[[{}, {"secondary_y": True}]], horizontal_spacing=0.1)
    figure.add_scatter(
        x=trials["metrics.cost_usd"], y=trials["metrics.worst_slowdown"], mode="markers", name="designs",
        marker={"color": PALETTE[0], "size": 5, "opacity": 0.35}, row=1, col=1,
    )  # fmt: skip
    place: dict[str, Any] = {"row": 1, "col": 1}
    figure.add_hline(y=1, line_dash="dash", **place)
    arrivals, length_s = workload.data.arrival_s, float(workload.data.arrival_s[-1])
    edges = np.linspace(0, length_s, PARTS + 1)
    hours = (edges[:-1] + edges[1:]) / 2 / 3600
    for color, (name, (design, metrics)) in zip(PALETTE[1:], both.items(), strict=False):
        figure.add_scatter(
            x=[metrics["cost_usd"]], y=[metrics["worst_slowdown"]], mode="markers", name=name,
            marker={"color": color, "size": 13, "symbol": "star"}, row=1, col=1,
        )  # fmt: skip
        runs = simulator.run(design, workload).runs
        assert runs is not None
        part = np.searchsorted(edges, runs["start_s"], side="right") - 1
        computed = [len(np.unique(runs["machine"][part == i])) for i in range(PARTS)]
        figure.add_scatter(x=hours, y=computed, name=name, line={"color": color, "shape": "hvh"}, showlegend=False, row=1, col=2)
    rates = np.histogram(arrivals, edges)[0] / (edges[1] - edges[0])
    figure.add_scatter(x=hours, y=rates, name="requests", line={"color": "grey", "dash": "dot"}, row=1, col=2, secondary_y=True)
    figure.update_xaxes(title="USD for the day", type="log", row=1, col=1)
    figure.update_yaxes(title="worst slowdown over its limit", type="log", row=1, col=1)
    figure.update_xaxes(title="hour", row=1, col=2)
    figure.update_yaxes(title="instances", rangemode="tozero", row=1, col=2, secondary_y=False)
    figure.update_yaxes(title="requests per second", rangemode="tozero", showgrid=False, row=1, col=2, secondary_y=True)
    caption = (
        f"{len(trials):,} simulated designs on {workload.name}. Below the dashed line all nine limits of slowdown are kept over the day."
    )
    finish(figure, "A cluster for a day of requests", caption, height=520)
    return figure


def main(budget: int = 150, seeds: int = 1, workload: str = "day-conv:rate=8") -> None:
    """Search, compare, draw."""
    spec = environment(ENV)
    day, simulator = spec.workload(workload), AutoscaledCluster()
    study = dg.Study("serving-cluster", env=ENV, workload=day, searchers="evolution", budget=budget, seeds=seeds, store=":memory:")
    result = study.run(backend="local")
    frame = result.to_pandas()
    trials = frame[frame["metrics.cost_usd"].notna()]
    design = result.best().design
    print(f"found: {simulator.describe(design, day)}")
    both = {"switched": (design, simulator.evaluate([design], day)[0])}
    if not both["switched"][1].ok:
        print("no design serves the day: give it a larger budget")
        return
    if (static := always_on(simulator, design, day)) is not None:
        print(f"always on: {simulator.describe(static, day)}")
        both["always on"] = (static, simulator.evaluate([static], day)[0])
    table = pd.DataFrame({name: [metrics[column] for column in COLUMNS] for name, (_, metrics) in both.items()}, index=list(COLUMNS))
    print(table.to_string(float_format=lambda x: f"{x:,.2f}"))
    page = Path("serving-cluster.html")
    draw(trials, both, simulator, day).write_html(page, include_plotlyjs=True)
    print("figure:", page)


if __name__ == "__main__":
    arguments: list[Any] = [*map(int, sys.argv[1:3]), *sys.argv[3:4]]
    main(*arguments)
