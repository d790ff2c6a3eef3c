"""The study of the README, small: three searchers on a DRAM controller. Run it: ``python examples/dram_study.py [BUDGET [SEEDS]]``."""

import sys
from pathlib import Path

import designgym as dg


def main(budget: int = 150, seeds: int = 2) -> None:
    study = dg.Study(
        "cloud-controller",
        env="designgym/DramController-v0",
        workload="cloud-like",
        objective="energy_delay",
        searchers=["random", "tpe", dg.searchers.RegularizedEvolution(population=20)],
        budget=budget,
        seeds=seeds,
        store=":memory:",
    )
    result = study.run(backend="local")  # without backend="local": Ray Tune on this machine, address="auto" on a cluster
    print(result.summary(by="searcher").to_string())
    print(result.best())
    print("report:", result.report(Path("cloud-controller.html")))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
