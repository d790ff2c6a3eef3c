"""`network_of_torch`: the layers of a PyTorch module, by what `torch.export` records of it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.operators import Convolution, LayerList, attention, matrix_product

if TYPE_CHECKING:
    import torch
    from torch.fx import Node

__all__ = ["network_of_torch"]

_KEPT = ("linear", "matmul", "mv", "dot", "vdot", "inner", "linalg_vecdot", "scaled_dot_product_attention")
"""Operators that are not taken apart: what they are made of tells less, or is not known as a product."""
_PRODUCTS = {"matmul": 0, "mm": 0, "bmm": 0, "mv": 0, "dot": 0, "vdot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1}
"""Matrix products, and where the first of their two operands stands."""
_REFUSED = ("_cdist_forward", "_pdist_forward", "_fft_r2c", "_fft_c2r", "_fft_c2c", "_trilinear", "convolution_backward", "linalg_vecdot")
"""Operators with multiplications that are no layers, though PyTorch has them among its core operators."""
_NO_MACS = (
    "_assert_", "_unique", "_upsample", "adaptive_max_pool", "bucketize", "complex", "cummax", "cummin", "cumprod", "fractional_max_pool",
    "grid_sampler", "histc", "kthvalue", "lift_fresh_copy", "linalg_vector_norm", "logcumsumexp", "median", "mode", "multinomial",
    "nanmedian", "normal", "rand", "searchsorted", "sym_", "unique", "upsample",
)  # fmt: skip
"""Beginnings of the names of operators that are none of PyTorch's core operators, and no layers: they interpolate, sort, draw, count."""


def network_of_torch(
    module: torch.nn.Module, example_inputs: Sequence[Any] | torch.Tensor, *, name: str | None = None,
    example_kwargs: Mapping[str, Any] | None = None, skip: Collection[str] = (),
) -> Network:  # fmt: skip
    """Return the layers of a module's convolutions, linear layers, matrix products and attention, for inputs of these shapes.

    The module is exported (`torch.export`) in evaluation mode, on meta tensors too, and is left as it was. Layers are called like the
    modules that they come from, those of the same shape are one, in order of their first use. Batches of matrix products with shared
    weights are rows, batches of images are a count; see `Convolution.layers` for groups, dilation and transposed convolutions. Operators
    that multiply nothing but element by element (activations, normalisation, pooling, interpolation, embedding) are no layers.

    Args:
        module: The module.
        example_inputs: Arguments of ``forward``; their values do not matter, their shapes do.
        name: Of the network; the module's class, unless given.
        example_kwargs: Arguments of ``forward`` by name.
        skip: Operators to leave out, as the message about them writes them (``torchvision.nms``).

    Raises:
        InputError: If the module cannot be exported, or has an operator that is no layer, or that is not known; names it and says why.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InputError(f"expected a torch.nn.Module, got {shorten(module)}")
    source = name or type(module).__name__
    inputs = (example_inputs,) if isinstance(example_inputs, torch.Tensor) else tuple(example_inputs)
    found = LayerList()
    for node in _exported(module, inputs, dict(example_kwargs or {}), source).graph.nodes:
        if node.op == "call_function" and str(node.target).removesuffix(".default") not in skip:
            _add(node, found, source)
    return found.network(source, source)


def _exported(module: torch.nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any], source: str) -> Any:
    """Return the program of a module in evaluation mode, in few operators."""
    import torch

    table = torch.export.default_decompositions()
    for name in _KEPT:
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads():
            table.pop(getattr(packet, overload), None)
    try:
        with _evaluating(module), torch.no_grad(), _without_fast_paths():
            return torch.export.export(module, inputs, kwargs).run_decompositions(table)
    except Exception as error:  # whatever forward, or torch on the way, raises
        why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(f"{source} cannot be exported for inputs of these shapes: {type(error).__name__}: {why[:300]}") from error


@contextlib.contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    training = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, was in training:
            part.training = was


@contextlib.contextmanager
def _without_fast_paths() -> Iterator[None]:
    """Have transformers written out: as one fused operator their shapes could not be seen."""
    import torch

    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


def _add(node: Node, found: LayerList, source: str) -> None:
    import torch
    from torch.utils.flop_counter import flop_registry

    operator = node.target
    if not isinstance(operator, torch._ops.OpOverload | torch._ops.HigherOrderOperator):
        return  # Python's own, on sizes and tuples
    written = str(operator).removesuffix(".default")
    try:
        if isinstance(operator, torch._ops.HigherOrderOperator):
            raise InputError("it is control flow, whose layers depend on values, or has effects")
        base = operator._schema.name.removeprefix("aten::")
        if layers := _layers(base, node):
            found.add(layers)
            return
        known = torch.Tag.core in operator.tags or torch.Tag.pointwise in operator.tags or operator.is_view or base.startswith(_NO_MACS)
        if base in _REFUSED or operator.overloadpacket in flop_registry:
            raise InputError("it multiplies and accumulates, and is no layer")
        if not known:
            raise InputError(f"it is not known; if it has no multiply-accumulates that count, say skip=[{written!r}]")
    except InputError as error:
        where = _path(node)
        raise InputError(f"{source}: {written} (node {node.name}{f' of {where}' if where else ''}) cannot be a layer: {error}") from None


def _layers(base: str, node: Node) -> list[tuple[Layer, int]]:
    """Return the layers of a node; none if it is no convolution and no product."""
    args: Any = node.args
    path = _path(node)
    name = path or node.name
    of_its_own = f"{path}.{node.name}" if path else node.name  # a module may hold several products
    if base == "convolution":
        x, weight, y = _shape(args[0]), _shape(args[1]), _shape(node)
        transposed, groups = args[6], args[8]
        stride, dilation, padding = (list(args[at]) * (len(weight) - 2 if len(args[at]) == 1 else 1) for at in (3, 5, 4))
        outputs = weight[1] * groups if transposed else weight[0]
        return Convolution(x[0], x[1], outputs, groups, weight[2:], y[2:], stride, dilation, transposed, padding).layers(name)
    if base == "linear":
        return matrix_product(_shape(args[0]), [*reversed(_shape(args[1]))], name)
    if base == "inner":
        *rows, inner = _shape(args[1])
        return matrix_product(_shape(args[0]), [inner, math.prod(rows)], of_its_own)
    if base in _PRODUCTS:
        at = _PRODUCTS[base]
        return matrix_product(_shape(args[at]), _shape(args[at + 1]), of_its_own)
    if base == "scaled_dot_product_attention":
        return attention(_shape(args[0]), _shape(args[1]), _shape(args[2]), of_its_own)
    return []


def _shape(node: Any) -> list[int]:
    """Return the sizes of what a node yields.

    Raises:
        InputError: If one depends on values.
    """
    sizes = list(node.meta["val"].shape)
    if not all(isinstance(size, int) for size in sizes):
        raise InputError(f"its sizes {shorten(sizes)} depend on values")
    return sizes


def _path(node: Node) -> str:
    """Return the path of the module that a node comes from; empty for that of the whole."""
    stack = node.meta.get("nn_module_stack")
    return str([*stack.values()][-1][0]) if stack else ""
