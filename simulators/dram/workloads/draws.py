"""What the generators share: drawing lines, times and directions, and checking parameters.

All randomness comes from uniform doubles of one `numpy.random.Generator`, turned into choices here. NumPy may change
how its other distributions draw between releases; the doubles are the steadiest part, so that seeds keep their traces.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram.trace import Trace

Seed = int | np.random.Generator
GIB = 1 << 30
"""Bytes of the reference memory (DDR3, eight devices of 1 Gb)."""
LINE_BYTES = 64
"""One burst of the 64-bit DIMM."""
ROW_BYTES = 8192
"""One open row of all devices together."""

Ints = NDArray[np.int64]


def start(seed: Seed, requests: int, memory_bytes: int) -> np.random.Generator:
    """Check the common parameters and return the generator to draw from."""
    within("requests", requests, 1, 1 << 40, "requests")
    within("memory_bytes", memory_bytes, ROW_BYTES, 1 << 48, "bytes")
    if isinstance(seed, int) and seed < 0:
        raise InputError(f"seed must be 0 or more, but got {seed}. Give a whole number such as 0.")
    return np.random.default_rng(seed)


def within(what: str, value: float, low: float, high: float, unit: str) -> None:
    """Refuse a value outside ``low`` to ``high``; a whole ``low`` asks for a whole number."""
    whole = isinstance(low, int)
    if not isinstance(value, int | np.integer if whole else int | float) or isinstance(value, bool):
        raise InputError(f"{what} must be {'a whole' if whole else 'a'} number ({unit}), but got {value!r}. Give one.")
    if not low <= value <= high:  # written so that nan is refused
        raise InputError(f"{what} must be within {low} to {high} ({unit}), but got {value}. Choose a value in that range.")


def choose(rng: np.random.Generator, n: int, options: int) -> Ints:
    """Draw n whole numbers from 0 to options - 1."""
    return (rng.random(n) * options).astype(np.int64)


def log_uniform(rng: np.random.Generator, n: int, low: int, high: int) -> Ints:
    """Draw n whole numbers from low to high, every factor equally likely."""
    return np.rint(low * (high / low) ** rng.random(n)).astype(np.int64)


def sequential(rng: np.random.Generator, of_stream: Ints, streams: int, memory_bytes: int) -> Ints:
    """Line of each request when request i takes the next line of stream of_stream[i]; streams start at random rows."""
    starts = choose(rng, streams, memory_bytes // ROW_BYTES) * (ROW_BYTES // LINE_BYTES)
    order = np.argsort(of_stream, kind="stable")  # requests stream by stream, each in its old order
    first = np.searchsorted(of_stream[order], np.arange(streams))
    lines = np.empty_like(of_stream)
    lines[order] = np.arange(of_stream.size) - first[of_stream[order]] + starts[of_stream[order]]
    return lines


def zipf(rng: np.random.Generator, n: int, hot_lines: int, exponent: float, memory_bytes: int) -> Ints:
    """Draw n lines of a hot set of ``hot_lines`` lines that lie anywhere in the memory."""
    places = choose(rng, hot_lines, memory_bytes // LINE_BYTES)
    cumulative = np.cumsum(np.arange(1, hot_lines + 1, dtype=np.float64) ** -exponent)
    return places[np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right").clip(max=hot_lines - 1)]


def mixed_lines(rng: np.random.Generator, requests: int, streams: int, sequential_share: float, memory_bytes: int) -> Ints:
    """Draw lines, each the next one of a stream or any line of the memory."""
    within("streams", streams, 1, 4096, "streams")
    within("sequential_share", sequential_share, 0.0, 1.0, "share of requests")
    lines = choose(rng, requests, memory_bytes // LINE_BYTES)
    in_order = rng.random(requests) < sequential_share
    of_stream = choose(rng, int(in_order.sum()), streams)
    lines[in_order] = sequential(rng, of_stream, streams, memory_bytes)
    return lines


def regular(requests: int, interval_ticks: int) -> Ints:
    """Return the ticks of requests that come at a fixed interval."""
    within("interval_ticks", interval_ticks, 0, 1 << 40, "ticks")
    return np.arange(requests, dtype=np.int64) * interval_ticks


def finish(name: str, rng: np.random.Generator, lines: Ints, read_share: float, arrival_ticks: Ints, memory_bytes: int) -> Trace:
    """Draw the directions and make the trace."""
    within("read_share", read_share, 0.0, 1.0, "share of requests")
    # Directions are drawn last, so that a trace with another read share has the same addresses and times.
    is_write = rng.random(lines.size) >= read_share
    return Trace(name, arrival_ticks, is_write, lines * LINE_BYTES % (memory_bytes // LINE_BYTES * LINE_BYTES))
