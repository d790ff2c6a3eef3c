"""Workloads of the mapping environment: layers and networks by name, and those of users."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.workload import Workload
from designgym.simulators.accelerator.datacentric.mapping_text import parse_network
from designgym.simulators.accelerator.datacentric.shape import ConvShape
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import NETWORKS, merged, network

__all__ = ["LAYERS", "MappingWorkloads", "find_network", "make_workload", "shape_of", "tile_limits"]

LAYERS = {
    "resnet18-conv2_1": ("resnet18", "conv2_1"),
    "resnet18-conv4_2": ("resnet18", "conv4_2"),
    "resnet50-conv3_1_3": ("resnet50", "conv3_1_3"),
    "vgg16-conv3_2": ("vgg16", "conv3_2"),
    "alexnet-conv3": ("alexnet", "conv3"),
    "mobilenetv2-depthwise": ("mobilenetv2", "block3_depthwise"),
    "mobilenetv2-pointwise": ("mobilenetv2", "block3_expand"),
}
"""Layers that are listed as workloads; any other is found as NETWORK-LAYER too."""

_FIELDS = [field.name for field in dataclasses.fields(Layer) if field.name != "name"]
_NEEDED = ("k", "c", "r", "s", "p", "q")


class MappingWorkloads:
    """Built-in layers and networks, and files: a MAESTRO network (``.m``), or layers as JSON."""

    def names(self) -> list[str]:
        """Return the names that are listed; NETWORK-LAYER and paths are found besides."""
        return [*LAYERS, *NETWORKS]

    def get(self, name: str) -> Workload:
        """Return a workload; raises `UnknownNameError` or `InputError` with the remedy."""
        return make_workload(find_network(name))


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


def find_network(name: str) -> Network:
    """Return what a name stands for: a network, NETWORK-LAYER, or the path of a file.

    Raises:
        UnknownNameError: If it is neither a name nor the path of a file.
        InputError: If the file cannot be used.
    """
    if name in NETWORKS:
        return network(name)
    owner, _, layer_name = name.partition("-")
    owner, layer_name = LAYERS.get(name, (owner, layer_name))
    if owner in NETWORKS:
        layers = {layer.name: layer for layer in NETWORKS[owner]()}
        if layer_name in layers:
            return Network(name, ((layers[layer_name], 1),))
        if not Path(name).is_file():
            raise UnknownNameError(f"layer of {owner}", layer_name, layers)
    path = Path(name)
    if not path.is_file():
        hint = "(any layer is NETWORK-LAYER; or give the path of a file of layers: JSON, or MAESTRO's .m)"
        raise UnknownNameError("workload", name, MappingWorkloads().names(), hint)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the layers of {path}: {error}") from None
    layers_found = _of_maestro(text, path) if path.suffix == ".m" else _of_json(text, path)
    return merged(path.stem, layers_found)


def _of_maestro(text: str, path: Path) -> list[Layer]:
    """Return the layers of a network in the mapping language; their mappings are what the environment searches."""
    found = []
    for layer in parse_network(text, source=str(path)):
        shape = layer.shape
        if shape.stride_y != shape.stride_x:
            raise InputError(f"{path}: layer {layer.name!r} has the strides {shape.stride_y} and {shape.stride_x}, expected one for both")
        k = 1 if shape.depthwise else shape.k
        found.append(Layer(layer.name, k, shape.c, shape.r, shape.s, shape.p, shape.q, shape.stride_y, shape.depthwise))
    return found


def _of_json(text: str, path: Path) -> list[Layer]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    entries = data if isinstance(data, list) else [data]
    if not entries:
        raise InputError(f"{path} has no layer: expected an object such as {_example()}, or a list of them")
    return [layer for number, entry in enumerate(entries) for layer in _of_entry(entry, f"{path}, layer {number + 1}", number)]


def _of_entry(entry: Any, place: str, number: int) -> list[Layer]:
    if not isinstance(entry, dict):
        raise InputError(f"{place} is {shorten(entry)}, expected an object such as {_example()}")
    if unknown := sorted(set(entry) - {*_FIELDS, "name", "count"}):
        raise UnknownNameError(f"field of {place}", unknown[0], [*_FIELDS, "name", "count"])
    given = {"k": 1, **entry} if entry.get("depthwise") else entry
    if missing := [name for name in _NEEDED if name not in given]:
        raise InputError(f"{place} lacks {', '.join(missing)}: expected an object such as {_example()}")
    count = given.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 10_000:
        raise InputError(f"{place}: count must be a whole number from 1 to 10000, got {shorten(count)}")
    depthwise = given.get("depthwise", False)
    if not isinstance(depthwise, bool):
        raise InputError(f"{place}: depthwise must be true or false, got {shorten(depthwise)}")
    sizes = {name: given[name] for name in _FIELDS if name in given and name != "depthwise"}
    return [Layer(str(given.get("name", f"layer{number + 1}")), depthwise=depthwise, **sizes)] * count


def _example() -> str:
    return '{"name": "conv", "k": 64, "c": 64, "r": 3, "s": 3, "p": 56, "q": 56, "stride": 1}'
