"""The highest rate at which a cluster keeps its service level, found by simulating faster and slower versions of a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from designgym.simulators.cluster.instances import output_tokens
from designgym.simulators.serving.request_trace import RequestTrace

__all__ = ["at_rate", "highest_rate", "offered_rate_rps"]

_Result = TypeVar("_Result")
_OCTAVES = 7  # looked through in both directions from the trace's own rate
_HALVINGS = 5  # of the octave in which it is: rates 2.2 % apart


def offered_rate_rps(trace: RequestTrace) -> float:
    """Return how many requests arrive per second; of simultaneous ones their number."""
    span_s = float(trace.arrival_s[-1] - trace.arrival_s[0])
    return (len(trace) - 1) / span_s if span_s > 0 else float(len(trace))


def at_rate(trace: RequestTrace, factor: float) -> RequestTrace:
    """Return a trace with so many times the rate, which lasts about as long: requests and gaps are repeated in their order, or cut off."""
    n = max(round(len(trace) * factor), 1)
    gaps_s = np.diff(trace.arrival_s, append=trace.arrival_s[-1] + (trace.arrival_s[-1] - trace.arrival_s[0]) / max(len(trace) - 1, 1))
    arrivals = np.concatenate([[0.0], np.cumsum(np.resize(gaps_s, n - 1) / factor)])
    return RequestTrace.make(arrivals, np.resize(trace.prompt_tokens, n), np.resize(output_tokens(trace), n))


def highest_rate(trace: RequestTrace, serve: Callable[[RequestTrace], _Result | None]) -> tuple[_Result | None, bool]:
    """Return the result at the highest rate that is served, and whether no higher one was looked at.

    Rates are doubled, or halved, from the trace's own; between one that is served and its double that is not, the highest is found by
    bisection, as if a cluster that is too slow at one rate were too slow at all higher ones.

    Args:
        trace: The requests at some rate.
        serve: Returns None for requests that are not served well enough.
    """
    found = serve(at_rate(trace, 1.0))
    step = 1 if found is not None else -1
    octave = 0
    while abs(octave) < _OCTAVES:
        octave += step
        other = serve(at_rate(trace, 2.0**octave))
        if (other is None) == (step > 0):
            break
        found = other if other is not None else found
    else:
        return found, step > 0
    if other is not None:
        found = other
    low = float(octave - 1 if step > 0 else octave)
    width = 1.0
    for _ in range(_HALVINGS):
        width /= 2
        other = serve(at_rate(trace, 2.0 ** (low + width)))
        if other is not None:
            found, low = other, low + width
    return found, False
