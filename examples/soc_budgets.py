"""Systems on chip within the budgets of augmented and virtual reality: how soon searchers meet them, as a table and a page.

Run it: ``python examples/soc_budgets.py [BUDGET [SEEDS]]``; it writes ``soc-budgets.html``.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

import designgym as dg
from designgym.studies.figures.style import finish, series_styles

BUDGETS = {"audio_decoder": "budget_21ms", "hpvm_cava": "budget_34ms", "edge_detection": "budget_34ms"}  # objective by workload
SEARCHERS = ["random", "regularized_evolution", "genetic"]
UNITS = {"latency_ms": "ms", "power_mw": "mW", "area_mm2": "mm^2"}


def closest(trials: pd.DataFrame, limits: dict[str, float]) -> pd.DataFrame:
    """Return how close to the budgets each run has come, by evaluation (rows) and by searcher and seed (columns).

    The figure is the largest of latency, power and area, each over its budget: at most 1 means that one design keeps all three.
    """
    shares = pd.DataFrame({metric: trials[f"metrics.{metric}"] / limit for metric, limit in limits.items()})
    worst = shares.max(axis=1, skipna=False)
    trials = trials.assign(evaluation=(~trials["duplicate"]).groupby(trials["run"]).cumsum(), share=worst)
    best = trials.pivot_table(index="evaluation", columns=["searcher", "run_seed"], values="share", aggfunc="min", dropna=False)
    return best.cummin().ffill()  # a run that ended early keeps what it had


def tell(result: dg.StudyResult, limits: dict[str, float], runs: pd.DataFrame, budget: int) -> None:
    """Print when each searcher met all budgets, seed by seed, and what the best design needs of each budget."""
    workload = result.workloads[0]
    print(f"\n{workload} within " + ", ".join(f"{limit:g} {UNITS[metric]}" for metric, limit in limits.items()))
    skipped = result.to_pandas().groupby("searcher")["duplicate"].sum()
    for searcher in SEARCHERS:
        within = pd.DataFrame(runs[searcher] <= 1)
        met = within.idxmax()[within.any()].astype(int).tolist()
        late = len(within.columns) - len(met)
        words = [f"budgets met after {', '.join(map(str, sorted(met)))} evaluations"] * bool(met)
        words += [f"not within {budget} by {late} of {len(within.columns)} seeds"] * bool(late)
        print(f"  {searcher:22}{'; '.join(words)}; {skipped[searcher]} duplicates skipped")
    best = result.best()[0]
    print("  best: " + ", ".join(f"{best.metrics[metric]:.3g} {unit}" for metric, unit in UNITS.items()) + f", {best.run}")
    print("    " + best.description.replace("\n", "\n    "))


def draw(figure: go.Figure, column: int, runs: pd.DataFrame) -> None:
    """Draw a curve for each searcher, the median over its seeds, in a band over all of them."""
    for searcher, style in series_styles(SEARCHERS).items():
        of_seeds = pd.DataFrame(runs[searcher]).dropna()
        edge = {"x": of_seeds.index, "mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip", "showlegend": False}
        figure.add_scatter(y=of_seeds.min(axis=1), **edge, row=1, col=column)
        figure.add_scatter(y=of_seeds.max(axis=1), **edge, fill="tonexty", fillcolor=style.fill(0.15), row=1, col=column)
        figure.add_scatter(
            x=of_seeds.index, y=of_seeds.median(axis=1), mode="lines", name=searcher, showlegend=column == 1,
            line={"color": style.color, "width": 2.4, "shape": "hv"}, row=1, col=column,
        )  # fmt: skip
    place: dict[str, Any] = {"row": 1, "col": column}
    figure.add_hline(y=1, line_dash="dash", **place)
    figure.update_xaxes(title="evaluations", type="log", dtick=1, row=1, col=column)
    figure.update_yaxes(type="log", dtick=1, row=1, col=column)


def main(budget: int = 1000, seeds: int = 3) -> None:
    figure = make_subplots(rows=1, cols=len(BUDGETS), subplot_titles=list(BUDGETS), shared_yaxes=True, horizontal_spacing=0.03)
    for column, (workload, objective) in enumerate(BUDGETS.items(), 1):
        study = dg.Study(
            f"soc-budgets-{workload}",
            env="designgym/FarsiSoc-v0",
            workload=workload,
            objective=objective,
            searchers=SEARCHERS,
            budget=budget,
            seeds=seeds,
            store=":memory:",
        )
        result = study.run(backend="local")
        limits = result.definition["objective"]["targets"]
        runs = closest(result.to_pandas(), limits)
        tell(result, limits, runs, budget)
        draw(figure, column, runs)
    figure.update_yaxes(title="tightest budget: value / limit", row=1, col=1)
    share = "Largest of latency, power and area, each over its budget, of the best design so far: up to 1, all budgets are met."
    finish(figure, "Systems on chip under AR/VR budgets", f"{share} Line: median over {seeds} seeds; band: their full range.")
    figure.update_layout(legend={"y": -0.2, "yanchor": "top"}, margin_b=90)
    page = Path("soc-budgets.html")
    figure.write_html(page, include_plotlyjs=True)
    print("\nfigure:", page)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
