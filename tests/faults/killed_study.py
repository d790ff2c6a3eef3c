"""A program to be killed: runs a study on the counting environment. Arguments: backend, store, searchers (comma-separated), budget."""

import sys
from pathlib import Path

from designgym.studies.plugins import load_plugin
from designgym.studies.study import Study


def study(searchers: list[str], budget: int) -> Study:
    return Study("killed", "test/Counting-v0", workload="pi", searchers=searchers, budget=budget, seeds=2, batch=6)


if __name__ == "__main__":
    backend, store, searchers, budget = sys.argv[1:]
    load_plugin(Path(__file__).parents[1] / "studies" / "counting_env.py")
    study(searchers.split(","), int(budget)).run(backend=backend, store=store, workers=2 if backend == "ray" else None)  # type: ignore[arg-type]
    print("done")
