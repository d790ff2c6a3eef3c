"""`fingerprint`: what somebody answered, as a short digest that rounding errors do not change."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from designgym.core.errors import InputError, shorten

VERSION = 2  # part of every digest: raise it with any change below
DIGEST_BYTES = 16  # 128 bits: among 10^12 fingerprints the chance of one accidental collision is below 10^-14
MANTISSA_BITS = 24
ATOL = 1e-12
EXPLICIT_BITS = 52  # of a float64
GUARD_BITS = 8  # an array's elements are told apart down to 2^-(mantissa_bits + 8) of its largest one; below that is rounding residue
OFFSET = 0.6180339887498949  # of a cell: irrational, so that no number that people write down lies on an edge
LARGEST = float(np.finfo(np.float64).max) * (1 - 2.0**-7)  # so that it stays finite when the share of GUARD_BITS is added


class NestedTooDeepError(InputError):
    """An answer that is nested too deep to be read, or contains itself."""


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


def fingerprint(answer: Any, *, mantissa_bits: int | None = MANTISSA_BITS, atol: float = ATOL) -> Fingerprint:
    """Return the fingerprint of an answer: numbers, texts, arrays, tensors, and nested lists, tuples, sets, mappings, dataclasses of them.

    Whole numbers, texts and booleans count exactly, and so do shapes and lengths; real numbers up to a cell of relative width
    ``2**-mantissa_bits``. The cells are those of the floating-point number line itself (its bit patterns, which are a piecewise linear
    logarithm), so that they are continuous across powers of two. Towards zero they pass into cells of equal absolute width, the larger
    of ``atol`` and ``2**-(mantissa_bits + 8)`` of the largest element of the same array: the residue of a cancellation is no behaviour.
    An irrational offset keeps 0.75 and 0.75 - 1e-15 together, where truncation, as in Gillard et al. (2023), tells them apart.

    NaN equals NaN; infinities are values. Lists and tuples are alike, and so are an array's and a tensor's widths of number; a list is
    not an array, a whole number not a real one. `Decimal` and `Fraction` are real numbers, members of an `Enum` count by their names,
    dates and times exactly, dataclasses by the name of their class and their fields. In the keys of mappings and in sets, real numbers
    count to the last bit.

    Two single numbers always match (`Fingerprint.matches`) if they differ by less than a quarter of ``atol``, or of
    ``2**-mantissa_bits`` of either; they never match if they differ by more than both together. Of two answers with n real numbers that
    agree to within a share e of a cell, the keys differ with a probability of about n e, and neither key agrees with about (n e)^2.
    For results in single precision 10 to 12 bits are adequate.

    Args:
        answer: What was answered.
        mantissa_bits: Bits of a real number that count, 0 to 52: differences below ``2**-mantissa_bits`` of a number do not. With 52
            even rounding errors tell answers apart. None: as many as the least precise number in the answer bears: 24, 10 in single
            precision (numpy's and torch's ``float32``), 4 in ``float16``, 2 in ``bfloat16``.
        atol: Differences below this do not count either.

    Raises:
        InputError: For an answer of another type, or an argument outside its range.
        NestedTooDeepError: For an answer that contains itself, or might.
    """
    if mantissa_bits is not None:
        if isinstance(mantissa_bits, bool) or not isinstance(mantissa_bits, int | np.integer) or not 0 <= mantissa_bits <= EXPLICIT_BITS:
            raise InputError(f"mantissa_bits is {shorten(mantissa_bits)}, expected a whole number from 0 to {EXPLICIT_BITS}")
        mantissa_bits = int(mantissa_bits)
    if not isinstance(atol, int | float) or not 0 <= atol < 1:
        raise InputError(f"atol is {shorten(atol)}, expected a difference that does not count, from 0 to below 1, for instance {ATOL}")
    try:
        parts = list(_parts(answer))
    except RecursionError:
        raise NestedTooDeepError(f"cannot fingerprint {type(answer).__name__}: it is nested too deep, or contains itself") from None
    if mantissa_bits is None:
        mantissa_bits = min((_bits_borne(part) for part in parts if type(part) is int), default=MANTISSA_BITS)
    exact = blake3(struct.pack("<2Hd", VERSION, mantissa_bits, atol))
    scalars: list[float] = []
    arrays: list[NDArray[np.float64]] = []
    for part in parts:
        if isinstance(part, bytes):
            exact.update(struct.pack("<q", len(part)))
            exact.update(part)
        elif isinstance(part, np.ndarray):
            exact.update(_ARRAY + struct.pack(f"<{part.ndim + 1}q", part.ndim, *part.shape))
            arrays.append(part.ravel())
        elif isinstance(part, float):
            exact.update(_SCALAR)
            scalars.append(part)
    shift = atol * 2.0**mantissa_bits
    finite = [_finite(np.array(scalars, np.float64), exact), *(_finite(part, exact) for part in arrays)]
    positions = np.concatenate([_positions(finite[0], shift), *(_array_positions(part, shift) for part in finite[1:] if part.size)])
    width = 1 << (EXPLICIT_BITS - mantissa_bits)
    first = int(OFFSET * width)
    return Fingerprint(*(_digest(exact, positions, mantissa_bits, offset) for offset in (first, (first + width // 2) % width)))


# Where a number or an array of numbers begins; everything else begins with its length, which is not negative.
_SCALAR, _ARRAY = struct.pack("<q", -1), struct.pack("<q", -2)


def _bits_borne(explicit_bits: int) -> int:
    """Return how many bits of numbers of a width count by default: what sums and products leave of the precision, with some to spare."""
    return min(MANTISSA_BITS, max(explicit_bits // 2 - 1, 0))


def _digest(exact: blake3, positions: NDArray[np.int64], mantissa_bits: int, offset: int) -> bytes:
    hasher = exact.copy()
    hasher.update(((positions + offset) >> (EXPLICIT_BITS - mantissa_bits)).astype("<i8").tobytes())
    return hasher.digest(length=DIGEST_BYTES)


def _finite(values: NDArray[np.float64], exact: blake3) -> NDArray[np.float64]:
    """Return the values with 0 in place of NaN and infinities, which count exactly: no cell may hold them, however wide it is."""
    finite = np.isfinite(values)
    if finite.all():
        exact.update(b"f")
        return values
    exact.update(b"u" + np.select([finite, np.isnan(values), values > 0], [0, 1, 2], 3).astype(np.uint8).tobytes())
    return np.where(finite, values, 0.0)


def _positions(values: NDArray[np.float64], shift: float | NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where finite values lie on the number line.

    Cells are as wide as one in ``2**mantissa_bits`` of ``magnitude + shift``, so the shift gives their width at zero.
    """
    shifts = np.full(values.size, shift)
    positions = (np.minimum(np.abs(values), LARGEST) + shifts).view(np.int64) - shifts.view(np.int64)
    positions[values < 0] *= -1
    return positions


