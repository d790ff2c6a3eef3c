"""`equivalence_cached`: a function that measures, called once per behaviour."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from designgym.core.errors import InputError, shorten
from designgym.core.protocols import EquivalenceCache
from designgym.core.space import DesignSpace
from designgym.hashing.tuners.memo import KeyOf, Memo, Memoised, design_form


def equivalence_cached(
    *misplaced: Any, key: KeyOf = None, version: str = "1", name: str = "", cache: EquivalenceCache | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Memoised]:
    """Let a function that returns numbers be called once per behaviour, by all threads and by all who share the cache.

    ::

        @equivalence_cached(key=lambda width, depth: sorted([width, depth]))
        def area(width, depth):
            return run_the_slow_tool(width, depth)

    The wrapped function has attributes ``memo`` (with ``counts`` and ``cache``) and ``__wrapped__``. What the function raises is raised,
    and not remembered. A method is decorated like any function: its ``self`` is one of the arguments, so the key must say what of it
    counts, and all objects of the class share the values.

    Args:
        *misplaced: Nothing: all options are given by name.
        key: What stands for the behaviour. A function that is called with the same arguments; its result may be a `functional_hash`.
            Or a `DesignSpace`: the arguments that are its parameters, or else the first argument that is a mapping, are a design that
            counts by its canonical form, other arguments count by value. Or None: all arguments count by value.
        version: Raise it when the function changes.
        name: Keeps apart the functions that share a cache; the function's own name unless given.
        cache: A `LocalCache`, or a `SharedCache` for all workers of a Ray cluster; a `LocalCache` of its own unless given. A
            function that is sent to another process takes a copy of a `LocalCache` along.
        **options: Options of that `LocalCache`: ``measurements`` and ``forget`` for a noisy function, ``max_bytes`` ...

    Raises:
        InputError: For a bad option, or one that is not given by name; when called, if the function returns anything but a number, a
            sequence of numbers, or a mapping of names to numbers. Sequences are returned as tuples, whole numbers as floats.
    """
    if misplaced:
        raise InputError(
            f"equivalence_cached got {shorten(misplaced[0])}, expected everything by name: @equivalence_cached() for the arguments "
            "themselves, or @equivalence_cached(key=a function of them)"
        )

    def decorate(function: Callable[..., Any]) -> Memoised:
        if not callable(function):
            raise InputError(
                f"equivalence_cached decorates {shorten(function)}, expected a function; a classmethod or property goes around it"
            )
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InputError(f"equivalence_cached decorates {shorten(function)}, which returns no numbers when it is called: expected "
                             "an ordinary function")  # fmt: skip
        own_name = _own_name(function)
        if cache is not None and not (name or own_name):
            raise InputError(
                f"a cache may be shared with other functions, and {shorten(function)} has no name that keeps its values apart: give name="
            )
        memo = Memo(name or own_name, key, version=version, cache=cache, **options)
        signature = _signature(function)

        def key_text(arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
            if callable(key):
                return memo.key_text(*arguments, **named)
            values = _by_name(signature, arguments, named)
            return memo.text_of(values if key is None else _with_design(key, values))

        @functools.wraps(function)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            value, _ = memo.get(key_text(arguments, named), lambda: function(*arguments, **named))
            return value

        memoised = cast(Memoised, wrapped)
        memoised.memo = memo
        return memoised

    return decorate


def _own_name(function: Callable[..., Any]) -> str:
    """Return the name of a function that is the only one of that name; nothing for inner functions, methods of an object, scripts."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    unique = module and name and module != "__main__" and "<" not in name and not inspect.ismethod(function)
    return f"{module}.{name}" if unique else ""


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except ValueError:  # of a function in C that does not say
        return None


def _by_name(signature: inspect.Signature | None, arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by name, defaults included, so that it does not count how they were passed."""
    if signature is None:
        return {"": arguments, **named}
    bound = signature.bind(*arguments, **named)
    bound.apply_defaults()
    values = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD and values.keys().isdisjoint(values[parameter.name]):
            values |= values.pop(parameter.name)
    return values


def _with_design(space: DesignSpace, values: dict[str, Any]) -> Any:
    """Return what stands for arguments that are a design's parameters, or among which the first mapping of such is one."""
    if values.keys().isdisjoint(space.parameters):
        for name, value in values.items():
            if isinstance(value, Mapping) and not space.parameters.keys().isdisjoint(value):
                return [design_form(space, value), {other: values[other] for other in values if other != name}]
    return design_form(space, values)
