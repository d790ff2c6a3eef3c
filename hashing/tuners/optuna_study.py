"""`dedupe`: an Optuna objective that measures each behaviour once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from designgym.core.errors import InputError, shorten
from designgym.core.protocols import EquivalenceCache
from designgym.core.space import DesignSpace
from designgym.hashing.tuners.memo import Memo, Memoised, design_form, to_metrics

if TYPE_CHECKING:
    import optuna

ATTRIBUTE = "designgym:duplicate"


def dedupe(
    objective: Callable[[optuna.Trial], Any],
    *,
    key: Callable[[optuna.Trial], Any] | DesignSpace,
    duplicates: Literal["serve", "prune"] = "serve",
    known: Iterable[optuna.trial.FrozenTrial] = (),
    name: str = "",
    version: str = "1",
    cache: EquivalenceCache | None = None,
    **options: Any,
) -> Memoised:
    """Return the objective with its duplicates recognised before anything expensive begins: ``study.optimize(dedupe(objective, key=...))``.

    The key makes the suggestions: ``key=lambda trial: sorted([trial.suggest_int("a", 0, 9), trial.suggest_int("b", 0, 9)])``. When the
    objective suggests them again, Optuna returns the same values. With a `DesignSpace` as key the suggestions are those of
    `DesignSpace.to_optuna`, and designs are equivalent if their canonical forms are equal.

    A duplicate gets the value that is known, so that the sampler learns from it, or is pruned; in both cases the trial's user attribute
    ``designgym:duplicate`` is true. Other attributes and intermediate values are those of the trial that was evaluated alone. With
    ``n_jobs``, a duplicate of a running trial waits for it. A trial that the objective prunes, or in which it raises, is not remembered,
    nor is anything else that is no number to Optuna; NaN and infinities are.

    Args:
        objective: An objective of `optuna.Study.optimize`, with one or several values.
        key: What stands for a trial's behaviour.
        duplicates: ``serve`` or ``prune``.
        known: Trials of earlier runs, for instance ``study.trials`` of a study that goes on: values of complete ones are known.
        name: Keeps apart the objectives that share a cache.
        version: Raise it when the objective changes.
        cache: As for `equivalence_cached`.
        **options: As for `equivalence_cached`.

    Raises:
        InputError: For a bad option, or something of which there is no key.
    """
    if not callable(objective):
        raise InputError(f"dedupe got {shorten(objective)}, expected an objective, a function of a trial")
    if duplicates not in ("serve", "prune"):
        raise InputError(f"duplicates is {shorten(duplicates)}, expected 'serve' or 'prune'")
    if not callable(key) and not isinstance(key, DesignSpace):
        raise InputError(f"key is {shorten(key)}, expected a function of the trial that makes its suggestions, or a DesignSpace")
    form = functools.partial(_design_form, key) if isinstance(key, DesignSpace) else key
    memo = Memo(name, form, version=version, cache=cache, **options)
    if not isinstance(known, Iterable):
        raise InputError(f"known is {shorten(known)}, expected trials, such as study.trials of a study that goes on")
    for trial in known:
        if trial.state.name == "COMPLETE" and not trial.user_attrs.get(ATTRIBUTE):
            memo.cache.fill([(memo.key_text(trial), "", to_metrics(_as_told(trial.values)))])

    @functools.wraps(objective)
    def deduped(trial: optuna.Trial) -> Any:
        import optuna

        def measure() -> Any:
            value = objective(trial)
            if (numbers := _as_told(value)) is None:
                raise _NoNumbersError(value)
            return numbers

        try:
            value, duplicate = memo.get(memo.key_text(trial), measure)
        except _NoNumbersError as error:
            return error.value
        if duplicate:
            trial.set_user_attr(ATTRIBUTE, True)
            if duplicates == "prune":
                raise optuna.TrialPruned("a trial of the same behaviour was evaluated before")
        return value

    memoised = cast(Memoised, deduped)
    memoised.memo = memo
    return memoised


class _NoNumbersError(Exception):
    """The objective returned what Optuna will not take for values; it says so itself, and fails the trial alone."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _design_form(space: DesignSpace, trial: optuna.Trial) -> Any:
    return design_form(space, space.to_optuna(trial))


def _as_told(value: Any) -> float | tuple[float, ...] | None:
    """Return an objective's values as Optuna reads them, None if it will not: one is one, be it in a list or not."""
    try:
        numbers = tuple(float(item) for item in value) if isinstance(value, Sequence) and not isinstance(value, str) else (float(value),)
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers[0] if len(numbers) == 1 else numbers or None