def _array_positions(values: NDArray[np.float64], shift: float) -> NDArray[np.int64]:
    """Return where the values lie, relative to the largest magnitude, and then where that itself lies; shape ``(n + 1,)``."""
    scale = np.abs(values).max()
    return np.append(_positions(values, shift + scale * 2.0**-GUARD_BITS), _positions(np.array([scale]), shift))


Part = bytes | float | NDArray[np.float64] | int


def _parts(answer: Any) -> Iterator[Part]:
    """Yield what counts exactly as bytes, and what counts approximately as numbers, in an order that depends on the answer alone.

    A whole number among them is no part of the answer: the explicit bits of the mantissas of numbers narrower than a float64.
    """
    if isinstance(answer, bool | np.bool_):
        yield b"bool1" if answer else b"bool0"
    elif isinstance(answer, np.ndarray | np.datetime64 | np.timedelta64):  # before integers, of which numpy holds times to be some
        yield from _array(np.asanyarray(answer))
    elif isinstance(answer, int | np.integer):
        yield f"int{int(answer):x}".encode()
    elif isinstance(answer, float | np.floating):
        if isinstance(answer, np.floating) and answer.dtype.itemsize < 8:
            yield np.finfo(answer.dtype).nmant
        yield float(answer)
    elif answer is None or answer is ... or answer is NotImplemented:
        yield repr(answer).lower().encode()
    elif isinstance(answer, enum.Enum):
        yield f"enum {type(answer).__name__}.{answer.name}".encode()
    elif isinstance(answer, str):
        yield b"str" + answer.encode("utf-8", "surrogatepass")
    elif isinstance(answer, bytes | bytearray | memoryview):
        yield b"bytes" + bytes(answer)
    elif isinstance(answer, complex | np.complexfloating):
        yield b"complex"
        if isinstance(answer, np.complexfloating) and answer.dtype.itemsize < 16:
            yield np.finfo(answer.dtype).nmant
        yield np.array([answer.real, answer.imag], np.float64)
    elif isinstance(answer, range):  # as Python compares them, without counting to a billion
        yield f"range{len(answer)}:{answer[0] if answer else 0}:{answer.step if len(answer) > 1 else 0}".encode()
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
    elif isinstance(answer, decimal.Decimal | fractions.Fraction):
        yield _real(answer)
    elif isinstance(answer, datetime.date | datetime.time | datetime.timedelta):
        yield repr(answer).encode()
    elif dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        yield f"dataclass {type(answer).__name__}".encode()
        yield from _parts({one.name: getattr(answer, one.name, None) for one in dataclasses.fields(answer)})
    elif (torch := sys.modules.get("torch")) is not None and isinstance(answer, torch.Tensor):
        tensor: Any = answer
        if tensor.is_floating_point() and (explicit_bits := _explicit_bits(tensor)) < EXPLICIT_BITS:
            yield explicit_bits
        yield from _array(_from_tensor(tensor))
    else:
        raise InputError(
            f"cannot fingerprint {shorten(answer)} of type {type(answer).__name__}: "
            "expected numbers, texts, arrays, tensors, or lists, tuples, sets, mappings and dataclasses of them"
        )


