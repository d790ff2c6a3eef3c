"""Networks in files: read by the suffix of the file, written as a table or as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from designgym.core.errors import InputError, shorten
from designgym.core.files import written_whole
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.network_json import parse_json, print_json
from designgym.simulators.accelerator.network_table import parse_table, print_table

__all__ = ["SUFFIXES", "read_network", "write_network"]

Layers = list[tuple[Layer, int]]

SUFFIXES = {".csv": "a table", ".json": "JSON", ".m": "MAESTRO's language", ".onnx": "ONNX"}
"""What files of networks hold, by suffix."""


def read_network(path: str | os.PathLike[str]) -> Network:
    """Return the network of a file, named like the file without its suffix, with its layers as they are listed there.

    ``.csv``: a first line ``name,k,c,r,s,p,q`` and, if wanted, ``stride,depthwise,count``, then a layer per line. ``.json``: an object per
    layer with the same fields. ``.m``: MAESTRO's language; mappings in it are not used. ``.onnx``: as `network_of_onnx` reads it.

    Raises:
        InputError: If there is no such file, or it cannot be used; names line or layer, and field.
        NotInstalledError: For ``.onnx`` without the package.
    """
    path = Path(path)
    if _suffix(path) == ".onnx":
        from designgym.simulators.accelerator.onnx_import import network_of_onnx  # the package is an extra

        return network_of_onnx(path)
    parse: dict[str, Callable[[str, str], Layers]] = {".csv": parse_table, ".json": parse_json, ".m": _parse_maestro}
    layers = parse[_suffix(path)](_text(path), str(path))
    if not layers:
        raise InputError(f"{path} has no layer: expected at least one")
    return Network(path.stem, tuple(layers))


def write_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network as a table (``.csv``) or as JSON (``.json``); `read_network` reads the same layers and counts.

    Raises:
        InputError: For another suffix, or a path that cannot be written.
    """
    if not isinstance(network, Network):
        raise InputError(f"expected a Network, got {shorten(network)}")
    path = Path(path)
    printers = {".csv": print_table, ".json": print_json}
    if path.suffix.lower() not in printers:
        raise InputError(f"cannot write the network {str(path)!r}: its suffix must be .csv or .json, got {path.suffix!r}")
    try:
        data = printers[path.suffix.lower()](network.layers).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"cannot write the network {str(path)!r}: a layer's name is no text: {error}") from None
    with written_whole(path, "write the network") as temporary:
        temporary.write_bytes(data)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        expected = [f"{known} ({what})" for known, what in SUFFIXES.items()]
        raise InputError(f"cannot read the network {str(path)!r}: expected the suffix {', '.join(expected[:-1])} or {expected[-1]}")
    return suffix


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the network {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text (UTF-8): {error}") from None


def _parse_maestro(text: str, source: str) -> Layers:
    from designgym.simulators.accelerator.datacentric.mapping_text import parse_network

    found = []
    for layer in parse_network(text, source=source):
        shape = layer.shape
        if shape.stride_y != shape.stride_x:
            raise InputError(f"{source}: layer {layer.name!r} has the strides {shape.stride_y} and {shape.stride_x}, expected one for both")
        k = 1 if shape.depthwise else shape.k
        found.append((Layer(layer.name, k, shape.c, shape.r, shape.s, shape.p, shape.q, shape.stride_y, shape.depthwise), 1))
    return found
