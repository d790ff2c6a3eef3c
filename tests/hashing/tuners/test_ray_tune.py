"""`CachedSearchAlg`: mostly by the protocol that Tune drives search algorithms with, without any trial; a few sweeps at the end."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.hashing import CachedSearchAlg, LocalCache, SharedCache
from designgym.hashing.tuners.memo import Counts
from designgym.searchers import TuneSearch

ray: Any = pytest.importorskip("ray")
optuna: Any = pytest.importorskip("optuna")
from ray import tune  # noqa: E402
from ray.tune.schedulers import ASHAScheduler  # noqa: E402
from ray.tune.search import BasicVariantGenerator, ConcurrencyLimiter, Searcher, SearchGenerator  # noqa: E402
from ray.tune.search.hyperopt import HyperOptSearch  # noqa: E402
from ray.tune.search.optuna import OptunaSearch  # noqa: E402

SPACE = dg.DesignSpace(first=dg.Integer(0, 4), second=dg.Integer(0, 4), symmetries=[dg.Interchangeable("first", "second")])
PARAM_SPACE = {"first": tune.randint(0, 5), "second": tune.randint(0, 5)}  # 15 behaviours


def unordered(config: Mapping[str, Any]) -> list[int]:
    return sorted([config["first"], config["second"]])


def loss(config: Mapping[str, Any]) -> float:
    first, second = unordered(config)
    return float((first - 1) ** 2 + (second - 3) ** 2)


class Listed(Searcher):
    """Suggests what it is given (None for nothing now), and writes down what it hears."""

    def __init__(self, *pairs: Any) -> None:
        super().__init__(metric="loss", mode="min")
        self.pairs, self.told, self.heard = list(pairs), dict[str, Any](), list[str]()

    def suggest(self, trial_id: str) -> Any:
        pair = self.pairs.pop(0) if self.pairs else self.FINISHED
        return {"first": pair[0], "second": pair[1]} if isinstance(pair, tuple) else pair

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self.heard.append(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        assert trial_id not in self.told
        self.told[trial_id] = "error" if error else None if result is None else result.get("loss")

    def add_evaluated_point(self, parameters: dict[str, Any], value: Any, *more: Any, **named: Any) -> None:
        self.told["elsewhere"] = value

    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).write_text(json.dumps(self.pairs))

    def restore(self, checkpoint_path: str) -> None:
        self.pairs = [tuple(pair) for pair in json.loads(Path(checkpoint_path).read_text())]


def cached(*pairs: Any, **options: Any) -> tuple[CachedSearchAlg, Listed]:
    inner = Listed(*pairs)
    given: dict[str, Any] = {"key": unordered, **options}
    return CachedSearchAlg(inner, **given), inner


def complete(search: CachedSearchAlg, trial_id: str, value: Any, **more: Any) -> None:
    search.on_trial_complete(trial_id, result={"loss": value, "training_iteration": 1, "done": True, "trial_id": trial_id, **more})


def run(search: Any, trials: int) -> list[list[int]]:
    """Run trials as Tune does, two at a time, and return what was evaluated."""
    evaluated, running = list[list[int]](), dict[str, Any]()
    for number in range(1000):
        config = search.suggest(f"t{number}") if len(evaluated) < trials else None
        if isinstance(config, dict):
            evaluated.append(unordered(config))
            running[f"t{number}"] = config
        elif not running:
            break
        if len(running) == 2 or not isinstance(config, dict):
            trial_id, config = running.popitem()
            search.on_trial_result(trial_id, {"loss": loss(config), "training_iteration": 1})
            search.on_trial_complete(trial_id, result={"loss": loss(config), "training_iteration": 1, "config/first": config["first"]})
    return evaluated


# ---- the protocol -------------------------------------------------------------------------------------------------------


def test_known_suggestions_are_answered_and_start_no_trial() -> None:
    search, inner = cached((1, 2), (2, 1), (1, 2), (3, 3))
    assert search.suggest("a") == {"first": 1, "second": 2}
    search.on_trial_result("a", {"loss": 7.0})
    complete(search, "a", 5.0)
    assert search.suggest("b") == {"first": 3, "second": 3}
    search.on_trial_result("b", {"loss": 7.0})
    complete(search, "b", 6.0)
    assert search.suggest("c") == search.FINISHED
    assert inner.told == {"a": 5.0, "b": 5.0, "b-1": 5.0, "b-2": 6.0} and inner.heard == ["a", "b-2"]
    assert search.memo.counts == Counts(asked=4, measured=2, duplicates=2)


def test_suggestions_equal_to_a_running_trial_wait_for_it() -> None:
    search, inner = cached((1, 2), (2, 1), (3, 3), None, (1, 2))
    search.suggest("a")
    assert search.suggest("b") == {"first": 3, "second": 3}
    assert search.suggest("c") is None
    assert search.suggest("d") is None and not inner.told  # at its end, but it has not heard of all
    complete(search, "a", 5.0)
    assert inner.told == {"a": 5.0, "b": 5.0, "d": 5.0}
    complete(search, "b", 6.0)
    assert search.suggest("e") == search.FINISHED


def test_a_trial_that_outlasts_a_lease_still_has_no_twin() -> None:
    now = [0.0]
    cache = LocalCache(lease_s=10.0, clock=lambda: now[0])
    search, _ = cached((1, 2), (2, 1), (3, 3), cache=cache, name="f")
    search.suggest("a")
    now[0] = 100.0
    assert search.suggest("b") == {"first": 3, "second": 3}


def test_a_failed_trial_is_not_remembered_and_its_twins_fail_with_it() -> None:
    search, inner = cached((1, 2), (2, 1), None, (2, 1), (1, 2))
    search.suggest("a")
    assert search.suggest("b") is None
    search.on_trial_complete("a", error=True)
    assert inner.told == {"a": "error", "b": "error"}
    assert search.suggest("c") == {"first": 2, "second": 1}
    search.on_trial_complete("c")  # removed without a result
    assert search.suggest("d") == {"first": 1, "second": 2}
    assert search.memo.cache.statistics()["entries"] == 0
    search.on_trial_complete("unknown", error=True)


def test_a_result_without_the_metric_or_not_of_a_full_evaluation_is_not_remembered() -> None:
    search, inner = cached((1, 2), (1, 2), (2, 1), (3, 3), full=lambda result: result["training_iteration"] == 100)
    search.suggest("a")
    search.on_trial_complete("a", result={"other": 1.0, "training_iteration": 100})
    search.suggest("b")
    complete(search, "b", 9.0, training_iteration=3)
    search.suggest("c")
    complete(search, "c", 5.0, training_iteration=100)
    assert search.suggest("d") == {"first": 3, "second": 3}
    assert inner.told == {"a": None, "b": 9.0, "c": 5.0} and search.memo.counts.measured == 1
    nameless, _ = cached((1, 2), (1, 2))
    nameless._metric = None
    nameless.suggest("a")
    nameless.on_trial_complete("a")
    assert nameless.memo.cache.statistics()["entries"] == 0


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_odd_values_are_values(odd: float) -> None:
    search, inner = cached((1, 2), (2, 1))
    search.suggest("a")
    complete(search, "a", odd)
    assert search.suggest("b") == search.FINISHED
    assert repr(inner.told) == repr({"a": odd, "b": odd})


def test_what_a_twin_is_told_is_of_its_own_configuration() -> None:
    heard = []

    class Curious(Listed):
        def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
            assert result is not None
            heard.append({name: result.get(name) for name in ("loss", "trial_id", "config/first", "config/second", "done")})

    search = CachedSearchAlg(Curious((1, 2), (2, 1), (2, 1)), key=unordered)
    search.suggest("a")
    assert search.suggest("b") is None  # two wait
    complete(search, "a", 5.0, **{"config/first": 1, "config/second": 2})
    assert heard[1:] == [{"loss": 5.0, "trial_id": name, "config/first": 2, "config/second": 1, "done": True} for name in ("b", "b-1")]
    entry = search.memo.cache.snapshot()["entries"][0]  # type: ignore[attr-defined]
    assert entry["values"] == {"=loss": 5.0, "=training_iteration": 1.0}


def test_a_noisy_trainable(caplog: pytest.LogCaptureFixture) -> None:
    search, inner = cached(*[(1, 2)] * 5, measurements=2)
    search.suggest("a")
    complete(search, "a", 1.0)
    search.suggest("b")
    complete(search, "b", 3.0)
    assert search.suggest("c") == search.FINISHED
    assert inner.told == {"a": 1.0, "b": 2.0, "c": 2.0, "c-1": 2.0, "c-2": 2.0}
    changing, _ = cached((1, 2), (2, 1), (1, 2), measurements=2)
    for trial_id, more in (("a", {"extra": 1.0}), ("b", {}), ("c", {})):
        changing.suggest(trial_id)
        complete(changing, trial_id, 1.0, **more)
    assert "not remembered: measurements of one key have other metrics" in caplog.text
    assert changing.memo.counts.measured == 1


def test_a_converged_search_ends_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    search, inner = cached((1, 2), *[(2, 1)] * 300, duplicate_cap=120)
    search.suggest("a")
    assert search.suggest("b") is None and search.suggest("c") is None
    assert len(inner.pairs) == 200  # no more are drawn before the algorithm hears of the first
    complete(search, "a", 5.0)
    with caplog.at_level(logging.WARNING, "designgym.hashing"):
        assert search.suggest("d") == search.FINISHED
    assert "the search ends: the last 120 suggestions were all equivalent to known ones" in caplog.text
    assert len(inner.told) == 1 + 100 + 120


def test_points_evaluated_elsewhere_are_known() -> None:
    search, inner = cached((2, 1), (3, 3), (4, 4))
    search.add_evaluated_point({"first": 1, "second": 2}, 5.0)
    search.add_evaluated_point({"first": 3, "second": 3}, None, error=True)
    search.add_evaluated_point({"first": 3, "second": 3}, 7.0, pruned=True)
    assert search.suggest("a") == {"first": 3, "second": 3}
    assert inner.told["a"] == 5.0


def test_state_goes_on_where_it_was(tmp_path: Path) -> None:
    """As Tune saves and restores it, limiter and all."""
    pairs = [(1, 2), (3, 3), (2, 1), None, (3, 3), (1, 2), (0, 0)]

    def generator(*pairs: Any) -> tuple[Any, CachedSearchAlg, Listed]:
        search, inner = cached(*pairs)
        return SearchGenerator(ConcurrencyLimiter(search, max_concurrent=3)), search, inner

    saved, search, _ = generator(*pairs)
    for name in ("a", "b"):
        saved.searcher.suggest(name)
    saved.on_trial_complete("b", {"loss": 6.0})
    assert saved.searcher.suggest("c") is None  # (2, 1) waits for a
    json.dumps(search.get_state(), allow_nan=False)
    saved.save_to_dir(str(tmp_path), "now")
    restored, again, inner = generator()
    restored.restore_from_dir(str(tmp_path))
    assert again.memo.counts == search.memo.counts
    assert restored.searcher.suggest("d") == {"first": 0, "second": 0}  # (3, 3) is known and (1, 2) runs
    restored.on_trial_complete("a", {"loss": 5.0})
    assert inner.told == {"d": 6.0, "a": 5.0, "c": 5.0, "d-1": 5.0}
    restored.on_trial_complete("d", error=True)
    assert again.memo.cache.statistics()["reservations"] == 0


def two_sweeps(one: Any, other: Any) -> None:
    here, _ = cached((1, 2), (3, 3), (4, 4), None, cache=one, name="f")
    there, inner_there = cached((2, 1), (0, 0), None, (3, 3), None, (4, 4), cache=other, name="f")
    assert here.suggest("a") == {"first": 1, "second": 2}
    assert there.suggest("A") == {"first": 0, "second": 0}  # (2, 1) waits for the other sweep
    complete(there, "A", 4.0)
    assert here.suggest("b") == {"first": 3, "second": 3}
    complete(here, "a", 5.0)
    assert there.suggest("B") is None and inner_there.told == {"A-1": 4.0, "A": 5.0}
    assert there.suggest("C") is None  # (3, 3) waits
    here.on_trial_complete("b", error=True)
    assert there.suggest("D") == {"first": 3, "second": 3}  # since it came to nothing there
    complete(there, "D", 6.0)
    assert inner_there.told["C"] == 6.0
    assert there.memo.counts == Counts(asked=3, measured=2, duplicates=1)


def test_two_sweeps_with_one_cache() -> None:
    two_sweeps(cache := LocalCache(), cache)


def test_it_is_pickled_with_what_it_knows() -> None:
    for options in ({}, {"cache": LocalCache(), "name": "f"}):
        search, _ = cached((1, 2), (2, 1), (3, 3), key=lambda config: unordered(config), **options)
        search.suggest("a")
        complete(search, "a", math.inf)
        copy = cloudpickle.loads(cloudpickle.dumps(search))
        assert copy.suggest("b") == {"first": 3, "second": 3} and copy.searcher.told == {"a": math.inf, "b": math.inf}


def test_bad_options() -> None:
    with pytest.raises(
        InputError, match=r"expected a ray.tune.search.Searcher such as OptunaSearch\(\), or .*TuneSearch\('random', space\)"
    ):
        CachedSearchAlg(BasicVariantGenerator())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="put the ConcurrencyLimiter around CachedSearchAlg"):
        CachedSearchAlg(ConcurrencyLimiter(Listed(), max_concurrent=2))
    with pytest.raises(InputError, match="give name="):
        CachedSearchAlg(Listed(), LocalCache())
    with pytest.raises(InputError, match="duplicate_cap is 0"):
        CachedSearchAlg(Listed(), duplicate_cap=0)
    with pytest.raises(InputError, match="full is 3, expected a function"):
        CachedSearchAlg(Listed(), full=3)  # type: ignore[arg-type]
    search, _ = cached((1, object()), key=None)
    with pytest.raises(InputError, match="Give key="):
        search.suggest("a")


# ---- real algorithms ----------------------------------------------------------------------------------------------------


def nested(trial: Any) -> dict[str, Any]:
    first = trial.suggest_int("first", 0, 4)
    trial.suggest_int("second", 0, first)
    return {"constant": "x"}


ALGORITHMS: dict[str, Any] = {
    "optuna": lambda: OptunaSearch(seed=0),
    "optuna, several metrics": lambda: OptunaSearch(seed=0, metric=["loss", "training_iteration"], mode=["min", "min"]),
    "optuna, define by run": lambda: OptunaSearch(nested, metric="loss", mode="min", seed=0),
    "optuna, points": lambda: OptunaSearch(
        seed=0, points_to_evaluate=[{"first": 1, "second": 3}, {"first": 3, "second": 1}, {"first": 1, "second": 3}]
    ),
    "hyperopt": lambda: HyperOptSearch(random_state_seed=0),
    "ours": lambda: TuneSearch("tpe", SPACE, seed=0),
}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("limited", [False, True])
def test_algorithms_evaluate_no_behaviour_twice(name: str, limited: bool) -> None:
    cached = CachedSearchAlg(ALGORITHMS[name](), key=SPACE, duplicate_cap=150)
    search = ConcurrencyLimiter(cached, max_concurrent=2) if limited else cached
    search.set_search_properties("loss", "min", {"constant": "x"} if name == "ours" else PARAM_SPACE)
    evaluated = run(search, 12)
    assert len(evaluated) == len({tuple(pair) for pair in evaluated}) == 12
    assert cached.memo.counts.measured == 12 and (cached.memo.counts.duplicates > 0 or name == "ours")  # which proposes no known designs
    if name == "optuna, points":
        assert evaluated[0] == [1, 3]


def test_a_space_that_is_exhausted_ends_the_search() -> None:
    for inner in (OptunaSearch(sampler=optuna.samplers.RandomSampler(seed=0)), TuneSearch("random", SPACE, seed=0)):
        search = CachedSearchAlg(inner, key=SPACE, duplicate_cap=150)
        search.set_search_properties("loss", "min", {} if isinstance(inner, TuneSearch) else PARAM_SPACE)
        assert len(run(search, 100)) == 15


# ---- on a cluster -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.mark.slow
def test_two_sweeps_with_one_shared_cache(cluster: None) -> None:
    cache = SharedCache("two-sweeps")
    two_sweeps(cache, cloudpickle.loads(cloudpickle.dumps(cache)))
    cache.shut_down()


def steps(config: dict[str, Any]) -> None:
    if unordered(config) == [0, 0]:
        raise RuntimeError("a behaviour that fails")
    for step in range(1, 5):
        tune.report({"loss": loss(config) + 4 - step})


def tuner(search: Any, tmp_path: Path, trainable: Any, callbacks: Any = (), **options: Any) -> Any:
    return tune.Tuner(
        trainable,
        param_space=PARAM_SPACE,
        tune_config=tune.TuneConfig(search_alg=search, metric="loss", mode="min", max_concurrent_trials=2, **options),
        run_config=tune.RunConfig(name="sweep", storage_path=str(tmp_path), verbose=0, callbacks=list(callbacks)),
    )


@pytest.mark.slow
def test_a_sweep_with_an_early_stopping_scheduler_and_failures(cluster: None, tmp_path: Path) -> None:
    search = CachedSearchAlg(OptunaSearch(seed=1), key=unordered, full=lambda result: result["training_iteration"] == 4)
    scheduler = ASHAScheduler(max_t=5, grace_period=1, reduction_factor=2)
    results = tuner(search, tmp_path, steps, num_samples=14, scheduler=scheduler).fit()
    assert len(results) == 14
    full = [unordered(one.config) for one in results if not one.error and one.metrics["training_iteration"] == 4]
    assert len(full) == len({tuple(pair) for pair in full}) == search.memo.counts.measured < 14
    assert search.memo.cache.statistics()["reservations"] == 0


class Interrupt(tune.Callback):
    """Interrupts the sweep, as a user does, after three trials."""

    ended = 0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        type(self).ended += 1
        if type(self).ended == 3:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on(cluster: None, tmp_path: Path) -> None:
    search = CachedSearchAlg(OptunaSearch(seed=0), key=unordered)

    def trainable(config: dict[str, Any]) -> dict[str, float]:
        return {"loss": loss(config)}

    first = tuner(search, tmp_path, trainable, [Interrupt()], num_samples=9).fit()
    assert 3 <= len(first) < 9
    results: Any = tune.Tuner.restore(str(tmp_path / "sweep"), trainable).fit()
    evaluated = [tuple(unordered(one.config)) for one in results]
    assert len(evaluated) == len(set(evaluated)) == 9
    assert all(one.metrics["loss"] == loss(one.config) for one in results)
