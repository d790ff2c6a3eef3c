"""`Architecture`: a hierarchy of buffers with one array of processing elements in it, each with a multiplier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from designgym.core.errors import InputError, shorten

__all__ = ["Architecture", "StorageLevel", "Technology"]

Technology = Literal["DRAM", "SRAM"]


@dataclass(frozen=True)
class StorageLevel:
    """A buffer, per instance.

    Attributes:
        name: For mappings, messages and tables.
        technology: What energies and areas depend on.
        depth: Rows of `block` words; None for a memory without limit.
        block: Words of a row: what one access moves.
        word_bits: Bits of a word.
        read_bandwidth: Words per cycle that can be read; infinite if there is no limit.
        write_bandwidth: Words per cycle that can be written.
        banks: Banks; without effect on cycles and energies.

    Raises:
        InputError: For a number that cannot be, naming the level.
    """

    name: str
    technology: Technology = "SRAM"
    depth: int | None = None
    block: int = 1
    word_bits: int = 16
    read_bandwidth: float = math.inf
    write_bandwidth: float = math.inf
    banks: int = 1

    def __post_init__(self) -> None:
        for what in ("depth", "block", "word_bits", "banks"):
            value = getattr(self, what)
            if not (what == "depth" and value is None) and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise InputError(f"level {self.name!r}: {what} must be a positive integer, got {shorten(value)}")
        for what in ("read_bandwidth", "write_bandwidth"):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise InputError(f"level {self.name!r}: {what} must be a positive number of words per cycle, got {shorten(value)}")
        if self.technology not in ("DRAM", "SRAM"):
            raise InputError(f"level {self.name!r}: technology must be DRAM or SRAM, got {shorten(self.technology)}")

    @property
    def row_bits(self) -> int:
        """Bits that one access moves."""
        return self.block * self.word_bits

    @property
    def words(self) -> float:
        """Words that fit; infinite without a limit."""
        return math.inf if self.depth is None else self.depth * self.block


@dataclass(frozen=True)
class Architecture:
    """Levels of storage around an array of processing elements.

    Attributes:
        name: For messages and tables.
        levels: Innermost first; the last one, the backing store, keeps every tensor.
        array: Index of the level right above the array: one instance of it feeds all processing elements, each of which has one
            instance of every level below, and a multiplier.
        pes: Processing elements.
        mesh_x: Columns of the array; its rows are ``pes / mesh_x``.
        mac_bits: Bits of an operand of the multipliers.

    Raises:
        InputError: If there are fewer than two levels, the array is below all or above all of them, or is no rectangle.
    """

    name: str
    levels: tuple[StorageLevel, ...]
    array: int
    pes: int
    mesh_x: int
    mac_bits: int = 16

    def __post_init__(self) -> None:
        names = [level.name for level in self.levels]
        if len(names) < 2 or len(set(names)) != len(names):
            raise InputError(f"architecture {self.name!r} needs two or more levels with different names, got {names}")
        if not 0 < self.array < len(names):
            raise InputError(
                f"architecture {self.name!r}: the array must lie below one of the levels {', '.join(names[1:])} and above {names[0]!r}, "
                f"got array={self.array}"
            )
        for what in ("pes", "mesh_x", "mac_bits"):
            value = getattr(self, what)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"architecture {self.name!r}: {what} must be a positive integer, got {shorten(value)}")
        if self.pes % self.mesh_x:
            raise InputError(f"architecture {self.name!r}: {self.pes} processing elements do not fill rows of {self.mesh_x} (mesh_x)")

    @property
    def mesh_y(self) -> int:
        """Rows of the array."""
        return self.pes // self.mesh_x

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the levels, innermost first."""
        return tuple(level.name for level in self.levels)

    def instances(self, level: int) -> int:
        """Return how many instances of a level there are."""
        return self.pes if level < self.array else 1


def alike(architectures: Sequence[Architecture]) -> bool:
    """Return whether the architectures have the same levels and array, so that they can be evaluated in one batch."""
    return len({(a.names, a.array) for a in architectures}) <= 1
