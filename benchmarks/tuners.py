"""What the equivalence cache does for tuners: how much of 1,000 proposals each pays for, without it and with it.

Two tasks with known symmetries. *stages*: four interchangeable stages, each of a kind and a width, which a bypass does not have. *dram*:
`designgym/DramController-v0` on a trace of 2,000 requests, energy times time. Each tuner runs twice from the same seed, without the cache
and with it, until it has proposed as many designs; told the same values it proposes the same designs.

Figures are means over seeds with 95 % confidence intervals (Student's t; none with one seed). CPU seconds are those of both searches.

Run: python benchmarks/tuners.py [--task stages,dram] [--asks 1000] [--seeds 5] [--processes 1] [--paid 200] [--tuner NAME ...]
"""

from __future__ import annotations

import argparse
import contextlib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import designgym as dg
from designgym.core.parameters import Categorical, DiscreteParameter
from designgym.core.space import DesignSpace
from designgym.hashing import CachedAskTell, CachedSearchAlg, dedupe

STAGES = 4
FEWER_ASKS = {"Ray Tune HyperOptSearch": 400}  # whose time grows with the square of their number


@dataclass(frozen=True)
class Task:
    """What is searched: lower values are better."""

    name: str
    space: DesignSpace
    value: Callable[[dg.Design], float]
    traits: frozenset[str] = frozenset()


class EnoughError(Exception):
    """All proposals were made."""


@dataclass
class Ledger:
    """What a tuner proposed, and what was paid."""

    task: Task
    asks: int
    literal: list[str] = field(default_factory=list)
    canonical: list[str] = field(default_factory=list)
    best: list[float] = field(default_factory=list)  # after each evaluation that was paid

    def key(self, values: Mapping[str, Any]) -> str:
        """Note a proposal and return its canonical form."""
        if len(self.literal) == self.asks:
            raise EnoughError
        design = self.task.space.validate(values)
        self.literal.append(design.literal)
        self.canonical.append(self.task.space.canonical(design, self.task.traits).literal)
        return self.canonical[-1]

    def pay(self, values: Mapping[str, Any]) -> float:
        """Evaluate."""
        value = self.task.value(self.task.space.validate(values))
        self.best.append(min([value, *self.best[-1:]]))
        return value


def stages_task() -> Task:
    names = [(f"kind{i}", f"width{i}") for i in range(STAGES)]
    parameters: dict[str, Any] = {}
    for kind, width in names:
        parameters |= {kind: dg.Categorical("bypass", "adder", "shifter", "multiplier"), width: dg.Integer(1, 6)}
    space = dg.DesignSpace(
        parameters,
        conditions=[dg.Condition(width, f"{kind} != 'bypass'") for kind, width in names],
        symmetries=[dg.Interchangeable(*names)],
    )
    work = {"bypass": (0.0, 0.0), "adder": (1.0, 1.0), "shifter": (0.6, 1.5), "multiplier": (2.5, 4.0)}

    def value(design: dg.Design) -> float:
        speed = area = 0.5
        for kind, width in names:
            does, costs = work[design[kind]]
            speed += does * design[width] ** 0.7
            area += costs * design[width]
        return (12 / speed + 1) * (area + 8)

    return Task("stages", space, value)


def dram_task() -> Task:
    from designgym.envs import environment

    spec = environment("designgym/DramController-v0")
    simulator, workload = spec.simulator(allow_no_refresh=True), spec.workloads.get("cloud-like")

    def value(design: dg.Design) -> float:
        [metrics] = simulator.evaluate([design], workload, fidelity=0.2)
        return metrics["energy_pj"] * metrics["total_time_ns"]

    return Task("dram", simulator.space, value, workload.traits)


# ---- tuners: each takes a task, a ledger, a seed, and whether to use the cache -----------------------------------------------


def optuna_study(sampler: str, task: Task, ledger: Ledger, seed: int, cached: bool) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def key(trial: optuna.Trial) -> str:
        return ledger.key(task.space.to_optuna(trial))

    def objective(trial: optuna.Trial) -> float:
        return ledger.pay(task.space.to_optuna(trial))

    def plain(trial: optuna.Trial) -> float:
        key(trial)
        return objective(trial)

    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=seed))
    study.optimize(dedupe(objective, key=key) if cached else plain, n_trials=ledger.asks)


def ray_search(algorithm: Callable[[Task, int], Any], task: Task, ledger: Ledger, seed: int, cached: bool) -> None:
    """Drive a search algorithm as Tune does, with no trial, which would cost more than its evaluation."""
    search = algorithm(task, seed)
    ours = type(search).__name__ == "TuneSearch"
    if cached:
        search = CachedSearchAlg(search, key=ledger.key, duplicate_cap=ledger.asks)
    search.set_search_properties("loss", "min", {} if ours else task.space.to_tune())
    for number in range(ledger.asks):
        config = search.suggest(f"trial-{number}")
        if not isinstance(config, Mapping):
            return
        if not cached:
            ledger.key(config)
        search.on_trial_complete(f"trial-{number}", result={"loss": ledger.pay(config), "training_iteration": 1})


def optuna_search(task: Task, seed: int) -> Any:
    from ray.tune.search.optuna import OptunaSearch

    return OptunaSearch(seed=seed)


def hyperopt_search(task: Task, seed: int) -> Any:
    from ray.tune.search.hyperopt import HyperOptSearch

    return HyperOptSearch(random_state_seed=seed)


def own_search(name: str, task: Task, seed: int) -> Any:
    from designgym.searchers import TuneSearch

    return TuneSearch(name, task.space, seed=seed)


