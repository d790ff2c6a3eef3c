"""Models that are served, machines that serve them, and how long iterations take, from the packaged table of measurements."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, UnknownNameError, shorten

__all__ = [
    "MACHINES",
    "MODELS",
    "IterationTimes",
    "MachineType",
    "ServedModel",
    "TimeCurves",
    "TokenCosts",
    "iteration_times",
    "measured_curves",
]

TokenCosts = Literal["batched", "paper"]
"""How long decoding takes: ``batched`` by the requests in the batch and their context, as measured; ``paper`` by splitwise-sim's rule,
which looks up the number of requests in a curve over prompt tokens, so that it hardly depends on the batch and not on the context."""

_GIB = 1 << 30
_MIXED_FACTOR = 1.1  # prompts take so much longer beside decoding requests (splitwise-sim)


@dataclass(frozen=True)
class MachineType:
    """A server with 8 GPUs, which holds one instance of the model.

    Attributes:
        memory_bytes: Of all its GPUs.
        cost_usd_per_h: Rent: 8 times splitwise-sim's 2.21 and 4.76 dollars per GPU.
        power_units: Provisioned power, in splitwise-sim's units.
    """

    memory_bytes: int
    cost_usd_per_h: float
    power_units: float


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
    "a100": MachineType(8 * 80 * _GIB, 8 * 2.21, 24.8),
    "h100": MachineType(8 * 80 * _GIB, 8 * 4.76, 44.0),
    "h100_capped": MachineType(8 * 80 * _GIB, 8 * 4.76, 30.8),
}
"""DGX machines of Patel et al., ISCA 2024, figures of splitwise-sim; the last has its GPUs capped to 70 % of their power."""


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


@dataclass(frozen=True, eq=False)
class IterationTimes:
    """Iteration times of a model on machines, as the compiled simulation takes them.

    Attributes:
        table: See `state.Cluster`; float64, shape ``(1 + machines, sum(points) + 2)``.
        points: Of the curves of prompts, and of decoding.
        mixed_factor: Prompts take so much longer if there are decoding requests in their batch.
    """

    table: NDArray[np.float64]
    points: tuple[int, int]
    mixed_factor: float = _MIXED_FACTOR


def iteration_times(curves: Sequence[TimeCurves], costs: TokenCosts) -> IterationTimes:
    """Return the times of machines with these curves, one kind of machine each.

    With prompts and decoding requests in one batch, splitwise-sim takes 1.1 times what that many prompt tokens would take. ``batched``
    adds what the decoding requests take beyond a first one without context, since the model's weights are read once for all.

    Raises:
        InputError: If the curves are not at the same points, or the rule is not known.
    """
    if costs not in get_args(TokenCosts):
        raise InputError(f"token costs are {shorten(costs)}, expected {' or '.join(get_args(TokenCosts))}")
    if not curves or any((c.tokens, c.decode_requests) != (curves[0].tokens, curves[0].decode_requests) for c in curves):
        raise InputError("the curves of all machines must be at the same numbers of tokens and of requests")
    first, paper = curves[0], costs == "paper"
    rows = [[*first.tokens, *(first.tokens if paper else first.decode_requests), 0.0, 0.0]]
    for c in curves:
        decode_ms = c.token_ms if paper else c.decode_ms
        context_ms, joins_ms = (0.0, -1.0) if paper else (c.decode_us_per_context_token / 1000, c.decode_ms[0])
        rows.append([ms / 1000 for ms in (*c.prompt_ms, *decode_ms, context_ms, joins_ms)])
    table = np.array(rows, dtype=np.float64)
    return IterationTimes(table, (len(first.tokens), table.shape[1] - 2 - len(first.tokens)))
