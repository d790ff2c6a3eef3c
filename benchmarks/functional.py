"""What `functional_hash` costs beyond the candidate's own calls: per candidate, per call, per number, and for isolation.

Run: python benchmarks/functional.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.hashing import functional_hash

REPEATS = 15


def identity(x: Any) -> Any:
    return x


def median_s(work: Callable[[], object]) -> float:
    """Return the median time of a call, the first one left out."""
    work()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    one, many = (median_s(lambda n=n: functional_hash(identity, [0.5] * n, repeats=1)) for n in (1, 101))  # type: ignore[misc]
    per_call_s = (many - one) / 100
    print(f"per candidate {1e6 * (one - per_call_s):8.0f} us")
    print(f"per call      {1e6 * per_call_s:8.0f} us")
    array = np.random.default_rng(0).standard_normal(1_000_000)
    large = median_s(lambda: functional_hash(identity, [array], repeats=1, in_place=False))
    print(f"per number    {1e9 * (large - one) / array.size:8.0f} ns")
    started = time.perf_counter()
    functional_hash(identity, [0.5], isolate=True)
    print(f"isolation     {1e3 * (time.perf_counter() - started):8.0f} ms for the first candidate")
    isolated = median_s(lambda: functional_hash(identity, [0.5], repeats=1, isolate=True))
    print(f"isolation     {1e3 * (isolated - one):8.1f} ms per candidate")


if __name__ == "__main__":
    main()
