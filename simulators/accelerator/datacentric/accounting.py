"""From counts to energy, area and power: as MAESTRO prints them, and with everything that takes energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.datacentric.batch import Batch
from designgym.simulators.accelerator.datacentric.levels import C, K

__all__ = [
    "ENERGY",
    "PRINTED_DRAM",
    "PRINTED_L2",
    "EnergyTable",
    "area_and_power",
    "compulsory_energy_nj",
    "full",
    "printed_energy_nj",
]

_MAC_NJ, _L1, _L2 = 0.00023, 1.68, 18.61  # MAESTRO's unit of energy, and an access to L1 and L2 in it


PRINTED_L2 = ("l2_in_rd", "l2_in_wr", "l2_w_rd", "l2_w_wr", "l2_out_wr")
"""Accesses to L2 that MAESTRO's energy counts."""

PRINTED_DRAM = ("l2_in_wr", "l2_w_wr", "l2_out_rd")
"""What MAESTRO takes to pass between DRAM and L2: each tensor once."""


@dataclass(frozen=True)
class EnergyTable:
    """Energy of one operation, or of one access to one element of a byte, in pJ.

    The defaults are MAESTRO's (commit 4eb08d1) where it has one: 0.23 pJ for a MAC, 1.68 and 18.61 times as much for an access to L1 and
    L2. A transfer through the network and an access to DRAM are 2 and 200 times a MAC (Chen et al., Eyeriss, ISCA 2016, figure 22).

    Attributes:
        mac_pj: Multiply-accumulate.
        l1_pj: Access to a PE's buffer.
        l2_pj: Access to the shared buffer.
        noc_pj: Transfer between L2 and a PE.
        dram_pj: Access to the memory.
    """

    mac_pj: float = 1000 * _MAC_NJ
    l1_pj: float = 1000 * _MAC_NJ * _L1
    l2_pj: float = 1000 * _MAC_NJ * _L2
    noc_pj: float = 1000 * _MAC_NJ * 2
    dram_pj: float = 1000 * _MAC_NJ * 200


ENERGY = EnergyTable()


def printed_energy_nj(counts: Mapping[str, Array], levels: int) -> Array:
    """Return the energy as MAESTRO prints it, in nJ.

    Quirks: MACs, reads of outputs from L2, network and DRAM never count, L1 only for mappings of one level.
    """
    energy = _MAC_NJ * _L2 * _sum(counts, *PRINTED_L2)
    if levels > 1:
        return energy
    return energy + _MAC_NJ * _L1 * _sum(counts, "l1_in_rd", "l1_in_wr", "l1_w_rd", "l1_w_wr", "l1_out_rd", "l1_out_wr")


def area_and_power(counts: Mapping[str, Array], hardware: Array) -> tuple[Array, Array]:
    """Return area in um^2 and power in mW as MAESTRO prints them, of the buffers that the mapping requires.

    Args:
        counts: Of `model.evaluate`.
        hardware: As in `Batch`, shape (5, n).
    """
    xp = namespace(hardware)
    pes, noc_bw, lanes = hardware[0], hardware[1], hardware[4]
    l1, l2 = xp.maximum(counts["l1_bytes_req"], 1.0), xp.maximum(counts["l2_bytes_req"], 1.0)
    bus = (14.662 * pes + 28.895) * noc_bw
    arbiter = 1.2886 * pes * pes + 5.5814 * pes - 23.711
    area = pes * (283 * lanes + 0.104 * l1) + 0.104 * l2 + 101.7938 * bus + 395.473 * xp.maximum(arbiter, 1.0)
    power = pes * (1.2223 * lanes + 0.00345 * l1) + 0.00345 * l2 + 0.0008 * bus + 0.34 * xp.maximum(arbiter / 1000, 1.0)
    return area, power


def full(counted: Mapping[str, Array], energy: EnergyTable = ENERGY) -> dict[str, Array]:
    """Return energy by place, in nJ, with accesses by memory: MAC, L1, L2, network and DRAM.

    - L1: each MAC reads an input, a weight and a partial sum and writes one; what comes from L2 is written, what goes there is read.
      Copies of an element that the network hands to several PEs count once, as in MAESTRO.
    - L2: what comes from DRAM or the PEs is written, what goes there is read.

    Args:
        counted: Of `exact.count`.
        energy: The table.
    """
    macs, network = counted["macs"], counted["network_in"] + counted["network_out"]
    dram = counted["dram_in"] + counted["dram_out"]
    l2, l1 = dram + network, 4 * macs + network
    places = {
        "mac": macs * energy.mac_pj, "l1": l1 * energy.l1_pj, "l2": l2 * energy.l2_pj, "noc": network * energy.noc_pj,
        "dram": dram * energy.dram_pj,
    }  # fmt: skip
    found = {f"energy_{name}_nj": picojoules / 1000 for name, picojoules in places.items()}
    return {**found, "dram_accesses": dram, "l2_accesses": l2, "l1_accesses": l1, "noc_transfers": network}


def compulsory_energy_nj(batch: Batch, energy: EnergyTable = ENERGY) -> Array:
    """Return the energy that no mapping can do without, in nJ: each MAC with its L1 accesses, each element that is used from DRAM to L1.

    Rows and columns of the input that no filter reads are not used.
    """
    xp = namespace(batch.sizes)
    macs, outputs = layer_work(batch)
    k, c, r, s, y, x = (batch.sizes[d] for d in range(6))
    rows, columns = (
        xp.floor((size - window) / stride) * xp.minimum(stride, window) + window
        for size, window, stride in ((y, r, batch.strides[0]), (x, s, batch.strides[1]))
    )
    words = c * rows * columns + c * r * s * (1.0 if batch.depthwise else k)
    of_word = energy.dram_pj + 2 * energy.l2_pj + energy.noc_pj + energy.l1_pj
    return (macs * (energy.mac_pj + 4 * energy.l1_pj) + (words + outputs) * of_word) / 1000


def layer_work(batch: Batch) -> tuple[Array, Array]:
    """Return multiply-accumulate operations and output elements of the layers."""
    xp = namespace(batch.sizes)
    _, _, r, s, y, x = (batch.sizes[d] for d in range(6))
    pixels = (xp.floor((y - r) / batch.strides[0]) + 1) * (xp.floor((x - s) / batch.strides[1]) + 1)
    outputs = pixels * (batch.sizes[C] if batch.depthwise else batch.sizes[K])
    return outputs * r * s * (1.0 if batch.depthwise else batch.sizes[C]), outputs


def _sum(counts: Mapping[str, Array], *names: str) -> Array:
    total = counts[names[0]]
    for name in names[1:]:
        total = total + counts[name]
    return total
