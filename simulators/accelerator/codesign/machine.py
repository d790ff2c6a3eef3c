"""`Machine`: a spatial accelerator, by the dataflow that it is built for, the sizes of its array and buffers, and its bandwidths.

The dataflow says which words a processing element can hold (the taxonomy of Chen et al., ISCA 2016). What it does not hold passes it by:
operands come from the global buffer, one read for all elements that want the same, and sums go there, added up on the way.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel
from designgym.simulators.accelerator.loopnest.energy import area_um2
from designgym.simulators.accelerator.loopnest.problem import TENSORS

__all__ = ["HELD", "Dataflow", "Keep", "Machine"]

Dataflow = Literal["weight_stationary", "output_stationary", "input_stationary", "row_stationary"]

Keep = tuple[frozenset[str], ...]
"""Which tensors elements, global buffer and DRAM hold: what tells kinds of machines apart whatever their sizes."""

HELD: dict[Dataflow, tuple[str, ...]] = {
    "weight_stationary": ("Weights",),
    "output_stationary": ("Outputs",),
    "input_stationary": ("Inputs",),
    "row_stationary": TENSORS,
}
"""Tensors that a processing element holds, each in a buffer of its own."""

BLOCK = 4  # words of a row of the global buffer and of DRAM: 64 bits, as in Eyeriss
WORD_BITS, WORD_BYTES = 16, 2

# Area of MAESTRO's bus at 28 nm (Kwon et al., MICRO 2019; `docs/accelerators.md`): um^2 for each element per cycle that it carries, and for
# each of those and processing element. Scaled with the square of the node, as wires are.
_BUS_UM2, _BUS_UM2_PER_PE, _BUS_NODE_NM = 28.895, 14.662, 28.0


@dataclass(frozen=True)
class Machine:
    """Hardware of a network's layers, words of 16 bits.

    Attributes:
        dataflow: What the elements hold, see `HELD`.
        columns: Of the array.
        rows: Of the array. An array and its transpose are the same machine.
        weights_words: Buffer of weights in each element, if the dataflow has one.
        inputs_words: Buffer of inputs in each element, likewise.
        psums_words: Buffer of partial sums in each element, likewise.
        glb_kib: Global buffer.
        weights_in_glb: Whether weights are buffered there too, or go from DRAM to the elements.
        glb_words_per_cycle: Bandwidth of the global buffer and the bus to the array, reading and writing each.
        dram_words_per_cycle: Bandwidth of DRAM, reading and writing each.

    Raises:
        InputError: For an unknown dataflow or a number that is not a positive integer.
    """

    dataflow: Dataflow
    columns: int
    rows: int
    weights_words: int
    inputs_words: int
    psums_words: int
    glb_kib: int
    weights_in_glb: bool
    glb_words_per_cycle: int
    dram_words_per_cycle: int

    def __post_init__(self) -> None:
        if self.dataflow not in HELD:
            raise InputError(f"dataflow must be one of {', '.join(get_args(Dataflow))}, got {shorten(self.dataflow)}")
        for name, value in vars(self).items():
            if name not in ("dataflow", "weights_in_glb") and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise InputError(f"{name} of a machine must be a positive integer, got {shorten(value)}")

    @classmethod
    def of(cls, design: Mapping[str, Any]) -> Machine:
        """Return the machine of a design; parameters of other names are passed over."""
        return cls(**{name: design[name] for name in cls.__dataclass_fields__})

    @property
    def pes(self) -> int:
        """Processing elements."""
        return self.columns * self.rows

    @property
    def longer(self) -> int:
        """Elements along the longer side of the array."""
        return max(self.columns, self.rows)

    @property
    def shorter(self) -> int:
        """Elements along the shorter side of the array."""
        return min(self.columns, self.rows)

    @property
    def keep(self) -> Keep:
        """What elements, global buffer and DRAM hold."""
        in_glb = frozenset(TENSORS) if self.weights_in_glb else frozenset(TENSORS) - {"Weights"}
        return frozenset(HELD[self.dataflow]), in_glb, frozenset(TENSORS)

    @property
    def buffers(self) -> tuple[StorageLevel | None, ...]:
        """The buffers of an element, by tensor in the order of `TENSORS`; None for what it does not hold."""
        words = (self.weights_words, self.inputs_words, self.psums_words)
        held = HELD[self.dataflow]
        return tuple(_buffer(t, n) if t in held else None for t, n in zip(TENSORS, words, strict=True))

    @property
    def glb(self) -> StorageLevel:
        """The global buffer."""
        rate = float(self.glb_words_per_cycle)
        return _buffer("global_buffer", self.glb_kib * 1024 // (WORD_BYTES * BLOCK), BLOCK, WORD_BITS, rate, rate)

    @property
    def dram(self) -> StorageLevel:
        """DRAM, without limit."""
        rate = float(self.dram_words_per_cycle)
        return StorageLevel("DRAM", "DRAM", None, BLOCK, WORD_BITS, rate, rate)

    def architecture(self) -> Architecture:
        """Return three levels as the loop-nest model takes them; the first stands for an element's buffers, as large as they are together.

        They keep up with the multiplier whatever it asks for.
        """
        held = [buffer for buffer in self.buffers if buffer]
        element = _buffer("element", sum(buffer.depth or 0 for buffer in held))
        return Architecture(self.dataflow, (element, self.glb, self.dram), 1, self.pes, self.longer, WORD_BITS)

    def area_um2(self, node_nm: float) -> float:
        """Return the area of buffers, multipliers and the bus at a node, without the elements' control.

        Raises:
            InputError: If the node is not from 3 to 180 nm.
        """
        bus = (_BUS_UM2 + _BUS_UM2_PER_PE * self.pes) * self.glb_words_per_cycle * WORD_BYTES
        buffers = [buffer for buffer in self.buffers if buffer]
        on_chip = Architecture(self.dataflow, (*buffers, self.glb), len(buffers), self.pes, self.longer)
        return area_um2(on_chip, node_nm) + bus * (node_nm / _BUS_NODE_NM) ** 2


@functools.lru_cache(maxsize=4096)  # few sizes, asked for all the time
def _buffer(name: str, depth: int, block: int = 1, bits: int = WORD_BITS, read: float = math.inf, write: float = math.inf) -> StorageLevel:
    return StorageLevel(name, "SRAM", depth, block, bits, read, write)
