"""A small accelerator at the edge for Llama-7B: machines for its prompt, for its answer, and for both, as a table and a page.

Run it: ``python examples/llama_edge.py [BUDGET [SEEDS]]``; it writes ``llama-edge.html``. Words are of 16 bits; the matrix products of all
32 blocks are counted, no embedding, softmax or normalisation; each token of the answer sees 511 others.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from accelerator_figures import roofline, stars, trade_off
from plotly.subplots import make_subplots

import designgym as dg
from designgym.core.design import Design
from designgym.core.workload import Workload
from designgym.simulators.accelerator.codesign import AcceleratorCodesign
from designgym.simulators.accelerator.loopnest.energy import DRAM_PJ_PER_WORD, CactiEnergies
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.workloads import NetworkWorkloads
from designgym.studies.figures.style import PALETTE, finish

BLOCKS, PROMPT, ANSWER = 32, 512, 128  # of the model; tokens of a request
NODE_NM, CLOCK_GHZ, AREA_MM2 = 16, 0.8, 1.0
# LPDDR4 of a small board, 25.6 GB/s: four channels of 16 bits at 1600 MHz (NVIDIA, Jetson Nano data sheet DA-09366-001), in words a cycle
DRAM_RATE = 16
OPTIONS = {"node_nm": NODE_NM, "clock_ghz": CLOCK_GHZ, "dram_words_per_cycle": DRAM_RATE}
SEARCHERS = ["random", "evolution", "tpe"]


def workloads() -> dict[str, Workload]:
    """Return one block on a prompt, on a token of the answer, and on a whole request."""
    prompt, token = (NetworkWorkloads().get(f"llama7b_{phase}") for phase in ("prefill", "decode"))
    layers = (*prompt.data.layers, *((layer, count * ANSWER) for layer, count in token.data.layers))
    return {"prompt": prompt, "answer": token, "request": Workload("llama7b_request", Network("llama7b_request", layers))}


def compulsory(workload: Workload) -> tuple[float, float]:
    """Return the seconds and joules of all blocks that no machine can go below: each word read or written once, and every operation."""
    layers = workload.data.layers
    read = sum(count * (layer.weight_words + layer.input_words) for layer, count in layers)
    written = sum(count * layer.output_words for layer, count in layers)
    energy_pj = (read + written) * DRAM_PJ_PER_WORD + workload.data.macs * CactiEnergies(NODE_NM).mac_pj(16)
    return BLOCKS * read / DRAM_RATE / CLOCK_GHZ * 1e-9, BLOCKS * energy_pj * 1e-12


def searched(name: str, workload: Workload, budget: int, seeds: int) -> tuple[pd.DataFrame, Design]:
    """Return the designs within the area, in seconds and joules of all blocks, and the best by energy-delay product."""
    study = dg.Study(
        f"llama-edge-{name}",
        env="designgym/AcceleratorCodesign-v0",
        options=OPTIONS,
        workload=workload,
        objective=dg.minimize("edp_pj_ns", subject_to={"area_mm2": f"<= {AREA_MM2}"}),
        searchers=SEARCHERS,
        budget=budget,
        seeds=seeds,
        store=":memory:",
    )
    result = study.run(backend="local")
    print(result.summary(by="searcher").to_string())
    frame = result.to_pandas()
    frame = frame[frame["metrics.area_mm2"] <= AREA_MM2]
    return frame.assign(
        seconds=BLOCKS * frame["metrics.latency_ns"] * 1e-9, joules=BLOCKS * frame["metrics.energy_pj"] * 1e-12
    ), result.best().design


def tell(simulator: AcceleratorCodesign, phases: Sequence[Workload], found: dict[str, Design]) -> dict[str, list[tuple[float, float]]]:
    """Print what each machine makes of the prompt and of the answer; return seconds and joules of both."""
    points: dict[str, list[tuple[float, float]]] = {}
    for phase, workload in zip(("prompt", "a token"), phases, strict=True):
        seconds, joules = compulsory(workload)
        print(f"no machine: {phase} in less than {seconds:.3g} s from DRAM, nor with less than {joules:.3g} J")
    for name, design in found.items():
        results = [simulator.evaluate([design], workload)[0] for workload in phases]
        points[name] = [(BLOCKS * r["latency_ns"] * 1e-9, BLOCKS * r["energy_pj"] * 1e-12) for r in results]
        (prompt_s, prompt_j), (token_s, token_j) = points[name]
        from_dram = BLOCKS * results[1]["dram_words"] * DRAM_PJ_PER_WORD * 1e-12 / token_j
        print(
            f"{name}: {simulator.describe(design)}\n  prompt {prompt_s:.3g} s, {prompt_j:.3g} J; answer {1 / token_s:.3g} tokens/s, "
            f"{token_j:.3g} J each, {from_dram:.0%} of it DRAM; request {prompt_s + ANSWER * token_s:.3g} s, "
            f"{prompt_j + ANSWER * token_j:.3g} J\n  {design!r}"
        )
    return points


def by_area(figure: go.Figure, trials: pd.DataFrame, tokens: int, name: str, color: str) -> None:
    """Draw tokens per second against area, and the most that is had within an area."""
    in_order = trials.assign(rate=tokens / trials["seconds"]).sort_values("metrics.area_mm2")
    area, rate = in_order["metrics.area_mm2"], in_order["rate"]
    figure.add_scatter(
        x=area, y=rate, mode="markers", marker={"color": color, "size": 5, "opacity": 0.35}, showlegend=False, row=2, col=2
    )  # fmt: skip
    figure.add_scatter(
        x=area, y=rate.cummax(), mode="lines", line={"color": color, "width": 2.4, "shape": "hv"}, name=f"most {name}", row=2, col=2
    )  # fmt: skip


def draw(
    trials: dict[str, pd.DataFrame], found: dict[str, Design], points: dict[str, list[tuple[float, float]]], simulator: AcceleratorCodesign,
    of: dict[str, Workload], budget: int, seeds: int,
) -> go.Figure:  # fmt: skip
    titles = ("Prompt", "Answer, each token", "Machine for the request", "What area buys")
    figure = make_subplots(rows=2, cols=2, subplot_titles=titles, horizontal_spacing=0.11, vertical_spacing=0.15)
    for column, phase in enumerate(("prompt", "answer"), 1):
        trade_off(figure, (1, column), trials[phase], "seconds", "joules", legend=column == 1)
        stars(figure, (1, column), {name: both[column - 1] for name, both in points.items()}, legend=column == 1)
        seconds, joules = compulsory(of[phase])
        place: dict[str, Any] = {"row": 1, "col": column}
        figure.add_vline(x=seconds, line_dash="dash", **place)
        figure.add_hline(y=joules, line_dash="dash", **place)
        figure.update_xaxes(title="seconds", type="log", row=1, col=column)
        figure.update_yaxes(title="joules", type="log", row=1, col=column)
    figure.update_xaxes(dtick=1, row=1, col=1)
    figure.update_yaxes(dtick=1, row=1, col=1)
    machine = found["for the request"]
    roofline(figure, (2, 1), machine, {f"{phase}, by layer": simulator.layers(machine, of[phase]) for phase in ("prompt", "answer")})
    by_area(figure, trials["prompt"], PROMPT, "tokens of the prompt", PALETTE[0])
    by_area(figure, trials["answer"], 1, "tokens of the answer", PALETTE[1])
    figure.update_xaxes(title="area in mm²", type="log", row=2, col=2)
    figure.update_yaxes(title="tokens per second", type="log", dtick=1, row=2, col=2)
    caption = (
        f"{budget} designs by each searcher and of {seeds} seeds, within {AREA_MM2:g} mm² at {NODE_NM} nm, with 25.6 GB/s of LPDDR4. "
        "Dashed: what no machine can go below, each word moved once. Large symbols: the machines found, each with mappings of its own."
    )
    finish(figure, "An accelerator at the edge for Llama-7B", caption, height=900)
    figure.update_layout(legend={"y": -0.08, "yanchor": "top"}, margin_b=110, title_pad_t=24)
    return figure


def main(budget: int = 100, seeds: int = 3) -> None:
    of = workloads()
    trials: dict[str, pd.DataFrame] = {}
    found: dict[str, Design] = {}
    for name, workload in of.items():
        trials[name], found[f"for the {name}"] = searched(name, workload, budget, seeds)
    # what the comparison rests on: mappings that were searched for each of the machines
    simulator = AcceleratorCodesign(node_nm=NODE_NM, clock_ghz=CLOCK_GHZ, dram_words_per_cycle=DRAM_RATE, mapper_scope="machine")
    points = tell(simulator, [of["prompt"], of["answer"]], found)
    page = Path("llama-edge.html")
    draw(trials, found, points, simulator, of, budget, seeds).write_html(page, include_plotlyjs=True)
    print("figure:", page)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
