"""`Traffic`: what mappings need and move, whatever the sizes of the machine; and what that costs on one machine."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.accelerator.codesign.machine import HELD, WORD_BITS, Machine
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.costs import Costs, evaluate
from designgym.simulators.accelerator.loopnest.energy import EnergyTable
from designgym.simulators.accelerator.loopnest.fit import fit
from designgym.simulators.accelerator.loopnest.problem import OUTPUTS, TENSORS
from designgym.simulators.accelerator.loopnest.reuse import tiles

__all__ = ["NETWORK_MACS", "Prices", "Traffic", "capacities", "traffic", "words_needed"]

Floats = NDArray[np.float64]

NETWORK_MACS = 2.0
"""Energy of a word that enters or leaves an element, by that of a multiply-accumulate (Chen et al., Eyeriss, ISCA 2016, table IV)."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """Needs and traffic of B mappings; the last axis of every array is the batch. Fewer is never worse.

    Attributes:
        words: Words of each tensor in an element, 0 if it is not held there, and of all in the global buffer, shape ``(4, B)``.
        longer: Elements along the longer side of the array, ``(B,)``.
        shorter: Elements along the shorter side, ``(B,)``.
        serial: Multiply-accumulates of the busiest element, ``(B,)``: the cycles, if nothing is waited for.
        accesses: Accesses of an element's buffers, by tensor, those of all elements together; of the global buffer; of DRAM, ``(5, B)``.
        delivered: Words that enter or leave elements, ``(B,)``.
        glb: Words read from and written to the global buffer, ``(2, B)``.
        dram: Words read from and written to DRAM, ``(2, B)``.
    """

    words: Floats
    longer: Floats
    shorter: Floats
    serial: Floats
    accesses: Floats
    delivered: Floats
    glb: Floats
    dram: Floats

    def __getitem__(self, which: Any) -> Traffic:
        return Traffic(*(getattr(self, field.name)[..., which] for field in fields(self)))

    def __len__(self) -> int:
        return int(self.serial.shape[0])

    def joined(self, other: Traffic) -> Traffic:
        """Return these and then the others."""
        return Traffic(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)], axis=-1) for f in fields(self)))

    def rows(self) -> Floats:
        """Return all numbers as a table, shape ``(columns, B)``."""
        return np.concatenate([np.atleast_2d(getattr(self, field.name)) for field in fields(self)])

    def fits(self, machine: Machine) -> NDArray[np.bool_]:
        """Return which mappings a machine has room for, ``(B,)``; the array may be turned."""
        result = (self.longer <= machine.longer) & (self.shorter <= machine.shorter)
        for words, capacity in zip(self.words, capacities(machine), strict=True):
            result &= words <= capacity
        return result

    def cycles(self, machine: Machine) -> Floats:
        """Return the cycles, ``(B,)``: of the busiest element, or of the memory that is waited for longest."""
        glb = np.ceil(np.maximum(*self.glb) / machine.glb_words_per_cycle)
        dram = np.ceil(np.maximum(*self.dram) / machine.dram_words_per_cycle)
        return np.maximum(np.maximum(self.serial, glb), dram)

    def energy_pj(self, prices: Prices, macs: float) -> Floats:
        """Return the energy, ``(B,)``: of all levels, the network and the multiply-accumulates."""
        energy = macs * prices.mac_pj + self.delivered * (NETWORK_MACS * prices.mac_pj)
        for accesses, price in zip(self.accesses, prices.access_pj, strict=True):
            energy = energy + accesses * price
        return energy


@dataclass(frozen=True)
class Prices:
    """Energies of one machine.

    Attributes:
        access_pj: Of an access of an element's buffers, by tensor, of the global buffer, and of DRAM.
        mac_pj: Of a multiply-accumulate.
    """

    access_pj: tuple[float, ...]
    mac_pj: float

    @classmethod
    def of(cls, machine: Machine, table: EnergyTable) -> Prices:
        """Return the energies of a machine by a table."""
        levels = (*machine.buffers, machine.glb, machine.dram)
        return cls(tuple(table.access_pj(level) if level else 0.0 for level in levels), table.mac_pj(WORD_BITS))


def capacities(machine: Machine) -> Floats:
    """Return the words that an element has room for, by tensor, and the global buffer, ``(4,)``."""
    return np.array([*(buffer.words if buffer else 0.0 for buffer in machine.buffers), machine.glb.words])


def words_needed(batch: MappingBatch) -> Floats:
    """Return `Traffic.words` of mappings."""
    kept = np.where(batch.keep[:2], tiles(batch, 1).sizes[:2], 0.0)
    return np.concatenate([kept[0], kept[1].sum(axis=0)[None]])


def traffic(batch: MappingBatch, machine: Machine) -> Traffic:
    """Return the needs and the traffic of mappings; of the machine, only what its elements and its global buffer hold has an effect."""
    hardware = replace(HardwareBatch.of(machine.architecture()), links=False)
    costs, needs = evaluate(batch, hardware), fit(batch, hardware)
    block = hardware.block[:, None]
    vectors = np.ceil(costs.reads / block) + np.ceil(costs.updates / block) + np.ceil(costs.fills / block)
    every = costs.reads, costs.updates + costs.fills
    glb, dram = (np.stack([np.sum(words[level], axis=0) for words in every]) for level in (1, 2))
    return Traffic(
        words=words_needed(batch),
        longer=np.maximum(needs.columns, needs.rows),
        shorter=np.minimum(needs.columns, needs.rows),
        serial=costs.macs / costs.used_pes,
        accesses=np.concatenate([costs.instances[0] * vectors[0], np.sum(vectors[1:], axis=1)]),
        delivered=_delivered(costs, machine),
        glb=glb,
        dram=dram,
    )


def _delivered(costs: Costs, machine: Machine) -> Floats:
    """Return the words that enter or leave elements: those that refill their buffers, and whatever they do not hold, at each operation."""
    total = np.zeros_like(costs.macs)
    held = HELD[machine.dataflow]
    for index, tensor in enumerate(TENSORS):
        if tensor not in held:
            total = total + costs.macs  # a sum that is passed on leaves one element and enters the next: one way
            continue
        words = costs.fills[0, index]
        if index == OUTPUTS:  # what comes back leaves again, and so does what was never there before: updated, but not read
            words = 2 * words + costs.updates[0, index] - costs.reads[0, index]
        total = total + words * costs.used_pes
    return total
