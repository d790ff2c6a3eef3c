"""Seeded generators of memory traces. The same parameters and seed give the same trace in every process."""

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads.draws import (
    GIB,
    LINE_BYTES,
    Seed,
    choose,
    finish,
    log_uniform,
    mixed_lines,
    regular,
    sequential,
    start,
    within,
    zipf,
)

__all__ = ["bursts", "cloud_like", "mixed", "pointer_chase", "random", "stream", "strided"]


def stream(
    requests: int = 10_000,
    *,
    seed: Seed = 0,
    streams: int = 1,
    read_share: float = 1.0,
    interval_ticks: int = 1,
    memory_bytes: int = GIB,
    name: str = "stream-like",
) -> Trace:
    """Generate sequential 64-byte lines: one stream from address 0, or several interleaved from random rows.

    Args:
        requests: Number of requests.
        seed: Seed, or a generator to draw from.
        streams: Number of sequential streams; each request belongs to one of them at random.
        read_share: Share of reads, 0 to 1.
        interval_ticks: Ticks from one request to the next.
        memory_bytes: Size of the memory in bytes; addresses stay below it.
        name: Name of the trace.
    """
    rng = start(seed, requests, memory_bytes)
    within("streams", streams, 1, 4096, "streams")
    lines = np.arange(requests, dtype=np.int64)
    if streams > 1:
        lines = sequential(rng, choose(rng, requests, streams), streams, memory_bytes)
    return finish(name, rng, lines, read_share, regular(requests, interval_ticks), memory_bytes)


