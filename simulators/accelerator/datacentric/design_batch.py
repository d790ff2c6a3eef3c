"""From designs of `space.mapping_space` to mappings: as arrays for the model, and one by one for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.accelerator.datacentric.batch import ABSENT, Batch, LevelText
from designgym.simulators.accelerator.datacentric.levels import C, K, R, S, X, Y
from designgym.simulators.accelerator.datacentric.mapping import Directive
from designgym.simulators.accelerator.datacentric.mapping import Mapping as Dataflow
from designgym.simulators.accelerator.datacentric.shape import DIMENSIONS, ConvShape
from designgym.simulators.accelerator.datacentric.space import ORDERS, TILED
from designgym.simulators.accelerator.datacentric.workloads import shape_of
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network

__all__ = ["layer_batches", "mapping_of"]

_PLACES = np.array([[order.index(d) for d in DIMENSIONS] for order in ORDERS], dtype=np.float64)
_LEVELS = ("l2", "l1")
_Array = NDArray[np.float64]


def layer_batches(
    designs: Sequence[Mapping[str, Any]], network: Network, hardware: tuple[int, int, int, int]
) -> Iterator[tuple[list[int], Batch]]:
    """Yield, for the layers that are depthwise and those that are not: how often each occurs, and their batch, layer by layer.

    Args:
        designs: Legal designs, at least one.
        network: The layers.
        hardware: NoC bandwidth, off-chip bandwidth, hop latency, lanes.
    """
    columns = {name: np.array([design[name] for design in designs]) for name in designs[0]}
    for depthwise in (False, True):
        chosen = [(layer, count) for layer, count in network.layers if layer.depthwise == depthwise]
        if not chosen:
            continue
        parts = [_of_layer(columns, layer, hardware) for layer, _ in chosen]
        levels = tuple(
            LevelText(*(np.concatenate([getattr(part.levels[i], field) for part in parts], axis=1) for field in LevelText.__annotations__))
            for i in range(2)
        )
        sizes, strides, rest, clusters = (
            np.concatenate([getattr(part, field) for part in parts], axis=1) for field in ("sizes", "strides", "hardware", "clusters")
        )
        yield [count for _, count in chosen], Batch(depthwise, sizes, strides, rest, levels, clusters)


def mapping_of(design: Mapping[str, Any], layer: Layer) -> tuple[Dataflow, ConvShape]:
    """Return the mapping of a design for a layer, and the layer's shape."""
    shape = shape_of(layer)
    levels = []
    for level in _LEVELS:
        spatial = _spread(str(design[f"parallel_{level}"]), layer)
        directives = []
        for d in ORDERS[design[f"order_{level}"]]:
            if d == "K" and layer.depthwise:
                continue
            size, offset = _written(d, design, level, layer, shape)
            directives.append(Directive(d, size, offset, d == spatial))
        levels.append(tuple(directives))
    d = _spread(str(design["parallel_l1"]), layer)
    outer, inner = (min(int(design[f"{d}_{level}"]), _limit(d, layer)) for level in _LEVELS)
    return Dataflow((levels[0], levels[1]), (min(math.ceil(outer / inner), int(design["num_pe"])),)), shape


def _written(d: str, design: Mapping[str, Any], level: str, layer: Layer, shape: ConvShape) -> tuple[int, int]:
    if d in "RS":
        return (shape.r, shape.r) if d == "R" else (shape.s, shape.s)
    tile = min(int(design[f"{d}_{level}"]), _limit(d, layer))
    if d in "YX":
        stride, window = (shape.stride_y, shape.r) if d == "Y" else (shape.stride_x, shape.s)
        return (tile - 1) * stride + window, tile * stride
    return tile, tile


def _spread(parallel: str, layer: Layer) -> str:
    """Return the dimension that a level spreads over its sub-units: a depthwise layer has no K, its channels are C."""
    return "C" if layer.depthwise and parallel == "K" else parallel


def _limit(d: str, layer: Layer) -> int:
    return {"K": layer.k, "C": layer.c, "X": layer.q, "Y": layer.p}[d]


def _of_layer(columns: Mapping[str, NDArray[Any]], layer: Layer, hardware: tuple[int, int, int, int]) -> Batch:
    shape = shape_of(layer)
    pes = columns["num_pe"].astype(np.float64)
    tiles = {(d, level): np.minimum(columns[f"{d}_{level}"], _limit(d, layer)).astype(np.float64) for d in TILED for level in _LEVELS}
    spread = {level: np.where(columns[f"parallel_{level}"] == "K", _spread("K", layer), columns[f"parallel_{level}"]) for level in _LEVELS}
    clusters = np.ones_like(pes)
    for d in TILED:
        clusters = np.where(spread["l1"] == d, np.ceil(tiles[d, "l2"] / tiles[d, "l1"]), clusters)
    levels = tuple(_level(columns[f"order_{level}"], {d: tiles[d, level] for d in TILED}, spread[level], layer, shape) for level in _LEVELS)
    one = np.ones_like(pes)
    return Batch(
        layer.depthwise,
        np.stack([size * one for size in shape.sizes]),
        np.stack([shape.stride_y * one, shape.stride_x * one]),
        np.stack([pes, *(number * one for number in hardware)]),
        levels,
        np.minimum(clusters, pes)[None],
    )


def _level(order: NDArray[Any], tiles: Mapping[str, _Array], spread: NDArray[Any], layer: Layer, shape: ConvShape) -> LevelText:
    place = _PLACES[order].T.copy()
    size, offset = np.ones_like(place), np.ones_like(place)
    for row, d in ((K, "K"), (C, "C")):
        size[row] = offset[row] = tiles[d]
    size[R] = offset[R] = shape.r
    size[S] = offset[S] = shape.s
    for row, d, stride, window in ((Y, "Y", shape.stride_y, shape.r), (X, "X", shape.stride_x, shape.s)):
        size[row], offset[row] = (tiles[d] - 1) * stride + window, tiles[d] * stride
    if layer.depthwise:
        place[K] = ABSENT
    spatial = np.stack([spread == d for d in DIMENSIONS])
    return LevelText(place, size, offset, spatial, np.zeros((2, place.shape[1]), dtype=bool))
