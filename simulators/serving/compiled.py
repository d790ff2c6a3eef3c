"""How the functions of the simulation are compiled.

They release the interpreter lock, so that threads simulate in parallel, and do not count references to arrays: the caller holds all
arrays until they return, and nothing is allocated on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from blake3 import blake3
from numba import njit

__all__ = ["Array", "Record", "compiled", "entry_point", "inlined", "source_digest"]

Record: TypeAlias = Any
"""One record of a structured array of `state.py`."""
Array: TypeAlias = Any
"""An array, structured or of numbers."""

_njit: Any = njit
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function that other compiled ones call."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", _nrt=False))


def inlined(function: _Function) -> _Function:
    """Compile a function into its callers: passing an array on would cost seven values on the stack."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", _nrt=False, forceinline=True))


def entry_point(function: _Function) -> _Function:
    """Compile a function that Python calls, and keep the code on disk.

    Numba looks at the file of this function alone to see whether the code is up to date: let it be a closure over `source_digest`.
    """
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", _nrt=False, cache=True))


_SOURCES = (
    "block_pool",
    "classic_schedulers",
    "compiled",
    "kernel",
    "state",
    "step_costs",
    "vllm_output",
    "vllm_scheduler",
    "waiting_queue",
)


def source_digest() -> int:
    """Return a positive number that changes with any source file of the compiled code."""
    hasher = blake3()
    for name in _SOURCES:
        hasher.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return int.from_bytes(hasher.digest(7), "big") | 1
