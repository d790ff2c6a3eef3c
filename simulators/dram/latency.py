"""Latency statistics of a run, computed without holding the interpreter lock."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.dram.compiled import at, compiled, inlined

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


@inlined
def _latency(trace: Any, requests: Any, index: int, event: int) -> int:
    request = requests[at(index)]
    if event == FROM_ARRIVAL:
        return request.response - trace[at(index)].arrival
    return request.response - (request.presented if event == FROM_PRESENTED else request.accepted)


@inlined
def _count(trace: Any, requests: Any, event: int, low: int, shift: int, bins: Any) -> None:
    """Count the latencies from `low` on in bins of ``2 ** shift`` ticks; those that lie further up go to a bin of their own."""
    for i in range(bins.size):
        bins[at(i)] = 0
    for i in range(requests.size):
        if requests[at(i)].response >= 0:
            position = (_latency(trace, requests, i, event) - low) >> shift
            if position >= 0:
                bins[at(min(position, _BINS))] += 1


@inlined
def _covering_bin(bins: Any, needed: int) -> tuple[int, int]:
    """Return the bin in which the `needed`-th smallest value lies, and its rank within the bin."""
    position = 0
    while needed > bins[at(position)]:
        needed -= bins[at(position)]
        position += 1
    return position, needed


@compiled
def _smallest_covering(trace: Any, requests: Any, event: int, low: int, shift: int, needed: int, bins: Any) -> int:
    """Return the smallest latency from `low` on that `needed` requests from there do not exceed.

    Count in bins of ``2 ** shift`` ticks, then again within the right bin, until a bin is one tick.
    """
    while True:
        _count(trace, requests, event, low, shift, bins)
        position, needed = _covering_bin(bins, needed)
        low += position << shift
        if shift == 0:
            return low
        shift = max(shift - _BIN_BITS, 0)


@inlined
def _shift_to_fit(longest: int) -> int:
    """Return how wide bins must be for all latencies to have one, as a power of two."""
    shift = 0
    while longest >> shift >= _BINS:
        shift += 1
    return shift


@compiled
def _fill(trace: Any, requests: Any, event: int, n: int, total: int, longest: int, shift: int, bins: Any, out: Any) -> None:
    """Fill one row of `out`; `bins` of ``2 ** shift`` ticks hold the counts of those latencies for which there are bins."""
    out[event, 0] = n
    out[event, 1] = total
    out[event, 2] = out[event, 3] = 0
    out[event, 4] = longest
    if n == 0:
        return
    half, most = (n + 1) // 2, (99 * n + 99) // 100
    half_low = most_low = 0
    finer = _shift_to_fit(longest)
    if finer <= shift:
        position, half = _covering_bin(bins, half)
        half_low = position << shift
        position, most = _covering_bin(bins, most)
        most_low = position << shift
        finer = max(shift - _BIN_BITS, 0)
    if shift > 0 or longest >= _BINS:
        half_low = _smallest_covering(trace, requests, event, half_low, finer, half, bins)
        most_low = _smallest_covering(trace, requests, event, most_low, finer, most, bins)
    out[event, 2] = half_low
    out[event, 3] = most_low


@compiled
def summarise(trace: Any, requests: Any, end: int, bins: Any, out: Any) -> int:
    """Fill `out`, shape `STATISTICS_SHAPE`, with count, sum, percentiles and maximum in ticks, by starting event.

    Returns how many of the answered requests needed an ACT.

    Args:
        trace: Shape ``(n,)``, `TRACE`.
        requests: Shape ``(n,)``, `REQUEST_STATE`.
        end: No response came later.
        bins: Made by `make_bins`.
        out: int64; rows `FROM_ARRIVAL`, `FROM_PRESENTED`, `FROM_ACCEPTED`; columns `_COLUMNS`.
    """
    # Latencies from arrival may be as long as the run; the others rarely exceed the bins of one tick.
    shift = _shift_to_fit(end)
    for event in range(bins.shape[0]):
        for i in range(bins.shape[1]):
            bins[at(event), at(i)] = 0
    n = activated = 0
    total_arrival = total_presented = total_accepted = 0
    longest_arrival = longest_presented = longest_accepted = 0
    for i in range(requests.size):
        request = requests[at(i)]
        response = request.response
        if response >= 0:
            n += 1
            activated += request.activated
            latency = response - trace[at(i)].arrival
            total_arrival += latency
            longest_arrival = max(longest_arrival, latency)
            bins[FROM_ARRIVAL, at(latency >> shift)] += 1
            latency = response - request.presented
            total_presented += latency
            longest_presented = max(longest_presented, latency)
            bins[FROM_PRESENTED, at(min(latency, _BINS))] += 1
            latency = response - request.accepted
            total_accepted += latency
            longest_accepted = max(longest_accepted, latency)
            bins[FROM_ACCEPTED, at(min(latency, _BINS))] += 1
    _fill(trace, requests, FROM_ARRIVAL, n, total_arrival, longest_arrival, shift, bins[FROM_ARRIVAL], out)
    _fill(trace, requests, FROM_PRESENTED, n, total_presented, longest_presented, 0, bins[FROM_PRESENTED], out)
    _fill(trace, requests, FROM_ACCEPTED, n, total_accepted, longest_accepted, 0, bins[FROM_ACCEPTED], out)
    return activated


def latency_statistics(ticks: NDArray[np.int64], clock_ns: float) -> tuple[LatencyStatistics, ...]:
    """Return the statistics of what `summarise` filled, by starting event."""
    statistics = []
    for n, total, p50, p99, longest in ticks.tolist():
        if n == 0:
            statistics.append(LatencyStatistics(*[float("nan")] * 4))
        else:
            statistics.append(LatencyStatistics(total * clock_ns / n, p50 * clock_ns, p99 * clock_ns, longest * clock_ns))
    return tuple(statistics)


def make_bins() -> NDArray[np.int64]:
    """Return scratch memory for `summarise`."""
    return np.zeros((3, _BINS + 1), dtype=np.int64)
