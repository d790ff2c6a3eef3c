"""`CachedSearchAlg`: any search algorithm of Ray Tune, with no trial ever started for a behaviour that is known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from ray.tune.search import ConcurrencyLimiter
from ray.tune.search import Searcher as RaySearcher
from ray.tune.utils import flatten_dict

from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics
from designgym.core.protocols import EquivalenceCache
from designgym.hashing.local_cache import LocalCache
from designgym.hashing.tuners.ask_tell import DUPLICATE_CAP, check_cap
from designgym.hashing.tuners.memo import Counts, KeyOf, Memo, from_metrics, to_metrics, to_real

MOST_WAITING = 100  # suggestions that wait for running twins; the next ones would hardly be new

log = logging.getLogger("designgym.hashing")


class CachedSearchAlg(RaySearcher):
    """Wraps a search algorithm: what it suggests is looked up first, and answered at once if an equivalent configuration was evaluated.

    ::

        search = CachedSearchAlg(OptunaSearch(), key=lambda config: sorted([config["a"], config["b"]]))
        tune.Tuner(train, param_space=..., tune_config=tune.TuneConfig(search_alg=search, num_samples=100, metric="loss", mode="min"))

    ``num_samples`` counts the trials that are started, so it counts different behaviours. A suggestion that is equivalent to a running
    trial waits for its result. A `ConcurrencyLimiter` goes around this, not inside it. A trial that failed, or that reported no value of
    the metric, is not remembered; NaN is a value. Tune saves and restores all this with the sweep (``Tuner.restore``).

    Not for schedulers that change a trial's configuration while it runs (population-based training), nor for algorithms that need
    intermediate results of all trials (BOHB).

    Args:
        search_alg: The algorithm: a `ray.tune.search.Searcher`.
        cache: Where results are kept: a `LocalCache` of its own unless given; a `SharedCache`, with
            ``name``, for several sweeps at once.
        key: What stands for a configuration's behaviour: a function of what the algorithm suggests; a `DesignSpace` whose parameters it
            holds by name, as those of `designgym.searchers.TuneSearch` do (for a ``param_space`` of `DesignSpace.to_tune` give
            ``lambda config: space.canonical(space.from_tune(config)).literal``); or None for the configuration itself.
        full: Whether a trial's last result is one of a full evaluation. Give it with a scheduler that stops trials early, for instance
            ``lambda result: result["training_iteration"] == 100``; otherwise what they reported last would count as their result.
        name: Keeps apart the sweeps that share a cache.
        version: Raise it when the trainable changes.
        duplicate_cap: Consecutive duplicates after which the search ends.
        **options: Options of `LocalCache`.

    Raises:
        InputError: If the algorithm is none that suggests configurations, or for a bad option.
    """

    def __init__(
        self,
        search_alg: RaySearcher,
        cache: EquivalenceCache | None = None,
        *,
        key: KeyOf = None,
        full: Callable[[Mapping[str, Any]], bool] | None = None,
        name: str = "",
        version: str = "1",
        duplicate_cap: int = DUPLICATE_CAP,
        **options: Any,
    ) -> None:
        if not isinstance(search_alg, RaySearcher):
            raise InputError(
                f"search_alg is {shorten(search_alg)}, expected a ray.tune.search.Searcher such as OptunaSearch(), "
                "or designgym.searchers.TuneSearch('random', space) for random search"
            )
        if isinstance(search_alg, ConcurrencyLimiter):
            raise InputError("put the ConcurrencyLimiter around CachedSearchAlg: ConcurrencyLimiter(CachedSearchAlg(search_alg), ...)")
        check_cap(duplicate_cap)
        if full is not None and not callable(full):
            raise InputError(f"full is {shorten(full)}, expected a function that tells of a trial's last result whether it is a full one")
        super().__init__(metric=search_alg.metric, mode=search_alg.mode)
        self.searcher = search_alg  # the attribute by which Tune finds the algorithm inside, to save and restore it
        self.memo = Memo(name, key, version=version, cache=cache, **options)
        self._full, self._cap = full, duplicate_cap
        self._running: dict[str, _Running] = {}  # by Tune's trial id
        self._waiting: dict[str, list[_Waiting]] = {}  # suggestions that wait for the result of an equivalent one, by key
        self._duplicates_in_a_row = 0

    # ---- what Tune calls ------------------------------------------------------------------------------------------------

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Hand metric, mode and search space on."""
        done = self.searcher.set_search_properties(metric, mode, config, **spec)
        self._metric, self._mode = self.searcher.metric or metric, self.searcher.mode or mode
        return done

    def suggest(self, trial_id: str) -> Any:
        """Return the next configuration of a new behaviour; None while there is nothing to do but wait; `FINISHED` at the end."""
        if self._waiting and (config := self._retry_waiting(trial_id)) is not None:
            return config
        for attempt in range(self._cap - self._duplicates_in_a_row):
            if sum(map(len, self._waiting.values())) >= MOST_WAITING:
                return None  # the algorithm does not move on before it hears of what is running
            inner = trial_id if attempt == 0 else f"{trial_id}-{attempt}"
            config = self.searcher.suggest(inner)
            if not isinstance(config, Mapping):  # nothing now, or nothing any more
                return None if self._running or self._waiting else config
            key = self.memo.key_text(config)
            self.memo.count(asked=1)
            # what runs here is known better here: a lease in a cache may be over before a trial is
            answer = None if key in self._running_keys() else self.memo.reserve(key)
            if answer is not None and answer.kind == "reserved":
                self._running[trial_id] = _Running(inner, key, answer.token)
                self._duplicates_in_a_row = 0
                return config
            self.memo.count(duplicates=1)
            self._duplicates_in_a_row += 1
            waiting = _Waiting(inner, dict(config))
            if answer is not None and answer.metrics is not None:
                self._serve(waiting, answer.metrics)
            else:
                self._waiting.setdefault(key, []).append(waiting)
        if self._running or self._waiting:
            return None  # what runs may come to nothing, and be worth another try
        log.warning("the search ends: the last %d suggestions were all equivalent to known ones", self._cap)
        return self.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hand an intermediate result on."""
        if (running := self._running.get(trial_id)) is not None:
            self.searcher.on_trial_result(running.inner, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Remember a trial's last result, and tell it of all suggestions that were equivalent; failures are not remembered."""
        running = self._running.pop(trial_id, None)
        if running is None:
            return
        self._duplicates_in_a_row = 0  # the algorithm learns something new
        result = self._remember(running, result, error)
        self.searcher.on_trial_complete(running.inner, result=result, error=error)
        for waiting in self._waiting.pop(running.key, ()):
            told = None if result is None else _result_of(waiting, result)
            self.searcher.on_trial_complete(waiting.inner, result=told, error=error)

    def add_evaluated_point(
        self, parameters: dict[str, Any], value: Any, error: bool = False, pruned: bool = False, intermediate_values: Any = None
    ) -> None:
        """Hand a point evaluated elsewhere on, and remember it if it was evaluated to the end."""
        self.searcher.add_evaluated_point(parameters, value, error, pruned, intermediate_values)
        if isinstance(self._metric, str) and not error and not pruned and to_real(value) is not None:
            self.memo.cache.fill([(self.memo.key_text(parameters), "", to_metrics({self._metric: value}))])

    # ---- saving and restoring: Tune saves the algorithm inside by itself ------------------------------------------------

    def save(self, checkpoint_path: str) -> None:
        """Save the algorithm inside; what this wrapper knows is in `get_state`."""
        self.searcher.save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """Restore the algorithm inside."""
        self.searcher.restore(checkpoint_path)

    def get_state(self) -> dict[str, Any]:
        """Return what is running and waiting, and the results of a local cache, as JSON data."""
        return {
            "running": {trial_id: [running.inner, running.key] for trial_id, running in self._running.items()},
            "waiting": {key: [[waiting.inner, waiting.config] for waiting in group] for key, group in self._waiting.items()},
            "results": self.memo.cache.snapshot() if isinstance(self.memo.cache, LocalCache) else None,
            "counts": asdict(self.memo.counts),
            "duplicates_in_a_row": self._duplicates_in_a_row,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Return to a state of `get_state`; what was running is reserved again."""
        if state["results"] is not None and isinstance(self.memo.cache, LocalCache):
            self.memo.cache.load(state["results"])
        self.memo.counts, self._duplicates_in_a_row = Counts(**state["counts"]), state["duplicates_in_a_row"]
        self._running = {
            trial_id: _Running(inner, key, self.memo.reserve(key).token) for trial_id, (inner, key) in state["running"].items()
        }
        self._waiting = {key: [_Waiting(*waiting) for waiting in group] for key, group in state["waiting"].items()}

    # ---- inside ---------------------------------------------------------------------------------------------------------

    def _metric_names(self) -> set[str]:
        return {self._metric} if isinstance(self._metric, str) else set(self._metric or ())

    def _running_keys(self) -> set[str]:
        return {running.key for running in self._running.values()}

    def _remember(self, running: _Running, result: dict[str, Any] | None, error: bool) -> dict[str, Any] | None:
        """Remember what a trial reported, if it came to its end; return it, with the means over several measurements for its metrics."""
        reals = {name: real for name, value in (result or {}).items() if (real := to_real(value)) is not None}
        values = {name: real for name, real in reals.items() if not name.startswith("config/")}
        if error or not values or not self._metric_names() <= values.keys() or not (self._full is None or self._full(result or {})):
            self.memo.cache.fail({running.key: running.token})
            return result
        try:
            [mean] = self.memo.cache.fill([(running.key, running.token, to_metrics(values))])
        except InputError as refused:  # a measurement with other metrics than the first one, which is no reason to end a sweep
            log.warning("the result of trial %s is not remembered: %s", running.inner, refused)
            self.memo.cache.fail({running.key: running.token})
            return result
        self.memo.count(measured=1)
        means = _named(mean)
        return {**(result or {}), **{name: means[name] for name in self._metric_names() & means.keys()}}

    def _retry_waiting(self, trial_id: str) -> dict[str, Any] | None:
        """Answer suggestions whose twin ran in another sweep; return the configuration of one whose twin came to nothing there."""
        own = self._running_keys()
        for key in [key for key in self._waiting if key not in own]:
            answer = self.memo.reserve(key)
            if answer.metrics is not None:
                for waiting in self._waiting.pop(key):
                    self._serve(waiting, answer.metrics)
            elif answer.kind == "reserved":
                first, *others = self._waiting.pop(key)
                if others:
                    self._waiting[key] = others
                self._running[trial_id] = _Running(first.inner, key, answer.token)
                self.memo.count(duplicates=-1)
                return first.config
        return None

    def _serve(self, waiting: _Waiting, metrics: Metrics) -> None:
        self.searcher.on_trial_complete(waiting.inner, result=_result_of(waiting, {**_named(metrics), "done": True}))


@dataclass(frozen=True)
class _Running:
    """A trial that was started, under the name that the algorithm inside knows it by."""

    inner: str
    key: str
    token: str


@dataclass(frozen=True)
class _Waiting:
    """A suggestion that needs no trial."""

    inner: str
    config: dict[str, Any]


def _named(metrics: Metrics) -> dict[str, float]:
    return cast(dict[str, float], from_metrics(metrics))


def _result_of(waiting: _Waiting, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of an equivalent configuration as that of this one, flat as Tune's results are."""
    others = {name: value for name, value in result.items() if not name.startswith("config/")}
    return {**others, "trial_id": waiting.inner, **flatten_dict({"config": waiting.config})}
