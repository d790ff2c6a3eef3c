"""A day of requests: few at night, many in the afternoon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads.catalogue import azure_lengths

__all__ = ["TROUGH_H", "arrivals_of_day", "day_of_requests"]

TROUGH_H = 3.0  # of 24: when fewest requests come; most come half a day later
_POINTS = 24 * 60  # of the profile


def day_of_requests(kind: str, *, rate_rps: float = 4.0, peak: float = 4.0, hours: float = 24.0, seed: int = 0) -> RequestTrace:
    """Return requests with lengths as in the Azure traces of 2023, which come at a rate that rises and falls once.

    Those traces are of an hour. That the rate is a sine over the day, with its trough at three in the morning, is an assumption, and so is
    the peak's being four times the trough.

    Args:
        kind: ``"conv"`` or ``"code"``.
        rate_rps: Requests per second, on average over the day.
        peak: Highest rate over the lowest, 1 or more.
        hours: How long the day is; a shorter one has the same shape.
        seed: Of all draws.

    Raises:
        InputError: For a number that cannot be.
    """
    for name, value, least in (("rate", rate_rps, 0.0), ("hours", hours, 0.0), ("peak", peak, 1.0)):
        if not least <= value < np.inf or value == 0:
            raise InputError(f"{name} of a day must be {'1 or more' if least else 'above 0'}, but is {value!r}")
    rng = np.random.default_rng(seed)
    n = max(round(rate_rps * 3600 * hours), 1)
    prompts, outputs = azure_lengths(kind).draw(n, rng)
    return RequestTrace.make(arrivals_of_day(n, peak, rng) * hours * 3600, prompts, outputs)


def arrivals_of_day(n: int, peak: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return when requests arrive, as shares of the day: a Poisson process of changing rate, given their number."""
    at = np.linspace(0.0, 1.0, _POINTS + 1)
    swing = (peak - 1) / (peak + 1)
    angle = 2 * np.pi * (at - TROUGH_H / 24)
    before = at - swing * (np.sin(angle) - np.sin(angle[0])) / (2 * np.pi)  # integral of 1 - swing * cos(angle): share that came before
    return np.interp(np.sort(rng.random(n)), before, at)
