"""`CachedAskTell`: an optimizer with ask and tell, as Nevergrad's are, that is never handed a behaviour it knows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral
from typing import Any, Protocol

from designgym.core.errors import EvaluationError, InputError, shorten
from designgym.core.protocols import EquivalenceCache
from designgym.hashing.tuners.memo import KeyOf, Memo, design_form, from_metrics, to_metrics

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

    A candidate that is equivalent to one still out (asked and not told yet) is kept back, and told together with it. So any number of
    candidates may be out, and they are told in any order; it is used by one thread.

    Args:
        optimizer: What asks and tells. Its own budget, if it has one, counts all candidates, known ones included.
        key: What stands for a candidate's behaviour: a function of the candidate, a `DesignSpace` whose parameters are its named values
            (of Nevergrad an ``Instrumentation`` by name or a ``Dict``), or None for its values.
        name: As for `equivalence_cached`.
        version: As for `equivalence_cached`.
        cache: As for `equivalence_cached`.
        duplicate_cap: Consecutive duplicates after which the search counts as converged.
        **options: As for `equivalence_cached`.

    Raises:
        InputError: For a bad option.
    """

    def __init__(
        self,
        optimizer: AskTell,
        *,
        key: KeyOf = None,
        name: str = "",
        version: str = "1",
        cache: EquivalenceCache | None = None,
        duplicate_cap: int = DUPLICATE_CAP,
        **options: Any,
    ) -> None:
        check_cap(duplicate_cap)
        if not all(callable(getattr(optimizer, method, None)) for method in ("ask", "tell")):
            raise InputError(
                f"optimizer is {shorten(optimizer)}, expected an object with ask() and tell(candidate, value), as Nevergrad's are"
            )
        self.optimizer, self._cap = optimizer, duplicate_cap
        self.memo = Memo(name, key, version=version, cache=cache, **options)
        self._out: dict[str, tuple[Any, str]] = {}  # candidates that were asked and not told yet, with their tokens, by key
        self._followers: dict[str, list[Any]] = {}  # candidates that wait for the value of an equal one, by key

    def ask(self) -> Any:
        """Return a candidate whose behaviour is new.

        Raises:
            EvaluationError: After ``duplicate_cap`` consecutive duplicates.
        """
        if self._followers and (candidate := self._retry_followers()) is not None:
            return candidate
        for _ in range(self._cap):
            candidate = self.optimizer.ask()
            key = self._key_text(candidate)
            self.memo.count(asked=1)
            answer = None if key in self._out else self.memo.reserve(key)
            if answer is not None and answer.kind == "reserved":
                self._out[key] = candidate, answer.token
                return candidate
            self.memo.count(duplicates=1)
            if answer is not None and answer.metrics is not None:
                self.optimizer.tell(candidate, from_metrics(answer.metrics))
            else:
                self._followers.setdefault(key, []).append(candidate)
        waiting = f"; {len(self._out)} of them are out: tell their values before asking for more" if self._out else ""
        raise EvaluationError(f"converged: the last {self._cap} candidates were all equivalent to known ones{waiting}")

    def tell(self, candidate: Any, value: Any) -> None:
        """Tell the optimizer a candidate's value, and the same to all equivalent candidates that were kept back.

        Args:
            candidate: One of `ask`, a copy of it that came from another process, or one that was never asked.
            value: Its value: a number, or several.

        Raises:
            InputError: If the value is no number; the candidate is still out then.
        """
        metrics, key = to_metrics(value), self._key_of(candidate)
        _, token = self._out.pop(key, (None, ""))
        [mean] = self.memo.cache.fill([(key, token, metrics)])
        self.memo.count(measured=1)
        for told in (candidate, *self._followers.pop(key, ())):
            self.optimizer.tell(told, from_metrics(mean))

    def give_up(self, candidate: Any) -> None:
        """End the reservation of a candidate that cannot be evaluated; the next equivalent one is tried again.

        Raises:
            InputError: If it is not out.
        """
        key = self._key_of(candidate)
        if key not in self._out:
            raise InputError("the candidate to give up is not out: it was told, given up, or never asked here")
        self.memo.cache.fail({key: self._out.pop(key)[1]})
        self._followers.pop(key, None)

    def candidates(self, budget: int) -> Iterator[Any]:
        """Yield up to ``budget`` candidates of different behaviour, fewer if the search converges, which is logged."""
        if isinstance(budget, bool) or not isinstance(budget, Integral) or budget < 0:
            raise InputError(f"budget is {shorten(budget)}, expected a whole number of evaluations")
        for count in range(budget):
            try:
                candidate = self.ask()
            except EvaluationError as error:
                log.warning("%s; the search ends after %d evaluations", error, count)
                return
            yield candidate

    def minimize(self, function: Callable[[Any], Any], budget: int) -> Any:
        """Evaluate ``function`` at up to ``budget`` candidates of different behaviour and return the optimizer's recommendation.

        There is none for several objectives: see ``optimizer.pareto_front()`` of Nevergrad.

        Args:
            function: The loss, of a candidate (of Nevergrad an object with ``value``, ``args`` and ``kwargs``).
            budget: Evaluations.

        Raises:
            InputError: For a function that cannot be called, or a budget that is no whole number.
        """
        if not callable(function):
            raise InputError(f"the function to minimise is {shorten(function)}, expected something that can be called with a candidate")
        for candidate in self.candidates(budget):
            try:
                self.tell(candidate, function(candidate))
            except BaseException:
                if self._key_of(candidate) in self._out:
                    self.give_up(candidate)
                raise
        recommend: Any = getattr(self.optimizer, "provide_recommendation", None)
        return recommend() if recommend is not None and getattr(self.optimizer, "num_objectives", 1) == 1 else None

    # ---- inside ---------------------------------------------------------------------------------------------------------

    def _key_of(self, candidate: Any) -> str:
        """Return the key of a candidate, without computing it anew if it is out."""
        return next((key for key, (out, _) in self._out.items() if out is candidate), None) or self._key_text(candidate)

    def _key_text(self, candidate: Any) -> str:
        key = self.memo.key
        if callable(key):
            return self.memo.key_text(candidate)
        args, kwargs = getattr(candidate, "args", None), getattr(candidate, "kwargs", None)
        parameter = isinstance(args, tuple) and isinstance(kwargs, dict)  # Nevergrad's
        if key is None:
            return self.memo.text_of([args, kwargs] if parameter else candidate)
        values = kwargs or (args[0] if args else {}) if parameter and args is not None else candidate
        return self.memo.text_of(design_form(key, values if isinstance(values, Mapping) else candidate))

    def _retry_followers(self) -> Any:
        """Tell those whose twin another process has evaluated; return one whose twin came to nothing there, None if there is none."""
        for key in [key for key in self._followers if key not in self._out]:
            answer = self.memo.reserve(key)
            if answer.metrics is not None:
                for follower in self._followers.pop(key):
                    self.optimizer.tell(follower, from_metrics(answer.metrics))
            elif answer.kind == "reserved":
                first, *others = self._followers.pop(key)
                if others:
                    self._followers[key] = others
                self._out[key] = first, answer.token
                self.memo.count(duplicates=-1)
                return first
        return None


def check_cap(duplicate_cap: object) -> None:
    """Raise `InputError` for a cap on duplicates that is none."""
    if type(duplicate_cap) is not int or duplicate_cap < 1:
        raise InputError(f"duplicate_cap is {duplicate_cap!r}, expected a whole number of 1 or more")
