"""`fingerprint`: what somebody answered, as a short digest that rounding errors do not change."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from designgym.core.errors import InputError, shorten

VERSION = 1  # part of every digest: raise it with any change below
DIGEST_BYTES = 16  # 128 bits: among 10^12 fingerprints the chance of one accidental collision is below 10^-14
MANTISSA_BITS = 24
ATOL = 1e-12
EXPLICIT_BITS = 52  # of a float64
GUARD_BITS = 8  # an array's elements are told apart down to 2^-(mantissa_bits + 8) of its largest one; below that is rounding residue
OFFSET = 0.6180339887498949  # of a cell: irrational, so that no number that people write down lies on an edge
LARGEST = float(np.finfo(np.float64).max)

_UNFINITE = {"nan": 1 << 62, "inf": (1 << 62) + 1, "-inf": (1 << 62) + 2}


@dataclass(frozen=True)
class Fingerprint:
    """The digest of an answer on two grids, shifted against each other by half a cell.

    Attributes:
        key: The digest on the first grid, 16 bytes; equality and hash are those of the key.
        alternate: The digest on the second grid. Answers that differ by rounding, and happen to lie on two sides of an edge of one grid,
            agree on the other.
    """

    key: bytes
    alternate: bytes = field(compare=False)

    def matches(self, other: Fingerprint) -> bool:
        """Return whether the answers agree on either grid."""
        return self.key == other.key or self.alternate == other.alternate

    @property
    def hex(self) -> str:
        """The key in hexadecimal."""
        return self.key.hex()


def fingerprint(answer: Any, *, mantissa_bits: int = MANTISSA_BITS, atol: float = ATOL) -> Fingerprint:
    """Return the fingerprint of an answer: numbers, texts, arrays, tensors, and nested lists, tuples, sets and mappings of them.

    Whole numbers, texts and booleans count exactly, and so do shapes and lengths; real numbers up to a cell of relative width
    ``2**-mantissa_bits``. The cells are those of the floating-point number line itself (its bit patterns, which are a piecewise linear
    logarithm), so that they are continuous across powers of two. Towards zero they pass into cells of equal absolute width, the larger
    of ``atol`` and ``2**-(mantissa_bits + 8)`` of the largest element of the same array: the residue of a cancellation is no behaviour.
    An irrational offset keeps 0.75 and 0.75 - 1e-15 together, where truncation, as in Gillard et al.
    (2023), tells them apart. NaN equals NaN; infinities are values.

    Args:
        answer: What was answered.
        mantissa_bits: Bits of a real number that count, 0 to 52: differences below ``2**-mantissa_bits`` of a number do not. With 52
            even rounding errors tell answers apart.
        atol: Differences below this do not count either.

    Raises:
        InputError: For an answer of another type, or an argument outside its range.
    """
    if isinstance(mantissa_bits, bool) or not isinstance(mantissa_bits, int) or not 0 <= mantissa_bits <= EXPLICIT_BITS:
        raise InputError(f"mantissa_bits is {shorten(mantissa_bits)}, expected a whole number from 0 to {EXPLICIT_BITS}")
    if not 0 <= atol < 1:
        raise InputError(f"atol is {shorten(atol)}, expected a difference that does not count, from 0 to below 1, for instance {ATOL}")
    exact = blake3(struct.pack("<2Hd", VERSION, mantissa_bits, atol))
    reals: list[NDArray[np.float64]] = []
    for part in _parts(answer):
        if isinstance(part, bytes):
            exact.update(struct.pack("<q", len(part)))
            exact.update(part)
        else:
            exact.update(b"real" + struct.pack(f"<{part.ndim + 1}q", part.ndim, *part.shape))
            reals.append(part.ravel())
    lattice = [_positions(part, mantissa_bits, atol) for part in reals if part.size]
    positions = np.concatenate(lattice) if lattice else np.zeros(0, np.int64)
    width = 1 << (EXPLICIT_BITS - mantissa_bits)
    first = int(OFFSET * width)
    return Fingerprint(*(_digest(exact, (positions + offset) // width) for offset in (first, first + width // 2)))


def _digest(exact: blake3, cells: NDArray[np.int64]) -> bytes:
    hasher = exact.copy()
    hasher.update(cells.astype("<i8").tobytes())
    return hasher.digest(length=DIGEST_BYTES)


def _positions(values: NDArray[np.float64], mantissa_bits: int, atol: float) -> NDArray[np.int64]:
    """Return where each value, relative to the largest magnitude, and then that itself lie on the number line; shape ``(n + 1,)``.

    Cells are as wide as one in ``2**mantissa_bits`` of ``magnitude + shift``, so the shift gives their width at zero.
    """
    finite = np.isfinite(values)
    line = np.append(np.abs(np.where(finite, values, 0.0)), 0.0)
    line[-1] = scale = line[:-1].max()
    np.minimum(line, LARGEST / 2, out=line)
    shift = atol * 2.0**mantissa_bits
    shifts = np.full(line.size, shift + scale * 2.0**-GUARD_BITS)
    shifts[-1] = shift
    line += shifts
    positions = line.view(np.int64) - shifts.view(np.int64)
    positions[:-1][values < 0] *= -1
    if not finite.all():
        for name, position in _UNFINITE.items():
            number = float(name)
            positions[:-1][np.isnan(values) if name == "nan" else values == number] = position
    return positions


def _parts(answer: Any) -> Iterator[bytes | NDArray[np.float64]]:
    """Yield what counts exactly as bytes, and what counts approximately as arrays, in an order that depends on the answer alone."""
    if hasattr(answer, "detach"):  # a tensor; torch itself may not be imported
        answer = answer.detach().cpu()
        answer = answer.float().numpy() if str(answer.dtype) == "torch.bfloat16" else answer.numpy()
    if answer is None:
        yield b"none"
    elif isinstance(answer, bool | np.bool_):
        yield b"bool1" if answer else b"bool0"
    elif isinstance(answer, int | np.integer):
        yield b"int" + str(int(answer)).encode()
    elif isinstance(answer, float | np.floating):
        yield np.array(answer, np.float64)
    elif isinstance(answer, str):
        yield b"str" + answer.encode("utf-8", "surrogatepass")
    elif isinstance(answer, bytes | bytearray | memoryview):
        yield b"bytes" + bytes(answer)
    elif isinstance(answer, complex | np.complexfloating):
        yield b"complex"
        yield np.array([answer.real, answer.imag], np.float64)
    elif isinstance(answer, np.ndarray):
        yield from _array(answer)
    elif isinstance(answer, Mapping):
        yield f"mapping{len(answer)}".encode()
        for key, value in sorted(((_exact(key), value) for key, value in answer.items()), key=lambda pair: pair[0]):
            yield key
            yield from _parts(value)
    elif isinstance(answer, Set):
        yield f"set{len(answer)}".encode()
        yield from sorted(map(_exact, answer))
    elif isinstance(answer, Sequence):
        yield f"sequence{len(answer)}".encode()
        for element in answer:
            yield from _parts(element)
    else:
        raise InputError(
            f"cannot fingerprint {shorten(answer)} of type {type(answer).__name__}: "
            "expected numbers, texts, arrays, tensors, or lists, tuples, sets and mappings of them"
        )


def _array(array: NDArray[Any]) -> Iterator[bytes | NDArray[np.float64]]:
    if array.dtype.kind == "f":
        yield array.astype(np.float64)
    elif array.dtype.kind == "c":
        yield b"complex"
        yield np.stack([array.real, array.imag]).astype(np.float64)
    elif array.dtype.kind in "biu":
        kind = "bool" if array.dtype.kind == "b" else "int"  # the width of an integer is no behaviour
        numbers = array.astype(np.int64) if array.dtype.kind != "u" else array.astype(np.uint64)
        yield f"{kind}s{array.shape}{'u' if numbers.dtype.kind == 'u' and (numbers > np.iinfo(np.int64).max).any() else ''}".encode()
        yield numbers.astype("<i8").tobytes()
    else:
        yield f"objects{array.shape}".encode()
        yield from _parts(array.ravel().tolist())


def _exact(value: Any) -> bytes:
    """Return a key of a mapping, or an element of a set, as bytes; real numbers count to the last bit there, as they do in Python."""
    parts = [part if isinstance(part, bytes) else b"real" + part.tobytes() for part in _parts(value)]
    return b"".join(struct.pack("<q", len(part)) + part for part in parts)
