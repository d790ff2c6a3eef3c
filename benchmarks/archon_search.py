"""How many evaluations searchers need to find the best architecture of Archon's own space, on the simulated responder.

    python benchmarks/archon_search.py [--seeds 10] [--searchers random,evolution,tpe] [--workload mt-bench] [--limit 6000]

All 9,576 legal designs are evaluated first, so the best one within a budget of calls is known. A search has found it with the first design
whose score is as high. Beside ours stand the figures of the paper (Archon, arXiv 2409.15254, table 27: MT-Bench, real models), whose
landscape is another one: the model's figures say which searcher needs fewer, not how many a search of LLMs would take.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

import designgym as dg
from designgym.core.design import Design
from designgym.core.metrics import Metrics
from designgym.core.objectives import maximize
from designgym.core.trial import Keys, Provenance, Trial
from designgym.envs import environment
from designgym.searchers import make_searcher
from designgym.searchers.enumeration import Enumeration

PAPER = {10: (387, 343, 254), 50: (5843, 4895, 589)}
"""Evaluations to the optimum by budget of calls: random, greedy, Bayesian."""
BATCH = 4


def landscape(workload: str) -> tuple[dg.DesignSpace, dict[Design, Metrics], float]:
    """Return the space, what every legal design reaches, and the seconds that evaluating them took."""
    spec = environment("designgym/Archon-v0")
    simulator = spec.simulator()
    every = Enumeration(simulator.space, levels=1)
    legal = [design for design in map(every.design, range(every.size)) if not simulator.space.violations(design)]
    began = time.perf_counter()
    found = dict(zip(legal, simulator.evaluate(legal, spec.workload(workload)), strict=True))
    return simulator.space, found, time.perf_counter() - began


def evaluations(searcher: str, space: dg.DesignSpace, known: dict[Design, Metrics], calls: int, best: float, seed: int, limit: int) -> int:
    """Return how many different designs a searcher evaluates until it has one as good as the best; the limit if it does not."""
    objective = maximize("score_pct", subject_to={"calls": f"<= {calls}"})
    made = make_searcher(searcher, space, objective, seed=seed)
    seen: set[Design] = set()
    idle = 0
    while len(seen) < limit and idle < 200:
        asked = made.ask(BATCH)
        if not asked:
            break
        trials = []
        before = len(seen)
        for design in asked:
            metrics = known[design]
            seen.add(design)
            if metrics["calls"] <= calls and metrics["score_pct"] >= best - 1e-9:
                return len(seen)
            keys = Keys(design.literal, design.literal, None)
            trials.append(Trial(design, metrics, Provenance("archon", "1", "1", "w", ""), keys, "measured"))
        idle = 0 if len(seen) > before else idle + 1
        made.tell(trials)
    return limit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--searchers", default="random,evolution,genetic,tpe")
    parser.add_argument("--workload", default="mt-bench")
    parser.add_argument("--limit", type=int, default=6000)
    asked = parser.parse_args()
    console = Console(width=120)
    space, known, seconds = landscape(asked.workload)
    scores = np.array([metrics["score_pct"] for metrics in known.values()])
    console.print(
        f"{asked.workload}: {len(known):,} architectures in {seconds:.0f} s ({60 * len(known) / seconds:,.0f} a minute); score "
        f"{scores.min():.1f} to {scores.max():.1f} %, median {np.median(scores):.1f} %"
    )
    title = f"Evaluations to the best architecture, mean of {asked.seeds} seeds"
    table = Table("searcher", *(f"{calls} calls" for calls in PAPER), title=title)
    best = {calls: max(m["score_pct"] for m in known.values() if m["calls"] <= calls) for calls in PAPER}
    for searcher in asked.searchers.split(","):
        cells = []
        for calls in PAPER:
            found = [evaluations(searcher, space, known, calls, best[calls], seed, asked.limit) for seed in range(asked.seeds)]
            missed = sum(n >= asked.limit for n in found)
            cells.append(f"{np.mean(found):,.0f}" + (f" ({missed} of {asked.seeds} not found)" if missed else ""))
        table.add_row(searcher, *cells)
    for row, name in enumerate(("random", "greedy", "Bayesian")):
        table.add_row(f"paper: {name}", *(f"{figures[row]:,}" for figures in PAPER.values()))
    console.print(table)


if __name__ == "__main__":
    main()
