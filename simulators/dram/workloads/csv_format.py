"""Traces as plain CSV with a header line."""

import csv
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads.line_formats import (
    LineError,
    LineFormat,
    Requests,
    address,
    decimal,
    rows,
)
from designgym.simulators.dram.workloads.tokens import split_columns

_COLUMNS = "the first line must name the columns tick (or time_ns), op and address, once each"
_WRITE_OF = {"r": False, "read": False, "w": True, "write": True}
_ROUNDING = 1e-6  # ticks by which a time may lie after a tick and still belong to it


class CsvFormat(LineFormat):
    """CSV with the columns ``tick`` or ``time_ns``, ``op`` and ``address``, in any order; fields may be quoted.

    A time between two ticks counts as the later one: the controller cannot see a request before it arrives.

    Args:
        header: Names of the columns, in the order of the file.
        clock_ns: Length of one tick in ns.

    Raises:
        LineError: The columns are other than expected.
    """

    name = "csv"
    extensions = (".csv",)

    def __init__(self, header: Sequence[str], clock_ns: float) -> None:
        self.header = tuple(word.strip().lower() for word in header)
        self.time = "tick" if "tick" in self.header else "time_ns"
        expected = {self.time, "op", "address"}
        if unknown := [word for word in header if word.strip().lower() not in expected]:
            raise LineError(f"{_COLUMNS}; remove {', '.join(repr(word.strip()[:40]) for word in unknown[:3])}")
        if len(self.header) != 3 or set(self.header) != expected:
            raise LineError(_COLUMNS)
        self.clock_ns = clock_ns
        self.expected = f"{','.join(self.header)} with op R, W, read or write and an address, decimal or 0x..."

    def read_line(self, line: str) -> tuple[int, bool, int]:
        """See `LineFormat.read_line`."""
        words = [word.strip() for word in split_fields(line)]
        if len(words) != len(self.header):
            raise LineError(f"it has {len(words)} fields instead of {len(self.header)}")
        fields = dict(zip(self.header, words, strict=True))
        op = fields["op"].lower()
        if op not in _WRITE_OF:
            raise LineError(f"op {fields['op'][:40]!r} is not R, W, read or write")
        return self._tick(fields[self.time]), _WRITE_OF[op], address(fields["address"], False)

    def read_lines(self, text: bytes) -> Requests | None:
        """See `LineFormat.read_lines`."""
        # Blanks would hide a missing comma once commas have become blanks.
        if b" " in text or b"\t" in text or (split := split_columns(text.lower().replace(b",", b" "), 3)) is None:
            return None
        columns, numbers = split
        if text.count(b",") != 2 * numbers.size:
            return None
        found = dict(zip(self.header, columns, strict=True))
        ops, addresses = found["op"].matches(*_WRITE_OF), found["address"].addresses()
        ticks = found["tick"].decimals() if self.time == "tick" else self._ticks(found["time_ns"].floats())
        if ops is None or addresses is None or ticks is None:
            return None
        is_write = np.logical_or.reduce([op for op, write in zip(ops, _WRITE_OF.values(), strict=True) if write])
        return Requests(ticks, is_write, addresses, numbers)

    def lines(self, trace: Trace) -> Iterator[str]:
        """See `LineFormat.lines`. Times are written in ns, so that the clock is not lost."""
        yield "time_ns,op,address"
        for tick, is_write, place in rows(trace):
            yield f"{tick * trace.clock_ns!r},{'W' if is_write else 'R'},0x{place:X}"

    def _tick(self, word: str) -> int:
        if self.time == "tick":
            return decimal(word, "tick")
        try:
            time_ns = float(word)
        except ValueError:
            time_ns = math.nan
        if not 0 <= time_ns < 1e18 * self.clock_ns:
            raise LineError(f"time_ns {word[:40]!r} is not a time from 0 ns to 10^18 ticks")
        return math.ceil(time_ns / self.clock_ns - _ROUNDING)

    def _ticks(self, times_ns: NDArray[np.float64] | None) -> NDArray[np.int64] | None:
        if times_ns is None or not bool(((times_ns >= 0) & (times_ns < 1e18 * self.clock_ns)).all()):
            return None
        return np.ceil(times_ns / self.clock_ns - _ROUNDING).astype(np.int64)


def split_fields(line: str) -> list[str]:
    """Return the fields of a line, without their quotes, or raise LineError."""
    try:
        return next(csv.reader([line], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise LineError(f"it is not a line of CSV ({error})") from None
