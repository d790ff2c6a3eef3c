"""Random traces and controllers that between them exercise every mechanism of the memory controller."""

from collections.abc import Callable

import numpy as np
import pytest

from designgym.simulators.dram.controller import CHOICES, ControllerConfig
from designgym.simulators.dram.trace import Trace


def _random_trace(rng: np.random.Generator, *, write_share: float | None = None) -> Trace:
    """Return a trace with hot rows, repeated addresses, streams, and gaps long enough for refreshes to be pulled in."""
    n = int(rng.integers(100, 800))
    gaps = (
        rng.integers(0, 2, n),
        rng.integers(0, 60, n),
        np.where(rng.random(n) < 0.05, rng.integers(0, 30_000, n), rng.integers(0, 4, n)),
    )[int(rng.integers(3))]
    hot = rng.integers(0, 1 << 24, int(rng.integers(2, 40))) << 6
    addresses = np.where(rng.random(n) < rng.random(), rng.choice(hot, n), rng.integers(0, 1 << 24, n) << 6)
    addresses = np.where(rng.random(n) < 0.4, np.arange(n) << 6, addresses)
    share = float(rng.choice([0.0, 0.1, 0.5, 0.9])) if write_share is None else write_share
    return Trace("random", np.cumsum(gaps), rng.random(n) < share, addresses)


def _random_config(rng: np.random.Generator, **fixed: str | int) -> ControllerConfig:
    """Return a random controller; refresh limits may be 0 and the transaction limit any number, beyond the design space."""
    values: dict[str, str | int] = {name: str(rng.choice(choices)) for name, choices in CHOICES.items()}
    values["RequestBufferSize"] = int(rng.integers(1, 9))
    values["RefreshMaxPostponed"] = int(rng.integers(0, 9))
    values["RefreshMaxPulledin"] = int(rng.integers(0, 9))
    values["MaxActiveTransactions"] = int(rng.integers(1, 130))
    return ControllerConfig.from_mapping(values | fixed)


@pytest.fixture(scope="session")
def random_trace() -> Callable[..., Trace]:
    return _random_trace


@pytest.fixture(scope="session")
def random_config() -> Callable[..., ControllerConfig]:
    return _random_config
