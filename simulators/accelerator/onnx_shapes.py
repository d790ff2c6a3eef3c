"""Shapes of all tensors of an ONNX model, given the sizes that its inputs leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten

__all__ = ["inferred_shapes", "set_sizes"]


def set_sizes(model: Any, dimensions: Mapping[str, int], source: str) -> None:
    """Give the open axes of the model's inputs their sizes, in place: axis 0, the batch, is 1 unless said otherwise.

    An axis goes by its name, or, also if it has none, as ``INPUT.AXIS`` with its number.

    Raises:
        InputError: For an open axis that has no size, a size that is none, or a name of no axis.
    """
    for name, size in dimensions.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"the size of axis {name!r} must be a positive whole number, got {shorten(size)}")
    weights = {tensor.name for tensor in model.graph.initializer}
    axes = [
        (value.name, number, axis)
        for value in model.graph.input
        if value.name not in weights
        for number, axis in enumerate(value.type.tensor_type.shape.dim)
        if not axis.HasField("dim_value")
    ]
    leading = {axis.dim_param for _, number, axis in axes if number == 0}
    inner = {axis.dim_param for _, number, axis in axes if number > 0}
    known = {key for value, number, axis in axes for key in (axis.dim_param, f"{value}.{number}") if key}
    if unknown := sorted(set(dimensions) - known):
        raise UnknownNameError(f"open axis of the inputs of {source}", unknown[0], known)
    for value, number, axis in axes:
        name = axis.dim_param or f"{value}.{number}"
        batch = number == 0 if not axis.dim_param else axis.dim_param in leading - inner
        given = dimensions.get(f"{value}.{number}", dimensions.get(name))
        if given is None and not batch:
            raise InputError(
                f"{source}: axis {number} of the input {value!r} has no size but the name {name!r}: give it by "
                f"network_of_onnx(path, dimensions={{{name!r}: SIZE}}), then write_network(network, 'mine.csv') for the command line"
            )
        axis.Clear()
        axis.dim_value = 1 if given is None else given


def inferred_shapes(model: Any, source: str) -> dict[str, list[int] | None]:
    """Return the shape of each tensor by its name; None where it is not known, or depends on values.

    Raises:
        InputError: If the model contradicts itself.
    """
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except Exception as error:  # of several kinds, by what is wrong
        why = " ".join(str(error).split())
        raise InputError(f"the shapes of {source} cannot be inferred: {why[:300]}") from error
    shapes: dict[str, list[int] | None] = {}
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor = value.type.tensor_type
        sizes = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in tensor.shape.dim]
        shapes[value.name] = None if -1 in sizes or not tensor.HasField("shape") else sizes
    for tensor in graph.initializer:
        shapes[tensor.name] = list(tensor.dims)
    for tensor in graph.sparse_initializer:
        shapes[tensor.values.name] = list(tensor.dims)
    return shapes
