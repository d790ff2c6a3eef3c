"""What an access costs, per level of storage, and what a level occupies: tables to choose from, or one of the user's own."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel

__all__ = ["AREA_NODE_NM", "CactiEnergies", "EnergyTable", "TimeloopEnergies", "area_um2"]

DRAM_PJ_PER_WORD = 200.0
"""Of 16 bits: Timeloop's built-in table, and 200 times a multiply-accumulate in Eyeriss's (Chen et al., ISCA 2016)."""

AREA_NODE_NM = 45.0
"""Node of areas unless another is named: the one of the arithmetic units' figures."""

# SRAM by CACTI, after FARSI's scaling to its node: bytes, pJ per byte read, mm^2. Energy grows about as the square root of the
# size, area about linearly; in between and below, the power law of least squares through the points.
_CACTI_BYTES = np.array([256e3, 1.024e6, 6.656e6, 46.08e6])
_CACTI_PJ_PER_BYTE = np.array([0.175, 0.358, 0.951, 2.35])
_CACTI_MM2 = np.array([0.060, 0.221, 1.295, 8.21])
_CACTI_NODE_NM = 5.0  # nominal: FARSI scales its 40 nm figures by 0.064 (energy) and 0.0374 (area)
_ENERGY_EXPONENT = math.log(0.064) / math.log(_CACTI_NODE_NM / 40)  # 1.32: energy ~ node^1.32
_AREA_EXPONENT = math.log(0.0374) / math.log(_CACTI_NODE_NM / 40)  # 1.58: area ~ node^1.58

# Integer arithmetic at 45 nm (Horowitz, ISSCC 2014): multipliers of 8 and 32 bits, 0.2 and 3.1 pJ, 282 and 3495 um^2; adders of 8 and
# 32 bits, 0.03 and 0.1 pJ, 36 and 137 um^2. A power law in the bits goes through both.
_ARITHMETIC_NODE_NM = 45.0


class EnergyTable(Protocol):
    """What accesses and operations cost."""

    def access_pj(self, level: StorageLevel) -> float:
        """Return the energy of one access of a whole row, read or written."""
        ...

    def mac_pj(self, bits: int) -> float:
        """Return the energy of one multiply-accumulate."""
        ...


@dataclass(frozen=True)
class TimeloopEnergies:
    """Timeloop's built-in table: SRAM linear in its capacity and in the bits of a row, 1 pJ for 16 bits multiplied, no node."""

    def access_pj(self, level: StorageLevel) -> float:
        """Return the energy of one access of a whole row; banks, ports, reading or writing make no difference.

        Raises:
            InputError: For an SRAM without a depth.
        """
        per_word = level.row_bits / 16
        if level.technology == "DRAM":
            return DRAM_PJ_PER_WORD * per_word
        kib = _depth(level) * level.row_bits / 8192
        return (1 + 5 / 99.5 * (kib - 0.5)) * per_word

    def mac_pj(self, bits: int) -> float:
        """Return 1 at 16 bits; it grows with the square of the bits."""
        return (bits / 16) ** 2


@dataclass(frozen=True)
class CactiEnergies:
    """A power law through CACTI's figures of SRAM, and Horowitz's of arithmetic, both scaled to one node; DRAM is not scaled.

    Attributes:
        node_nm: Technology node, 3 to 180.

    Raises:
        InputError: For another node.
    """

    node_nm: float = AREA_NODE_NM

    def __post_init__(self) -> None:
        _check_node(self.node_nm)

    def access_pj(self, level: StorageLevel) -> float:
        """Return the energy of one access of a whole row, read or written; raises `InputError` for an SRAM without a depth."""
        if level.technology == "DRAM":
            return DRAM_PJ_PER_WORD * level.row_bits / 16
        size = _depth(level) * level.row_bits / 8
        scale = (self.node_nm / _CACTI_NODE_NM) ** _ENERGY_EXPONENT
        return _power_law(_CACTI_PJ_PER_BYTE, size) * scale * level.row_bits / 8

    def mac_pj(self, bits: int) -> float:
        """Return the energy of a multiplication of ``bits`` and an addition of twice as many."""
        at_45_nm = _through(bits, 0.2, 3.1) + _through(2 * bits, 0.03, 0.1)
        return at_45_nm * (self.node_nm / _ARITHMETIC_NODE_NM) ** _ENERGY_EXPONENT


def area_um2(architecture: Architecture, node_nm: float = AREA_NODE_NM) -> float:
    """Return the area of all buffers and multipliers on the chip, without wires and control; DRAM is not on it.

    Raises:
        InputError: For an SRAM without a depth, or a node that is not from 3 to 180 nm.
    """
    _check_node(node_nm)
    scale = (node_nm / _CACTI_NODE_NM) ** _AREA_EXPONENT * 1e6
    area = 0.0
    for index, level in enumerate(architecture.levels):
        if level.technology == "SRAM":
            area += architecture.instances(index) * scale * _power_law(_CACTI_MM2, _depth(level) * level.row_bits / 8)
    bits = architecture.mac_bits
    mac = (_through(bits, 282, 3495) + _through(2 * bits, 36, 137)) * (node_nm / _ARITHMETIC_NODE_NM) ** _AREA_EXPONENT
    return area + architecture.pes * mac


def _power_law(values: np.ndarray, size: float) -> float:
    exponent, logarithm = _fitted(tuple(values.tolist()))
    return float(np.exp(logarithm + exponent * math.log(size)))


@functools.cache
def _fitted(values: tuple[float, ...]) -> tuple[np.float64, np.float64]:
    exponent, logarithm = np.polyfit(np.log(_CACTI_BYTES), np.log(values), 1)
    return exponent, logarithm


def _through(bits: float, at_8: float, at_32: float) -> float:
    return at_8 * (bits / 8) ** (math.log(at_32 / at_8) / math.log(4))


def _depth(level: StorageLevel) -> int:
    if level.depth is None:
        raise InputError(f"level {level.name!r}: energies and areas of an SRAM depend on its depth, and it has none: give one")
    return level.depth


def _check_node(node_nm: float) -> None:
    if isinstance(node_nm, bool) or not isinstance(node_nm, int | float) or not 3 <= node_nm <= 180:
        raise InputError(f"node_nm, the technology node, must be a number of nanometres from 3 to 180, got {shorten(node_nm)}")
