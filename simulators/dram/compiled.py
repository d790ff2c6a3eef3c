"""How the functions of the simulation are compiled.

They release the interpreter lock, so that threads simulate in parallel, and do not count references to arrays: the counts are
atomic operations that took more than half of the time, and `kernel.run`'s caller holds all arrays until it returns.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from blake3 import blake3
from numba import njit

__all__ = ["Array", "Record", "compiled", "entry_point", "inlined", "source_digest"]

Record: TypeAlias = Any
"""One record of a structured array of `state.py`."""
Array: TypeAlias = Any
"""An array, structured or of int64."""

_njit: Any = njit
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compiles a function of the simulation."""
    return cast(_Function, _njit(function, nogil=True, _nrt=False))


def inlined(function: _Function) -> _Function:
    """Compiles a large function that is called in one place: passing an array on would cost seven values on the stack."""
    return cast(_Function, _njit(function, nogil=True, _nrt=False, inline="always"))


def entry_point(function: _Function) -> _Function:
    """Compiles the function that Python calls, and keeps the code on disk."""
    return cast(_Function, _njit(function, nogil=True, _nrt=False, cache=True))


_SOURCES = (
    "arbiter",
    "bank_machine",
    "commands",
    "compiled",
    "controller",
    "event_heap",
    "kernel",
    "latency",
    "refresh",
    "state",
)


def source_digest() -> int:
    """Returns a positive number that changes with any source file of the compiled simulation."""
    hasher = blake3()
    for name in _SOURCES:
        hasher.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return int.from_bytes(hasher.digest(7), "big") | 1
