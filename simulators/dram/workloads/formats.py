"""Reads and writes traces in the formats of DRAMSys (.stl), Ramulator (.trace) and as CSV."""

import logging
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, UnknownNameError
from designgym.core.files import written_whole
from designgym.simulators.dram.state import LATEST_ARRIVAL
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads.csv_format import CsvFormat, split_fields
from designgym.simulators.dram.workloads.draws import GIB
from designgym.simulators.dram.workloads.line_formats import LineError, LineFormat, RamulatorFormat, Requests, StlFormat

__all__ = ["EXTENSIONS", "FORMATS", "read_trace", "write_trace"]

FORMATS: dict[str, type[LineFormat]] = {form.name: form for form in (StlFormat, RamulatorFormat, CsvFormat)}
"""The formats by name."""
EXTENSIONS: dict[str, str] = {end: form.name for form in FORMATS.values() for end in form.extensions}
"""Name of the format for each file name extension."""

CLOCK_NS = 1.25
"""Tick of traces that do not say otherwise: 800 MHz, the clock of the reference memory."""
_CHUNK_BYTES = 16 << 20  # text parsed at once; bounds the memory needed to about ten times this
_PACKED = (".gz", ".xz", ".bz2", ".zst", ".zip")
log = logging.getLogger("designgym.dram")
_COMMENT = re.compile(rb"^[ \t]*#[^\n]*", re.MULTILINE)


def read_trace(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    name: str | None = None,
    memory_bytes: int = GIB,
    clock_ns: float = CLOCK_NS,
    clamp_times: bool = False,
) -> Trace:
    """Read a trace file and check every line.

    Blank lines and lines that start with # are skipped. Addresses are kept as they are, aligned or not: the address map
    of the memory ignores the bits inside a burst. Formats without times give one request per tick.

    Args:
        path: The file.
        format: ``stl``, ``ramulator`` or ``csv``; None goes by the extension.
        name: Name of the trace; None takes the file's name without its extension.
        memory_bytes: Size of the memory in bytes; every address must be below it.
        clock_ns: Length of one tick in ns.
        clamp_times: Take a time that goes back as the latest so far, with one warning for the file, instead of refusing it. A player
            that sends requests in the order of the file does the same: DRAMSys ships an example with such times.

    Raises:
        InputError: The file cannot be read or is not a legal trace; the message names the first bad line.
    """
    path = Path(path)
    form_name = _format_of(path, format)
    text = _read_text(path)
    plain = _COMMENT.sub(b"", text) if b"#" in text else text  # line numbers stay as they were
    body = 0  # where the requests start
    form: LineFormat
    if form_name == "csv":
        begin = len(plain) - len(plain.lstrip())
        body = plain.find(b"\n", begin) + 1 or len(plain)
        header = plain[begin:body].decode().strip()
        try:
            form = CsvFormat(split_fields(header), clock_ns)
        except LineError as error:
            line = plain.count(b"\n", 0, begin) + 1
            raise _bad_line(path, line, header, f"{error}; expected for example tick,op,address") from None
    else:
        form = FORMATS[form_name]()
    chunks = [_parse(path, form, plain[start:end], line) for start, end, line in _chunks(plain, body)]
    numbers = np.concatenate([chunk.numbers for chunk in chunks])
    if not numbers.size:
        raise InputError(f"{path} has no requests; expected lines such as {form.expected}.")
    ticks = np.concatenate([chunk.ticks for chunk in chunks]) if form.has_times else np.arange(numbers.size)
    addresses = np.concatenate([chunk.addresses for chunk in chunks])
    if clamp_times:
        ticks = _clamped(path, ticks, numbers)
    _check(path, text, ticks, addresses, numbers, memory_bytes)
    is_write = np.concatenate([chunk.is_write for chunk in chunks])
    return Trace(name or path.stem, ticks, is_write, addresses, clock_ns)


def write_trace(trace: Trace, path: str | os.PathLike[str], *, format: str | None = None) -> Path:
    """Write a trace so that `read_trace` gives it back; the file appears whole or not at all.

    Args:
        trace: The trace.
        path: The file to write, replaced if it is there.
        format: ``stl``, ``ramulator`` or ``csv``; None goes by the extension.

    Returns:
        The path.

    Raises:
        InputError: The format is unknown or cannot hold the trace, or there can be no such file.
        DesignGymError: The file cannot be written (full disk ...).
    """
    path = Path(path)
    form_name = _format_of(path, format)
    if form_name != "csv" and trace.clock_ns != CLOCK_NS:
        raise InputError(
            f"a {form_name} file does not say its clock and is read with {CLOCK_NS} ns, but trace {trace.name!r} has "
            f"ticks of {trace.clock_ns} ns. Write it as .csv."
        )
    form = CsvFormat(("time_ns", "op", "address"), CLOCK_NS) if form_name == "csv" else FORMATS[form_name]()
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in form.lines(trace))
    return path


