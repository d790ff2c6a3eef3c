"""What is particular to Optuna samplers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import optuna
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.searchers import make_searcher
from designgym.searchers.optuna_bridge import SAMPLERS, parameters_of, record, sampler_name


@pytest.mark.parametrize("space_name", ["discrete", "ruled", "mixed", "structured"])
def test_designs_become_optuna_parameters_and_back(world: dict[str, Any], space_name: str) -> None:
    space = world["SPACES"][space_name]
    for design in space.sample(np.random.default_rng(1), 100):
        back, recorded = record(space, parameters_of(space, design))
        assert space.canonical(back) == space.canonical(design)
        assert recorded.params.keys() == recorded.distributions.keys()
        for name, distribution in recorded.distributions.items():
            assert distribution._contains(distribution.to_internal_repr(recorded.params[name]))


def test_samplers_by_any_spelling() -> None:
    assert sampler_name("tpe") == sampler_name("TPE") == sampler_name("TPESampler") == "TPESampler"
    assert {sampler_name(name) for name in SAMPLERS} == set(SAMPLERS)
    assert all(hasattr(optuna.samplers, name) for name in SAMPLERS)


@pytest.mark.parametrize("name", ["RandomSampler", "QMCSampler", "NSGAIISampler", "BruteForceSampler", "CmaEsSampler", "GPSampler"])
def test_every_sampler_runs_and_restores(world: dict[str, Any], name: str) -> None:
    space, objective = world["SPACES"]["discrete"], world["OBJECTIVES"]["single"]
    options = {"n_startup_trials": 5} if name == "GPSampler" else {}
    searcher = make_searcher("optuna", space, objective, seed=1, sampler=name, **options)
    for _ in range(4):
        searcher.tell(world["told"](space, searcher.ask(2)))
    twin = make_searcher("optuna", space, objective, seed=2, sampler=name, **options)
    twin.restore(json.loads(json.dumps(searcher.state())))
    assert twin.ask(2) == searcher.ask(2)


def test_sampler_object(world: dict[str, Any]) -> None:
    space, objective = world["SPACES"]["discrete"], world["OBJECTIVES"]["single"]
    sampler = optuna.samplers.TPESampler(n_startup_trials=4)  # no seed: ours is used

    def searcher(seed: int) -> Any:
        return make_searcher("optuna", space, objective, seed=seed, sampler=sampler)

    first, second = searcher(3), searcher(3)
    for _ in range(4):
        designs = first.ask(3)
        assert designs == second.ask(3)
        for each in (first, second):
            each.tell(world["told"](space, designs))
    third = searcher(9)
    third.restore(json.loads(json.dumps(first.state())))
    assert third.ask(3) == first.ask(3)
    recipe: Any = dg.searchers.OptunaSearcher(sampler=sampler)
    with pytest.raises(InputError, match="cannot be written as JSON"):
        recipe.to_json()
    with pytest.raises(InputError, match="unknown option"):
        make_searcher("optuna", space, objective, seed=0, sampler=sampler, n_startup_trials=3)


def test_replay_notices_another_sampler(world: dict[str, Any]) -> None:
    space, objective = world["SPACES"]["discrete"], world["OBJECTIVES"]["single"]
    searcher = make_searcher("cmaes", space, objective, seed=1)
    searcher.tell(world["told"](space, searcher.ask(12)))
    searcher.ask(2)
    state = searcher.state()
    state["own"]["log"][-1][1] = "0" * 32
    with pytest.raises(InputError, match="cannot be replayed"):
        make_searcher("cmaes", space, objective, seed=1).restore(state)


def test_says_what_it_cannot_do(world: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="one objective"):
        make_searcher("cmaes", world["SPACES"]["discrete"], world["OBJECTIVES"]["pareto"], seed=0)
    with pytest.raises(InputError, match="cannot enumerate"):
        make_searcher("optuna", world["SPACES"]["mixed"], world["OBJECTIVES"]["single"], seed=0, sampler="bruteforce")


def test_told_trials_are_in_the_study_with_their_constraints(world: dict[str, Any]) -> None:
    space, objective = world["SPACES"]["ruled"], world["OBJECTIVES"]["constrained"]
    searcher: Any = make_searcher("tpe", space, objective, seed=0)
    trials = world["told"](space, space.sample(np.random.default_rng(0), 12))
    searcher.tell(trials)
    searcher.tell(trials)  # again: nothing new
    distinct = {space.canonical(trial.design) for trial in trials}
    study = searcher._study
    assert len(study.trials) == len(distinct)
    for trial in study.trials:
        assert trial.state == optuna.trial.TrialState.COMPLETE
        assert np.isfinite(trial.values).all()
        assert set(trial.constraints) == {"other <= 1.2", "has a result"}
    broken = sum(any(value > 0 for value in trial.constraints.values()) for trial in study.trials)
    by_key = {space.canonical(trial.design): objective.feasible(trial.metrics) for trial in trials}
    assert broken == sum(not feasible for feasible in by_key.values()) > 0


def test_failures_are_told_as_finite_and_worst(world: dict[str, Any]) -> None:
    space = world["SPACES"]["discrete"]
    searcher: Any = make_searcher("cmaes", space, world["OBJECTIVES"]["single"], seed=0)
    trials = world["told"](space, searcher.ask(12))
    searcher.tell(sorted(trials, key=lambda trial: not trial.metrics.ok))
    worst = min(-trial.metrics["cost"] for trial in trials if trial.metrics.ok)
    failed = [trial.value for trial in searcher._study.trials if trial.value is not None and trial.value < worst]
    assert len(failed) == sum(not trial.metrics.ok for trial in trials) > 0
    assert np.isfinite(failed).all()


def test_is_quiet_and_leaves_optunas_logging_alone(world: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    world["trace"]("tpe", "ruled", "constrained")
    world["trace"]("cmaes", "ruled", "single")
    assert capfd.readouterr().err == ""
    assert optuna.logging.get_verbosity() == before
