"""Operators of ONNX as layers, by the shapes of their operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.operators import Convolution, matrix_product, recurrent

__all__ = ["LAYERS", "NO_MACS", "REFUSED", "Shapes"]

Layers = list[tuple[Layer, int]]


class Shapes:
    """The operands of a node.

    Attributes:
        node: As ONNX has it.
        attributes: Their values by name.
    """

    def __init__(self, node: Any, shapes: dict[str, list[int] | None]) -> None:
        import onnx

        self.node, self._shapes = node, shapes
        self.attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}

    def input(self, number: int) -> list[int]:
        """Return the shape of an operand.

        Raises:
            InputError: If it is missing, or not known.
        """
        return self._of(self.node.input, number, "operand")

    def output(self, number: int) -> list[int]:
        """Return the shape of a result; raises as `input` does."""
        return self._of(self.node.output, number, "result")

    def _of(self, names: Sequence[str], number: int, what: str) -> list[int]:
        name = names[number] if number < len(names) else ""
        if not name:
            raise InputError(f"its {what} {number} is missing")
        shape = self._shapes.get(name)
        if shape is None:
            raise InputError(f"the shape of its {what} {name!r} depends on values, or is not known: export the model with fixed shapes")
        return shape


def _convolution(node: Shapes, name: str, weight: int = 1) -> Layers:
    x, w, y = node.input(0), node.input(weight), node.output(0)
    axes, given = len(w) - 2, node.attributes
    transposed = node.node.op_type == "ConvTranspose"
    groups = given.get("group", 1)
    stride, dilation = given.get("strides", [1] * axes), given.get("dilations", [1] * axes)
    padding = [0] * axes
    if transposed:
        padding = _padding_of_transposed(given, x[2:], y[2:], w[2:], stride, dilation)
    outputs = w[1] * groups if transposed else w[0]
    if x[1] != (w[0] if transposed else w[1] * groups):  # which ONNX does not look at
        raise InputError(f"its weights {w} in {groups} groups are for another number of channels than the {x[1]} of its input")
    return Convolution(x[0], x[1], outputs, groups, w[2:], y[2:], stride, dilation, transposed, padding).layers(name)


def _padding_of_transposed(
    given: dict[str, Any], x: Sequence[int], y: Sequence[int], taps: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Return what is left out at the beginning of each axis; with ``output_shape`` or SAME it follows from the size of the output."""
    extra = given.get("output_padding", [0] * len(x))
    auto = given.get("auto_pad", b"NOTSET").decode()
    if "output_shape" not in given and not auto.startswith("SAME"):
        return list(given.get("pads", [0] * len(x))[: len(x)]) if auto != "VALID" else [0] * len(x)
    found = []
    for ours, theirs, tap, step, apart, more in zip(x, y, taps, stride, dilation, extra, strict=True):
        total = max(step * (ours - 1) + more + (tap - 1) * apart + 1 - theirs, 0)
        found.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
    return found


def _gemm(node: Shapes, name: str) -> Layers:
    left, right = node.input(0), node.input(1)
    left = left[::-1] if node.attributes.get("transA", 0) else left
    return matrix_product(left, right[::-1] if node.attributes.get("transB", 0) else right, name)


def _product(node: Shapes, name: str, right: int = 1) -> Layers:
    return matrix_product(node.input(0), node.input(right), name)


def _einsum(node: Shapes, name: str) -> Layers:
    """Return an Einsum of two operands as a product: letters of both and the result are a count, of both alone are summed over."""
    equation = node.attributes["equation"].decode().replace(" ", "")
    terms, _, result = equation.partition("->")
    operands = terms.split(",")
    plain = "->" in equation and len(operands) == 2 and equation.replace("->", "").replace(",", "").isalpha()
    if not plain or any(len(set(term)) < len(term) for term in operands):
        raise InputError(f"only products of two operands with a result are layers, got the equation {equation!r}")
    sizes: dict[str, int] = {}
    for number, term in enumerate(operands):
        sizes |= {letter: size for letter, size in zip(term, node.input(number), strict=True) if size > 1 or letter not in sizes}
    left, right = (set(term) for term in operands)
    parts = (left & right & set(result), left - right, left & right - set(result), right - left)
    if alone := (left ^ right) - set(result):
        raise InputError(f"its equation {equation!r} sums over {sorted(alone)[0]!r} of one operand alone: sum before")
    count, rows, inner, columns = (math.prod(sizes[letter] for letter in part) for part in parts)
    if not parts[2]:
        return []  # element by element
    return matrix_product([count, rows, inner], [count, inner, columns], name)


def _recurrent(node: Shapes, name: str) -> Layers:
    (steps, batch, inputs), weights = node.input(0), node.input(2)  # weights: directions, gates x hidden, hidden
    if node.attributes.get("layout", 0):
        steps, batch = batch, steps
    return recurrent(steps, batch, inputs, weights[2], weights[1] // weights[2], weights[0], name)


LAYERS: dict[str, Callable[[Shapes, str], Layers]] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "ConvTranspose": _convolution,
    "QLinearConv": lambda node, name: _convolution(node, name, 3),
    "Gemm": _gemm,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearMatMul": lambda node, name: _product(node, name, 3),
    "Einsum": _einsum,
    "RNN": _recurrent,
    "GRU": _recurrent,
    "LSTM": _recurrent,
}
"""What an operator's layers are; none for a product that sums over nothing."""

REFUSED = {
    **dict.fromkeys(("Attention", "LinearAttention"), "export it as matrix products, with an opset below 23"),
    **dict.fromkeys(("DFT", "STFT", "MelWeightMatrix"), "transforms are no layers: feed the model what comes after"),
    **dict.fromkeys(("DeformConv", "CausalConvWithState", "Det"), "it multiplies and accumulates, and is no layer"),
    **dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), "it is control flow around products: export the model without it"),
}
"""Why an operator is no layer though it multiplies; of control flow, if there are products in it."""

NO_MACS = frozenset(
    """
    Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Bernoulli BitCast BitShift
    BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Clip Col2Im Compress Concat
    ConcatFromSequence Constant ConstantOfShape Cos Cosh CumProd CumSum DepthToSpace DequantizeLinear Div Dropout
    DynamicQuantizeLinear Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gelu GlobalAveragePool
    GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish
    Hardmax Identity ImageDecoder InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    LpNormalization LpPool Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization Min Mish Mod Mul Multinomial Neg
    NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow
    QuantizeLinear RMSNormalization RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape
    Resize ReverseSequence RoiAlign RotaryEmbedding Round Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct
    SequenceEmpty SequenceErase SequenceInsert SequenceLength Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax
    SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze StringConcat StringNormalizer
    StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze
    Upsample Where Xor
    """.split()  # noqa: SIM905
)
"""Operators that are no layers: at most they multiply element by element, normalise, pool or interpolate."""
