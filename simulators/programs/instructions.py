"""Instructions packed into numbers, as the compiled code reads them, and back.

A packed instruction is five int64: operation, first input, second input, output, and the bits of its number as a float64.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.simulators.programs.operations import CODES, OPERATIONS

LISTS: Final = ("setup", "predict", "learn")
FIELDS: Final = 5
LOWEST_VALUE: Final = 1e-4
HIGHEST_VALUE: Final = 10.0
DEFAULT_VALUE: Final = 0.1

Packed = tuple[bytes, bytes, bytes]
"""Setup, predict and learn, each as packed instructions one after the other; hashable."""

_RECORD = struct.Struct("<4qd")
RECORD_BYTES: Final = _RECORD.size
_KEPT = 1 << 16  # different instructions and programs that are remembered: a search meets the same ones again and again


def pack(lists: Sequence[Sequence[Design]]) -> Packed:
    """Return the three lists of a design in packed form; raises `InputError` for an operation that does not exist."""
    setup, predict, learn = (b"".join([_packed(instruction) for instruction in each]) for each in lists)
    return setup, predict, learn


def unpack(packed: Packed) -> tuple[tuple[Design, ...], ...]:
    """Return the three lists of a packed program as designs of single instructions; operands without effect hold the defaults."""
    return tuple(tuple([_unpacked(each[i : i + RECORD_BYTES]) for i in range(0, len(each), RECORD_BYTES)]) for each in packed)


def as_arrays(packed: Packed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the code, shape ``(instructions, FIELDS)``, read-only, and where each list begins, and the last one ends, shape ``(4,)``."""
    lengths = [len(each) // RECORD_BYTES for each in packed]
    code = np.frombuffer(b"".join(packed), np.int64).reshape(-1, FIELDS)
    return code, np.array([0, lengths[0], lengths[0] + lengths[1], sum(lengths)], np.int64)


def from_arrays(code: NDArray[np.int64], bounds: Sequence[int]) -> Packed:
    """Return the packed form of what `as_arrays` returns."""
    setup, predict, learn = (code[a:b].tobytes() for a, b in itertools.pairwise(bounds))
    return setup, predict, learn


@lru_cache(maxsize=_KEPT)
def _packed(instruction: Design) -> bytes:
    name = instruction["op"]
    if name not in CODES:
        raise InputError(f"operation {shorten(name)} does not exist: expected one of {', '.join(CODES)}")
    return _RECORD.pack(CODES[name], instruction["in1"], instruction["in2"], instruction["out"], instruction["value"])


@lru_cache(maxsize=_KEPT)
def _unpacked(record: bytes) -> Design:
    code, in1, in2, out, value = _RECORD.unpack(record)
    return Design({"op": OPERATIONS[code].name, "in1": in1, "in2": in2, "out": out, "value": value})
