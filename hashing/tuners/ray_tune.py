"""`CachedSearchAlg`: any search algorithm of Ray Tune, with no trial ever started for a behaviour that is known."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ray.tune.search import ConcurrencyLimiter
from ray.tune.search import Searcher as RaySearcher

from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, is_number
from designgym.core.protocols import EquivalenceCache
from designgym.hashing.local_cache import LocalCache
from designgym.hashing.tuners.memo import Counts, KeyOf, Memo

DUPLICATE_CAP = 1000
MOST_WAITING = 100  # suggestions that wait for running twins; the next ones would hardly be new

log = logging.getLogger("designgym.hashing")


class CachedSearchAlg(RaySearcher):
    """Wraps a search algorithm: what it suggests is looked up first, and answered at once if an equivalent configuration was evaluated.

    ::

        search = CachedSearchAlg(OptunaSearch(), key=lambda config: sorted([config["a"], config["b"]]))
        tune.Tuner(train, param_space=..., tune_config=tune.TuneConfig(search_alg=search, num_samples=100, metric="loss", mode="min"))

    ``num_samples`` counts the trials that are started, so it counts different behaviours. A suggestion that is equivalent to a running
    trial waits for its result. A `ConcurrencyLimiter` goes around this, not inside it.

    Args:
        search_alg: The algorithm: a `ray.tune.search.Searcher`.
        cache: Where results are kept: a `LocalCache` of its own unless given; a `SharedCache`, with
            ``name``, for several sweeps at once.
        key: What stands for a configuration's behaviour: a function of it, a `DesignSpace` whose parameters it holds, or None for the
            configuration itself.
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
        super().__init__(metric=search_alg.metric, mode=search_alg.mode)
        self.searcher = search_alg  # the attribute by which Tune finds the algorithm inside, to save and restore it
        self.memo = Memo(name, key, version=version, cache=cache, **options)
        self._full, self._cap = full, duplicate_cap
        self._running: dict[str, _Running] = {}  # by Tune's trial id
        self._waiting: dict[str, list[_Waiting]] = {}  # suggestions that wait for the result of an equivalent one, by key
        self._names = itertools.count(1)

    # ---- what Tune calls ------------------------------------------------------------------------------------------------

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Hand metric, mode and search space on."""
        done = self.searcher.set_search_properties(metric, mode, config, **spec)
        self._metric, self._mode = self.searcher.metric or metric, self.searcher.mode or mode
        return done

    def suggest(self, trial_id: str) -> Any:
        """Return the next configuration of a new behaviour; None while there is nothing to do but wait; `FINISHED` at the end."""
        if (config := self._retry_waiting(trial_id)) is not None:
            return config
        for attempt in range(self._cap):
            inner = trial_id if attempt == 0 else f"{trial_id}-{next(self._names)}"
            config = self.searcher.suggest(inner)
            if not isinstance(config, Mapping):  # nothing now, or nothing any more
                return None if self._running or self._waiting else config
            self.memo.counts.asked += 1
            key = self.memo.key_text(dict(config))
            answer = self.memo.reserve(key)
            if answer.kind == "reserved":
                self._running[trial_id] = _Running(inner, key, answer.token)
                return config
            self.memo.counts.duplicates += 1
            waiting = _Waiting(inner, dict(config))
            if answer.metrics is not None:
                self._serve(waiting, answer.metrics)
            else:
                self._waiting.setdefault(key, []).append(waiting)
                if sum(map(len, self._waiting.values())) >= MOST_WAITING:
                    return None  # the algorithm does not move on before it hears of what is running
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
        numbers = {name: float(value) for name, value in (result or {}).items() if is_number(value)}
        good = not error and self._metric_names() <= numbers.keys() and (self._full is None or self._full(result or {}))
        if good:
            self.memo.counts.measured += 1
            self.memo.cache.fill([(running.key, running.token, Metrics(numbers))])
        else:
            self.memo.cache.fail({running.key: running.token})
        self.searcher.on_trial_complete(running.inner, result=result, error=error)
        for waiting in self._waiting.pop(running.key, ()):
            told = None if result is None else {**result, "trial_id": waiting.inner, "config": waiting.config}
            self.searcher.on_trial_complete(waiting.inner, result=told, error=error)

    def add_evaluated_point(
        self, parameters: dict[str, Any], value: Any, error: bool = False, pruned: bool = False, intermediate_values: Any = None
    ) -> None:
        """Hand a point evaluated elsewhere on."""
        self.searcher.add_evaluated_point(parameters, value, error, pruned, intermediate_values)

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
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Return to a state of `get_state`; what was running is reserved again."""
        if state["results"] is not None and isinstance(self.memo.cache, LocalCache):
            self.memo.cache.load(state["results"])
        self.memo.counts = Counts(**state["counts"])
        self._running = {
            trial_id: _Running(inner, key, self.memo.reserve(key).token) for trial_id, (inner, key) in state["running"].items()
        }
        self._waiting = {key: [_Waiting(*waiting) for waiting in group] for key, group in state["waiting"].items()}

    # ---- inside ---------------------------------------------------------------------------------------------------------

    def _metric_names(self) -> set[str]:
        return {self._metric} if isinstance(self._metric, str) else set(self._metric or ())

    def _retry_waiting(self, trial_id: str) -> dict[str, Any] | None:
        """Answer suggestions whose twin ran in another sweep; return the configuration of one whose twin came to nothing there."""
        own = {running.key for running in self._running.values()}
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
                return first.config
        return None

    def _serve(self, waiting: _Waiting, metrics: Metrics) -> None:
        result = {**metrics.values, "trial_id": waiting.inner, "config": waiting.config, "done": True}
        self.searcher.on_trial_complete(waiting.inner, result=result)


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
