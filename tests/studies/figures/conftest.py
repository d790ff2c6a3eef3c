"""Studies to draw: trials of a small synthetic simulator, made through the real evaluator, in the frame schema of the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import designgym as dg
from designgym.core.evaluator import Evaluator
from designgym.core.function_simulator import FunctionSimulator
from designgym.hashing.local_cache import LocalCache
from designgym.studies.figures.meta import RunMeta, StudyMeta

SPACE = dg.DesignSpace(
    PagePolicy=dg.Categorical("Open", "OpenAdaptive", "Closed", "ClosedAdaptive"),
    Scheduler=dg.Categorical("Fifo", "FrFcfs", "FrFcfsGrp"),
    SchedulerBuffer=dg.Categorical("Bankwise", "ReadWrite", "Shared"),
    RequestBufferSize=dg.Integer(1, 8),
    RespQueue=dg.Categorical("Fifo", "Reorder"),
    RefreshMaxPostponed=dg.Integer(1, 8),
    RefreshMaxPulledin=dg.Integer(1, 8),
    Arbiter=dg.Categorical("Simple", "Fifo", "Reorder"),
    MaxActiveTransactions=dg.PowerOfTwo(1, 128),
    constraints=[dg.Constraint("not (Scheduler == 'Fifo' and RequestBufferSize == 8)", "a Fifo of eight does not meet timing")],
    conditions=[dg.Condition("MaxActiveTransactions", when="Arbiter != 'Simple'")],
)


@dg.simulator(
    space=SPACE,
    metrics=[
        dg.metric("total_time_ns", goal="min", doc="from time 0 to the last response"),
        dg.metric("energy_pj", goal="min", doc="core energy of all devices of the rank"),
        dg.metric("power_mw", goal="min"),
        dg.metric("row_hit_rate", unit="1", goal="max"),
        dg.metric("bandwidth_gbps", goal="max"),
    ],
    version="1",
)
def controller(design: Mapping[str, Any], workload: Any, *, seed: int) -> dict[str, float]:
    """A made-up memory controller in which PagePolicy matters most, then Scheduler and RequestBufferSize; refresh hardly."""
    if design["RequestBufferSize"] == 7 and design["RespQueue"] == "Reorder" and design["RefreshMaxPulledin"] == 8:
        raise RuntimeError("simulated crash: <queue overrun>")
    policy = {"Open": 1.0, "OpenAdaptive": 1.05, "Closed": 1.9, "ClosedAdaptive": 1.35}[design["PagePolicy"]]
    scheduler = {"Fifo": 1.35, "FrFcfs": 1.0, "FrFcfsGrp": 0.97}[design["Scheduler"]]
    active = 4 if design["Arbiter"] == "Simple" else design["MaxActiveTransactions"]
    stall = 1 + 0.8 / (1 + design["RequestBufferSize"]) + 0.6 / active
    time_ns = 51_000 * policy * scheduler * stall + 30 * design["RefreshMaxPostponed"]
    energy = 168e6 * (0.5 + 0.32 * policy + 0.03 * design["RequestBufferSize"] + 0.002 * np.log2(active)) * (1 + time_ns / 6e5)
    return {
        "total_time_ns": time_ns, "energy_pj": energy, "power_mw": energy / time_ns, "row_hit_rate": 0.9 / policy,
        "bandwidth_gbps": 10_000 * 512 / time_ns,
    }  # fmt: skip


@dataclass
class Study:
    """A frame with its description."""

    frame: pd.DataFrame
    meta: StudyMeta


def _greedy(rng: np.random.Generator, history: list[tuple[float, Any]], n: int, share: float) -> list[Any]:
    """Return designs near the best so far, a share of them at random."""
    if len(history) < 20:
        return SPACE.sample(rng, n)
    parents = [design for _, design in sorted(history, key=lambda pair: -pair[0])[:12]]
    return [
        SPACE.sample(rng, 1)[0] if rng.random() < share else SPACE.mutate(parents[int(rng.integers(len(parents)))], rng) for _ in range(n)
    ]


def run_study(
    searchers: Mapping[str, float] | None = None,
    seeds: int = 3,
    budget: int = 60,
    objective: Any = None,
    simulator: FunctionSimulator = controller,
    name: str = "synthetic",
) -> Study:
    """Search with made-up searchers (name: share of random proposals) and return what the store would hold."""
    searchers = {"random": 1.0, "genetic": 0.3, "evolution": 0.1} if searchers is None else searchers
    objective = objective or dg.minimize("energy_pj * total_time_ns", name="edp_pj_ns")
    workload = dg.Workload("cloud-like", "x", traits=frozenset({"read_only"}))
    shared = LocalCache()
    rows: list[dict[str, Any]] = []
    runs = []
    for label, share in searchers.items():
        for seed in range(seeds):
            rng = np.random.default_rng([seed, len(label)])
            evaluator = Evaluator(simulator, workload, cache=shared)
            seen: set[str] = set()
            history: list[tuple[float, Any]] = []
            number = 0
            while len(seen) < budget and number < 20 * budget:
                designs = _greedy(rng, history, 4, share) if simulator is controller else simulator.space.sample(rng, 4)
                for trial in evaluator.evaluate(designs, searcher=label, run=f"{label}-s{seed}"):
                    score = objective.score(trial.metrics)
                    rows.append(row_of(trial, score, objective, seed, number, trial.keys.canonical in seen, name))
                    seen.add(trial.keys.canonical)
                    history.append((score, trial.design))
                    number += 1
            runs.append(RunMeta(f"{label}-s{seed}", label, seed, f"budget of {budget} evaluations spent", wall_s=1.5))
    meta = StudyMeta.of(
        name, "designgym/Synthetic-v0", "cloud-like", objective, simulator.metrics, space=simulator.space, runs=runs,
        workload_digest="ab" * 16, budget=budget, commands=("designgym demo --seed 0",), versions={"designgym": dg.__version__},
    )  # fmt: skip
    frame = pd.DataFrame(rows)
    frame.attrs["units"] = dict(meta.units)
    return Study(frame, meta)


def row_of(trial: dg.Trial, score: float, objective: dg.Objective, seed: int, number: int, duplicate: bool, study: str) -> dict[str, Any]:
    """Return a trial as a row of the frame; the simulator's time is made up."""
    p, m = trial.provenance, trial.metrics
    return {
        "study": study, "env": "designgym/Synthetic-v0", "workload": p.workload, "run": p.run, "searcher": p.searcher,
        "searcher_options": "{}", "run_seed": seed, "number": number, "obtained": trial.obtained, "duplicate": duplicate,
        "status": m.status, "score": score, "feasible": objective.feasible(m), "reasons": "; ".join(m.reasons), "error": m.error,
        "cost_s": 0.012,
        "wall_s": 0.012 if trial.obtained == "measured" else 0.0, "started_at_s": 1.7e9 + 0.02 * number, "worker": "host:1",
        "simulator": p.simulator, "simulator_version": p.simulator_version, "space_version": p.space_version,
        "workload_digest": p.workload_digest, "fidelity": p.fidelity, "seed": p.seed, "key_literal": trial.keys.literal,
        "key_canonical": trial.keys.canonical, "key_functional": trial.keys.functional,
        **{f"design.{k}": v for k, v in trial.design.to_dict().items()}, **{f"metrics.{k}": v for k, v in m.values.items()},
    }  # fmt: skip


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """Return the maker of studies."""
    return run_study


@pytest.fixture(scope="session")
def study() -> Study:
    """Return a normal study: three searchers, three seeds."""
    return run_study()
