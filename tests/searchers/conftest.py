"""Small spaces, objectives and a messy world of results, for all registered searchers. Also run as a script by another process."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from blake3 import blake3

import designgym as dg
from designgym.core.objectives import Objective
from designgym.core.trial import Keys, Provenance, Trial
from designgym.searchers import make_searcher

inner = dg.DesignSpace(op=dg.Categorical("conv", "pool"), width=dg.PowerOfTwo(8, 64), conditions=[dg.Condition("width", "op == 'conv'")])

SPACES = {
    "discrete": dg.DesignSpace(
        policy=dg.Categorical("lru", "fifo", "plru"), level=dg.Ordinal("low", "mid", "high"), ways=dg.Integer(1, 12),
        sets=dg.PowerOfTwo(1, 64),
    ),
    "ruled": dg.DesignSpace(
        kind=dg.Categorical("a", "b"), depth=dg.Integer(1, 9), left=dg.Integer(0, 5), right=dg.Integer(0, 5), ways=dg.Integer(1, 8),
        conditions=[dg.Condition("depth", "kind == 'b'")],
        constraints=[dg.Constraint("left + right <= 8", "left and right do not fit")],
        symmetries=[dg.Interchangeable("left", "right"), dg.Rewrite("ways", "min(ways, 6)")],
    ),
    "mixed": dg.DesignSpace(
        rate=dg.Float(1e-4, 1.0, log=True), share=dg.Float(0.0, 1.0), size=dg.Integer(1, 1000, log=True), mode=dg.Categorical("x", "y", "z")
    ),
    "structured": dg.DesignSpace(
        order=dg.Permutation("m", "n", "k"), layers=dg.Repeated(inner, 1, 3), tile=dg.Integer(1, 6), symmetries=[dg.Unordered("layers")]
    ),
}  # fmt: skip

OBJECTIVES: dict[str, Objective] = {
    "single": dg.minimize("cost"),
    "constrained": dg.minimize("cost", subject_to={"other": "<= 1.2"}),
    "pareto": dg.pareto("cost", "other", reference={"cost": 6.0, "other": 6.0}),
}

QUICK: dict[str, dict[str, Any]] = {
    "botorch": {"initial": 6, "candidates": 24, "samples": 16},
    "xgboost": {"initial": 6, "candidates": 32, "members": 3, "trees": 10},
    "genetic": {"population": 6},
    "evolution": {"population": 6, "tournament": 3},
    "regularized_evolution": {"population": 6, "tournament": 3},
    "tpe": {"n_startup_trials": 4},
    "optuna": {"sampler": "NSGAIIISampler", "population_size": 6},
    "nsgaii": {"population_size": 6},
}


def measure(space: dg.DesignSpace, design: dg.Design, unreliable: bool = True) -> dg.Metrics:
    """Return a smooth function of the canonical design; about one design in seven fails, is infeasible or times out."""
    canonical = space.canonical(design)
    x = space.encode([canonical])[0]
    chance = blake3(canonical.literal.encode()).digest()[0] if unreliable else 255
    if chance < 36:
        return (dg.Metrics.failed("crash"), dg.Metrics.infeasible(["too large"]), dg.Metrics.timeout("slow"))[chance % 3]
    return dg.Metrics({"cost": float(((x - 0.3) ** 2).sum()) + 0.1, "other": float(((x - 0.8) ** 2).sum()) + 0.1})


def told(space: dg.DesignSpace, designs: Sequence[dg.Design], unreliable: bool = True) -> list[Trial]:
    """Return trials of designs."""
    return [Trial(d, measure(space, d, unreliable), Provenance("test", "1", space.version, "none", ""), Keys("", "")) for d in designs]


def trace(name: str, space_name: str, objective_name: str, rounds: int = 4, batch: int = 3, seed: int = 7) -> list[str]:
    """Return the literals of what a searcher asks in a short, orderly run."""
    space = SPACES[space_name]
    searcher = make_searcher(name, space, OBJECTIVES[objective_name], seed=seed, **QUICK.get(name, {}))
    asked: list[str] = []
    for _ in range(rounds):
        designs = searcher.ask(batch)
        asked += [design.literal for design in designs]
        searcher.tell(told(space, designs))
    return asked


@pytest.fixture
def world() -> dict[str, Any]:
    """Return what is defined here: tests cannot import this file by name."""
    return {"SPACES": SPACES, "OBJECTIVES": OBJECTIVES, "QUICK": QUICK, "measure": measure, "told": told, "trace": trace, "file": __file__}


if __name__ == "__main__":
    cases = json.loads(sys.stdin.read())
    print(json.dumps([trace(*case) for case in cases]))