def nevergrad(name: str, task: Task, ledger: Ledger, seed: int, cached: bool) -> None:
    import nevergrad as ng

    choices = {
        parameter: (ng.p.Choice if isinstance(kind, Categorical) else ng.p.TransitionChoice)(list(kind.values()))
        for parameter, kind in task.space.parameters.items()
        if isinstance(kind, DiscreteParameter)
    }
    parametrization = ng.p.Instrumentation(**choices)
    parametrization.random_state.seed(seed)
    optimizer = ng.optimizers.registry[name](parametrization, budget=ledger.asks)
    if cached:
        search = CachedAskTell(optimizer, key=lambda candidate: ledger.key(candidate.kwargs), duplicate_cap=ledger.asks)
        search.minimize(lambda candidate: ledger.pay(candidate.kwargs), ledger.asks)
        return
    for _ in range(ledger.asks):
        candidate = optimizer.ask()
        ledger.key(candidate.kwargs)
        optimizer.tell(candidate, ledger.pay(candidate.kwargs))


TUNERS: dict[str, Callable[[Task, Ledger, int, bool], None]] = {
    "Optuna TPE": partial(optuna_study, "TPESampler"),
    "Optuna NSGA-II": partial(optuna_study, "NSGAIISampler"),
    "Optuna random": partial(optuna_study, "RandomSampler"),
    "Ray Tune OptunaSearch": partial(ray_search, optuna_search),
    "Ray Tune HyperOptSearch": partial(ray_search, hyperopt_search),
    "Nevergrad NGOpt": partial(nevergrad, "NGOpt"),
    "Nevergrad DiscreteOnePlusOne": partial(nevergrad, "DiscreteOnePlusOne"),
    "ours, evolution": partial(ray_search, partial(own_search, "evolution")),
    "ours, genetic": partial(ray_search, partial(own_search, "genetic")),
}


@dataclass(frozen=True)
class Pair:
    """What a search did without the cache and with it.

    Attributes:
        asks: Proposals.
        literal: Distinct ones.
        canonical: Distinct behaviours.
        paid: Evaluations.
        best: Lowest values after as many paid evaluations as compared, or all if they are fewer.
        same: Whether the proposals were the same.
        seconds: CPU time of both.
    """

    asks: int
    literal: int
    canonical: int
    paid: tuple[int, int]
    best: tuple[float, float]
    same: bool
    seconds: float


def search(task_name: str, tuner: str, asks: int, paid: int, seed: int) -> Pair:
    """Search twice from the same seed."""
    warnings.filterwarnings("ignore", module=r"nevergrad|optuna|hyperopt|cma")
    task, started = TASKS[task_name](), time.process_time()
    without, cached = (Ledger(task, min(asks, FEWER_ASKS.get(tuner, asks))) for _ in range(2))
    for ledger in (without, cached):
        with contextlib.suppress(EnoughError):
            TUNERS[tuner](task, ledger, seed, ledger is cached)
    return Pair(
        len(without.literal), len(set(without.literal)), len(set(without.canonical)), (len(without.best), len(cached.best)),
        (without.best[min(paid, len(without.best)) - 1], cached.best[min(paid, len(cached.best)) - 1]),
        without.literal == cached.literal, time.process_time() - started,
    )  # fmt: skip


def interval(values: Sequence[float], form: str) -> str:
    """Return the mean and the half width of its 95 % confidence interval."""
    mean = f"{np.mean(values):{form}}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {stats.t.ppf(0.975, len(values) - 1) * stats.sem(values):{form}}"


def row(tuner: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the line of a table: means over seeds."""
    return {
        "tuner": tuner, "asks": f"{np.mean([pair.asks for pair in pairs]):,.0f}",
        "distinct literal": interval([pair.literal for pair in pairs], ",.0f"),
        "distinct behaviours": interval([pair.canonical for pair in pairs], ",.0f"),
        "paid without": f"{np.mean([pair.paid[0] for pair in pairs]):,.0f}",
        "paid with": interval([pair.paid[1] for pair in pairs], ",.0f"),
        "saved": interval([1 - pair.paid[1] / pair.paid[0] for pair in pairs], ".0%"),
        "best without": interval([pair.best[0] for pair in pairs], ".4g"), "best with": interval([pair.best[1] for pair in pairs], ".4g"),
        "same proposals": f"{sum(pair.same for pair in pairs)}/{len(pairs)}", "CPU s": f"{np.mean([pair.seconds for pair in pairs]):.0f}",
    }  # fmt: skip


TASKS: dict[str, Callable[[], Task]] = {"stages": stages_task, "dram": dram_task}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="stages,dram")
    parser.add_argument("--asks", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--paid", type=int, default=200, help="evaluations after which the best values are compared")
    parser.add_argument("--tuner", action="append", choices=TUNERS, metavar="NAME", help="name as in the table; repeat for several")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.task.split(","):
            rows = []
            for tuner in options.tuner or TUNERS:
                rows.append(row(tuner, [*pool.map(partial(search, name, tuner, options.asks, options.paid), range(options.seeds))]))
                print(f"{name}, {tuner}: done", flush=True)
            columns = {"best without": f"best after {options.paid} paid, without", "best with": "with"}
            table = pd.DataFrame(rows).rename(columns=columns)
            print(f"\n{name}: {TASKS[name]().space.size():.3g} designs, means over {options.seeds} seeds\n{table.to_string(index=False)}\n")


if __name__ == "__main__":
    main()
