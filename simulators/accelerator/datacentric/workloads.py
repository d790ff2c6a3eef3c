"""What the mapping environment's space and model use of a network: its largest tiles, and the shapes of its layers."""

from __future__ import annotations

from designgym.core.workload import Workload
from designgym.simulators.accelerator.datacentric.shape import ConvShape
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network

__all__ = ["make_workload", "shape_of", "tile_limits"]


def make_workload(data: Network) -> Workload:
    """Return a network as a workload, with what the space's rules use: the largest tile that any of its layers can fill."""
    limits = tile_limits(data)
    return Workload(data.name, data, frozenset(f"{dimension}<={limits[dimension]}" for dimension in "KCXY"))


def tile_limits(data: Network) -> dict[str, int]:
    """Return the largest K, C, X and Y of the layers, in outputs."""
    return {
        "K": max(layer.k for layer, _ in data.layers),
        "C": max(layer.c for layer, _ in data.layers),
        "X": max(layer.q for layer, _ in data.layers),
        "Y": max(layer.p for layer, _ in data.layers),
    }


def shape_of(layer: Layer) -> ConvShape:
    """Return a layer's shape, without the rows and columns that no filter reads where the stride is larger than the filter."""
    stride_y, stride_x = min(layer.stride, layer.r), min(layer.stride, layer.s)
    y, x = (layer.p - 1) * stride_y + layer.r, (layer.q - 1) * stride_x + layer.s
    return ConvShape(layer.k, layer.c, layer.r, layer.s, y, x, stride_y, stride_x, layer.depthwise)
