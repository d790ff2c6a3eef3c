"""Random mappings for property tests: any factor at any level and on the array, any order, split and bypass."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel
from designgym.simulators.accelerator.loopnest.energy import TimeloopEnergies
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping, Loops
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS
from tests.simulators.accelerator.loopnest.scalar_model import ScalarLevel, ScalarNest


@st.composite
def mappings(draw: st.DrawFn, levels: int = 5, most: int = 4) -> tuple[LoopMapping, Layer]:
    """Draw a mapping and its layer; factors are small, and many are 2, where the corner cases of reuse lie."""
    factor = st.sampled_from([1, 1, 1, 1, 2, 2, 3, most])
    order = st.permutations(DIMS).map("".join)

    def loops() -> Loops:
        return Loops(tuple(draw(factor) for _ in DIMS), draw(order))

    depthwise = draw(st.booleans()) and draw(st.booleans())
    every = [loops() for _ in range(levels + 1)]
    if depthwise:
        every = [Loops(tuple(1 if dim == "M" else f for dim, f in zip(DIMS, one.factors, strict=True)), one.order) for one in every]
    keep = tuple(frozenset(t for t in TENSORS if draw(st.integers(0, 3))) for _ in range(levels - 1))
    mapping = LoopMapping(tuple(every[:-1]), every[-1], draw(st.integers(0, len(DIMS))), (*keep, frozenset(TENSORS)))
    c, m, r, s, p, q = mapping.bounds
    return mapping, Layer("drawn", m, c, r, s, p, q, stride=draw(st.integers(1, 3)), depthwise=depthwise)


@st.composite
def architectures(draw: st.DrawFn, levels: int = 5, array: int = 3) -> Architecture:
    """Draw an architecture with a narrow or wide array and low or high bandwidths."""
    bandwidth = st.sampled_from([0.5, 1, 2, 3, 8, math.inf])
    buffers = [
        StorageLevel(
            f"level{c}", "SRAM" if c < levels - 1 else "DRAM", draw(st.sampled_from([16, 64, 4096])) if c < levels - 1 else None,
            draw(st.sampled_from([1, 2, 4])), 16, draw(bandwidth), draw(bandwidth),
        )
        for c in range(levels)
    ]  # fmt: skip
    mesh_x = draw(st.sampled_from([1, 2, 3, 4, 7, 16]))
    return Architecture("drawn", tuple(buffers), array, mesh_x * draw(st.integers(1, 12)), mesh_x)


def scalar_nest(mapping: LoopMapping, layer: Layer, architecture: Architecture) -> ScalarNest:
    """Return the same for the scalar model."""
    table = TimeloopEnergies()
    levels = [
        ScalarLevel(
            level.name, factors(loops), loops.order, kept, level.read_bandwidth, level.write_bandwidth, level.block, table.access_pj(level)
        )
        for level, loops, kept in zip(architecture.levels, mapping.temporal, mapping.keep, strict=True)
    ]
    spatial = mapping.spatial
    return ScalarNest(
        levels, architecture.array, factors(spatial), spatial.order, architecture.mesh_x, layer.stride, depthwise=layer.depthwise
    )


def factors(loops: Loops) -> dict[str, int]:
    return dict(zip(DIMS, loops.factors, strict=True))
