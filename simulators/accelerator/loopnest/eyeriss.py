"""An architecture like Eyeriss's: three scratchpads in each processing element, one per tensor, below a global buffer and DRAM."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel
from designgym.simulators.accelerator.loopnest.problem import TENSORS

__all__ = ["DATAFLOW", "LEVELS", "Buffer", "eyeriss_like"]

LEVELS = ("psum_spad", "weights_spad", "ifmap_spad", "shared_glb", "DRAM")
"""Names of the levels, innermost first; the array lies below the global buffer."""

DATAFLOW: tuple[frozenset[str], ...] = (
    frozenset({"Outputs"}), frozenset({"Weights"}), frozenset({"Inputs"}), frozenset({"Inputs", "Outputs"}), frozenset(TENSORS),
)  # fmt: skip
"""What each level keeps: a scratchpad its own tensor, the global buffer inputs and partial sums; weights go past it."""


@dataclass(frozen=True)
class Buffer:
    """An SRAM of the architecture, words of 16 bits.

    Attributes:
        depth: Rows.
        block: Words of a row.
        read_bandwidth: Words per cycle.
        write_bandwidth: Words per cycle.
        banks: Without effect on cycles and energies.
    """

    depth: int
    block: int
    read_bandwidth: float
    write_bandwidth: float
    banks: int = 1


def eyeriss_like(*, pes: int, mesh_x: int, psum: Buffer, weights: Buffer, ifmap: Buffer, glb: Buffer) -> Architecture:
    """Return the architecture; DRAM is unlimited in size and bandwidth, and moves 64 bits at a time.

    Raises:
        InputError: If a number cannot be, naming the level.
    """
    buffers = zip(LEVELS, (psum, weights, ifmap, glb), strict=False)
    levels = [
        StorageLevel(name, "SRAM", b.depth, b.block, 16, b.read_bandwidth, b.write_bandwidth, b.banks) for name, b in buffers
    ]  # fmt: skip
    return Architecture("eyeriss_like", (*levels, StorageLevel(LEVELS[-1], "DRAM", block=4)), 3, pes, mesh_x)
