"""How the functions of the register machine are compiled, and its operations as tables of numbers.

They are compiled as `simulators.compiling` says, so that results are the same to the last bit on every x86-64 and whatever the number of
tasks beside a task.
"""

from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from designgym.simulators import compiling
from designgym.simulators.compiling import Array, allocating, allocating_entry_point, compiled, entry_point, inlined
from designgym.simulators.programs.operations import COUNTS, KINDS, OFFSETS, OPERATIONS, TYPES

__all__ = ["Array", "Digest", "allocating", "allocating_entry_point", "at", "compiled", "entry_point", "inlined", "source_digest"]

Digest: TypeAlias = Any
"""A number of 64 bits without a sign."""


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
    return compiling.source_digest(Path(__file__).parent, _SOURCES)
