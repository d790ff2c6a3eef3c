"""From the figures of layers to the metrics of a network."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.accelerator.datacentric.accounting import area_and_power

__all__ = ["ADDED", "LARGEST", "Columns", "network_metrics"]

Columns = dict[str, NDArray[np.float64]]

LARGEST = ("l1_bytes", "l2_bytes", "noc_bw_required")
ADDED = ("latency_cycles", "busy", "energy_nj", "l2_accesses", "dram_accesses")


def network_metrics(
    layers: Iterable[tuple[int, Columns]], pes: NDArray[np.float64], hardware: tuple[int, int, int, int], macs: int
) -> Columns:
    """Return the metrics of n designs on a network, shape (n,) each.

    Args:
        layers: How often each layer occurs, with its figures: columns `ADDED` and `LARGEST`; ``busy`` is cycles times active PEs.
        pes: PEs of each design.
        hardware: NoC bandwidth, off-chip bandwidth, hop latency, lanes.
        macs: Multiply-accumulate operations of the network.
    """
    total = {name: np.zeros_like(pes) for name in (*ADDED, *LARGEST)}
    for count, figures in layers:  # one by one: a matrix product adds up in an order that depends on the batch
        for name in ADDED:
            total[name] = total[name] + count * figures[name]
        for name in LARGEST:
            total[name] = np.maximum(total[name], figures[name])
    required = {"l1_bytes_req": total["l1_bytes"], "l2_bytes_req": total["l2_bytes"]}
    area, power = area_and_power(required, np.stack([pes, *(np.full_like(pes, number) for number in hardware)]))
    cycles = np.maximum(total["latency_cycles"], 1.0)
    return {
        "latency_cycles": total["latency_cycles"],
        "energy_nj": total["energy_nj"],
        "area_mm2": area / 1e6,
        "power_mw": power,
        "throughput_macs_per_cycle": macs / cycles,
        "utilisation": total["busy"] / cycles / pes,
        **{name: total[name] for name in LARGEST},
        "l2_accesses": total["l2_accesses"],
        "dram_accesses": total["dram_accesses"],
    }
