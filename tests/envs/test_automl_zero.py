"""``designgym/AutoMLZero-v0`` as users meet it."""

import gymnasium
import numpy as np
import pytest

import designgym.envs
import designgym.searchers  # registers the built-in searchers
from designgym.core.errors import InputError
from designgym.core.evaluator import Evaluator
from designgym.core.registry import searcher_class
from designgym.hashing import AuditedFingerprints, LocalCache
from designgym.simulators.programs.known_programs import linear_regressor

ENV = designgym.envs.environment("designgym/AutoMLZero-v0")


def test_search_begins_with_the_empty_program() -> None:
    space = ENV.simulator().space
    assert space.default().to_dict() == {"setup": [], "predict": [], "learn": []}


def test_options_choose_the_operations() -> None:
    few, all_ = ENV.simulator(operations="linear").space, ENV.simulator().space
    assert few.size() == all_.size() == float("inf") and few != all_ and len(few.columns) < len(all_.columns)
    few.validate(linear_regressor())
    for options in ({"operations": "some"}, {"operations": 3}, {"threads": "two"}, {"threads": True}):
        with pytest.raises(InputError, match=r"operations|threads"):
            ENV.simulator(**options)


def test_a_known_program_is_rewarded_in_gymnasium() -> None:
    env = gymnasium.make("designgym/AutoMLZero-v0", workload="linear-2").unwrapped
    env.reset(seed=0)
    space = ENV.simulator().space
    action = space.encode([space.validate(linear_regressor())])[0].astype(np.float32)
    *_, info = env.step(action)
    assert info["score"] > 0.999 and info["metrics"]["stopped_tasks"] == 0


def test_objectives_prefer_what_their_names_say() -> None:
    simulator, workload = ENV.simulator(), ENV.workload("linear-2")
    good, empty = simulator.evaluate([simulator.space.validate(linear_regressor()), simulator.space.default()], workload)
    for name in ENV.objectives:
        assert ENV.objective(name).score(good) > ENV.objective(name).score(empty), name


def test_equivalent_programs_are_measured_once_in_a_search() -> None:
    """Half of what evolution proposes behaves like something it has seen: the paper's finding, in small."""
    simulator, workload = ENV.simulator(operations="linear"), ENV.workload("linear-2")
    searcher = searcher_class("regularized_evolution")(simulator.space, ENV.objective(), seed=1, population=20, tournament=5)
    fingerprints = AuditedFingerprints("on")
    evaluator = Evaluator(simulator, workload, cache=LocalCache(), fingerprints=fingerprints, fidelity=0.02)
    for _ in range(10):
        searcher.tell(evaluator.evaluate(searcher.ask(20)))
    figures = evaluator.statistics()
    assert figures["fingerprint_false_merges"] == 0
    assert figures["fingerprint_hits"] >= 20


@pytest.mark.slow
def test_evolution_invents_regression_by_gradient_descent() -> None:
    """From random programs, by ageing evolution and nothing else; one feature, since more take hundreds of thousands of programs."""
    simulator, workload = ENV.simulator(operations="linear"), ENV.workload("linear-1")
    evaluator = Evaluator(simulator, workload, fidelity=0.04)
    best, found = 0.0, simulator.space.default()
    for seed in (2, 0, 1):
        searcher = searcher_class("regularized_evolution")(simulator.space, ENV.objective(), seed=seed, population=100, tournament=10)
        for _ in range(1500):
            trials = evaluator.evaluate(searcher.ask(10))
            searcher.tell(trials)
            for trial in trials:
                if trial.metrics["fitness"] > best:
                    best, found = trial.metrics["fitness"], trial.design
            if best > 0.9:
                break
        if best > 0.9:
            break
    assert best > 0.9
    unseen = simulator.evaluate([found, simulator.space.default()], ENV.workload("linear-1-s99"), fidelity=0.04)
    assert unseen[0]["fitness"] > unseen[1]["fitness"] + 0.1  # it has learnt to learn, not the tasks
