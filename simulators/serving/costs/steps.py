"""How long single steps take by any step costs, in the words of people: requests, contexts, prompts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError
from designgym.simulators.compiling import Array, compiled
from designgym.simulators.serving.cost_tables import StepCosts
from designgym.simulators.serving.state import FEATURES
from designgym.simulators.serving.step_costs import batch_seconds

__all__ = ["step_features", "step_seconds_by"]


@compiled
def _fill(features: Array, header: Array, table: Array, seconds: Array) -> None:
    for i in range(features.size):
        seconds[i] = batch_seconds(features[i], header, table)


def step_features(
    *,
    decodes: ArrayLike = 0,
    context: ArrayLike = 1,
    prompts: ArrayLike = 0,
    prompt_tokens: ArrayLike = 0,
    past: ArrayLike = 0,
    completed: ArrayLike | None = None,
) -> NDArray[Any]:
    """Return the features of steps; arguments are whole numbers and broadcast to one axis.

    Args:
        decodes: Requests that get one token each.
        context: Tokens that each of them attends to, that one among them.
        prompts: Prompts of which tokens are computed.
        prompt_tokens: How many of each.
        past: Tokens of each that were computed before.
        completed: Prompts that are complete after the step; None for all.

    Raises:
        InputError: If a number is negative, or nothing is in a step.
    """
    arguments = (decodes, context, prompts, prompt_tokens, past, prompts if completed is None else completed)
    d, c, p, n, before, done = (
        np.atleast_1d(values) for values in np.broadcast_arrays(*(np.asarray(a, dtype=np.int64) for a in arguments))
    )
    if min(d.min(), p.min(), n.min(), before.min(), done.min()) < 0 or c.min() < 1 or (d + p * n).min() < 1 or (done > p).any():
        raise InputError(
            "steps must have numbers of 0 or more, contexts of 1 or more, a token at least, and no more complete prompts than prompts"
        )
    features = np.zeros(d.size, FEATURES)
    columns = {
        "requests": d + p,
        "tokens": d + p * n,
        "decodes": d,
        "decode_tokens": d,
        "decode_past": d * (c - 1),
        "prefills": p,
        "prefill_tokens": p * n,
        "prefill_past": p * before,
        "prefill_past_64": p * -(-before // 64) * 64,
        "prefill_squares": p * n * n,
        "prefill_pairs": p * (n * before + n * (n + 1) // 2),
        "outputs": d + done,
    }
    for name, values in columns.items():
        features[name] = values
    return features


def step_seconds_by(costs: StepCosts, features: NDArray[Any]) -> NDArray[np.float64]:
    """Return the durations of steps with these features (`step_features`), in seconds."""
    seconds = np.empty(features.size)
    _fill(features, costs.header, costs.table, seconds)
    return seconds
