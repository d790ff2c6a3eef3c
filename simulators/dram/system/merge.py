"""Putting requests together again from their bursts, and the statistics of all channels' requests."""

from collections.abc import Callable

from designgym.simulators.dram import latency
from designgym.simulators.dram.compiled import Array, at, entry_point, source_digest


def _compile(sources: int) -> tuple[Callable[..., None], Callable[..., int]]:
    """Return the two functions; see `designgym.simulators.dram.kernel` for what `sources` is good for."""

    @entry_point
    def merge_bursts(positions: Array, bursts: Array, requests: Array, trace: Array, merged: Array) -> None:
        """Add what happened to a channel's bursts to what is known of the requests.

        Args:
            positions: The request that each burst belongs to; int64, shape ``(bursts,)``.
            bursts: `TRACE`, shape ``(bursts,)``.
            requests: What happened to each burst; `REQUEST_STATE`, shape ``(bursts,)``.
            trace: Filled with the arrivals of the requests; `TRACE`, shape ``(n,)``.
            merged: What happened to each request; `REQUEST_STATE`, shape ``(n,)``, at first 0 with -1 as `presented` and `accepted`.
        """
        if sources == 0:
            return
        for i in range(positions.size):
            position = at(positions[at(i)])
            burst = requests[at(i)]
            whole = merged[position]
            trace[position].arrival = bursts[at(i)].arrival
            whole.activated |= burst.activated
            if burst.presented >= 0 and (whole.presented < 0 or burst.presented < whole.presented):
                whole.presented = burst.presented
            whole.accepted = max(whole.accepted, burst.accepted)
            # A burst without a response leaves its request without one.
            if burst.response < 0 or whole.response < 0:
                whole.response = -1
            else:
                whole.response = max(whole.response, burst.response)

    @entry_point
    def summarise_requests(trace: Array, requests: Array, end: int, bins: Array, out: Array) -> int:
        """Fill `out` with latency statistics, see `latency.summarise`; return how many of the answered requests needed an ACT."""
        if sources == 0:
            return 0
        activated: int = latency.summarise(trace, requests, end, bins, out)
        return activated

    return merge_bursts, summarise_requests


merge_bursts, summarise_requests = _compile(source_digest("system/merge"))
