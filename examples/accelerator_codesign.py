"""An Eyeriss-like chip against searched accelerators of its area and DRAM, on ResNet-18: a Pareto figure and rooflines, as a page.

Run it: ``python examples/accelerator_codesign.py [BUDGET [SEEDS [NETWORK]]]``; it writes ``accelerator-codesign.html``.
"""

import sys
from pathlib import Path

from accelerator_figures import roofline, stars, trade_off
from plotly.subplots import make_subplots

import designgym as dg
from designgym.core.design import Design
from designgym.simulators.accelerator.codesign import EYERISS, AcceleratorCodesign
from designgym.simulators.accelerator.workloads import NetworkWorkloads
from designgym.studies.figures.style import finish

DRAM_RATE = 4  # words of 16 bits per cycle: 8 GB/s at 1 GHz


def main(budget: int, seeds: int, network: str) -> None:
    simulator, workload = AcceleratorCodesign(dram_words_per_cycle=DRAM_RATE), NetworkWorkloads().get(network)
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
    frame = frame.assign(ms=frame["metrics.latency_ns"] * 1e-6, mj=frame["metrics.energy_pj"] * 1e-9)
    figure = make_subplots(rows=1, cols=3, subplot_titles=("Designs of at most its area", "Found", "Like Eyeriss"), horizontal_spacing=0.09)
    trade_off(figure, (1, 1), frame, "ms", "mj")
    points = {name: (one["latency_ns"] * 1e-6, one["energy_pj"] * 1e-9) for name, one in (("found", found), ("like Eyeriss", chip))}
    stars(figure, (1, 1), points)
    figure.update_xaxes(title="latency in ms", type="log", row=1, col=1)
    figure.update_yaxes(title="energy in mJ", type="log", row=1, col=1)
    for column, design in enumerate((best.design, eyeriss), 2):
        roofline(figure, (1, column), design, {"layers": simulator.layers(design, workload)}, legend=column == 2)
    figure.update_yaxes(matches="y2", row=1, col=3)
    figure.update_xaxes(matches="x2", row=1, col=3)
    caption = f"{budget} designs by each searcher and of {seeds} seeds; large symbols and layers: with mappings searched for each machine."
    finish(figure, f"{network}: searched machines against an Eyeriss-like one of the same area", caption)
    figure.update_layout(legend={"y": -0.2, "yanchor": "top"}, margin_b=100, title_pad_t=24)
    page = Path("accelerator-codesign.html")
    figure.write_html(page, include_plotlyjs=True)
    print("figure:", page)


if __name__ == "__main__":
    given = dict(zip(("budget", "seeds", "network"), sys.argv[1:], strict=False))
    main(int(given.get("budget", 200)), int(given.get("seeds", 3)), given.get("network", "resnet18"))
