"""Expressions in plain Python, written from the description of designs and not from the code; and strategies that draw them."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.simulators.symbolic.operations import CODES, CONSTANTS, INPUTS, OPERANDS
from designgym.simulators.symbolic.space import expression_space

Nodes = Sequence[Mapping[str, Any]]

INPUT_COUNT = 6


def _total(function: Callable[[float], float], x: float) -> float:
    """Python raises where IEEE 754 has an answer."""
    try:
        return function(x)
    except ValueError:
        return -math.inf if function is math.log and x == 0 else math.nan
    except OverflowError:
        return math.inf


def _divided(a: float, b: float) -> float:
    if b != 0:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divided,
}
UNARY: dict[str, Callable[[float], float]] = {
    "neg": lambda a: -a,
    "inverse": lambda a: _divided(1.0, a),
    "square": lambda a: a * a,
    **{name: (lambda f: lambda a: _total(f, a))(getattr(math, name)) for name in ("sqrt", "exp", "log", "sin", "cos", "tanh")},
}


def _reference(nodes: Nodes, x: Sequence[float], constants: Mapping[str, float], *, inputs: int, error: float = 0.0) -> float:
    """Return the value of the last node; with ``error``, every result is that much off, so that one sees what rounding may do."""
    results: list[float] = []

    def operand(name: str) -> float:
        if name.startswith("back"):
            back = int(name.removeprefix("back")) - 1
            if results:
                return results[len(results) - 1 - back % len(results)]
            name = f"x{back % INPUT_COUNT}"
        if name == "1":
            return 1.0
        return x[int(name[1:]) % inputs] if name.startswith("x") else constants[name]

    for node in nodes:
        a = operand(node["a"])
        result = UNARY[node["op"]](a) if node["op"] in UNARY else BINARY[node["op"]](a, operand(node["b"]))
        results.append(result * (1 + error))
    return results[-1]


@pytest.fixture(scope="session")
def reference() -> Callable[..., float]:
    """The plain interpreter."""
    return _reference


def designs(
    *, operations: Sequence[str] = tuple(CODES), inputs: int = 3, longest: int = 20, shortest: int = 1
) -> st.SearchStrategy[Design]:
    """Return a strategy for designs in which most operands are near, so that most nodes are alive."""
    leaves = [*INPUTS[:inputs], *CONSTANTS, "1"]
    operands = st.one_of(st.sampled_from(["back1", "back2", "back3"]), st.sampled_from(leaves), st.sampled_from(OPERANDS))
    node = st.fixed_dictionaries({"op": st.sampled_from(operations), "a": operands, "b": operands})
    nodes = st.lists(node, min_size=shortest, max_size=longest)
    return nodes.map(lambda drawn: expression_space().validate({"nodes": drawn}))
