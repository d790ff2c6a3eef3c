"""Latency statistics of a run, computed without holding the interpreter lock."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.dram.compiled import compiled

__all__ = ["LatencyStatistics", "latency_statistics"]

_BIN_BITS = 12
_BINS = 1 << _BIN_BITS

FROM_ARRIVAL, FROM_PRESENTED, FROM_ACCEPTED = range(3)
_COLUMNS = ("n", "sum", "p50", "p99", "max")
STATISTICS_SHAPE = (3, len(_COLUMNS))


class LatencyStatistics(NamedTuple):
    """Times from some event to the response of a request, over all answered requests, in ns.

    `p50` and `p99` are the smallest latencies that at least 50 % and 99 % of the requests do not exceed. All are NaN when no
    request was answered.
    """

    avg_ns: float
    p50_ns: float
    p99_ns: float
    max_ns: float


@compiled
def _start(trace: Any, requests: Any, index: int, event: int) -> int:
    if event == FROM_ARRIVAL:
        return trace[index].arrival
    return requests[index].presented if event == FROM_PRESENTED else requests[index].accepted


@compiled
def _smallest_covering(values: Any, n: int, longest: int, needed: int, bins: Any) -> int:
    """Return the smallest of `n` values that `needed` of them do not exceed: count in bins, then again within the right bin."""
    low = 0
    shift = 0
    while longest >> shift >= _BINS:
        shift += 1
    while True:
        for i in range(_BINS):
            bins[i] = 0
        for i in range(n):
            position = (values[i] - low) >> shift
            if 0 <= position < _BINS:
                bins[position] += 1
        position = 0
        while needed > bins[position]:
            needed -= bins[position]
            position += 1
        low += position << shift
        if shift == 0:
            return low
        shift = max(shift - _BIN_BITS, 0)


@compiled
def summarise(trace: Any, requests: Any, scratch: Any, out: Any) -> None:
    """Fill `out`, shape `STATISTICS_SHAPE`, with count, sum, percentiles and maximum in ticks, by starting event.

    Args:
        trace: Shape ``(n,)``, `TRACE`.
        requests: Shape ``(n,)``, `REQUEST_STATE`.
        scratch: Made by `make_scratch`.
        out: int64; rows `FROM_ARRIVAL`, `FROM_PRESENTED`, `FROM_ACCEPTED`; columns `_COLUMNS`.
    """
    bins = scratch[:_BINS]
    values = scratch[_BINS:]
    for event in range(3):
        n = 0
        total = 0
        longest = 0
        for i in range(requests.size):
            if requests[i].response >= 0:
                latency = requests[i].response - _start(trace, requests, i, event)
                values[n] = latency
                n += 1
                total += latency
                longest = max(longest, latency)
        out[event, 0] = n
        out[event, 1] = total
        out[event, 4] = longest
        if n > 0:
            out[event, 2] = _smallest_covering(values, n, longest, (n + 1) // 2, bins)
            out[event, 3] = _smallest_covering(values, n, longest, (99 * n + 99) // 100, bins)


def latency_statistics(ticks: NDArray[np.int64], clock_ns: float) -> tuple[LatencyStatistics, ...]:
    """Returns the statistics of what `summarise` filled, by starting event."""
    statistics = []
    for n, total, p50, p99, longest in ticks.tolist():
        if n == 0:
            statistics.append(LatencyStatistics(*[float("nan")] * 4))
        else:
            statistics.append(LatencyStatistics(total * clock_ns / n, p50 * clock_ns, p99 * clock_ns, longest * clock_ns))
    return tuple(statistics)


def make_scratch(n: int) -> NDArray[np.int64]:
    """Returns scratch memory for `summarise` over `n` requests."""
    return np.zeros(_BINS + n, dtype=np.int64)