def _real(number: decimal.Decimal | fractions.Fraction) -> float:
    """Return a number as a float; an infinity for one that is too large."""
    if isinstance(number, decimal.Decimal) and number.is_nan():
        return math.nan
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _array(array: NDArray[Any]) -> Iterator[Part]:
    if isinstance(array, np.ma.MaskedArray):
        yield b"masked"
        yield from _array(np.ma.getmaskarray(array))
        array = array.filled(np.zeros(1, array.dtype)[0])
    kind = array.dtype.kind
    if kind in "fc" and (explicit_bits := np.finfo(array.dtype).nmant) < EXPLICIT_BITS:
        yield explicit_bits
    if kind in "biuf" and not array.ndim:
        yield from _parts(array.item())
    elif kind == "f":
        yield array.astype(np.float64)
    elif kind == "c":
        yield b"complex"
        yield np.stack([np.real(array), np.imag(array)]).astype(np.float64)
    elif kind in "biu":  # the width of an integer is no behaviour
        numbers = array.astype(np.int64) if kind != "u" else array.astype(np.uint64)
        beyond = kind == "u" and bool((numbers > np.iinfo(np.int64).max).any())
        yield f"{'bool' if kind == 'b' else 'int'}s{array.shape}{'u' if beyond else ''}".encode()
        yield numbers.astype("<u8" if kind == "u" else "<i8").tobytes()
    elif kind in "mM":
        yield f"{kind}{np.datetime_data(array.dtype)}{array.shape}".encode()
        yield array.astype(np.int64).astype("<i8").tobytes()
    else:
        yield f"objects{array.shape}".encode()
        yield from _parts(array.ravel().tolist())


def _explicit_bits(tensor: Any) -> int:
    return round(-math.log2(sys.modules["torch"].finfo(tensor.dtype).eps))


def _from_tensor(tensor: Any) -> NDArray[Any]:
    """Return a tensor of any layout, device and width of number as an array."""
    if tensor.is_meta:
        raise InputError("cannot fingerprint a tensor on the device 'meta': it has no values")
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    tensor = (
        (tensor.to_dense() if tensor.layout is not sys.modules["torch"].strided else tensor).detach().cpu().resolve_conj().resolve_neg()
    )
    # numpy lacks some of the narrow kinds
    return tensor.double().numpy() if tensor.is_floating_point() else tensor.numpy()


def _exact(value: Any) -> bytes:
    """Return a key of a mapping, or an element of a set, as bytes; real numbers count to the last bit there, as they do in Python."""
    parts = [part if isinstance(part, bytes) else _to_the_last_bit(part) for part in _parts(value) if type(part) is not int]
    return b"".join(struct.pack("<q", len(part)) + part for part in parts)


def _to_the_last_bit(numbers: float | NDArray[np.float64]) -> bytes:
    return b"real" + (np.where(np.isnan(numbers), np.nan, numbers) + 0.0).tobytes()  # one NaN, and one zero
