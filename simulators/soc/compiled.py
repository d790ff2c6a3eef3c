"""How the functions of the simulation are compiled: they release the interpreter lock, and entry points keep their code on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from blake3 import blake3
from numba import njit

__all__ = ["Array", "compiled", "entry_point", "source_digest"]

Array: TypeAlias = Any
"""An array of numbers or truth values."""

_njit: Any = njit
_Function = TypeVar("_Function", bound=Callable[..., Any])
_SOURCES = ("canonical", "compiled", "genome", "kernel", "schedule", "systems", "topology")


def compiled(function: _Function) -> _Function:
    """Compile a function that other compiled ones call."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy"))


def entry_point(function: _Function) -> _Function:
    """Compile a function that Python calls, and keep the code on disk.

    Numba looks at the file of this function alone to see whether the code is up to date: let it be a closure over `source_digest`.
    """
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", cache=True))


def source_digest() -> int:
    """Return a positive number that changes with any source file of the compiled code."""
    hasher = blake3()
    for name in _SOURCES:
        hasher.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return int.from_bytes(hasher.digest(7), "big") | 1
