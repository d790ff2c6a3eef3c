"""Co-design of accelerators: speed, what the inner cache and canonical keys save, and how searchers compare by energy-delay product.

Run: python benchmarks/accelerator.py [--network NAME] [--designs N] [--budget N] [--seeds N] [--machines N]

Seconds are CPU time of one core. The speed of the models of mappings is in
`benchmarks/mapping_models.py`, the quality of single mappings in `benchmarks/loopnest.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

import designgym as dg
from designgym.core.design import Design
from designgym.core.workload import Workload
from designgym.simulators.accelerator.codesign import AcceleratorCodesign, CodesignWorkloads, Machine
from designgym.simulators.accelerator.codesign.machine import HELD

SEARCHERS = ("random", "tpe", "evolution")


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def speed(workload: Workload, count: int) -> None:
    simulator = AcceleratorCodesign()
    kinds = [Design({**simulator.space.default(), "dataflow": d, "weights_in_glb": w}) for d in HELD for w in (False, True)]
    layers = len(workload.data.layers)
    grown = cpu_seconds(lambda: simulator.evaluate(kinds, workload))
    print(f"libraries of {layers} layers for {len(kinds)} kinds of machines: {grown:.1f} s, once per process")
    designs = simulator.space.sample(np.random.default_rng(0), count)
    simulator.mapper.hits = simulator.mapper.misses = 0
    taken = cpu_seconds(lambda: simulator.evaluate(designs, workload))
    hits, misses = simulator.mapper.hits, simulator.mapper.misses
    print(f"random designs: {count / taken:.0f}/s; inner cache: {hits / (hits + misses):.1%} of layers known")
    saved(simulator, designs, workload)
    results = simulator.evaluate(designs, workload)
    canonical = len({simulator.space.canonical(design, workload.traits) for design in designs})
    outcomes = len({tuple(result.values.items()) for result in results})
    behaviours = len({(result["latency_cycles"], result["energy_pj"]) for result in results})
    print(f"of {count} random designs: {canonical} canonical keys, {outcomes} outcomes, {behaviours} pairs of cycles and energy")
    rng = np.random.default_rng(1)
    mutants = [simulator.space.mutate(design, rng) for design in designs]
    moved = sum(simulator.space.canonical(a) != simulator.space.canonical(b) for a, b in zip(designs, mutants, strict=True))
    simulator.mapper.hits = simulator.mapper.misses = 0
    taken = cpu_seconds(lambda: simulator.evaluate(mutants, workload))
    hits, misses = simulator.mapper.hits, simulator.mapper.misses
    print(
        f"mutants: {count - moved} canonical duplicates; {count / taken:.0f}/s; inner cache: {hits / (hits + misses):.1%} of layers known"
    )


def saved(simulator: AcceleratorCodesign, designs: list[Design], workload: Workload) -> None:
    """Print what libraries save of the inner search, and how often the mapping that is chosen was chosen before."""
    machines = [Machine.of(simulator.space.canonical(design)) for design in designs]
    layers = [layer for layer, _ in workload.data.layers]
    libraries = {id(one): one for m in machines for layer in layers for one in [simulator.mapper.library(layer, m, 4000)]}
    without = len({replace(m, glb_words_per_cycle=1, dram_words_per_cycle=1) for m in machines}) * len(layers)
    once = sum(one.evaluations for one in libraries.values())
    print(
        f"inner searches of one machine each: {without}, {without * 4000:.3g} evaluations; {len(libraries)} libraries: {once:.3g}, "
        f"after which every inner search is served from them: {1 - once / (without * 4000):.1%} saved"
    )
    chosen = {
        (layer.name, m.dataflow, m.weights_in_glb, simulator.mapper.choose(layer, m).number) for m in machines for layer in layers
    }  # fmt: skip
    print(f"choices of mappings: {len(machines) * len(layers)}, of different ones {len(chosen)}")


def mappings(workload: Workload, count: int) -> None:
    """Print how much better mappings get that are searched for one machine, or by a library with more evaluations."""
    machines = AcceleratorCodesign().space.sample(np.random.default_rng(2), count)
    for name, options in {
        "usual": {}, "twice the evaluations": {"mapper_evaluations": 8000}, "for each machine": {"mapper_scope": "machine"}
    }.items():  # fmt: skip
        simulator = AcceleratorCodesign(**options)  # type: ignore[arg-type]
        taken = cpu_seconds(lambda simulator=simulator: simulator.evaluate(machines, workload))  # type: ignore[misc]
        edp = np.array([result["edp_pj_ns"] for result in simulator.evaluate(machines, workload)])
        if name == "usual":
            usual = edp
        print(f"mappings {name}: EDP {np.exp(np.log(edp / usual).mean()):.3f} of usual, {taken / count:.2f} s per design")
        for dataflow in HELD:
            which = [i for i, design in enumerate(machines) if Machine.of(design).dataflow == dataflow]
            if which:
                print(f"  {dataflow}: {np.exp(np.log(edp[which] / usual[which]).mean()):.3f} ({len(which)} machines)")


def searches(network: str, budget: int, seeds: int, objective: str) -> None:
    study = dg.Study(
        "codesign", env="designgym/AcceleratorCodesign-v0", workload=network, objective=objective,
        searchers=list(SEARCHERS), budget=budget, seeds=seeds, store=":memory:",
    )  # fmt: skip
    frame = study.run(backend="local").to_pandas()
    if objective == "edp_in_area":
        frame = frame[frame["metrics.area_mm2"] <= 2.5]
    best = frame.groupby(["searcher", "run_seed"])["metrics.edp_pj_ns"].min().unstack()
    random = best.loc["random"]
    print(f"\n{objective}: best EDP after {budget} designs, geometric mean of {seeds} seeds (range), times better than random")
    for searcher in SEARCHERS:
        values, ratio = best.loc[searcher], random / best.loc[searcher]
        print(
            f"  {searcher:<22} {np.exp(np.log(values).mean()):.3e} ({values.min():.2e} to {values.max():.2e}) "
            f"{np.exp(np.log(ratio).mean()):.2f} x ({ratio.min():.2f} to {ratio.max():.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet18", metavar="NAME", help="workload (default resnet18)")
    parser.add_argument("--designs", type=int, default=1000, metavar="N", help="random designs (default 1,000)")
    parser.add_argument("--budget", type=int, default=100, metavar="N", help="designs of a search (default 100)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds of each searcher (default 5)")
    parser.add_argument("--machines", type=int, default=12, metavar="N", help="machines whose mappings are compared (default 12)")
    options = parser.parse_args()
    workload = CodesignWorkloads().get(options.network)
    speed(workload, options.designs)
    for objective in ("edp", "edp_in_area"):
        searches(options.network, options.budget, options.seeds, objective)
    mappings(workload, options.machines)


if __name__ == "__main__":
    main()