def _format_of(path: Path, format: str | None) -> str:
    if format is not None:
        if format not in FORMATS:
            raise UnknownNameError("trace format", format, FORMATS)
        return format
    found = EXTENSIONS.get(path.suffix.lower())
    if found is None:
        known = ", ".join(f"{end} ({form})" for end, form in EXTENSIONS.items())
        remedy = "Unpack it first." if path.suffix.lower() in _PACKED else "Rename it so that it ends in one of these."
        raise InputError(f"cannot tell the format of {path} by its extension; known: {known}. {remedy}")
    return found


def _read_text(path: Path) -> bytes:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the trace {path}: {error.strerror}. Check the path.") from None
    text = text.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # all that editors take for line ends
    if not text.strip():
        raise InputError(f"the trace {path} is empty. Give a file with one request per line.")
    if b"\0" in text[:_CHUNK_BYTES] or not _is_utf8(text):
        raise InputError(f"the trace {path} is not a text file. Unpack it first, or choose another file.")
    return text


def _is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def _chunks(text: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield start and end of pieces of whole lines, and the number of lines before each."""
    line = text.count(b"\n", 0, start)
    while True:
        end = text.find(b"\n", start + _CHUNK_BYTES) + 1 or len(text)
        yield start, end, line
        if end == len(text):
            return
        line += text.count(b"\n", start, end)
        start = end


def _parse(path: Path, form: LineFormat, text: bytes, line: int) -> Requests:
    found = form.read_lines(text)
    if found is None:
        found = _parse_slowly(path, form, text, line)
    return replace(found, numbers=found.numbers + line)


def _parse_slowly(path: Path, form: LineFormat, text: bytes, line: int) -> Requests:
    requests = []
    for number, raw in enumerate(text.split(b"\n"), start=1):
        content = raw.decode().strip()
        if not content:
            continue
        try:
            requests.append((*form.read_line(content), number))
        except LineError as error:
            raise _bad_line(path, line + number, content, f"{error}; expected {form.expected}") from None
    table = np.array(requests, dtype=np.int64).reshape(-1, 4)
    return Requests(table[:, 0], table[:, 1].astype(np.bool_), table[:, 2], table[:, 3])


def _clamped(path: Path, ticks: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the times, each at least the latest before it; warn if that changes any."""
    clamped = np.maximum.accumulate(ticks)
    early = np.flatnonzero(ticks < clamped)
    if early.size:
        log.warning(
            "%s, line %d: tick %d is before tick %d of a request above, the first of %d times that go back; each is taken as the latest "
            "time so far, as DRAMSys does",
            path, numbers[early[0]], ticks[early[0]], clamped[early[0]], early.size,
        )  # fmt: skip
    return clamped


def _check(
    path: Path,
    text: bytes,
    ticks: NDArray[np.int64],
    addresses: NDArray[np.int64],
    numbers: NDArray[np.int64],
    memory_bytes: int,
) -> None:
    early = np.flatnonzero(np.diff(ticks) < 0) + 1
    late = np.flatnonzero(ticks > LATEST_ARRIVAL)
    outside = np.flatnonzero(addresses >= memory_bytes)
    bad = [int(found[0]) for found in (early, late, outside) if found.size]
    if not bad:
        return
    first = min(bad)
    content = text.split(b"\n")[numbers[first] - 1].decode().strip()
    if early.size and early[0] == first:
        reason = (
            f"tick {ticks[first]} is before tick {ticks[first - 1]} of the request above; sort by time, or have each taken as the latest "
            f"time so far with `designgym data import dram {shlex.quote(str(path))} --clamp-times`"
        )
    elif late.size and late[0] == first:
        reason = f"tick {ticks[first]} is later than {LATEST_ARRIVAL}, the last that can be simulated; shorten the trace"
    else:
        reason = (
            f"the address is not within the memory of {memory_bytes:,} bytes (0x0 to 0x{memory_bytes - 1:x}); use a trace for this memory"
        )
    raise _bad_line(path, int(numbers[first]), content, reason)


def _bad_line(path: Path, number: int, content: str, reason: str) -> InputError:
    shown = content if len(content) <= 60 else content[:57] + "..."
    return InputError(f"{path}, line {number}: {shown!r}: {reason}.")
