"""`CachedAskTell`: an optimizer with ask and tell, as Nevergrad's are, that is never handed a behaviour it knows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from designgym.core.errors import EvaluationError
from designgym.core.protocols import EquivalenceCache, Lookup
from designgym.hashing.tuners.memo import KeyOf, Memo, from_metrics, to_metrics

DUPLICATE_CAP = 1000

log = logging.getLogger("designgym.hashing")


class AskTell(Protocol):
    """What is wrapped: `nevergrad.optimizers.base.Optimizer`, or any other object with these two methods."""

    def ask(self) -> Any:
        """Return a candidate."""
        ...

    def tell(self, candidate: Any, value: Any, /) -> Any:
        """Learn a candidate's value."""
        ...


class CachedAskTell:
    """Asks an optimizer for candidates until one is new; the others are told their known values at once and cost nothing.

    ::

        optimizer = CachedAskTell(ng.optimizers.NGOpt(parametrization, budget=1000), key=lambda candidate: sorted(candidate.args))
        for candidate in optimizer.candidates(100):              # 100 different behaviours, however many candidates that takes
            optimizer.tell(candidate, loss(*candidate.args))

    A candidate that is equivalent to one still out (asked and not told yet) is kept back, and told together with it.

    Args:
        optimizer: What asks and tells.
        key: What stands for a candidate's behaviour: a function of the candidate, or a `DesignSpace` that validates it.
        name: As for `equivalence_cached`.
        version: As for `equivalence_cached`.
        cache: As for `equivalence_cached`.
        duplicate_cap: Consecutive duplicates after which the search counts as converged.
        **options: As for `equivalence_cached`.
    """

    def __init__(
        self,
        optimizer: AskTell,
        *,
        key: KeyOf,
        name: str = "",
        version: str = "1",
        cache: EquivalenceCache | None = None,
        duplicate_cap: int = DUPLICATE_CAP,
        **options: Any,
    ) -> None:
        self.optimizer, self._cap = optimizer, duplicate_cap
        self.memo = Memo(name, key, version=version, cache=cache, **options)
        self._out: dict[int, tuple[str, Any, Lookup]] = {}  # by the candidate's identity; it is kept alive here
        self._followers: dict[str, list[Any]] = {}  # candidates that wait for the value of an equal one

    def ask(self) -> Any:
        """Return a candidate whose behaviour is new.

        Raises:
            EvaluationError: After ``duplicate_cap`` consecutive duplicates.
        """
        for _ in range(self._cap):
            candidate = self.optimizer.ask()
            self.memo.counts.asked += 1
            key = self.memo.key_text(candidate)
            answer = self.memo.reserve(key)
            if answer.kind == "reserved":
                self._out[id(candidate)] = key, candidate, answer
                return candidate
            self.memo.counts.duplicates += 1
            if answer.metrics is not None:
                self.optimizer.tell(candidate, from_metrics(answer.metrics))
            else:
                self._followers.setdefault(key, []).append(candidate)
        raise EvaluationError(f"converged: the last {self._cap} candidates were all equivalent to known ones")

    def tell(self, candidate: Any, value: Any) -> None:
        """Tell the optimizer a candidate's value, and the same to all equivalent candidates that were kept back."""
        key, _, answer = self._out.pop(id(candidate), (None, None, None))
        if key is None or answer is None:  # never asked here: it is remembered as well
            key = self.memo.key_text(candidate)
            answer = self.memo.reserve(key)
        [mean] = self.memo.cache.fill([(key, answer.token, to_metrics(value))])
        self.memo.counts.measured += 1
        for told in (candidate, *self._followers.pop(key, ())):
            self.optimizer.tell(told, from_metrics(mean))

    def give_up(self, candidate: Any) -> None:
        """End the reservation of a candidate that cannot be evaluated; the next equivalent one is tried again."""
        key, _, answer = self._out.pop(id(candidate), (None, None, None))
        if key is not None and answer is not None:
            self.memo.cache.fail({key: answer.token})
            self._followers.pop(key, None)

    def candidates(self, budget: int) -> Iterator[Any]:
        """Yield up to ``budget`` candidates of different behaviour, fewer if the search converges, which is logged."""
        for count in range(budget):
            try:
                candidate = self.ask()
            except EvaluationError as error:
                log.warning("%s; the search ends after %d evaluations", error, count)
                return
            yield candidate

    def minimize(self, function: Callable[[Any], Any], budget: int) -> Any:
        """Evaluate ``function`` at up to ``budget`` candidates of different behaviour and return the optimizer's recommendation."""
        for candidate in self.candidates(budget):
            try:
                value = function(candidate)
            except BaseException:
                self.give_up(candidate)
                raise
            self.tell(candidate, value)
        recommend: Any = getattr(self.optimizer, "provide_recommendation", None)
        return recommend() if recommend is not None else None
