"""How good are the searchers at equal distinct evaluations, and what do they cost? Prints one table per problem.

    python benchmarks/searchers.py [--budget 64] [--seeds 4] [--batch 4] [--searchers tpe,botorch] [--problems synthetic,pareto,dram]

Best so far is the interquartile mean over seeds, lower is better (for `pareto`: hypervolume, higher is better). Every design asked is a new
one for the run, so asked means distinct. Seconds per ask are per design, on this machine as busy as it is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

import designgym as dg
from designgym.core.errors import DesignGymError
from designgym.core.objectives import Objective, ParetoObjective
from designgym.core.trial import Keys, Provenance, Trial
from designgym.searchers import make_searcher

SEARCHERS = ["random", "random_walk", "sobol", "grid", "genetic", "evolution", "tpe", "cmaes", "nsgaii", "botorch", "xgboost"]
Measure = Callable[[Sequence[dg.Design]], list[Trial]]


@dataclass(frozen=True)
class Problem:
    """What is searched, and how results are had."""

    name: str
    space: dg.DesignSpace
    objective: Objective
    measure: Measure


def controller_space() -> dg.DesignSpace:
    return dg.DesignSpace(
        page=dg.Categorical("open", "open_adaptive", "closed", "closed_adaptive"), scheduler=dg.Categorical("fifo", "group", "ready"),
        buffer=dg.Categorical("bank", "rw", "shared"), arbiter=dg.Categorical("simple", "fifo", "reorder"), depth=dg.Integer(1, 16),
        postponed=dg.Integer(1, 8), pulled=dg.Integer(1, 8), active=dg.PowerOfTwo(1, 128), ways=dg.Integer(1, 16),
        sets=dg.PowerOfTwo(16, 4096),
        conditions=[dg.Condition("active", "arbiter != 'simple'")], constraints=[dg.Constraint("ways * sets <= 16384", "does not fit")],
    )  # fmt: skip


def controller(design: dg.Design) -> dg.Metrics:
    """A made-up controller with a cache: costs multiply, choices interact, the optimum is not at a bound."""
    queue = design["depth"] * (1.0 if design["scheduler"] == "fifo" else 0.7 if design["scheduler"] == "group" else 0.5)
    hits = 1 - np.exp(-((design["ways"] * design["sets"]) ** 0.35) / 12)
    reordering = {"simple": 1.2, "fifo": 1.1, "reorder": 0.8}[design["arbiter"]]
    if design["arbiter"] != "simple":
        reordering *= 1 + 0.05 * abs(np.log2(design["active"]) - 5)
    page = {"open": 1.3, "open_adaptive": 1.0, "closed": 1.5, "closed_adaptive": 1.15}[design["page"]]
    page *= 0.85 if (design["buffer"] == "bank") == (design["scheduler"] == "ready") else 1.0
    refresh = 1 + 0.02 * (design["postponed"] - 6) ** 2 + 0.01 * (design["pulled"] - design["postponed"]) ** 2
    time_ns = 100 * page * reordering * refresh * (1 + 8 / (queue + 2)) * (1.6 - hits)
    energy_pj = 50 * (1 + 0.04 * design["depth"]) * (1 + design["ways"] ** 0.8 * design["sets"] ** 0.5 / 120) * (2.2 - page / 2)
    return dg.Metrics({"time_ns": float(time_ns), "energy_pj": float(energy_pj)})


def synthetic(objective: Objective, name: str) -> Problem:
    space = controller_space()

    def measure(designs: Sequence[dg.Design]) -> list[Trial]:
        return [Trial(d, controller(d), Provenance("synthetic", "1", space.version, "none", ""), Keys("", "")) for d in designs]

    return Problem(name, space, objective, measure)


def dram() -> Problem:
    from designgym import envs
    from designgym.core.registry import EnvironmentSpec

    spec: EnvironmentSpec = envs.environment("designgym/DramController-v0")
    workload = next((name for name in spec.workloads.names() if name.startswith("cloud-like")), spec.default_workload)
    evaluator = envs.make_evaluator(spec, workload=workload)
    return Problem(f"dram energy_delay on {workload}", evaluator.simulator.space, spec.objective("energy_delay"), evaluator.evaluate)


def run(problem: Problem, name: str, budget: int, batch: int, seed: int) -> tuple[list[float], float]:
    """Return the best so far after each evaluation, as people read it, and the seconds per ask."""
    searcher = make_searcher(name, problem.space, problem.objective, seed=seed)
    curve: list[float] = []
    seconds, results = 0.0, []
    while len(results) < budget:
        started = time.perf_counter()
        designs = searcher.ask(min(batch, budget - len(results)))
        seconds += time.perf_counter() - started
        if not designs:
            break
        trials = problem.measure(designs)
        searcher.tell(trials)
        for trial in trials:
            results.append(trial.metrics)
            if isinstance(problem.objective, ParetoObjective):
                curve.append(problem.objective.hypervolume(results))
            else:
                best = max(results, key=problem.objective.score)
                curve.append(next(iter(problem.objective.shown(best).values()), float("nan")))
    return curve + curve[-1:] * (budget - len(curve)), seconds / max(len(results), 1)


def interquartile_mean(values: Sequence[float]) -> float:
    from scipy.stats import trim_mean

    return float(trim_mean(values, 0.25))


def show(problem: Problem, names: Sequence[str], budget: int, seeds: int, batch: int) -> None:
    marks = [m for m in (budget // 4, budget // 2, budget) if m]
    way = "hypervolume, higher is better" if isinstance(problem.objective, ParetoObjective) else problem.objective.describe()
    table = Table(title=f"{problem.name}: {way}; {seeds} seeds, batch {batch}")
    for column in ("searcher", *(f"after {m}" for m in marks), "vs random", "ms per ask"):
        table.add_column(column, justify="left" if column == "searcher" else "right")
    baseline = None
    for name in names:
        try:
            curves, costs = zip(*(run(problem, name, budget, batch, seed) for seed in range(seeds)), strict=True)
        except DesignGymError as error:
            table.add_row(name, *["-"] * (len(marks) + 1), str(error)[:40])
            continue
        values = [interquartile_mean([curve[m - 1] for curve in curves]) for m in marks]
        baseline = values[-1] if name == "random" else baseline
        ratio = f"{values[-1] / baseline:.3f}" if baseline else ""
        table.add_row(name, *(f"{value:.5g}" for value in values), ratio, f"{1e3 * np.mean(costs):.1f}")
    Console(width=150).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--searchers", default=",".join(SEARCHERS))
    parser.add_argument("--problems", default="synthetic,pareto,dram")
    arguments = parser.parse_args()
    reference = {"time_ns": 500.0, "energy_pj": 400.0}
    for name in arguments.problems.split(","):
        try:
            if name == "dram":
                problem = dram()
            elif name == "pareto":
                problem = synthetic(dg.pareto("time_ns", "energy_pj", reference=reference), "synthetic controller")
            else:
                problem = synthetic(dg.minimize("time_ns * energy_pj", name="energy_delay_pj_ns"), "synthetic controller")
        except (DesignGymError, ImportError, AttributeError) as error:
            print(f"{name}: not available here ({error})")
            continue
        show(problem, arguments.searchers.split(","), arguments.budget, arguments.seeds, arguments.batch)


if __name__ == "__main__":
    main()
