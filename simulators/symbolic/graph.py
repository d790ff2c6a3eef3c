"""Expression graphs as tuples of numbers, and their values and derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.simulators.symbolic.operations import (
    ARITIES,
    BACK,
    CODES,
    CONSTANTS,
    FIRST_CONSTANT,
    FIRST_NODE,
    INPUTS,
    LITERAL,
    MOST_INPUTS,
    ONE,
    OPERANDS,
    OPERATIONS,
)

Floats = NDArray[np.float64]

NONE: Final = -1
DEFAULT_OPERAND: Final = OPERANDS[0]
_LEAVES: Final = (*INPUTS, *CONSTANTS, LITERAL)
_REFERENCES: Final = {name: reference for reference, name in enumerate(_LEAVES)} | {name: -k for k, name in enumerate(BACK, 1)}
_FUNCTIONS: Final = tuple(operation.function for operation in OPERATIONS)
_SLOPES: Final = tuple(operation.slopes for operation in OPERATIONS)


class Node(NamedTuple):
    """An operation and what it is applied to.

    Attributes:
        op: Number of the operation.
        a: Reference to the first operand: see `designgym.simulators.symbolic.operations`.
        b: Reference to the second one, `NONE` if there is none.
    """

    op: int
    a: int
    b: int


class Graph(NamedTuple):
    """An expression.

    Attributes:
        nodes: In an order in which operands come first; the result depends on each of them.
        root: Reference to the result, which may be a leaf.
    """

    nodes: tuple[Node, ...]
    root: int


def read_graph(nodes: Sequence[Mapping[str, Any]], inputs: int) -> Graph:
    """Return the graph of a design's nodes, without those that the last one, which is the result, does not depend on.

    Operands are never illegal: counting back goes on from the last node before this one when it is past the first, the first node reads
    inputs instead, and an input that does not exist stands for one that does (its number modulo ``inputs``).
    """
    found: dict[int, Node] = {}
    needed = {len(nodes) - 1}
    for i in range(len(nodes) - 1, -1, -1):
        if i in needed:
            node = nodes[i]
            op = CODES[node["op"]]
            a = _resolved(_REFERENCES[node["a"]], i, inputs)
            b = _resolved(_REFERENCES[node["b"]], i, inputs) if ARITIES[op] == 2 else NONE
            found[i] = Node(op, a, b)
            needed.update((a - FIRST_NODE, b - FIRST_NODE))
    places = {FIRST_NODE + i: FIRST_NODE + place for place, i in enumerate(reversed(found))}
    live = tuple([Node(op, places.get(a, a), places.get(b, b)) for op, a, b in reversed(found.values())])
    return Graph(live, FIRST_NODE + len(live) - 1)


def _resolved(reference: int, place: int, inputs: int) -> int:
    if reference < 0:
        if place:
            return FIRST_NODE + place - 1 - (-reference - 1) % place
        reference = (-reference - 1) % MOST_INPUTS
    return reference % inputs if reference < MOST_INPUTS else reference


def inputs_of(graph: Graph) -> frozenset[int]:
    """Return the numbers of the inputs that are read."""
    read = [reference for node in graph.nodes for reference in node[1:]] + [graph.root]
    return frozenset(reference for reference in read if 0 <= reference < MOST_INPUTS)


def write_graph(graph: Graph) -> tuple[Design, ...]:
    """Return the nodes of a design; a leaf is written as its product with 1."""
    if graph.root < FIRST_NODE:
        return (_element("mul", _LEAVES[graph.root], LITERAL),)
    return tuple([_element(OPERATIONS[node.op].name, _operand(node.a, i), _operand(node.b, i)) for i, node in enumerate(graph.nodes)])


def _operand(reference: int, place: int) -> str:
    if reference == NONE:
        return DEFAULT_OPERAND
    return _LEAVES[reference] if reference < FIRST_NODE else BACK[place - (reference - FIRST_NODE) - 1]


@lru_cache(maxsize=1 << 16)
def _element(op: str, a: str, b: str) -> Design:
    return Design({"op": op, "a": a, "b": b})


def values_of(graph: Graph, inputs: Sequence[Any], constants: Sequence[Any]) -> list[Any]:
    """Return the values of all leaves and nodes, by reference; wrap it into ``numpy.errstate(all="ignore")``.

    Args:
        graph: The expression.
        inputs: A column of float64, shape ``(n,)``, for each input that the graph reads.
        constants: A value, or an array of shape ``(n,)``, for each constant slot.
    """
    values: list[Any] = [*inputs, *[None] * (MOST_INPUTS - len(inputs)), *constants, *[None] * (ONE - FIRST_CONSTANT - len(constants))]
    values.append(_UNIT)
    for op, a, b in graph.nodes:
        values.append(_FUNCTIONS[op](values[a], values[b]))
    return values


_UNIT: Final = np.float64(1.0)


def gradients_of(graph: Graph, values: Sequence[Any], constants: Sequence[int]) -> Any:
    """Return the derivatives of the result by constants, shape ``(len(constants), n or 1)``, or 0.0; in `numpy.errstate` too.

    Forward mode: a few array operations per node for all constants at once.
    """
    slopes: list[Any] = [None] * FIRST_NODE
    for row, reference in enumerate(constants):
        slopes[reference] = np.eye(len(constants))[:, row : row + 1]
    for i, (op, a, b) in enumerate(graph.nodes):
        one, two = slopes[a], slopes[b] if b != NONE else None
        if one is None and two is None:
            slopes.append(None)
            continue
        by_a, by_b = _SLOPES[op](values[a], values[b], values[FIRST_NODE + i])
        terms = [_product(by, slope) for by, slope in ((by_a, one), (by_b, two)) if slope is not None]
        slopes.append(terms[0] if len(terms) == 1 else terms[0] + terms[1])
    return 0.0 if slopes[graph.root] is None else slopes[graph.root]


def _product(by: Any, slope: Any) -> Any:
    """Return the product; what does not depend on a constant does not do so where the outer derivative is infinite either."""
    product = by * slope
    return product if np.isfinite(product).all() else np.where(slope == 0, 0.0, product)
