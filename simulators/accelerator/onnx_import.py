"""`network_of_onnx`: the layers of an ONNX model, by the shapes that ONNX infers. Weights are not needed, nor read if they are apart."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from designgym.core.errors import InputError, NotInstalledError
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.onnx_nodes import LAYERS, NO_MACS, REFUSED, Shapes
from designgym.simulators.accelerator.onnx_shapes import inferred_shapes, set_sizes
from designgym.simulators.accelerator.operators import LayerList

__all__ = ["network_of_onnx"]

_CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")


def network_of_onnx(
    path: str | os.PathLike[str], *, dimensions: Mapping[str, int] | None = None, name: str | None = None, skip: Collection[str] = ()
) -> Network:
    """Return the layers of a model's convolutions, matrix products and recurrent operators; weights in files of their own may be missing.

    Layers are called like the nodes that they come from, those of the same shape are one, in order of their first use. Batches of matrix
    products with shared weights are rows, batches of images are a count; see `Convolution.layers` for groups, dilation and transposed
    convolutions. Operators that multiply nothing but element by element are no layers.

    Args:
        path: The file, ``.onnx``.
        dimensions: Sizes of the axes that the inputs leave open, by name, or as ``INPUT.AXIS`` with its number. Axis 0 is 1 unless given.
        name: Of the network; the file's without its suffix, unless given.
        skip: Operators to leave out, as the message about them writes them (``com.microsoft.BiasGelu``).

    Raises:
        InputError: If the file is no model, or an axis has no size, or a node is no layer or not known; names it and says why.
        NotInstalledError: Without the package onnx.
    """
    path = Path(path)
    onnx = _package()
    model = _read(path, onnx)
    set_sizes(model, dimensions or {}, str(path))
    shapes = inferred_shapes(model, str(path))
    found = LayerList()
    for node in model.graph.node:
        written = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        if written in skip or written in NO_MACS:
            continue
        label = node.name or next(iter(node.output), "") or node.op_type
        try:
            if written in LAYERS:
                found.add(LAYERS[written](Shapes(node, shapes), label.strip("/")))
            elif written not in _CONTROL_FLOW or _products_within(node, skip):
                otherwise = f"it is not known; if it has no multiply-accumulates that count, say skip=[{written!r}]"
                raise InputError(REFUSED.get(written, otherwise))
        except InputError as error:
            raise InputError(f"{path}: {written} (node {label!r}) cannot be a layer: {error}") from None
    return found.network(name or path.stem, str(path))


def _package() -> ModuleType:
    try:
        import onnx
        import onnx.inliner
        import onnx.shape_inference
    except ImportError as error:
        raise NotInstalledError(f"reading ONNX needs the package onnx ({error}): run `pip install 'designgym[onnx]'`") from None
    return onnx


def _read(path: Path, onnx: ModuleType) -> Any:
    """Return the model of a file, without weights that are apart, with its own functions written out."""
    try:
        model = onnx.load(path, load_external_data=False)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    except OSError as error:
        raise InputError(f"cannot read the network {str(path)!r}: {error.strerror or error}") from None
    except Exception as error:  # of protobuf, or of what is on the way
        raise InputError(f"{path} is no ONNX model, or not all of it: {' '.join(str(error).split())}") from None
    if not model.graph.node or not model.opset_import:
        raise InputError(f"{path} is no ONNX model: it has no node, or does not say which operators it uses")
    return model


def _products_within(node: Any, skip: Collection[str]) -> bool:
    """Return whether the graphs within a node have operators that multiply and accumulate, or are not known."""
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return any(
        _products_within(inner, skip) if inner.op_type in _CONTROL_FLOW else inner.op_type not in NO_MACS | set(skip)
        for graph in graphs
        for inner in graph.node
    )
