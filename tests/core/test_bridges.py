from typing import Any

import numpy as np
import optuna
import pytest

from designgym.core.errors import InputError
from designgym.core.groups import Permutation, Repeated
from designgym.core.parameters import Categorical, Float, Integer, Ordinal, Parameter, PowerOfTwo
from designgym.core.rules import Condition, Constraint
from designgym.core.space import DesignSpace

EVERYTHING = DesignSpace(
    a=Integer(2, 11, step=3), b=Integer(1, 1000, log=True), c=PowerOfTwo(2, 32), d=Float(0.1, 10, log=True), e=Categorical("x", True, 3),
    f=Ordinal("lo", "mid", "hi"), g=Permutation("p", "q", "r"), 
    h=Repeated(DesignSpace(k=Integer(1, 3), w=Float(0, 1)), 0, 2), i=Integer(0, 5),
    conditions=[Condition("i", "f == 'hi'"), Condition("c", "i > 2")],
)  # fmt: skip
DISCRETE = DesignSpace(a=Integer(0, 3), b=Categorical("x", "y"), c=PowerOfTwo(1, 8))


@pytest.mark.parametrize(
    "action", [[0, 0], [0, 0, 0, 0], [4, 0, 0], [-1, 0, 0], [0.7, 0.2, 0.1], "abc", None, [[0, 0, 0]], [0, [1], 2], [True, False, True], 3]
)
def test_actions_outside_the_space_are_refused(action: Any) -> None:
    with pytest.raises(InputError, match=r"is not in MultiDiscrete.*: expected \d+ whole numbers.*as action_space.sample\(\) gives"):
        DISCRETE.from_gym(action)


@pytest.mark.parametrize("action", [[0.5, np.nan], [1.1, 0.0], [-0.1, 0.0], [0.5], ["a", "b"]])
def test_continuous_actions_outside_the_space_are_refused(action: Any) -> None:
    with pytest.raises(InputError, match=r"is not in Box.*numbers in .0, 1."):
        DesignSpace(a=Float(0, 1), b=Integer(0, 3)).from_gym(action)


def test_actions_reach_every_value() -> None:
    seen = {DISCRETE.from_gym([a, b, c]).literal for a in range(4) for b in range(2) for c in range(4)}
    assert len(seen) == 32 == DISCRETE.size()
    assert DISCRETE.from_gym(np.array([3, 1, 0], dtype=np.uint8)).to_dict() == {"a": 3, "b": "y", "c": 1}
    space = DesignSpace(a=Float(0, 1), b=Integer(0, 3))
    assert space.from_gym(np.array([1.0, 1.0], dtype=np.float32)).to_dict() == {"a": 1.0, "b": 3}


def test_optuna_suggests_active_parameters_only() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    literals = set()
    for _ in range(60):
        trial = study.ask()
        design = EVERYTHING.to_optuna(trial)
        assert EVERYTHING.validate(design) == design
        active = EVERYTHING.active(design)
        assert ("i" in trial.params) == ("i" in active) and ("log2(c)" in trial.params) == ("c" in active)
        literals.add(design.literal)
    assert len(literals) == 60


def test_optuna_can_prune_what_breaks_a_constraint() -> None:
    space = DesignSpace(a=Integer(1, 4), b=Integer(1, 4), constraints=[Constraint("a * b <= 6", "more than 6 do not fit")])
    legal = optuna.trial.FixedTrial({"a": 2, "b": 3})
    assert space.to_optuna(legal, prune_illegal=True).to_dict() == {"a": 2, "b": 3}
    illegal = optuna.trial.FixedTrial({"a": 4, "b": 3})
    assert space.violations(space.to_optuna(illegal))
    with pytest.raises(optuna.TrialPruned, match="more than 6 do not fit"):
        space.to_optuna(illegal, prune_illegal=True)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: float(space.to_optuna(trial, prune_illegal=True)["a"]), n_trials=20)
    states = {trial.state for trial in study.trials}
    assert states == {optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED}


def test_optuna_refuses_a_kind_it_does_not_know() -> None:
    class Odd(Parameter):
        kind = "odd"
        default, unit = 1, ""

        def describe(self) -> str:
            return "odd"

    with pytest.raises(InputError, match="no Optuna form"):
        DesignSpace(a=Odd()).to_optuna(optuna.create_study().ask())


def test_ray_tune_draws_become_designs() -> None:
    from ray.tune.search.variant_generator import generate_variants

    config = EVERYTHING.to_tune()
    np.random.seed(0)
    designs = [EVERYTHING.from_tune(next(iter(generate_variants(config)))[1]) for _ in range(30)]
    assert all(EVERYTHING.validate(design) == design for design in designs)
    assert {design["a"] for design in designs} == {2, 5, 8, 11} and len({design.literal for design in designs}) == 30
    with pytest.raises(InputError, match="lacks 'a'"):
        EVERYTHING.from_tune({})
