"""How the functions of the register machine are compiled, and its operations as tables of numbers.

Divisions by zero give infinities and NaN, as IEEE 754 has it, not exceptions; nothing is reordered or fused, so that results are the
same to the last bit on every x86-64 and whatever the number of tasks beside a task.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast

import numpy as np
from blake3 import blake3
from numba import njit

from designgym.simulators.programs.operations import COUNTS, KINDS, OFFSETS, OPERATIONS, TYPES

__all__ = ["Array", "Digest", "allocating", "allocating_entry_point", "at", "compiled", "entry_point", "inlined", "source_digest"]

Array: TypeAlias = Any
"""An array of int64, float64 or truth values."""
Digest: TypeAlias = Any
"""A number of 64 bits without a sign."""

_njit: Any = njit
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compiles a function that other compiled ones call.

    References to arrays are not counted: counting is atomic and took a third of the time, and who calls an entry point holds all arrays
    until it returns. So nothing may be allocated.
    """
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", _nrt=False))


def inlined(function: _Function) -> _Function:
    """Compiles a function into its callers."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", _nrt=False, forceinline=True))


def entry_point(function: _Function) -> _Function:
    """Compiles the function that Python calls, which does not hold the interpreter lock, and keeps the code on disk."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", _nrt=False, cache=True))


def allocating(function: _Function) -> _Function:
    """Compiles a function that makes arrays, for other compiled ones that may."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy"))


def allocating_entry_point(function: _Function) -> _Function:
    """Compiles an `entry_point` that makes arrays."""
    return cast(_Function, _njit(function, nogil=True, error_model="numpy", cache=True))


@inlined
def at(index: int) -> Any:
    """Returns an index that is known not to be negative, without the code that counts negative ones from the end."""
    return np.uint64(index)


NONE: Final = -1
KIND_OF: Final[Array] = np.array([KINDS.index(operation.kind) for operation in OPERATIONS])
TYPE_1_OF: Final[Array] = np.array([TYPES.index(operation.inputs[0]) if operation.inputs else NONE for operation in OPERATIONS])
TYPE_2_OF: Final[Array] = np.array([TYPES.index(operation.inputs[1]) if len(operation.inputs) > 1 else NONE for operation in OPERATIONS])
OUTPUT_TYPE_OF: Final[Array] = np.array([TYPES.index(operation.output) for operation in OPERATIONS])
COMMUTATIVE: Final[Array] = np.array([operation.commutative for operation in OPERATIONS])
USES_VALUE: Final[Array] = np.array([operation.uses_value for operation in OPERATIONS])
COUNT_OF: Final[Array] = np.array(COUNTS)
OFFSET_OF: Final[Array] = np.array(OFFSETS)

_SOURCES: Final = ("canonical", "compiled", "elementwise", "instructions", "kernel", "linear_algebra", "operations", "random_numbers")


def source_digest() -> int:
    """Returns a positive number that changes with any source file of the compiled machine."""
    hasher = blake3()
    for name in _SOURCES:
        hasher.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return int.from_bytes(hasher.digest(7), "big") | 1
