"""The design space of ArchGym's Timeloop environment: 26 parameters of an architecture like Eyeriss's, and what of them has no effect.

Each rule below is exact: it changes no cycle and no picojoule of any mapping, so none of the mapping that is found either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designgym.core.parameter_base import Parameter
from designgym.core.parameters import Categorical, Ordinal, PowerOfTwo
from designgym.core.rules import Rewrite
from designgym.core.space import DesignSpace
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.eyeriss import Buffer, eyeriss_like

__all__ = ["UNIT_STRIDE", "eyeriss_architecture", "eyeriss_space"]

UNIT_STRIDE = "unit_stride"
"""The trait of a workload whose layers all have a stride of 1."""

CLASSES = ("SRAM", "regfile", "smartbuffer_SRAM", "smartbuffer_RF")
SPADS = ("Ifmap", "Weights", "Psum")
_BANDWIDTHS = (2, 4, 8, 16)


def eyeriss_space() -> DesignSpace:
    """Return the space: processing elements, three scratchpads, the global buffer, and ArchGym's dummy buffer."""
    parameters: dict[str, Parameter] = {
        "NumPEs": Ordinal(*range(14, 337, 14), default=168),
        "MeshX": Ordinal(2, 7, 14, default=14),
    }
    for spad in SPADS:
        parameters |= _buffer(f"{spad}Spad", PowerOfTwo(2, 65536, default=256), block=1)
    parameters |= _buffer("Glb", PowerOfTwo(1024, 65536, default=16384), block=4)
    parameters["GlbBanks"] = Ordinal(16, 32, 64, 128, default=32)
    parameters |= {
        "DummyClass": Categorical(*CLASSES), "DummyDepth": PowerOfTwo(2, 65536, default=16), "DummyBlock": Ordinal(1, 2, 4)
    }  # fmt: skip
    return DesignSpace(parameters, version="1", symmetries=_symmetries(parameters))


def eyeriss_architecture(design: Mapping[str, Any]) -> Architecture:
    """Return the architecture of a design."""

    def buffer(name: str, banks: int = 1) -> Buffer:
        depth, block, read, write = (design[f"{name}{what}"] for what in ("Depth", "Block", "ReadBandwidth", "WriteBandwidth"))
        return Buffer(depth, block, read, write, banks)

    return eyeriss_like(
        pes=design["NumPEs"], mesh_x=design["MeshX"], psum=buffer("PsumSpad"), weights=buffer("WeightsSpad"),
        ifmap=buffer("IfmapSpad"), glb=buffer("Glb", design["GlbBanks"]),
    )  # fmt: skip


def _buffer(name: str, depth: Parameter, block: int) -> dict[str, Parameter]:
    return {
        f"{name}Class": Categorical(*CLASSES),
        f"{name}Depth": depth,
        f"{name}Block": Ordinal(1, 2, 4, default=block),
        f"{name}ReadBandwidth": Ordinal(*_BANDWIDTHS, default=16 if name == "Glb" else 2),
        f"{name}WriteBandwidth": Ordinal(*_BANDWIDTHS, default=16 if name == "Glb" else 2),
    }


def _symmetries(parameters: Mapping[str, Parameter]) -> list[Rewrite]:
    def same(name: str, when: str = "True") -> Rewrite:
        return Rewrite(name, repr(parameters[name].default), when)

    # Both energy tables tell buffers apart by their size and width alone. Nothing is ever kept in the dummy buffer.
    rules = [same(name) for name in parameters if name.endswith("Class") or name.startswith("Dummy") or name == "GlbBanks"]
    # A multiplier takes one weight a cycle, and reads and writes one partial sum. A scratchpad is filled with a tile of at most as many
    # words as there are multiplications before the next one: at most 1 word is read a cycle, and at most 1 (weights) or 2 written.
    rules += [same(f"{spad}Spad{way}Bandwidth") for spad in ("Weights", "Psum") for way in ("Read", "Write")]
    # Of inputs, 1 is read by the multiplier and at most 1 by a neighbour, as long as a tile has no more words than multiplications;
    # with a stride there can be inputs between the ones that are used.
    rules += [same(f"IfmapSpad{way}Bandwidth", f"'{UNIT_STRIDE}' in traits") for way in ("Read", "Write")]
    return rules
