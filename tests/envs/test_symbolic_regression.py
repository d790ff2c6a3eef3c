"""``designgym/SymbolicRegression-v0`` as users meet it."""

from typing import Any

import gymnasium
import numpy as np
import pytest

import designgym.envs
import designgym.searchers  # registers the built-in searchers
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.evaluator import Evaluator
from designgym.core.registry import searcher_class
from designgym.core.trial import Trial
from designgym.envs import make_evaluator
from designgym.envs.symbolic_regression import REFERENCE
from designgym.hashing import AuditedFingerprints, LocalCache
from designgym.simulators.symbolic import Expression
from designgym.simulators.symbolic.operations import MOST_NODES

ENV = designgym.envs.environment("designgym/SymbolicRegression-v0")
SOLVED = 1 - 1e-6


def search(searcher: str, workload: str, *, budget: int, seed: int = 0, **options: Any) -> tuple[Trial, dict[str, float]]:
    """Return the best trial after at most ``budget`` measurements, and what the evaluator counted."""
    simulator = ENV.simulator()
    found = searcher_class(searcher)(simulator.space, ENV.objective(), seed=seed, **options)
    evaluator = Evaluator(simulator, ENV.workload(workload), cache=LocalCache(), fingerprints=AuditedFingerprints("on"))
    best: Trial | None = None
    while evaluator.counts.measured < budget and (best is None or best.metrics["accuracy"] < SOLVED):
        trials = evaluator.evaluate(found.ask(20))
        found.tell(trials)
        best = max([*trials, *([best] if best else [])], key=lambda trial: trial.metrics["accuracy"])
    assert best is not None
    return best, evaluator.statistics()


def test_objectives_prefer_what_is_closer_and_what_is_shorter() -> None:
    simulator, workload = ENV.simulator(), ENV.workload()
    texts = ["k * x**2 / 2", "k * x * x / 2 + k * x - k * x", "k * x", "1 - k"]
    results = simulator.evaluate([Expression.parse(text, ("k", "x")).design for text in texts], workload)
    accuracy, both = ENV.objective(), ENV.objective("pareto")
    assert accuracy.name == "accuracy" and accuracy.score(results[0]) == accuracy.score(results[1]) == 1.0
    assert accuracy.score(results[0]) > accuracy.score(results[2]) > accuracy.score(results[3])
    assert both.score(results[0]) > both.score(results[1]) > 0 > both.score(results[3])
    assert REFERENCE["complexity"] > MOST_NODES


def test_a_formula_is_rewarded_in_gymnasium() -> None:
    env = gymnasium.make("designgym/SymbolicRegression-v0", workload="feynman-I.12.4").unwrapped
    env.reset(seed=0)
    design = Expression.parse("q / (9 * epsilon * r**2)", ("q", "epsilon", "r")).design
    action = np.round(ENV.simulator().space.encode([design])[0] * ENV.simulator().space.cells - 0.5).astype(np.int64)
    *_, info = env.step(action)
    assert info["score"] == 1.0 and info["metrics"]["complexity"] == 4


def test_the_option_leaves_complexity_out() -> None:
    plain, bare = ENV.simulator(), ENV.simulator(complexity=False)
    assert [spec.name for spec in plain.metrics] == [*(spec.name for spec in bare.metrics), "complexity"] and plain.space == bare.space
    make_evaluator(ENV.id, options={"complexity": False})
    with pytest.raises(UnknownNameError, match="complexity"):
        ENV.objective("pareto").check(bare.metrics)
    with pytest.raises(InputError, match="complexity must be true or false, got 'no'"):
        ENV.simulator(complexity="no")


@pytest.mark.parametrize("searcher", ["regularized_evolution", "genetic"])
def test_the_easiest_formula_is_found_in_some_hundred_evaluations(searcher: str) -> None:
    best, figures = search(searcher, "feynman-I.12.1", budget=400)
    assert best.metrics["accuracy"] >= SOLVED and figures["fingerprint_false_merges"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("searcher", "options"), [("regularized_evolution", {"population": 100, "tournament": 10}), ("genetic", {"population": 50})]
)
def test_the_default_formula_is_found(searcher: str, options: dict[str, Any]) -> None:
    best, figures = search(searcher, ENV.default_workload, budget=ENV.budget, **options)
    assert best.metrics["accuracy"] >= SOLVED
    assert figures["fingerprint_hits"] > 0 and figures["fingerprint_false_merges"] == 0
