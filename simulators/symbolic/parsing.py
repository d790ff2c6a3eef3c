"""Expressions from text, such as ``m * x**2 / 2``."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from typing import Final

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.symbolic.graph import NONE, Graph, Node
from designgym.simulators.symbolic.operations import CODES, FIRST_CONSTANT, FIRST_NODE, MOST_CONSTANTS, MOST_INPUTS, MOST_NODES, ONE

_BINARY: Final[dict[type[ast.operator], str]] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
WHERE: Final = ", where "
_FUNCTIONS: Final = ("sqrt", "exp", "log", "sin", "cos", "tanh")


def parse(text: str, inputs: Sequence[str]) -> tuple[Graph, tuple[float, ...]]:
    """Return the graph of a text, and the values of its constants.

    Numbers other than 1 become constants, equal ones the same; what is computed of numbers alone becomes one number. Besides ``+ - * /``,
    powers with exponents 2, 3 and 4, ``pi`` and the functions of the space are known; and what is printed for long expressions,
    ``t1 + exp(t1), where t1 = x0 * x1``.

    Raises:
        InputError: If the text is no such expression, or too large for a design.
        UnknownNameError: For a name that is neither an input nor known.
    """
    if not isinstance(text, str):
        raise InputError(f"an expression is {shorten(text)}, expected text such as 'm * x**2 / 2'")
    if len(inputs) > MOST_INPUTS:
        raise InputError(f"an expression has at most {MOST_INPUTS} inputs, got {len(inputs)}: {', '.join(inputs)}")
    reader = _Reader(text, inputs)
    whole, _, definitions = text.partition(WHERE)
    for definition in definitions.split(",") if definitions else ():  # no function has two arguments
        name, _, meaning = definition.partition("=")
        reader.parts[name.strip()] = reader.read(_tree(text, meaning))
    root = reader.reference(reader.read(_tree(text, whole)))
    return Graph(tuple(reader.nodes), root), tuple(reader.constants)


def _tree(text: str, part: str) -> ast.expr:
    try:
        return ast.parse(part.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        why = error.msg if isinstance(error, SyntaxError) else error
        raise InputError(f"expression {shorten(text)} cannot be read: {why}") from None


class _Reader:
    """Reads a tree from the leaves up; what is read is a reference to a node or a leaf, or a number that no node holds yet."""

    def __init__(self, text: str, inputs: Sequence[str]) -> None:
        self.text = text
        self.inputs = list(inputs)
        self.nodes: list[Node] = []
        self.constants: list[float] = []
        self.parts: dict[str, int | float] = {}

    def read(self, tree: ast.expr) -> int | float:
        match tree:
            case ast.Constant(value=(int() | float()) as number) if not isinstance(number, bool):
                return float(number)
            case ast.Name(id=name):
                if name in self.inputs:
                    return self.inputs.index(name)
                if name in self.parts:
                    return self.parts[name]
                if name == "pi":
                    return math.pi
                raise UnknownNameError(f"name in {self.text!r}", name, [*self.inputs, "pi"])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.read(operand)
                return -value if isinstance(value, float) else self._node("neg", value)
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(exponent))) if exponent in (2, 3, 4):
                return self._power(self.read(left), exponent)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                return self._binary(_BINARY[type(operator)], self.read(left), self.read(right))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
                value = self.read(argument)
                return (
                    self._number(f"{name}({value:g})", getattr(math, name), value) if isinstance(value, float) else self._node(name, value)
                )
        raise InputError(
            f"{ast.unparse(tree)!r} in expression {shorten(self.text)} is none of + - * /, a power of 2, 3 or 4, "
            f"or one of {', '.join(_FUNCTIONS)} of one argument"
        )

    def reference(self, value: int | float) -> int:
        """Return a reference to what was read; a number becomes a constant."""
        if isinstance(value, int):
            return value
        if value == 1:
            return ONE
        if value not in self.constants:
            self.constants.append(value)
            if len(self.constants) > MOST_CONSTANTS:
                raise InputError(f"expression {shorten(self.text)} has more than {MOST_CONSTANTS} constants: {self.constants}")
        return FIRST_CONSTANT + self.constants.index(value)

    def _power(self, value: int | float, exponent: int) -> int | float:
        if isinstance(value, float):
            return self._number(f"{value:g}**{exponent}", pow, value, exponent)
        square = self._node("square", value)
        if exponent == 2:
            return square
        return self._node("mul", square, value) if exponent == 3 else self._node("square", square)

    def _number(self, text: str, function: Callable[..., float], *arguments: float) -> float:
        """Return what is computed of numbers alone."""
        try:
            return float(function(*arguments))
        except (ValueError, OverflowError) as error:
            raise InputError(f"expression {shorten(self.text)} has no value: {text}: {error}") from None

    def _binary(self, name: str, a: int | float, b: int | float) -> int | float:
        if isinstance(a, float) and isinstance(b, float):
            match name:
                case "add":
                    return a + b
                case "sub":
                    return a - b
                case "mul":
                    return a * b
            if b == 0:
                raise InputError(f"expression {shorten(self.text)} divides by 0")
            return a / b
        return self._node(name, self.reference(a), self.reference(b))

    def _node(self, name: str, a: int, b: int = NONE) -> int:
        node = Node(CODES[name], a, b)
        if node not in self.nodes:
            self.nodes.append(node)
            if len(self.nodes) > MOST_NODES:
                raise InputError(f"expression {shorten(self.text)} has more than {MOST_NODES} operations")
        return FIRST_NODE + self.nodes.index(node)
