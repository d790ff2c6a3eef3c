"""``designgym/AutoMLZero-v0`` as users meet it."""

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    fewest = ENV.simulator(operations="regression").space
    fewest.validate(linear_regressor())
    assert len(fewest.columns) < len(few.columns)
    for options in ({"operations": "some"}, {"operations": 3}, {"threads": "two"}, {"threads": True}):
        with pytest.raises(InputError, match=r"operations|threads"):
            ENV.simulator(**options)


ADDRESSES = ("in1", "in2", "out")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["setup", "predict", "learn"]),
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["s_add", "v_relu", "s_gaussian", "no_such", 3, None]),
            "in1": st.integers(-1, 7), "in2": st.one_of(st.integers(0, 7), st.floats(), st.text()), "out": st.integers(-1, 7),
        },
        optional={"value": st.floats(), "more": st.integers()},
    ),
)  # fmt: skip
def test_what_is_no_program_is_refused(where: str, instruction: dict[str, Any]) -> None:
    """No number of a register but 0 to 5, no other operation, number or field ever reaches the machine."""
    legal = instruction["op"] in ("s_add", "v_relu") or (instruction["op"] == "s_gaussian" and where == "setup")
    legal &= all(type(instruction[name]) is int and 0 <= instruction[name] <= 5 for name in ADDRESSES)
    # a value that has no effect may be left out
    legal &= "more" not in instruction and 1e-4 <= instruction.get("value", math.nan if instruction["op"] == "s_gaussian" else 0.1) <= 10
    try:
        design = ENV.simulator().space.validate({"setup": [], "predict": [], "learn": [], where: [instruction]})
    except InputError:
        assert not legal
    else:
        read = design[where][0]
        assert all(type(read[name]) is int and 0 <= read[name] <= 5 for name in ADDRESSES)
        assert read["op"] == instruction["op"] and 1e-4 <= read["value"] <= 10 and "more" not in instruction


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
