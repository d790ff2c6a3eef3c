"""`dedupe`: an Optuna objective that measures each behaviour once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from designgym.core.errors import InputError, shorten
from designgym.core.protocols import EquivalenceCache
from designgym.core.space import DesignSpace
from designgym.hashing.tuners.memo import Memo

if TYPE_CHECKING:
    import optuna

ATTRIBUTE = "designgym:duplicate"


def dedupe(
    objective: Callable[[optuna.Trial], Any],
    *,
    key: Callable[[optuna.Trial], Any] | DesignSpace,
    duplicates: Literal["serve", "prune"] = "serve",
    name: str = "",
    version: str = "1",
    cache: EquivalenceCache | None = None,
    **options: Any,
) -> Callable[[optuna.Trial], Any]:
    """Return the objective with its duplicates recognised before anything expensive begins: ``study.optimize(dedupe(objective, key=...))``.

    The key makes the suggestions: ``key=lambda trial: sorted([trial.suggest_int("a", 0, 9), trial.suggest_int("b", 0, 9)])``. When the
    objective suggests them again, Optuna returns the same values. With a `DesignSpace` as key the suggestions are those of
    `DesignSpace.to_optuna`, and designs are equivalent if their canonical forms are equal.

    A duplicate gets the value that is known, so that the sampler learns from it, or is pruned; in both cases the trial's user attribute
    ``designgym:duplicate`` is true. A trial that the objective prunes, or that fails, is not remembered.

    Args:
        objective: An objective of `optuna.Study.optimize`, with one or several values.
        key: What stands for a trial's behaviour.
        duplicates: ``serve`` or ``prune``.
        name: Keeps apart the objectives that share a cache.
        version: Raise it when the objective changes.
        cache: As for `equivalence_cached`.
        **options: As for `equivalence_cached`.

    Raises:
        InputError: For a bad option.
    """
    if duplicates not in ("serve", "prune"):
        raise InputError(f"duplicates is {shorten(duplicates)}, expected 'serve' or 'prune'")
    if not callable(key) and not isinstance(key, DesignSpace):
        raise InputError(f"key is {shorten(key)}, expected a function of the trial that makes its suggestions, or a DesignSpace")
    memo = Memo(name, (lambda trial: key.canonical(key.to_optuna(trial)).literal) if isinstance(key, DesignSpace) else key,
                version=version, cache=cache, **options)  # fmt: skip

    @functools.wraps(objective)
    def deduped(trial: optuna.Trial) -> Any:
        import optuna

        value, known = memo.get(memo.key_text(trial), lambda: objective(trial))
        if known:
            trial.set_user_attr(ATTRIBUTE, True)
            if duplicates == "prune":
                raise optuna.TrialPruned("a trial of the same behaviour was evaluated before")
        return value

    deduped.memo = memo  # type: ignore[attr-defined]
    return deduped
