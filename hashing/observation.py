"""`observe`: call a candidate on examples and fingerprint whatever happens; the body of `designgym.hashing.functional_hash`."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from designgym.core.errors import InputError, shorten
from designgym.core.fingerprint import Fingerprint, NestedTooDeepError, fingerprint
from designgym.core.measuring import ends_process
from designgym.hashing.generators import generators_restored, generators_rewound, seed_generators
from designgym.hashing.surroundings import Printed, module_of, same_everywhere, state_keeper
from designgym.hashing.time_limit import TimeIsUp, TimeLimit
from designgym.hashing.unrolling import unrolled

BEHAVIOURS = (Exception, SystemExit, GeneratorExit)  # every other exception is meant for the program around: Ctrl-C, a cancellation
FIXED = (int, float, complex, str, bytes, range, type(None))  # arguments that nobody can change

# The generators, the streams and the depth of recursion belong to the process.
_one_at_a_time = threading.RLock()


class Example:
    """The arguments of one call, positional and by name: ``Example(2, base=10)``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __repr__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"Example({', '.join([*map(repr, self.args), *named])})"


@dataclass(frozen=True)
class Plan:
    """What is to be observed, and how: the checked arguments of `functional_hash`."""

    candidate: Callable[..., Any]
    examples: tuple[Example, ...]
    seeds: tuple[int, ...]
    mantissa_bits: int | None
    atol: float
    time_limit_s: float | None
    read: Callable[[Any], Any] | None
    fresh: bool
    in_place: bool
    gradients: bool

    def fingerprint(self, answer: Any) -> Fingerprint:
        """Return the fingerprint of one observation."""
        return fingerprint(answer, mantissa_bits=self.mantissa_bits, atol=self.atol)


def observe(plan: Plan, report: Callable[[Fingerprint], None]) -> None:
    """Call the candidate as planned, and report the fingerprint of each call at once; raises `InputError` as `functional_hash` does."""
    module = module_of(plan.candidate) if plan.fresh else None
    restore = state_keeper(module) if module is not None else lambda: None
    copied = plan.fresh and module is None
    rewind = generators_rewound(plan.candidate) if plan.fresh else lambda: None
    changeable = [_changeable(plan, example) for example in plan.examples]
    with (
        _one_at_a_time, generators_restored(), same_everywhere(gradients=plan.gradients),
        Printed() as printed, TimeLimit(plan.time_limit_s) as limit,
    ):  # fmt: skip
        try:
            for seed in plan.seeds:
                for i, example in enumerate(plan.examples):
                    restore()
                    rewind()
                    candidate = _copy(plan.candidate, "the candidate", "pass fresh=False") if copied else plan.candidate
                    args, kwargs = _copy((example.args, example.kwargs), f"example {i}", "give arguments that can")
                    left = [kwargs[name] if isinstance(name, str) else args[name] for name in changeable[i]]
                    printed.start()
                    seed_generators(seed, i)
                    try:
                        report(limit.run(lambda: _observe_call(plan, candidate, args, kwargs, left, printed)))  # noqa: B023 - runs now
                    except TimeIsUp:
                        report(plan.fingerprint(["timeout"]))
                        return
                    except InputError as error:
                        raise InputError(f"example {i} of {shorten(plan.candidate)}: {error}") from None
        finally:
            restore()
            rewind()


def _observe_call(
    plan: Plan, candidate: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], left: list[Any], printed: Printed
) -> Fingerprint:
    try:
        answer = candidate(*args, **kwargs)
        if plan.read is None:
            answer = unrolled(answer, plan.time_limit_s)
    except BEHAVIOURS as error:
        if ends_process(error):
            raise
        return _with_left(plan, ["raised", type(error).__name__, printed.digest()], left)
    text = printed.digest()
    if plan.read is not None:
        try:
            answer = plan.read(answer)
        except Exception as error:
            raise InputError(f"`read` raised {type(error).__name__} on the answer {shorten(answer)}: {error}") from None
    try:
        return _with_left(plan, ["answered", answer, text], left)
    except NestedTooDeepError:
        return _with_left(plan, ["nested too deep", type(answer).__name__, text], left)
    except InputError as error:
        raise InputError(f"{error}. Pass `read`, a function that turns answers into such") from None
    except Exception as error:  # of the answer's own methods, or for want of memory
        return _with_left(plan, ["cannot be read", type(answer).__name__, type(error).__name__, text], left)


def _with_left(plan: Plan, happened: list[Any], left: list[Any]) -> Fingerprint:
    """Return the fingerprint of what happened, with what is left in the arguments if that can still be read."""
    try:
        return plan.fingerprint([*happened, left])
    except Exception:
        return plan.fingerprint([*happened, "unreadable"]) if left else plan.fingerprint(happened)


def _changeable(plan: Plan, example: Example) -> list[int | str]:
    """Return the positions and names of the arguments in which a change would be seen."""
    if not plan.in_place:
        return []
    found: list[int | str] = []
    arguments: list[tuple[int | str, Any]] = [*enumerate(example.args), *example.kwargs.items()]
    for place, argument in arguments:
        if not isinstance(argument, FIXED):
            try:
                plan.fingerprint(argument)
            except InputError:
                continue
            found.append(place)
    return found


def _copy(original: Any, what: str, remedy: str) -> Any:
    try:
        return copy.deepcopy(original)
    except Exception as error:
        raise InputError(f"{what}, {shorten(original)}, cannot be copied ({type(error).__name__}: {error}): {remedy}") from None
