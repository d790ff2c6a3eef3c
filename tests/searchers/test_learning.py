"""Searchers that learn beat random search at equal distinct evaluations, by the median over seeds."""

from __future__ import annotations

import statistics
from functools import cache
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.trial import Keys, Provenance, Trial
from designgym.searchers import make_searcher

TARGET = (3, 12, 7, 9, 1)
SPACE = dg.DesignSpace(
    {f"x{i}": dg.Integer(0, 15) for i in range(5)} | {"mode": dg.Categorical("a", "b", "c"), "policy": dg.Ordinal("p", "q", "r")}
)
SINGLE = dg.minimize("cost")
PARETO = dg.pareto("cost", "price", reference={"cost": 400.0, "price": 80.0})


def cost(design: dg.Design) -> float:
    """Return a cost whose only optimum, 1, is at TARGET with mode b and policy q."""
    distance = sum((design[f"x{i}"] - t) ** 2 for i, t in enumerate(TARGET))
    return 1.0 + distance + 30.0 * (design["mode"] != "b") + 15.0 * (design["policy"] != "q")


def told(designs: list[dg.Design]) -> list[Trial]:
    return [
        Trial(
            d,
            dg.Metrics({"cost": cost(d), "price": float(sum(d[f"x{i}"] for i in range(5)))}),
            Provenance("", "", "1", "", ""),
            Keys("", ""),
        )
        for d in designs
    ]


def outcome(name: str, objective: Any, budget: int, batch: int, seed: int, **options: Any) -> float:
    """Return the lowest cost, or minus the hypervolume."""
    searcher = make_searcher(name, SPACE, objective, seed=seed, **options)
    trials: list[Trial] = []
    while len(trials) < budget:
        new = told(searcher.ask(min(batch, budget - len(trials))))
        searcher.tell(new)
        trials += new
    if objective is PARETO:
        return -PARETO.hypervolume([trial.metrics for trial in trials])
    return min(trial.metrics["cost"] for trial in trials)


@cache
def random_outcome(kind: str, budget: int) -> float:
    return statistics.median(outcome("random", SINGLE if kind == "single" else PARETO, budget, 10, seed) for seed in range(5))


@pytest.mark.parametrize(
    ("name", "budget", "seeds", "share", "options"),
    [
        ("genetic", 120, 5, 0.6, {}),
        ("evolution", 120, 5, 0.7, {}),
        ("tpe", 120, 5, 0.5, {}),
        ("cmaes", 120, 5, 0.8, {}),
        ("nsgaii", 160, 5, 0.7, {"population_size": 10}),
        ("xgboost", 80, 3, 0.6, {}),
        ("botorch", 48, 3, 0.3, {}),
    ],
)
def test_beats_random_search(name: str, budget: int, seeds: int, share: float, options: dict[str, Any]) -> None:
    ours = statistics.median(outcome(name, SINGLE, budget, 4, seed, **options) for seed in range(seeds))
    assert ours <= share * random_outcome("single", budget)


@pytest.mark.parametrize(
    ("name", "budget", "seeds", "options"),
    [("genetic", 120, 5, {}), ("nsgaii", 120, 5, {"population_size": 16}), ("tpe", 80, 3, {}), ("botorch", 40, 2, {})],
)
def test_beats_random_search_on_a_front(name: str, budget: int, seeds: int, options: dict[str, Any]) -> None:
    ours = statistics.median(outcome(name, PARETO, budget, 4, seed, **options) for seed in range(seeds))
    assert ours < random_outcome("pareto", budget)


def test_warm_start_is_used() -> None:
    """Told of the optimum's neighbourhood, model-based searchers go there at once."""
    rng = np.random.default_rng(0)
    near = SPACE.validate({f"x{i}": t for i, t in enumerate(TARGET)} | {"mode": "b", "policy": "r"})
    history = told([*SPACE.sample(rng, 40), near])
    for name in ("botorch", "xgboost", "evolution", "genetic", "tpe"):
        searcher = make_searcher(name, SPACE, SINGLE, seed=0)
        searcher.tell(history)
        costs = [cost(design) for design in searcher.ask(6)]
        assert min(costs) < 120, name
