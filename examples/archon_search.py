"""Archon's search on a statistical model of how language models answer: score against money, and the architecture in between to take.

Run it: ``python examples/archon_search.py [BUDGET [WORKLOAD]]``. It writes ``archon-search.html``, and the architecture as
``architecture.json`` (for ``designgym serve-architecture``) and ``architecture.svg``. All figures are the model's, of no LLM.
"""

import json
import sys
from pathlib import Path

import designgym as dg
from designgym.envs import environment
from designgym.simulators.archon.drawing import draw_svg
from designgym.simulators.archon.simulated import SimulatedArchitectures

if __name__ == "__main__":
    budget = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    workload = sys.argv[2] if len(sys.argv) > 2 else "code-contests"
    study = dg.Study(
        "archon-search", "designgym/Archon-v0", workload=workload, objective="cost", searchers=["nsgaii", "genetic"], budget=budget
    )
    result = study.run(backend="local")

    front = sorted(result.front(), key=lambda found: found.metrics["cost_usd"])
    print(f"\n{workload}, by the model: {len(front)} architectures of which none is better in both")
    for found in front:
        print(
            f"  {found.metrics['score_pct']:.1f} % at {found.metrics['cost_usd']:.3f} USD and {found.metrics['calls']:.0f} calls a question"
        )

    # the cheapest that has nine tenths of what there is to gain
    low, high = front[0].metrics["score_pct"], front[-1].metrics["score_pct"]
    taken = next(found for found in front if found.metrics["score_pct"] >= low + 0.9 * (high - low))
    simulator = SimulatedArchitectures()
    architecture = simulator.architecture(taken.design, workload)
    layers = simulator.simulated(taken.design, environment("designgym/Archon-v0").workload(workload)).nodes
    print(f"\ntaken: {taken.metrics['score_pct']:.1f} % at {taken.metrics['cost_usd']:.3f} USD\n{architecture}")
    print(
        "\n".join(f"  layer {i}: {n.type}, {n.calls:.1f} calls, {n.cost_usd:.4f} USD, right {n.quality:.0%}" for i, n in enumerate(layers))
    )
    Path("architecture.json").write_text(json.dumps(architecture.to_json(), indent=2))
    Path("architecture.svg").write_text(draw_svg(architecture))
    result.plot.pareto().write_html("archon-search.html")
    print("architecture: architecture.json, architecture.svg; figure: archon-search.html")