def random(
    requests: int = 10_000,
    *,
    seed: Seed = 0,
    read_share: float = 1.0,
    interval_ticks: int = 1,
    memory_bytes: int = GIB,
    name: str = "random-like",
) -> Trace:
    """Generate lines drawn uniformly from the whole memory; nearly every request opens another row.

    Args: see `stream`.
    """
    rng = start(seed, requests, memory_bytes)
    lines = choose(rng, requests, memory_bytes // LINE_BYTES)
    return finish(name, rng, lines, read_share, regular(requests, interval_ticks), memory_bytes)


def strided(
    requests: int = 10_000,
    *,
    seed: Seed = 0,
    stride_bytes: int = 4096,
    read_share: float = 1.0,
    interval_ticks: int = 1,
    memory_bytes: int = GIB,
    name: str = "strided",
) -> Trace:
    """Generate a walk with a fixed stride, as down the columns of a matrix; at the end of the memory it moves on by one line.

    Args:
        requests: Number of requests.
        seed: Seed, or a generator to draw from (it decides only which requests are reads).
        stride_bytes: Distance of successive addresses in bytes, a multiple of 64.
        read_share: Share of reads, 0 to 1.
        interval_ticks: Ticks from one request to the next.
        memory_bytes: Size of the memory in bytes; addresses stay below it.
        name: Name of the trace.
    """
    rng = start(seed, requests, memory_bytes)
    within("stride_bytes", stride_bytes, LINE_BYTES, memory_bytes, "bytes")
    if stride_bytes % LINE_BYTES:
        raise InputError(f"stride_bytes must be a multiple of {LINE_BYTES} bytes, but got {stride_bytes}. Round it.")
    steps = memory_bytes // stride_bytes
    passes, step = np.divmod(np.arange(requests, dtype=np.int64), steps)
    lines = step * (stride_bytes // LINE_BYTES) + passes
    return finish(name, rng, lines, read_share, regular(requests, interval_ticks), memory_bytes)


def pointer_chase(
    requests: int = 10_000,
    *,
    seed: Seed = 0,
    working_set_bytes: int = 16 << 20,
    interval_ticks: int = 34,
    memory_bytes: int = GIB,
    name: str = "pointer-chase",
) -> Trace:
    """Generate reads that follow one random cycle through all lines of a working set.

    On a real machine the next load waits for the last one. A trace has fixed times, so the wait is a fixed interval; by
    default the 34 ticks of a read when another row was open (precharge 10, activate 10, read latency 10, burst 4).

    Args:
        requests: Number of requests.
        seed: Seed, or a generator to draw from.
        working_set_bytes: Size of the linked structure in bytes.
        interval_ticks: Ticks from one request to the next.
        memory_bytes: Size of the memory in bytes; addresses stay below it.
        name: Name of the trace.
    """
    rng = start(seed, requests, memory_bytes)
    within("working_set_bytes", working_set_bytes, LINE_BYTES, memory_bytes, "bytes")
    # The order of visits along a single random cycle is just a random order, repeated.
    cycle = np.argsort(rng.random(working_set_bytes // LINE_BYTES), kind="stable").astype(np.int64)
    lines = cycle[np.arange(requests) % cycle.size]
    return finish(name, rng, lines, 1.0, regular(requests, interval_ticks), memory_bytes)


def cloud_like(
    requests: int = 10_000,
    *,
    seed: Seed = 0,
    phase_requests: int = 50,
    sequential_share: float = 0.5,
    hot_share: float = 0.0,
    hot_lines: int = 4096,
    zipf_exponent: float = 0.99,
    streams: int = 1,
    read_share: float = 1.0,
    interval_ticks: int = 1,
    memory_bytes: int = GIB,
    name: str = "cloud-like",
) -> Trace:
    """Generate phases of sequential, hot or scattered accesses in random order, as on a server shared by many programs.

    The defaults are fitted to statistics measured on ArchGym's cloud-1 (10,000 reads, one per tick): phases of exactly
    50 requests, a fair coin between sequential and uniformly random phases (48 % and 52 % of them), each sequential
    phase going on where the last one stopped, hardly any reuse (9,997 distinct lines), 47 % of the requests in the row
    used last in their bank, about 5,100 distinct bank rows, addresses up to 1 GiB. That trace has neither writes nor a
    hot set; `read_share` and `hot_share` add them, the latter with 0.99, the exponent usual for key-value stores.

    Args:
        requests: Number of requests.
        seed: Seed, or a generator to draw from.
        phase_requests: Requests in a phase.
        sequential_share: Share of sequential phases, 0 to 1.
        hot_share: Share of phases that draw from the hot set, 0 to 1; the rest is uniformly random.
        hot_lines: Lines in the hot set, scattered over the memory.
        zipf_exponent: The k-th hottest line is drawn in proportion to k to the power of minus this.
        streams: Sequential streams; each sequential phase continues one of them.
        read_share: Share of reads, 0 to 1.
        interval_ticks: Ticks from one request to the next.
        memory_bytes: Size of the memory in bytes; addresses stay below it.
        name: Name of the trace.
    """
    rng = start(seed, requests, memory_bytes)
    within("phase_requests", phase_requests, 1, 1 << 40, "requests")
    within("sequential_share", sequential_share, 0.0, 1.0, "share of phases")
    within("hot_share", hot_share, 0.0, 1.0 - sequential_share, "share of phases, at most 1 - sequential_share")
    if hot_share > 0:  # without a hot set, a small memory need not hold one
        within("hot_lines", hot_lines, 1, memory_bytes // LINE_BYTES, "lines of 64 bytes")
    within("zipf_exponent", zipf_exponent, 0.0, 10.0, "no unit")
    within("streams", streams, 1, 4096, "streams")
    phases = -(-requests // phase_requests)
    kind = rng.random(phases).repeat(phase_requests)[:requests]
    of_stream = choose(rng, phases, streams).repeat(phase_requests)[:requests]
    in_order = kind < sequential_share
    lines = choose(rng, requests, memory_bytes // LINE_BYTES)
    lines[in_order] = sequential(rng, of_stream[in_order], streams, memory_bytes)
    hot = ~in_order & (kind < sequential_share + hot_share)
    if hot.any():
        lines[hot] = zipf(rng, int(hot.sum()), hot_lines, zipf_exponent, memory_bytes)
    return finish(name, rng, lines, read_share, regular(requests, interval_ticks), memory_bytes)


def mixed(
    requests: int = 10_000,
    *,
    seed: Seed = 0,
    streams: int = 4,
    sequential_share: float = 0.6,
    read_share: float = 0.67,
    interval_ticks: int = 1,
    memory_bytes: int = GIB,
    name: str = "mixed",
) -> Trace:
    """Generate reads and writes, each request on its own either the next line of one of a few streams or a random line.

    Args:
        requests: Number of requests.
        seed: Seed, or a generator to draw from.
        streams: Sequential streams.
        sequential_share: Share of requests that continue a stream, 0 to 1.
        read_share: Share of reads, 0 to 1.
        interval_ticks: Ticks from one request to the next.
        memory_bytes: Size of the memory in bytes; addresses stay below it.
        name: Name of the trace.
    """
    rng = start(seed, requests, memory_bytes)
    lines = mixed_lines(rng, requests, streams, sequential_share, memory_bytes)
    return finish(name, rng, lines, read_share, regular(requests, interval_ticks), memory_bytes)


def bursts(
    requests: int = 10_000,
    *,
    seed: Seed = 0,
    burst_requests: tuple[int, int] = (16, 8000),
    idle_ticks: tuple[int, int] = (100, 30_000),
    streams: int = 4,
    sequential_share: float = 0.6,
    read_share: float = 0.67,
    memory_bytes: int = GIB,
    name: str = "bursts",
) -> Trace:
    """Generate the accesses of `mixed` in bursts of one request per tick with idle gaps between them.

    Lengths of bursts and gaps are drawn log-uniformly. With the default ranges some bursts keep the controller busy for
    more than a refresh interval (6,240 ticks), so that refreshes are postponed, and some gaps are long enough to catch
    up and to pull refreshes in.

    Args:
        requests: Number of requests.
        seed: Seed, or a generator to draw from.
        burst_requests: Shortest and longest burst in requests.
        idle_ticks: Shortest and longest gap in ticks, from the last request of a burst to the first of the next.
        streams: Sequential streams.
        sequential_share: Share of requests that continue a stream, 0 to 1.
        read_share: Share of reads, 0 to 1.
        memory_bytes: Size of the memory in bytes; addresses stay below it.
        name: Name of the trace.
    """
    rng = start(seed, requests, memory_bytes)
    for what, (low, high), unit in (
        ("burst_requests", burst_requests, "requests"),
        ("idle_ticks", idle_ticks, "ticks"),
    ):
        within(f"{what}[0]", low, 1, 1 << 40, unit)
        within(f"{what}[1]", high, low, 1 << 40, f"{unit}, at least the first")
    lines = mixed_lines(rng, requests, streams, sequential_share, memory_bytes)
    most = -(-requests // burst_requests[0])  # bursts, if all were of the shortest kind
    starts = np.cumsum(log_uniform(rng, most, *burst_requests))
    gaps = log_uniform(rng, most, *idle_ticks)
    intervals = np.ones(requests, dtype=np.int64)
    intervals[0] = 0
    inside = starts < requests
    intervals[starts[inside]] = gaps[inside]
    return finish(name, rng, lines, read_share, np.cumsum(intervals), memory_bytes)
