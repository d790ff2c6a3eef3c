"""Every registered environment that can run here: how many designs behave alike, what keys recognise of that, and what it saves.

Per workload a row of random designs and one of those that ageing evolution proposes. Equal outcomes are equal metrics to 12 digits, and
infeasible designs have none. Where evaluations take long there are as many designs as fit into ``--seconds`` of CPU time.

Each design is measured once. The same batches then go through one `Evaluator` per kind of cache in which measuring is looking up: its
CPU time is that of its keys, probes and hits, and the measured time of what it asked for is added. Simulators that are other programs
use CPU time that is not counted.

Run: python benchmarks/outcomes.py [--designs N] [--seconds S] [--workloads N] [--environment ID ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from designgym.core.design import Design
from designgym.core.evaluator import Evaluator
from designgym.core.metrics import Metrics
from designgym.core.protocols import Simulator
from designgym.core.registry import EnvironmentSpec, environments
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.hashing import AuditedFingerprints, LocalCache
from designgym.hashing.fingerprints import upper_bound
from designgym.searchers import make_searcher

BATCH = 20
SPACES: Mapping[str, Sequence[Mapping[str, Any]]] = {"designgym/FarsiSoc-v0": ({"space": "archgym"},)}  # options that make another space
Batches = list[list[Trial]]
Costs = dict[str, tuple[Metrics, float]]
"""By design: its metrics, and seconds of CPU time to measure them."""


def collect(
    evaluator: Evaluator, ask: Callable[[int], list[Design]], tell: Callable[[list[Trial]], None], n: int, s: float
) -> tuple[Batches, Costs]:
    """Return batches of trials, and CPU seconds of measuring by design: its share of the batch."""
    evaluator.evaluate(evaluator.simulator.space.sample(np.random.default_rng(99), 1))  # compiles
    batches: Batches = []
    costs: Costs = {}
    done, started = 0, time.process_time()
    while done < n and time.process_time() - started < s:
        designs = ask(min(BATCH, n - done))
        if not designs:
            break
        before = time.process_time()
        trials = evaluator.evaluate(designs)
        each = (time.process_time() - before) / len(designs)
        costs |= {trial.design.literal: (trial.metrics, each) for trial in trials}
        batches.append(trials)
        done += len(designs)
        tell(trials)
    return batches, costs


def recognised(evaluator: Evaluator, batches: Batches) -> dict[str, object]:
    """Return the numbers of outcomes and keys, and what the keys merge, falsely or not, and miss."""
    everything = [trial for batch in batches for trial in batch]
    trials = [trial for trial in everything if trial.metrics.status == "ok"]
    keys = evaluator.keys([trial.design for trial in trials], probe=True)
    outcomes = [tuple(sorted((name, f"{x:.11e}") for name, x in trial.metrics.values.items())) for trial in trials]
    probed = bool(keys) and all(key.functional for key in keys)
    first: dict[str, str] = {}  # the canonical key comes first, the functional one where that is new
    joined = [first.setdefault(key.canonical, (key.functional or "") if probed else key.canonical) for key in keys]
    known: dict[str, object] = {}
    seen: set[object] = set()
    merges = wrong = missed = 0
    for key, outcome in zip(joined, outcomes, strict=True):
        missed += outcome in seen and key not in known
        merges += key in known
        wrong += known.setdefault(key, outcome) != outcome
        seen.add(outcome)
    n = max(len(trials), 1)
    return {
        "designs": len(everything), "with metrics": len(trials), "literal": len({key.literal for key in keys}),
        "canonical": len({key.canonical for key in keys}), "functional": str(len(set(joined))) if probed else "-",
        "outcomes": len(seen), "distinct (%)": 100 * len(seen) / n, "merges": merges, "false": wrong,
        "at most (%)": 100 * upper_bound(wrong, merges), "missed (%)": 100 * missed / n,
    }  # fmt: skip


def saved(simulator: Simulator, workload: Workload, batches: Batches, costs: Costs) -> dict[str, object]:
    """Return the ratios of evaluations and CPU time without a cache to those with canonical, and with functional keys as well."""
    row: dict[str, object] = {}
    everything = [cost for _, cost in (costs[trial.design.literal] for batch in batches for trial in batch)]
    for name, policy in (("canonical", None), ("functional", AuditedFingerprints("on"))):
        paid: list[float] = []

        def look_up(designs: Sequence[Design], _w: Workload, _f: float, _s: int, paid: list[float] = paid) -> list[Metrics]:
            found = [costs[design.literal] for design in designs]
            paid += [cost for _, cost in found]
            return [metrics for metrics, _ in found]

        evaluator = Evaluator(simulator, workload, cache=LocalCache(), fingerprints=policy, execute=look_up)
        copies = [[Design(dict(trial.design)) for trial in batch] for batch in batches]  # nobody has asked for their keys
        started = time.process_time()
        for designs in copies:
            evaluator.evaluate(designs)
        spent = time.process_time() - started + sum(paid)
        row[f"{name}: evaluations"] = len(everything) / max(len(paid), 1)
        row[f"{name}: CPU time"] = sum(everything) / spent
    return row


def rows_of(spec: EnvironmentSpec, options: Mapping[str, Any], name: str, n: int, s: float) -> list[dict[str, object]]:
    """Return the rows of one workload."""
    simulator, workload, rng = spec.installed_simulator(options), spec.workload(name), np.random.default_rng(0)
    searcher = make_searcher("evolution", simulator.space, spec.objective(), seed=0)
    evaluator = Evaluator(simulator, workload)
    rows = []
    for how, ask, tell in (
        ("random", lambda k: simulator.space.sample(rng, k), lambda trials: None),
        ("evolution", searcher.ask, searcher.tell),
    ):
        batches, costs = collect(evaluator, ask, tell, n, s)
        title = spec.id.removeprefix("designgym/") + "".join(f", {value}" for value in options.values())
        row: dict[str, object] = {"environment": title, "workload": name, "proposals": how}
        rows.append(row | recognised(evaluator, batches) | saved(simulator, workload, batches, costs))
    return rows


def chosen(spec: EnvironmentSpec, count: int) -> list[str]:
    """Return the default workload and others, spread over the library."""
    others = [name for name in spec.workloads.names() if name != spec.default_workload]
    places = np.linspace(0, len(others) - 1, min(count - 1, len(others))).astype(int).tolist()
    return [spec.default_workload, *(others[i] for i in places)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time of each row's evaluations")
    parser.add_argument("--workloads", type=int, default=2, help="of each environment")
    parser.add_argument("--environment", action="append", help="id; repeat for several; by default all that can run here")
    options = parser.parse_args()
    for spec in environments():
        if (options.environment and spec.id not in options.environment) or not spec.installed()[0]:
            continue
        rows = []
        for name in chosen(spec, options.workloads):
            for space in ({}, *SPACES.get(spec.id, ())):
                rows += rows_of(spec, space, name, options.designs, options.seconds)
        print(pd.DataFrame(rows).to_string(index=False, float_format=lambda x: f"{x:.3g}"), flush=True)


if __name__ == "__main__":
    main()
