"""Iteration times as the compiled simulation takes them: curves by tokens and requests, or tables of step costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, shorten
from designgym.simulators.cluster.machines import TimeCurves
from designgym.simulators.serving.costs.grid import GridStepCosts

__all__ = ["IterationTimes", "StepTimes", "TokenCosts", "iteration_times", "tabulated_times"]

TokenCosts = Literal["batched", "paper"]
"""How long decoding takes: ``batched`` by the requests in the batch and their context, as measured; ``paper`` by splitwise-sim's rule,
which looks up the number of requests in a curve over prompt tokens, so that it hardly depends on the batch and not on the context."""

StepTimes = Literal["batched", "paper", "tables"]
"""The same, or ``tables``: whole steps by the step costs of the serving simulation, for GPUs and models that its tables have."""

_MIXED_FACTOR = 1.1  # prompts take so much longer beside decoding requests (splitwise-sim)


@dataclass(frozen=True, eq=False)
class IterationTimes:
    """Iteration times of a model on machines, as the compiled simulation takes them.

    Attributes:
        table: See `state.Cluster`; float64, shape ``(1 + machines, sum(points) + 2)``.
        points: Of the curves of prompts, and of decoding.
        mixed_factor: Prompts take so much longer if there are decoding requests in their batch.
        step_header: The shape of the step costs, of all kinds of machines alike; empty if curves are used.
        step_tables: Tables of step costs, shape ``(machines, size)``; see `serving.step_costs`.
    """

    table: NDArray[np.float64]
    points: tuple[int, int]
    mixed_factor: float = _MIXED_FACTOR
    step_header: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    step_tables: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def by_tables(self) -> bool:
        """Whether iterations take what step costs say."""
        return self.step_header.size > 0


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


def tabulated_times(costs: Sequence[GridStepCosts]) -> IterationTimes:
    """Return the times of kinds of machines with these step costs."""
    return IterationTimes(
        np.zeros((1 + len(costs), 2)), (0, 0), step_header=costs[0].header, step_tables=np.stack([each.table for each in costs])
    )
