"""Three looks at a serving engine: how much it serves as requests come faster, speed for a user against speed of a GPU, and its steps.

Run it: ``python examples/serving_figures.py [BUDGET]``; it writes ``serving.html``. Llama-3.1-8B on one H100, requests like Azure's
conversations, all simulated.
"""

import sys
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

import designgym as dg
from designgym.core.metrics import Metrics
from designgym.simulators.serving.engine import VllmServing
from designgym.simulators.serving.workloads import find_requests, make_workload
from designgym.studies.figures.style import ACCENT, FRONT, PALETTE, finish

OPTIONS = {"gpu": "h100_sxm", "gpus": 1}
RATES = (4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44)
CHANGES = {
    "vLLM's defaults": {},
    "256 tokens a step": {"max_num_batched_tokens": 256},
    "32 requests at a time": {"max_num_seqs": 32},
    "FP8 weights and KV cache": {"quantization": "fp8", "kv_cache_dtype": "fp8"},
}
SEARCHED, STEPS = "azure-conv:requests=300,users=128", "azure-conv:requests=400,rate=30"
Place = tuple[int, int]


def at_rate(engine: VllmServing, changes: dict[str, object], rate: float) -> Metrics:
    """Return what a design makes of requests at a rate."""
    name = f"azure-conv:requests=400,rate={rate}"
    design = engine.space.validate(engine.space.default().replace(**changes))
    return engine.evaluate([design], make_workload(name, find_requests(name)))[0]


def loads(figure: go.Figure, engine: VllmServing, place: Place) -> None:
    """Draw the requests per second within the targets over those that come."""
    figure.add_scatter(
        x=RATES, y=RATES, mode="lines", line={"dash": "dot", "color": FRONT, "width": 1}, name="all that come", row=place[0], col=place[1]
    )
    for (name, changes), colour in zip(CHANGES.items(), PALETTE, strict=False):
        served = [at_rate(engine, changes, rate)["goodput_rps"] for rate in RATES]
        figure.add_scatter(x=RATES, y=served, name=name, mode="lines+markers", line={"color": colour}, row=place[0], col=place[1])
    figure.update_xaxes(title="requests per second that come", row=place[0], col=place[1])
    figure.update_yaxes(title="within 1 s to the first and 50 ms per token", row=place[0], col=place[1])


def trade_off(figure: go.Figure, budget: int, place: Place) -> None:
    """Draw searched designs: what a user sees of speed, what a GPU gives."""
    study = dg.Study(
        "serving-figures", "designgym/VllmServing-v0", workload=SEARCHED, objective="pareto", options=OPTIONS,
        searchers=["random", dg.searchers.GeneticAlgorithm(population=24)], budget=budget, store=":memory:",
    )  # fmt: skip
    result = study.run(backend="local", progress=False)
    trials = result.to_pandas()
    trials = trials[trials["status"] == "ok"]
    x, y = "metrics.tokens_per_s_per_user", "metrics.tokens_per_s_per_gpu"
    figure.add_scatter(
        x=trials[x], y=trials[y], mode="markers", marker={"color": PALETTE[5], "size": 5, "opacity": 0.5}, name="designs", row=place[0],
        col=place[1],
    )  # fmt: skip
    front = sorted((best.metrics[x[8:]], best.metrics[y[8:]]) for best in result.front())
    figure.add_scatter(
        x=[a for a, _ in front], y=[b for _, b in front], mode="lines+markers", line={"color": FRONT, "shape": "vh"}, name="front",
        row=place[0], col=place[1],
    )  # fmt: skip
    ends = " and ".join(f"{a:.0f} per user with {b:.0f} per GPU" for a, b in (front[0], front[-1]))
    print(f"{len(trials)} designs, ends of the front in tokens per second: {ends}")
    figure.update_xaxes(title="tokens per second and user", row=place[0], col=place[1])
    figure.update_yaxes(title="tokens per second and GPU", row=place[0], col=place[1])


def steps(figure: go.Figure, engine: VllmServing, places: Sequence[Place]) -> None:
    """Draw every step of a short run: who runs and who waits, tokens of prompts, and the KV cache."""
    (run,) = engine.runs(engine.space.default().replace(max_num_batched_tokens=2048), make_workload(STEPS, find_requests(STEPS)))
    assert run.timeline is not None
    found = run.timeline.steps
    shown = {
        "running requests": (found["running"], PALETTE[0], places[0]),
        "waiting requests": (found["waiting"], ACCENT, places[0]),
        "tokens of a step": (found["tokens"], PALETTE[2], places[1]),
        "KV cache in use (%)": (100 * (1 - found["free_blocks"] / run.usable_blocks), PALETTE[3], places[2]),
    }
    for name, (values, colour, (row, column)) in shown.items():
        figure.add_scatter(
            x=np.round(found["start_s"], 4), y=values, mode="lines", line={"color": colour, "shape": "hv", "width": 1.2}, name=name,
            row=row, col=column, showlegend=row == places[0][0],
        )  # fmt: skip
    for (row, column), title in zip(places, ("requests", "tokens of a step", "KV cache (%)"), strict=True):
        figure.update_yaxes(title=title, row=row, col=column, rangemode="tozero")
    figure.update_xaxes(title="time (s)", row=places[-1][0], col=places[-1][1])
    most = shown["KV cache in use (%)"][0].max()
    print(f"{len(found)} steps of {STEPS}: {found['tokens'].mean():.0f} tokens on average, KV cache in use up to {most:.0f} %")


def main() -> None:
    """Draw all of it on one page."""
    budget = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    engine = VllmServing(**OPTIONS)
    figure = make_subplots(
        rows=4, cols=2, row_heights=[0.46, 0.18, 0.18, 0.18], vertical_spacing=0.1, horizontal_spacing=0.1,
        specs=[[{}, {}], *[[{"colspan": 2}, None]] * 3],
        subplot_titles=("Load", "Trade-off", "Steps at 30 requests per second, 2,048 tokens a step at most"),
    )  # fmt: skip
    loads(figure, engine, (1, 1))
    trade_off(figure, budget, (1, 2))
    steps(figure, engine, [(2, 1), (3, 1), (4, 1)])
    figure = finish(
        figure,
        "Llama-3.1-8B on one H100 under vLLM, simulated",
        "Left: requests per second served within the targets. Right: engine arguments searched for 128 users who always ask again. Below: "
        "every scheduling step of one run.",
        height=1060,
    )
    figure.update_layout(legend={"orientation": "h", "y": -0.1, "yanchor": "top"}, margin_b=130)
    figure.write_html("serving.html", include_plotlyjs=True)
    print("figure: serving.html")


if __name__ == "__main__":
    main()
