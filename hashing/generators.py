"""Generators of random numbers, seeded and put back while a candidate's behaviour is observed."""

from __future__ import annotations

import contextlib
import functools
import random
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def generators_restored() -> Iterator[None]:
    """Put the global generators of ``random``, numpy and torch (if it is imported) back at the end."""
    torch = sys.modules.get("torch")
    python, numpy = random.getstate(), np.random.get_state()
    state = torch.default_generator.get_state() if torch else None
    on_devices = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch and state is not None:
            torch.default_generator.set_state(state)
        if torch and on_devices is not None:
            torch.cuda.set_rng_state_all(on_devices)


def seed_generators(*seed: int) -> None:
    """Seed the global generators of ``random``, numpy and torch (if it is imported)."""
    a, b, c = (int(word) for word in np.random.SeedSequence(seed).generate_state(3))
    random.seed(a)
    np.random.seed(b)
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(c)  # torch.manual_seed formats a traceback each time, for devices not in use
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(c)


def generators_rewound(candidate: Any) -> Callable[[], None]:
    """Return a function that puts the generators which a function holds back into their present state.

    Those in its closure, its defaults, its module as far as it names them, the arguments of a partial application, and the object whose
    method it is. A function cannot be copied, so what it draws would otherwise depend on what was drawn before.
    """
    states: list[Callable[[], None]] = []
    for held in _held(candidate):
        if isinstance(held, np.random.Generator | np.random.RandomState):
            generator = held.bit_generator if isinstance(held, np.random.Generator) else held._bit_generator
            states.append(functools.partial(setattr, generator, "state", generator.state))
        elif isinstance(held, random.Random) and not isinstance(held, random.SystemRandom):
            states.append(functools.partial(held.setstate, held.getstate()))
        elif (torch := sys.modules.get("torch")) is not None and isinstance(held, torch.Generator):
            of_torch: Any = held
            states.append(functools.partial(of_torch.set_state, of_torch.get_state()))

    def rewind() -> None:
        for state in states:
            state()

    return rewind


def _held(candidate: Any) -> Iterator[Any]:
    if isinstance(candidate, functools.partial):
        yield from (*candidate.args, *candidate.keywords.values())
        yield from _held(candidate.func)
    elif isinstance(candidate, types.FunctionType):
        for cell in candidate.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty cell
                yield cell.cell_contents
        yield from candidate.__defaults__ or ()
        yield from (candidate.__kwdefaults__ or {}).values()
        yield from (candidate.__globals__[name] for name in _names(candidate.__code__) if name in candidate.__globals__)
    elif (owner := getattr(candidate, "__self__", None)) is not None and not isinstance(owner, types.ModuleType):
        yield owner
        if isinstance(candidate, types.MethodType):
            yield from _held(candidate.__func__)


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return {*code.co_names}.union(*map(_names, inner))
