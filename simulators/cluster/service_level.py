"""How well a cluster served: latencies, slowdowns against one machine of its own, and the nine limits of Splitwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.cluster.instances import output_tokens
from designgym.simulators.cluster.machines import SERVER_GPUS, ServedModel, TimeCurves, measured_curves
from designgym.simulators.cluster.simulate import ClusterRun
from designgym.simulators.cluster.times import StepTimes, TokenCosts
from designgym.simulators.serving.costs.assemble import step_costs_of
from designgym.simulators.serving.costs.deployment import Deployment
from designgym.simulators.serving.costs.gpus import GPUS
from designgym.simulators.serving.costs.models import ModelShape
from designgym.simulators.serving.costs.steps import step_features, step_seconds_by
from designgym.simulators.serving.request_trace import RequestTrace

__all__ = ["PERCENTILES", "REFERENCE_MACHINE", "SLOWDOWN_LIMITS", "Latencies", "latencies_alone", "latencies_of", "reference_latencies"]

PERCENTILES = (50, 90, 99)
SLOWDOWN_LIMITS = {"ttft": (2.0, 3.0, 6.0), "tbt": (1.25, 1.5, 5.0), "e2e": (1.25, 1.5, 5.0)}
"""Largest slowdown at each of `PERCENTILES` (Patel et al., ISCA 2024, table VI)."""
REFERENCE_MACHINE = "a100"


@dataclass(frozen=True, eq=False)
class Latencies:
    """Latencies of requests in seconds, or slowdowns; float64, shape ``(n,)``.

    Attributes:
        ttft: Time to first token: from arrival.
        tbt: Time between tokens after the first.
        e2e: From arrival to the last token.
    """

    ttft: NDArray[np.float64]
    tbt: NDArray[np.float64]
    e2e: NDArray[np.float64]

    def percentiles(self) -> dict[str, tuple[float, ...]]:
        """Return `PERCENTILES` of each, interpolated linearly."""
        return {name: tuple(np.percentile(getattr(self, name), PERCENTILES).tolist()) for name in SLOWDOWN_LIMITS}

    def divided_by(self, other: Latencies) -> Latencies:
        """Return the ratios, request by request."""
        return Latencies(*(getattr(self, name) / getattr(other, name) for name in SLOWDOWN_LIMITS))

    def of(self, requests: NDArray[np.bool_]) -> Latencies:
        """Return those of some requests."""
        return Latencies(*(getattr(self, name)[requests] for name in SLOWDOWN_LIMITS))


def latencies_of(run: ClusterRun, costs: StepTimes) -> Latencies:
    """Return the latencies of a run, NaN for requests that were not served.

    The time between tokens includes the transfer and the wait for the second machine. It is a mean over the gaps between the n tokens of a
    request, n - 1; splitwise-sim divides by n.
    """
    return Latencies(run.ttft_s, (run.finish_s - run.first_token_s) / _gaps(run.trace, costs), run.e2e_s)


def reference_latencies(trace: RequestTrace, curves: TimeCurves, costs: TokenCosts) -> Latencies:
    """Return what requests would take on a machine of their own, with these times.

    The time between tokens is that of decoding one request at its mean context; splitwise-sim takes the curve of the token times at the
    size of the prompt.
    """
    p, n = trace.prompt_tokens.astype(np.float64), output_tokens(trace)
    ttft = _interpolate(curves.tokens, curves.prompt_ms, p) / 1000
    if costs == "paper":
        tbt = _interpolate(curves.tokens, curves.token_ms, p) / 1000
    else:
        tbt = (curves.decode_ms[0] + curves.decode_us_per_context_token / 1000 * (p + n / 2)) / 1000
    return Latencies(ttft, tbt, ttft + tbt * (n - 1))


def tabulated_latencies(trace: RequestTrace, model: ModelShape) -> Latencies:
    """Return what requests would take on an A100 machine of their own by step costs, in 16 bits, as if its memory were enough."""
    costs = step_costs_of(Deployment(model, GPUS["a100_sxm"], SERVER_GPUS))
    p, n = trace.prompt_tokens, output_tokens(trace)
    ttft = step_seconds_by(costs, step_features(prompts=1, prompt_tokens=p))
    tbt = step_seconds_by(costs, step_features(decodes=1, context=p + (n + 1) // 2))
    return Latencies(ttft, tbt, ttft + tbt * (n - 1))


def latencies_alone(trace: RequestTrace, model: ServedModel | ModelShape, costs: StepTimes) -> Latencies:
    """Return the latencies that slowdowns are relative to: on an A100 machine without other requests."""
    if isinstance(model, ModelShape):
        return tabulated_latencies(trace, model)
    assert costs != "tables"
    return reference_latencies(trace, measured_curves(model.name, REFERENCE_MACHINE), costs)


def _gaps(trace: RequestTrace, costs: StepTimes) -> NDArray[np.int64]:
    n = output_tokens(trace)
    return n if costs == "paper" else np.maximum(n - 1, 1)


def _interpolate(xs: object, ys: object, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a piecewise linear curve's values, its last segments extended."""
    at, values = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
    i = np.clip(np.searchsorted(at, x), 1, at.size - 1)
    slope = (values[i] - values[i - 1]) / (at[i] - at[i - 1])
    found: NDArray[np.float64] = slope * (x - at[i - 1]) + values[i - 1]
    return found
