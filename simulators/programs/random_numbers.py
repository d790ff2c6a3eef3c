"""Random numbers without a state: each is a digest of where it is drawn, so nothing that happens elsewhere in a program shifts it."""

import math
from typing import Any

import numpy as np

from designgym.simulators.programs.compiled import compiled

__all__ = ["normal", "uniform"]


@compiled
def _digest(x: Any) -> Any:
    """Returns the finaliser of splitmix64 (Steele et al. 2014, "Fast splittable pseudorandom number generators")."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def _bits(seed: Any, stream: int, element: int, task: int) -> Any:
    x = _digest(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    x = _digest(x + np.uint64(stream) * np.uint64(0x9E3779B97F4A7C15))
    x = _digest(x + np.uint64(element) * np.uint64(0x9E3779B97F4A7C15))
    return _digest(x + np.uint64(task + 1) * np.uint64(0x9E3779B97F4A7C15))


@compiled
def uniform(seed: Any, stream: int, element: int, task: int) -> float:
    """Returns a number in [0, 1)."""
    return (_bits(seed, stream, element, task) >> np.uint64(11)) * 1.1102230246251565e-16  # 2^-53


@compiled
def normal(seed: Any, stream: int, element: int, task: int) -> float:
    """Returns a number of the standard normal distribution (Box and Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(seed, stream, 2 * element, task)))
    return radius * math.cos(2.0 * math.pi * uniform(seed, stream, 2 * element + 1, task))
