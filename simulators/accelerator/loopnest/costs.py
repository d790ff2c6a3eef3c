"""`evaluate`: cycles, accesses and energies of a batch of mappings, by Timeloop's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from designgym.core.errors import InputError
from designgym.simulators.accelerator.arrays import Array, namespace, on_cpu
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.multicast import array_traffic, product
from designgym.simulators.accelerator.loopnest.problem import DIMS, OUTPUTS, TENSORS
from designgym.simulators.accelerator.loopnest.reuse import Tiles, loops_outside, moved_words, tiles

__all__ = ["Costs", "evaluate"]

CHUNK, GPU_CHUNK = 1 << 10, 1 << 20  # mappings whose arrays stay in a core's cache; and that keep a GPU busy with 9 GiB of its memory


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs of B mappings on L levels. Accesses are words per instance, 0 for a tensor that bypasses the level.

    Attributes:
        cycles: Shape ``(B,)``.
        macs: Multiply-accumulates, ``(B,)``.
        used_pes: Processing elements that the mapping uses, ``(B,)``.
        utilisation: Multiply-accumulates per cycle and processing element, used or not, ``(B,)``.
        instances: Instances of a level in use, ``(L, B)``.
        reads: Shape ``(L, 3, B)``; of outputs, only those of partial sums.
        updates: Words written from below (outputs), ``(L, 3, B)``.
        fills: Words written from above, ``(L, 3, B)``.
        level_pj: Energy of all instances, ``(L, 3, B)``.
        mac_pj: Energy of all multiply-accumulates, ``(B,)``.
        energy_pj: The whole energy, ``(B,)``; wires, adders and address generation are not in it.
    """

    cycles: Array
    macs: Array
    used_pes: Array
    utilisation: Array
    instances: Array
    reads: Array
    updates: Array
    fills: Array
    level_pj: Array
    mac_pj: Array
    energy_pj: Array


def evaluate(batch: MappingBatch, hardware: HardwareBatch, *, chunk: int | None = None) -> Costs:
    """Return the costs of every mapping; whether mappings fit is not asked here, see `designgym.simulators.accelerator.loopnest.fit`.

    Args:
        batch: The mappings, B of them.
        hardware: B architectures, or one for all.
        chunk: Mappings that are evaluated at a time; no effect on the results. By default what suits the device.

    Raises:
        InputError: If the hardware has another number of levels, or is neither one nor B.
    """
    if hardware.words.shape[0] != batch.levels:
        raise InputError(f"the hardware has {hardware.words.shape[0]} levels, the mappings are of {batch.levels}")
    if len(hardware) not in (1, len(batch)):
        raise InputError(f"{len(batch)} mappings need one architecture for all or one each, got {len(hardware)}")
    size = chunk or (CHUNK if on_cpu(batch.temporal) else GPU_CHUNK)
    parts = []
    for first in range(0, len(batch), size):
        which = slice(first, first + size)
        parts.append(_evaluate(batch[which], hardware if len(hardware) == 1 else hardware[which]))
    xp = namespace(batch.temporal)
    return parts[0] if len(parts) == 1 else Costs(**{n: xp.concat([getattr(p, n) for p in parts], axis=-1) for n in vars(parts[0])})


