"""Speed of the SoC simulation: designs per second of one core, in a batch and one by one, against FARSI's.

Run: python benchmarks/soc.py [--designs N]

Rates are per second of CPU time, the best of three runs, on random designs of the structured space. FARSI itself takes 40 to 84 ms a design
of the same workloads, 12 to 25 a second, as measured on a machine of two busy cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from designgym.simulators.soc.library import NAMES, SocWorkloads
from designgym.simulators.soc.simulate import run_batch
from designgym.simulators.soc.simulator import SocSimulator
from designgym.simulators.soc.systems import block_figures, systems

REPEATS = 3
FARSI_PER_S = 25.0  # at best


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of the fastest of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def rates(name: str, model: str, count: int) -> dict[str, float]:
    """Return designs per second."""
    simulator, workload = SocSimulator(model=model), SocWorkloads().get(name)
    designs = simulator.space.sample(np.random.default_rng(0), count)
    simulator.evaluate(designs[:1], workload)  # compiles
    some = designs[: max(count // 10, 1)]
    batch, _ = systems(designs, workload.data, block_figures(workload.data))
    simulation = count / cpu_seconds(lambda: run_batch(batch, workload.data, model=model))
    batched = count / cpu_seconds(lambda: simulator.evaluate(designs, workload))
    single = len(some) / cpu_seconds(lambda: [simulator.evaluate([design], workload) for design in some])
    canonical = count / cpu_seconds(lambda: [simulator.space.canonical(design, workload.traits) for design in designs])
    return {
        "simulation alone": simulation,
        "evaluated in a batch": batched,
        "one by one": single,
        "canonical forms": canonical,
        "batch / FARSI at 25": batched / FARSI_PER_S,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=2000)
    options = parser.parse_args()
    table = {f"{name}, {model}": rates(name, model, options.designs) for name in NAMES for model in ("corrected", "as_farsi")}
    print("designs per second of CPU time of one core")
    print(pd.DataFrame.from_dict(table, orient="index").round(0).astype(int).to_string())


if __name__ == "__main__":
    main()
