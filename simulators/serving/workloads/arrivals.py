"""When requests arrive: by a Poisson process, or in bursts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError

__all__ = ["arrivals_s"]


def arrivals_s(n: int, rate_rps: float, rng: np.random.Generator, *, burstiness_cv: float = 1.0) -> NDArray[np.float64]:
    """Return the arrival times of ``n`` requests in seconds, the first at 0.

    Gaps have a gamma distribution, as in vLLM's ``bench serve`` (its ``--burstiness`` is 1 / cv^2) and in Wang et al., "BurstGPT", 2024.

    Args:
        n: Requests.
        rate_rps: Requests per second, on average.
        rng: Of all draws.
        burstiness_cv: Standard deviation of the gaps over their mean: 1 is a Poisson process, 0 a metronome, more is bursts.

    Raises:
        InputError: For a rate that is not positive or a coefficient that is negative.
    """
    if not 0 < rate_rps < np.inf:
        raise InputError(f"rate_rps must be a positive number of requests per second, but is {rate_rps!r}")
    if not 0 <= burstiness_cv <= 100:
        raise InputError(f"burstiness_cv must be 0 to 100, but is {burstiness_cv!r}")
    if burstiness_cv == 0:
        return np.arange(n) / rate_rps
    shape = 1 / burstiness_cv**2
    gaps = rng.gamma(shape, 1 / (shape * rate_rps), size=n)
    times: NDArray[np.float64] = np.cumsum(gaps) - gaps[0]
    return times
