"""How the simulators' inner loops are compiled by Numba: they do not hold the interpreter's lock, so that threads simulate in parallel.

Divisions by zero give infinities and NaN, as IEEE 754 has it, not exceptions; nothing is reordered or fused. References to arrays are not
counted, unless a function is `allocating`: counting is atomic and took a third of the time and more, and who calls an entry point holds
all arrays until it returns. So nothing may be allocated on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from blake3 import blake3
from numba import njit

__all__ = ["Array", "Record", "allocating", "allocating_entry_point", "compiled", "entry_point", "inlined", "source_digest"]

Array: TypeAlias = Any
"""An array, structured or of numbers."""
Record: TypeAlias = Any
"""One record of a structured array."""

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

    Numba looks at the file of this function alone to see whether the code is up to date: let it be a closure over a `source_digest`.
    """
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", _nrt=False, cache=True))


def allocating(function: _Function) -> _Function:
    """Compile a function that makes arrays, for other compiled ones that may."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy"))


def allocating_entry_point(function: _Function) -> _Function:
    """Compile an `entry_point` that makes arrays."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", cache=True))


def source_digest(folder: Path, names: Iterable[str]) -> int:
    """Return a positive number that changes with any of some source files of a folder, named without ``.py``, and with this file."""
    hasher = blake3(Path(__file__).read_bytes())
    for name in names:
        hasher.update((folder / f"{name}.py").read_bytes())
    return int.from_bytes(hasher.digest(7), "big") | 1
