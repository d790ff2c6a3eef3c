"""`functional_hash`: what a candidate does, whatever it is made of, as one fingerprint (Gillard et al. 2023, with their edges removed).

Costs, in CPU time: 0.3 ms per candidate, 0.04 ms per call beyond the call itself, 35 ns per real number in an answer; ``isolate`` adds
tens of milliseconds per candidate, and a second for the first one (more where torch is imported). See ``benchmarks/functional.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, cast

import numpy as np
from blake3 import blake3

from designgym.core.errors import InputError, shorten
from designgym.core.fingerprint import ATOL, DIGEST_BYTES, Fingerprint
from designgym.hashing.observation import Example, Plan, observe

__all__ = ["Example", "functional_hash"]

VERSION = 1  # part of every digest: raise it with any change of what is observed
TIME_LIMIT_S = 10.0
MEMORY_LIMIT_BYTES = 4 * 2**30


def functional_hash(
    candidate: Callable[..., Any],
    examples: Iterable[Any],
    *,
    repeats: int = 3,
    seeds: Iterable[int] | None = None,
    mantissa_bits: int | None = None,
    atol: float = ATOL,
    time_limit_s: float | None = TIME_LIMIT_S,
    isolate: bool = False,
    memory_limit_bytes: int | None = MEMORY_LIMIT_BYTES,
    read: Callable[[Any], Any] | None = None,
    fresh: bool = True,
    in_place: bool = True,
    gradients: bool = False,
) -> Fingerprint:
    """Return the fingerprint of what a candidate does: equal behaviour on the examples, equal fingerprint; its code is never read.

    The candidate is called on every example, once per repetition, with the generators of ``random``, numpy and torch seeded before each
    call and put back at the end. Whatever happens is a behaviour: an answer (NaN, infinities and None too), an exception (its type's
    name, not its message; ``sys.exit`` and a recursion deeper than 1000 frames among them), text on standard output (exactly; standard
    error is dropped), changes of the arguments. After a call that runs out of time, or whose process died, no more are made, and that
    is the behaviour. An iterator counts by its first 10,000 elements, a coroutine by what it returns. Ctrl-C interrupts as ever.

    The same candidate has the same fingerprint in every process and on every machine, but for what the candidate itself takes from
    there: the time, files, the order of a set, a generator that it seeds from the system, memory. Near the time limit a fingerprint
    depends on the machine. Compare fingerprints of the same examples and options only.

    Args:
        candidate: Anything that can be called: a function, a lambda, a bound method, a torch module, an expression graph, a program.
        examples: What to call it on. A tuple is the positional arguments of one call, an `Example` positional and named ones, and
            anything else (a list, a mapping, an array ...) the one argument. Each call gets a copy.
        repeats: Repetitions with different seeds, which show what is random.
        seeds: The seeds of the repetitions, instead of 0, 1, ... ``repeats`` - 1.
        mantissa_bits: Bits of a real number that count, 0 to 52. None: 24, and 10 where an answer or an argument of the call holds
            numbers in single precision, so that their rounding tells no equals apart. See `designgym.core.fingerprint.fingerprint`.
        atol: Differences below this do not count either.
        time_limit_s: Seconds for one call; None for no limit. Python code is interrupted at once, unless it catches every
            ``BaseException`` for ever; a call into C ends when it returns.
        isolate: Run the candidate in a process of its own, which is killed if it does not end: safe whatever it does. A process that
            dies is a behaviour. The candidate travels by cloudpickle.
        memory_limit_bytes: What an isolated candidate may allocate; more is a `MemoryError`. None for no limit. Linux alone keeps it; a
            candidate that is not isolated has what the system gives.
        read: Turns an answer into numbers, texts, arrays, tensors, or nested lists and mappings of them, where it is something else.
        fresh: Whether each call meets the candidate as it was given: a deep copy, or a torch module put back into its state (buffers,
            training flags, gradients). A function cannot be copied: the generators of random numbers in its closure, defaults and globals
            are put back, other things there remain. Without, state carries over.
        in_place: Whether what the candidate leaves in its arguments is part of its behaviour; arguments of types that have no
            fingerprint are never looked at.
        gradients: Whether torch records gradients.

    Raises:
        InputError: For an argument outside its range, a candidate that cannot be called, copied or sent to another process, or an answer
            that has no fingerprint: unknown objects would all be alike.
        EvaluationError: If the process for isolated candidates cannot be started, or the candidate ends it by an exception of its own
            that is no `Exception`; in this thread, such an exception passes through.
    """
    if not callable(candidate):
        raise InputError(f"the candidate is {shorten(candidate)}, expected something that can be called")
    if time_limit_s is not None and not (isinstance(time_limit_s, int | float) and 0 < time_limit_s < threading.TIMEOUT_MAX):
        raise InputError(f"time_limit_s is {shorten(time_limit_s)}, expected a number of seconds above 0, or None for no limit")
    if memory_limit_bytes is not None and (type(memory_limit_bytes) is not int or memory_limit_bytes < 1):
        raise InputError(f"memory_limit_bytes is {shorten(memory_limit_bytes)}, expected a number of bytes above 0, or None for no limit")
    given = _examples(examples)
    plan = Plan(candidate, given, _seeds(repeats, seeds), mantissa_bits, atol, time_limit_s, read, fresh, in_place, gradients)
    plan.fingerprint(None)  # refuses its options before anything runs
    calls: list[Fingerprint] = []
    if isolate:
        from designgym.hashing.isolation import observe_isolated

        observe_isolated(plan, calls.append, memory_limit_bytes)
    else:
        observe(plan, calls.append)
    return Fingerprint(*(_joined(digests) for digests in zip(*((call.key, call.alternate) for call in calls), strict=True)))


def _joined(digests: Sequence[bytes]) -> bytes:
    """Return the digest of all calls; it agrees on a grid if each call does."""
    return blake3(f"functional {VERSION}, {len(digests)} calls:".encode() + b"".join(digests)).digest(length=DIGEST_BYTES)


def _seeds(repeats: object, seeds: Iterable[int] | None) -> tuple[int, ...]:
    if seeds is None:
        if not _is_whole(repeats, 1):
            raise InputError(f"repeats is {shorten(repeats)}, expected a whole number of 1 or more")
        return tuple(range(cast(int, repeats)))
    # a set has no order to rely on, and a text is no list of its digits
    given = [] if isinstance(seeds, str | bytes | Set | Mapping) or not isinstance(seeds, Iterable) else list(seeds)
    if not given or not all(_is_whole(seed, 0) for seed in given):
        raise InputError(f"seeds are {shorten(seeds)}, expected a list of one or more whole numbers of 0 or more")
    return tuple(map(int, given))


def _is_whole(number: object, least: int) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and int(number) >= least


def _examples(given: Iterable[Any]) -> tuple[Example, ...]:
    if isinstance(given, str | bytes | Mapping | Example) or not isinstance(given, Iterable):
        raise InputError(
            f"examples are {shorten(given)}, expected a list of them: a tuple or an Example for the arguments of a call, or one argument"
        )
    examples = tuple(one if isinstance(one, Example) else Example(*(one if isinstance(one, tuple) else (one,))) for one in given)
    if not examples:
        raise InputError("there are no examples: without one, all candidates are alike")
    return examples