def _evaluate(batch: MappingBatch, hardware: HardwareBatch) -> Costs:
    xp = namespace(batch.temporal)
    array, levels = hardware.array, batch.levels
    found = tiles(batch, array)
    loops = loops_outside(batch, found)
    movement = moved_words(batch, array, found, loops)
    traffic = array_traffic(batch, hardware, found, loops, movement)
    n = product(batch.spatial[d] for d in range(len(DIMS)))
    serial = product(batch.temporal[level, d] for level in range(levels) for d in range(len(DIMS)))

    # words that a level reads or takes in for what is below it, and words that reach one instance of what is below it, (3, B) per level
    accesses = [xp.broadcast_to(serial, movement.words[0].shape), *(movement.words[b] for b in range(levels - 1))]
    share = [movement.words[b] for b in range(levels - 1)] + [xp.zeros_like(movement.words[0])]
    accesses[array], share[array - 1] = traffic.accesses, traffic.delivered
    for level in range(levels - 1):  # a tensor that bypasses a level is served by the next one as that level would have
        fan = n if level + 1 == array else 1.0
        ratio = accesses[level] * fan / (share[level] * fan)
        accesses[level + 1] = xp.where(batch.keep[level], accesses[level + 1], accesses[level + 1] * ratio)

    kept = xp.where(batch.keep, 1.0, 0.0)
    served, arriving = xp.stack(accesses), xp.stack(share)
    handed = [xp.zeros_like(traffic.handed_over)] * levels
    handed[array - 1] = traffic.handed_over / n
    peers = xp.stack(handed)
    partial = _first_writes(xp, found, array, levels, n)
    outputs = slice(OUTPUTS, OUTPUTS + 1)
    reads = xp.concat([_rounded(xp, (served + peers)[:, :OUTPUTS]), _rounded(xp, served[:, outputs] + peers[:, outputs] - partial)], axis=1)
    updates = xp.concat([xp.zeros_like(served[:, :OUTPUTS]), _rounded(xp, served[:, outputs])], axis=1)
    fills = xp.concat([xp.floor((arriving + peers)[:, :OUTPUTS]), _rounded(xp, arriving[:, outputs] + peers[:, outputs] - partial)], axis=1)
    fills[-1] = 0.0 * fills[-1]  # nothing is above the outermost level
    reads, updates, fills = reads * kept, updates * kept, fills * kept
    return _costs(batch, hardware, reads, updates, fills, serial, n)


def _first_writes(xp: Any, found: Tiles, array: int, levels: int, n: Array) -> Array:
    """Return the output words that an instance writes before it has read them, ``(L, 1, B)``: its part of the whole tensor."""
    whole = found.sizes[levels - 1, OUTPUTS]
    of_element = xp.where(n > 1, whole * found.sizes[array - 1, OUTPUTS] // found.sizes[levels, OUTPUTS], whole)
    return xp.stack([of_element if level < array else whole for level in range(levels)])[:, None]


def _rounded(xp: Any, values: Array) -> Array:
    return xp.floor(values + 0.5)


def _costs(
    batch: MappingBatch, hardware: HardwareBatch, reads: Array, updates: Array, fills: Array, serial: Array, n: Array
) -> Costs:  # fmt: skip
    xp = namespace(reads)
    levels = batch.levels
    cycles = serial
    instances = xp.stack([n if level < hardware.array else xp.ones_like(n) for level in range(levels)])
    for level in range(levels):
        slow = xp.ones_like(serial)
        for words, bandwidth in (
            (reads[level], hardware.read_bandwidth[level]), (updates[level] + fills[level], hardware.write_bandwidth[level])
        ):  # fmt: skip
            rate = words[0] / serial + words[1] / serial + words[2] / serial  # in Timeloop's order: a last digit can be a cycle
            slow = xp.minimum(slow, xp.where(rate > 0, bandwidth / xp.where(rate > 0, rate, 1.0), 1.0))
        cycles = xp.maximum(cycles, xp.ceil(serial / slow))
    block = hardware.block[:, None]
    vectors = xp.ceil(reads / block) + xp.ceil(updates / block) + xp.ceil(fills / block)
    level_pj = instances[:, None] * hardware.access_pj[:, None] * vectors
    macs = serial * n
    mac_pj = macs * hardware.mac_pj
    energy = mac_pj
    for level in range(levels):
        for tensor in range(len(TENSORS)):
            energy = energy + level_pj[level, tensor]
    return Costs(cycles, macs, n, macs / (hardware.pes * cycles), instances, reads, updates, fills, level_pj, mac_pj, energy)
