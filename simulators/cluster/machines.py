"""Models that are served, machines that serve them, and the packaged table of measured times."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.serving.costs.gpus import GPUS, Gpu

__all__ = [
    "MACHINES",
    "MODELS",
    "SERVERS",
    "SERVER_GPUS",
    "MachineType",
    "ServedModel",
    "TimeCurves",
    "measured_curves",
]

SERVER_GPUS = 8

_GIB = 1 << 30


@dataclass(frozen=True)
class MachineType:
    """A server with 8 GPUs.

    Attributes:
        memory_bytes: Of all its GPUs.
        cost_usd_per_h: Rent.
        power_units: Provisioned power, in splitwise-sim's units; NaN where it has none.
        power_w: Provisioned power of the whole server, in watts.
        gpu: Each of its GPUs, whose step costs are known; None where iteration times are given by curves only.
    """

    memory_bytes: int
    cost_usd_per_h: float
    power_units: float
    power_w: float = math.nan
    gpu: Gpu | None = None


@dataclass(frozen=True)
class ServedModel:
    """What of a model decides on memory.

    Attributes:
        name: Names its measured times.
        weights_bytes: Of an instance.
        kv_bytes_per_token: Keys and values of one token.
    """

    name: str
    weights_bytes: int
    kv_bytes_per_token: int


MACHINES: Mapping[str, MachineType] = {
    "a100": MachineType(8 * 80 * _GIB, 8 * 2.21, 24.8, 6500.0),
    "h100": MachineType(8 * 80 * _GIB, 8 * 4.76, 44.0, 10200.0),
    "h100_capped": MachineType(8 * 80 * _GIB, 8 * 4.76, 30.8, 7140.0),
}
"""DGX machines of Patel et al., ISCA 2024, figures of splitwise-sim; the last has its GPUs capped to 70 % of their power."""


def _server(gpu: str, power_w: float) -> MachineType:
    chosen = GPUS[gpu]
    return MachineType(SERVER_GPUS * chosen.memory_bytes, SERVER_GPUS * chosen.usd_per_hour, math.nan, power_w, chosen)


SERVERS: Mapping[str, MachineType] = {
    "h200": _server("h200_sxm", 10200.0),
    "h100": _server("h100_sxm", 10200.0),
    "a100": _server("a100_sxm", 6500.0),
    "l40s": _server("l40s", 4500.0),
}
"""Servers with step costs, the fastest first. Memory and rent are those of `serving.costs.gpus.GPUS` (list prices of one vendor), so that
all kinds are compared on one basis. Power: NVIDIA's datasheets of DGX H200, H100 and A100 (most that the system draws); that a server with
eight L40S, of 350 W each, provisions 4.5 kW is an assumption: 1.7 kW for the host."""


def _kv_bytes(hidden: int, layers: int) -> int:
    """Return the size of a token's keys and values in 16 bits, of as many heads as there are of queries, which is what was measured."""
    return 2 * hidden * layers * 2


MODELS: Mapping[str, ServedModel] = {
    model.name: model
    for model in (
        ServedModel("bloom-176b", 329 * 10**9, _kv_bytes(14336, 70)),
        ServedModel("llama2-70b", 135 * 10**9, _kv_bytes(8192, 80)),
    )
}


@dataclass(frozen=True)
class TimeCurves:
    """Measured times of a model on a machine, as in the table that `build_table` makes.

    Attributes:
        tokens: Tokens in the batch, ascending.
        prompt_ms: Of the prompt phase, by ``tokens``.
        token_ms: Per output token, by ``tokens`` (of the prompts: see `TokenCosts`).
        decode_requests: Requests in the batch, ascending, from 1 on.
        decode_ms: Of an iteration of so many, without their context.
        decode_us_per_context_token: What each token of context adds.
    """

    tokens: Sequence[float]
    prompt_ms: Sequence[float]
    token_ms: Sequence[float]
    decode_requests: Sequence[float]
    decode_ms: Sequence[float]
    decode_us_per_context_token: float

    def __post_init__(self) -> None:
        """Check the curves; raises `InputError`."""
        for xs, *ys in (("tokens", "prompt_ms", "token_ms"), ("decode_requests", "decode_ms")):
            x = np.asarray(getattr(self, xs), dtype=np.float64)
            if x.ndim != 1 or x.size < 2 or not (np.diff(x) > 0).all() or x[0] <= 0:
                raise InputError(f"{xs} must be two or more ascending, positive numbers, but is {shorten(getattr(self, xs))}")
            for name in ys:
                y = np.asarray(getattr(self, name), dtype=np.float64)
                if y.shape != x.shape or not (np.isfinite(y) & (y > 0)).all():
                    raise InputError(f"{name} must be {x.size} positive numbers, one per {xs}, but is {shorten(getattr(self, name))}")
                if y[-1] < y[-2]:
                    raise InputError(f"{name} must not fall at its end, or times beyond it would be negative: it ends with {y[-2:]}")
        if not 0 <= self.decode_us_per_context_token < 1e6:
            raise InputError(f"decode_us_per_context_token must be 0 or more, but is {self.decode_us_per_context_token!r}")


@functools.cache
def _table() -> Any:
    return json.loads(files("designgym.simulators.cluster").joinpath("data/splitwise.json").read_text(encoding="utf-8"))["times"]


@functools.cache
def measured_curves(model: str, machine: str) -> TimeCurves:
    """Return the packaged measurements; raises `UnknownNameError` if there are none of that model, or machine."""
    table = _table()
    if model not in table:
        raise UnknownNameError("model", model, table)
    if machine not in table[model]:
        raise UnknownNameError(f"machine for {model}", machine, table[model])
    return TimeCurves(**table[model][machine])
