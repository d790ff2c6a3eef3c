"""`equivalence_cached`: a function that measures, called once per behaviour."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from designgym.core.errors import InputError, shorten
from designgym.core.protocols import EquivalenceCache
from designgym.hashing.tuners.memo import KeyOf, Memo


def equivalence_cached(
    *, key: KeyOf = None, version: str = "1", name: str = "", cache: EquivalenceCache | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function that returns numbers be called once per behaviour, by all threads and by all who share the cache.

    ::

        @equivalence_cached(key=lambda width, depth: sorted([width, depth]))
        def area(width, depth):
            return run_the_slow_tool(width, depth)

    The wrapped function has attributes ``memo`` (with ``counts`` and ``cache``) and ``__wrapped__``.

    Args:
        key: What stands for the behaviour: a function of the same arguments (its result may be a `functional_hash`), a `DesignSpace`
            whose canonical form does, or None for the arguments themselves. How arguments are passed (by position or by name) counts
            then.
        version: Raise it when the function changes.
        name: Keeps apart the functions that share a cache; the function's own name unless given.
        cache: A `LocalCache`, or a `SharedCache` for all workers of a Ray cluster; a `LocalCache` of its own unless given.
        **options: Options of that `LocalCache`: ``measurements`` and ``forget`` for a noisy function, ``max_bytes`` ...

    Raises:
        InputError: For a bad option; when called, if the function returns anything but a number, a sequence of numbers, or a mapping of
            names to numbers. Sequences are returned as tuples, whole numbers as floats.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function):
            raise InputError(f"equivalence_cached decorates {shorten(function)}, expected a function")
        own_name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
        memo = Memo(name or own_name, key, version=version, cache=cache, **options)

        @functools.wraps(function)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            value, _ = memo.get(memo.key_text(*arguments, **named), lambda: function(*arguments, **named))
            return value

        wrapped.memo = memo  # type: ignore[attr-defined]
        return wrapped

    return decorate
