"""What the adapters of external simulators share: workloads by layer, and adding up what comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from designgym.core.errors import InputError, shorten
from designgym.core.program_results import OutputError
from designgym.core.workload import Workload
from designgym.simulators.accelerator.network import Network

__all__ = ["layers_of", "numbers_in"]


def layers_of(workload: Workload, fidelity: float) -> Network:
    """Return the network of a workload; raises `InputError` if it has none, or for a fidelity other than 1."""
    if not isinstance(workload.data, Network):
        raise InputError(f"workload {workload.name!r} of an accelerator must be a Network, got {type(workload.data).__name__}")
    if fidelity != 1:
        raise InputError(f"there is one fidelity, 1, got {fidelity}")
    return workload.data


def numbers_in(answer: Mapping[str, Any], names: Sequence[str], network: Network, *, of: str) -> dict[str, float]:
    """Return the numbers of all layers, each as often as it occurs, added up by name.

    Args:
        answer: Has ``layers``: an object of numbers, 0 or more, for each layer of the network.
        names: Of the numbers.
        network: The layers.
        of: The simulator, for messages.

    Raises:
        OutputError: If that is not so, or a number is no number.
    """
    rows = answer.get("layers")
    if not isinstance(rows, list) or len(rows) != len(network.layers):
        raise OutputError(f"{of} exited with code 0, but not with figures of {len(network.layers)} layers: {shorten(answer, 200)}")
    totals = dict.fromkeys(names, 0.0)
    for (layer, count), row in zip(network.layers, rows, strict=True):
        for name in names:
            value = row.get(name) if isinstance(row, dict) else None
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise OutputError(f"{of} exited with code 0, but {name} of layer {layer.name!r} is {shorten(value)}")
            totals[name] += count * value
    if not totals["latency_cycles"] > 0:
        raise OutputError(f"{of} exited with code 0, but the network takes no time")
    return totals
