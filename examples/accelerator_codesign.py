"""An Eyeriss-like chip against searched accelerators of its area and DRAM, on ResNet-18: a Pareto figure and rooflines, as a page.

Run it: ``python examples/accelerator_codesign.py [BUDGET [SEEDS [NETWORK]]]``; it writes ``accelerator-codesign.html``.
"""

import sys
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import designgym as dg
from designgym.core.design import Design
from designgym.core.workload import Workload
from designgym.simulators.accelerator.codesign import EYERISS, AcceleratorCodesign, CodesignWorkloads

DRAM_RATE = 4  # words of 16 bits per cycle: 8 GB/s at 1 GHz


def roofline(figure: go.Figure, column: int, simulator: AcceleratorCodesign, design: Design, workload: Workload) -> None:
    """Draw what bounds a design, and each of the network's layers: operations per word of DRAM, and operations per cycle."""
    layers = simulator.layers(design, workload)
    intensity = [layer.macs / chosen.dram_words for layer, _, chosen in layers]
    ends = [min(intensity) / 2, max(*intensity, 1.0) * 2]
    pes, bandwidth = design["columns"] * design["rows"], design["dram_words_per_cycle"]
    at = sorted([*ends, pes / (2 * bandwidth)])  # reading and writing have a bandwidth each
    figure.add_scatter(x=at, y=[min(pes, 2 * bandwidth * x) for x in at], mode="lines", name="bound", showlegend=False, row=1, col=column)
    figure.add_scatter(
        x=intensity, y=[layer.macs / chosen.cycles for layer, _, chosen in layers], text=[layer.name for layer, _, _ in layers],
        mode="markers", name="layers", showlegend=False, row=1, col=column,
    )  # fmt: skip
    figure.update_xaxes(title="MACs per DRAM word", type="log", row=1, col=column)
    figure.update_yaxes(title="MACs per cycle", type="log", row=1, col=column)


def main(budget: int = 200, seeds: int = 3, network: str = "resnet18") -> None:
    simulator, workload = AcceleratorCodesign(dram_words_per_cycle=DRAM_RATE), CodesignWorkloads().get(network)
    eyeriss = Design({**EYERISS, "dram_words_per_cycle": DRAM_RATE})
    chip = simulator.evaluate([eyeriss], workload)[0]
    study = dg.Study(
        "accelerator-codesign",
        env="designgym/AcceleratorCodesign-v0",
        options={"dram_words_per_cycle": DRAM_RATE},
        workload=network,
        objective=dg.minimize("edp_pj_ns", subject_to={"area_mm2": f"<= {chip['area_mm2']}"}),
        searchers=["random", "evolution", "tpe"],
        budget=budget,
        seeds=seeds,
        store=":memory:",
    )
    result = study.run(backend="local")
    print(result.summary(by="searcher").to_string())
    best = result.best()
    # what the comparison rests on: mappings that were searched for each of the two machines
    simulator = AcceleratorCodesign(dram_words_per_cycle=DRAM_RATE, mapper_scope="machine")
    chip, found = simulator.evaluate([eyeriss, best.design], workload)
    print(f"like Eyeriss: {chip['latency_ns'] * 1e-6:.3g} ms, {chip['energy_pj'] * 1e-9:.3g} mJ, {chip['area_mm2']:.3g} mm^2")
    print(f"found:        {found['latency_ns'] * 1e-6:.3g} ms, {found['energy_pj'] * 1e-9:.3g} mJ, {found['area_mm2']:.3g} mm^2")
    print(
        f"energy-delay product: {chip['edp_pj_ns'] / found['edp_pj_ns']:.2f} times less\n{simulator.describe(best.design)}\n{best.design!r}"
    )

    frame = result.to_pandas().query(f"`metrics.area_mm2` <= {chip['area_mm2']}")
    figure = make_subplots(rows=1, cols=3, subplot_titles=("Designs of at most its area", "Like Eyeriss", "Found"))
    for searcher, rows in frame.groupby("searcher"):
        figure.add_scatter(
            x=rows["metrics.latency_ns"] * 1e-6, y=rows["metrics.energy_pj"] * 1e-9, mode="markers", name=searcher, row=1, col=1
        )  # fmt: skip
    for name, one in (("like Eyeriss", chip), ("found", found)):
        figure.add_scatter(
            x=[one["latency_ns"] * 1e-6], y=[one["energy_pj"] * 1e-9], mode="markers", marker={"size": 14, "symbol": "star"},
            name=name, row=1, col=1,
        )  # fmt: skip
    figure.update_xaxes(title="latency in ms", type="log", row=1, col=1)
    figure.update_yaxes(title="energy in mJ", type="log", row=1, col=1)
    roofline(figure, 2, simulator, eyeriss, workload)
    roofline(figure, 3, simulator, best.design, workload)
    figure.update_layout(title=f"{network}: {budget} designs by each searcher and seed", template="plotly_white")
    page = Path("accelerator-codesign.html")
    figure.write_html(page, include_plotlyjs=True)
    print("figure:", page)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:4])
