"""The text formats of traces: how one line is read and written, and the same for many lines at once."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads.tokens import Ints, split_columns

_DECIMAL = re.compile(r"[0-9]{1,18}", re.ASCII)
_HEXADECIMAL = re.compile(r"(0[xX])?[0-9a-fA-F]{1,16}", re.ASCII)


@dataclass(frozen=True)
class Requests:
    """What was read from a text, each array of shape (requests,).

    Attributes:
        ticks: Times in ticks; all 0 if the format has none.
        is_write: Directions.
        addresses: Byte addresses.
        numbers: Line numbers, from 1.
    """

    ticks: Ints
    is_write: NDArray[np.bool_]
    addresses: Ints
    numbers: Ints


class LineError(Exception):
    """A line that is not a request; the message says what is wrong with it."""


class LineFormat(ABC):
    """A format with one request per line.

    Attributes:
        name: Name to choose the format by.
        extensions: File name extensions that stand for it.
        expected: A legal line, in words, for error messages.
        has_times: Whether lines hold times; if not, requests come one per tick.
    """

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]
    expected: str
    has_times: ClassVar[bool] = True

    @abstractmethod
    def read_line(self, line: str) -> tuple[int, bool, int]:
        """Return tick (0 without times), direction (True for a write) and address of one line, or raise LineError."""

    @abstractmethod
    def read_lines(self, text: bytes) -> Requests | None:
        """Read many lines at once; None if any line is not as expected. Line numbers start at 1 in this text."""

    @abstractmethod
    def lines(self, trace: Trace) -> Iterator[str]:
        """Yield the lines of a file that holds the trace, without line ends.

        Raises:
            InputError: The format cannot hold what the trace contains.
        """


class StlFormat(LineFormat):
    """DRAMSys trace: time in ticks of the trace clock, direction, hexadecimal address."""

    name = "stl"
    extensions = (".stl",)
    expected = "<time in ticks>:<tab><read|write><tab><hexadecimal address>, for example 31:<tab>read<tab>0x400140"

    def read_line(self, line: str) -> tuple[int, bool, int]:
        """See `LineFormat.read_line`."""
        words = line.split()
        if len(words) > 1 and re.fullmatch(r"\(\d+\)", words[1]):
            raise LineError("burst lengths in brackets are not supported, every request is one burst of 64 bytes")
        if len(words) > 1 and words[1].startswith(":"):
            raise LineError("a blank stands between the time and its colon, remove it")
        if len(words) == 4 and words[1].lower() in ("read", "write"):
            raise LineError("data after the address are not supported, remove that column")
        if len(words) != 3:
            raise LineError(f"it has {len(words)} words instead of 3")
        return (
            decimal(words[0].removesuffix(":"), "time"),
            direction(words[1], "read", "write"),
            address(words[2], True),
        )

    def read_lines(self, text: bytes) -> Requests | None:
        """See `LineFormat.read_lines`."""
        if (split := split_columns(text.lower(), 3)) is None:
            return None
        (times, directions, places), numbers = split
        ticks, found, addresses = (
            times.without_suffix(":").decimals(),
            directions.matches("read", "write"),
            places.hexadecimals(),
        )
        if ticks is None or found is None or addresses is None:
            return None
        return Requests(ticks, found[1], addresses, numbers)

    def lines(self, trace: Trace) -> Iterator[str]:
        """See `LineFormat.lines`."""
        names = ("read", "write")
        for tick, is_write, place in rows(trace):
            yield f"{tick}:\t{names[is_write]}\t0x{place:X}"


class RamulatorFormat(LineFormat):
    """Ramulator memory trace without times: ``0x12345680 R`` (version 1) or ``LD 0x12340`` (version 2)."""

    name = "ramulator"
    extensions = (".trace", ".ramulator")
    has_times = False
    expected = "<0xADDRESS> <R|W>, or <LD|ST> <address, decimal or 0x...>"

    def read_line(self, line: str) -> tuple[int, bool, int]:
        """See `LineFormat.read_line`."""
        words = line.split()
        if len(words) != 2:
            hint = "; traces with instruction counts need a model of a processor" if len(words) == 3 else ""
            raise LineError(f"it has {len(words)} words instead of 2{hint}")
        first = words[0].upper()
        if first in ("R", "W") and "," in words[1]:
            raise LineError("address vectors (channel, rank, bank, ...) are not supported, give byte addresses")
        if first in ("LD", "ST"):
            return 0, first == "ST", address(words[1], False)
        return 0, direction(words[1], "R", "W"), address(words[0], True)

    def read_lines(self, text: bytes) -> Requests | None:
        """See `LineFormat.read_lines`."""
        if (split := split_columns(text.lower(), 2)) is None:
            return None
        (first, second), numbers = split
        if (found := second.matches("r", "w")) is not None:
            addresses = first.hexadecimals()
        elif (found := first.matches("ld", "st")) is not None:
            addresses = second.addresses()
        else:
            return None
        return None if addresses is None else Requests(np.zeros_like(numbers), found[1], addresses, numbers)

    def lines(self, trace: Trace) -> Iterator[str]:
        """See `LineFormat.lines`."""
        if not np.array_equal(trace.arrival_ticks, np.arange(len(trace))):
            raise InputError(
                f"Ramulator traces hold no times, but trace {trace.name!r} is not simply one request per tick. Write it as .stl or .csv."
            )
        for _, is_write, place in rows(trace):
            yield f"0x{place:x} {'W' if is_write else 'R'}"


def rows(trace: Trace) -> Iterator[tuple[int, bool, int]]:
    """Yield tick, direction and address of each request as plain Python values."""
    yield from zip(trace.arrival_ticks.tolist(), trace.is_write.tolist(), trace.addresses.tolist(), strict=True)


def decimal(word: str, what: str) -> int:
    """Return a whole decimal number of up to 18 digits, or raise LineError."""
    if not _DECIMAL.fullmatch(word):
        raise LineError(f"{what} {word[:40]!r} is not a whole number from 0 to 10^18")
    return int(word)


def address(word: str, always_hexadecimal: bool) -> int:
    """Return an address, or raise LineError."""
    if always_hexadecimal or word[:2] in ("0x", "0X"):
        if not _HEXADECIMAL.fullmatch(word):
            raise LineError(f"address {word[:40]!r} is not a hexadecimal number of up to 16 digits")
        return min(int(word, 16), np.iinfo(np.int64).max)
    return decimal(word, "address")


def direction(word: str, read: str, write: str) -> bool:
    """Return True for the word that stands for a write, in capitals or not; raise LineError for another word."""
    if word.lower() not in (read.lower(), write.lower()):
        raise LineError(f"{word[:40]!r} is neither {read!r} nor {write!r}")
    return word.lower() == write.lower()
