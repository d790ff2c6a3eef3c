"""How the functions of the simulation are compiled.

They release the interpreter lock, so that threads simulate in parallel, and do not count references to arrays: the counts are
atomic operations that took more than half of the time, and `kernel.run`'s caller holds all arrays until it returns.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros as _trailing_zeros

from designgym.simulators import compiling

__all__ = ["Array", "Record", "at", "compiled", "entry_point", "inlined", "source_digest", "trailing_zeros"]

Record: TypeAlias = Any
"""One record of a structured array of `state.py`."""
Array: TypeAlias = Any
"""An array, structured or of int64."""

_njit: Any = njit
trailing_zeros: Any = _trailing_zeros  # position of the lowest bit of an integer that is set
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function of the simulation."""
    return cast(_Function, _njit(function, nogil=True, _nrt=False))


def inlined(function: _Function) -> _Function:
    """Compile a function into its callers: passing an array on would cost seven values on the stack.

    LLVM does it, not Numba, whose type inference takes twice as long over one large function as over many small ones.
    """
    return cast(_Function, _njit(function, nogil=True, _nrt=False, forceinline=True))


def entry_point(function: _Function) -> _Function:
    """Compile the function that Python calls, and keep the code on disk."""
    return cast(_Function, _njit(function, nogil=True, _nrt=False, cache=True))


@inlined
def at(index: int) -> Any:
    """Return an index that is known not to be negative, without the code that counts negative ones from the end."""
    return np.uint64(index)


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
    "responses",
    "state",
)


def source_digest(*more: str) -> int:
    """Return a positive number that changes with any source file of the compiled simulation, and with `more` of this folder."""
    return compiling.source_digest(Path(__file__).parent, (*_SOURCES, *more))
