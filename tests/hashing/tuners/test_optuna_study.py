"""`dedupe`: what Optuna does with an objective it does with the wrapped one too, but for the duplicates."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import optuna
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.hashing import LocalCache, dedupe
from designgym.hashing.tuners.memo import Counts
from designgym.hashing.tuners.optuna_study import ATTRIBUTE

State = optuna.trial.TrialState


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


def suggest(trial: Any) -> list[int]:
    return sorted([trial.suggest_int("first", 0, 4), trial.suggest_int("second", 0, 4)])  # 15 behaviours


def value(trial: Any) -> float:
    first, second = suggest(trial)
    return float((first - 1) ** 2 + (second - 3) ** 2)


def study(**options: Any) -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), **options)


def duplicates(of: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in of.trials if trial.user_attrs.get(ATTRIBUTE)]


def test_duplicates_are_served_their_values() -> None:
    plain, deduped = study(), dedupe(value, key=suggest)
    plain.optimize(value, n_trials=100)
    same = study()
    same.optimize(deduped, n_trials=100)
    assert [trial.values for trial in same.trials] == [trial.values for trial in plain.trials]
    assert deduped.memo.counts == Counts(asked=100, measured=15, duplicates=85)
    assert len(duplicates(same)) == 85


def test_duplicates_are_pruned() -> None:
    deduped, pruning = dedupe(value, key=suggest, duplicates="prune"), study()
    pruning.optimize(deduped, n_trials=100)
    assert sum(trial.state == State.COMPLETE for trial in pruning.trials) == 15
    assert all(trial.state == State.PRUNED for trial in duplicates(pruning)) and len(duplicates(pruning)) == 85


@pytest.mark.parametrize("how", ["serve", "prune"])
def test_several_objectives(how: Any) -> None:
    deduped, pareto = dedupe(lambda trial: (value(trial), -value(trial)), key=suggest, duplicates=how), study(directions=["minimize"] * 2)
    pareto.optimize(deduped, n_trials=40)
    complete = [trial for trial in pareto.trials if trial.state == State.COMPLETE]
    assert len(complete) == (40 if how == "serve" else deduped.memo.counts.measured)
    assert all(trial.values == [value(trial), -value(trial)] for trial in complete)


def test_threads_evaluate_each_behaviour_once() -> None:
    running, most, lock, seen = 0, 0, threading.Lock(), list[tuple[int, ...]]()

    def slow(trial: optuna.Trial) -> float:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            seen.append(tuple(suggest(trial)))
        time.sleep(0.01)
        with lock:
            running -= 1
        return value(trial)

    deduped, parallel = dedupe(slow, key=suggest), study()
    parallel.optimize(deduped, n_trials=80, n_jobs=4)
    # threads draw from the sampler in any order, so which behaviours come up, and whether all 15 do, differs
    assert len(seen) == len(set(seen)) >= 8 and most > 1
    assert all(trial.value == value(trial) for trial in parallel.trials)
    assert deduped.memo.counts == Counts(asked=80, measured=len(seen), duplicates=80 - len(seen))


def test_pruned_and_failed_trials_are_not_remembered() -> None:
    tries = []

    def objective(trial: optuna.Trial) -> float:
        tries.append(tuple(suggest(trial)))
        if tries.count(tries[-1]) == 1:
            raise optuna.TrialPruned if sum(tries[-1]) % 2 else ValueError
        return value(trial)

    deduped, flaky = dedupe(objective, key=suggest), study()
    flaky.optimize(deduped, n_trials=200, catch=ValueError)
    assert all(tries.count(one) == 2 for one in tries) and len(tries) == 30
    assert deduped.memo.cache.statistics()["reservations"] == 0
    with pytest.raises(KeyboardInterrupt):
        flaky.optimize(dedupe(lambda trial: (_ for _ in ()).throw(KeyboardInterrupt), key=suggest), n_trials=1)


@pytest.mark.parametrize("answer", [None, "nonsense", [], [1.0, 2.0], object()])
def test_what_is_no_value_to_optuna_fails_the_trial_and_is_not_remembered(answer: Any) -> None:
    calls = []

    def objective(trial: optuna.Trial) -> Any:
        calls.append(suggest(trial))
        return answer

    for function in (objective, dedupe(objective, key=lambda trial: suggest(trial)[:0])):
        failing, before = study(), len(calls)
        failing.optimize(function, n_trials=3)
        assert all(trial.state == State.FAIL for trial in failing.trials)
        # two values are values, only not of this study
        assert len(calls) - before == (1 if isinstance(answer, list) and answer and function is not objective else 3)


@pytest.mark.parametrize(
    ("answer", "state"), [(math.nan, State.FAIL), (math.inf, State.COMPLETE), ([2], State.COMPLETE), (True, State.COMPLETE)]
)
def test_odd_values_are_remembered_as_optuna_reads_them(answer: Any, state: State) -> None:
    plain, served = study(), study()
    plain.optimize(lambda trial: answer, n_trials=2)
    deduped = dedupe(lambda trial: answer, key=lambda trial: 0)
    served.optimize(deduped, n_trials=2)
    assert [t.state for t in served.trials] == [t.state for t in plain.trials] == [state] * 2
    assert [t.values for t in served.trials] == [t.values for t in plain.trials]
    assert deduped.memo.counts.measured == 1


def test_a_design_space_makes_the_suggestions() -> None:
    space = dg.DesignSpace(
        mode=dg.Categorical("a", "b"), extra=dg.Integer(1, 4), left=dg.Integer(0, 2), right=dg.Integer(0, 2),
        conditions=[dg.Condition("extra", "mode == 'b'")], symmetries=[dg.Interchangeable("left", "right")],
    )  # fmt: skip
    seen = []

    def objective(trial: optuna.Trial) -> float:
        design = space.to_optuna(trial)
        seen.append(space.canonical(design).literal)
        return float(design["left"] + design["right"])

    deduped = dedupe(objective, key=space)
    study().optimize(deduped, n_trials=300)
    assert len(seen) == len(set(seen)) == 6 * 5


def test_what_earlier_runs_evaluated_is_known() -> None:
    first = study()
    first.optimize(dedupe(value, key=suggest), n_trials=100)
    first.add_trial(optuna.create_trial(state=State.FAIL, params={}, distributions={}))

    deduped = dedupe(lambda trial: pytest.fail("it is known"), key=suggest, known=first.trials)
    first.optimize(deduped, n_trials=100)
    assert all(trial.value == value(trial) for trial in first.trials if trial.state == State.COMPLETE)
    assert deduped.memo.counts == Counts(asked=100, measured=0, duplicates=100)


def test_a_noisy_objective() -> None:
    deduped = dedupe(lambda trial: float(trial.number), key=lambda trial: 0, measurements=3)
    noisy = study()
    noisy.optimize(deduped, n_trials=5)
    assert [trial.value for trial in noisy.trials] == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert len(duplicates(noisy)) == 2


def test_bad_options() -> None:
    objective: Any
    options: Any
    for objective, options, message in (
        (value, {"key": 3}, "key is 3"),
        (value, {"key": None}, "key is None"),
        (value, {"key": suggest, "duplicates": "skip"}, "expected 'serve' or 'prune'"),
        (3, {"key": suggest}, "expected an objective"),
        (value, {"key": suggest, "cache": LocalCache()}, "give name="),
        (value, {"key": suggest, "known": study()}, r"known is <optuna.*expected trials, such as study\.trials"),
    ):
        with pytest.raises(InputError, match=message):
            dedupe(objective, **options)
    with pytest.raises(InputError, match="Give key="):
        study().optimize(dedupe(value, key=lambda trial: trial), n_trials=1)
