"""Expressions as people write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from designgym.simulators.symbolic.graph import NONE, Graph
from designgym.simulators.symbolic.operations import FIRST_NODE, OPERATIONS

LONGEST: Final = 60  # operations in a line; an expression that would be longer gets names for what it uses more than once

LETTERS: Final = ("t", "u", "w", "z", "p", "q", "r")  # there are six inputs at most, so one is free


def render(graph: Graph, leaf: Callable[[int], str]) -> str:
    """Return a graph as infix text that evaluates in the same order; a long one as ``..., where t1 = ...``.

    Args:
        graph: The expression.
        leaf: Returns the text of a reference to a leaf.
    """
    sizes = [0] * FIRST_NODE
    for _, a, b in graph.nodes:
        sizes.append(1 + sizes[a] + (sizes[b] if b != NONE else 0))
    named: dict[int, str] = {}
    if sizes[graph.root] > LONGEST:
        uses = Counter(reference for node in graph.nodes for reference in node[1:] if reference >= FIRST_NODE)
        letter = _free_letter(graph, leaf)
        named = {reference: f"{letter}{k}" for k, reference in enumerate((each for each in sorted(uses) if uses[each] > 1), 1)}

    def write(reference: int, precedence: int) -> str:
        """Return a part, in parentheses if it binds less than ``precedence``."""
        if reference in named:
            return named[reference]
        if reference < FIRST_NODE:
            text = leaf(reference)
            return f"({text})" if text.startswith("-") and precedence > 1 else text
        return define(reference, precedence)

    def define(reference: int, precedence: int) -> str:
        op, a, b = graph.nodes[reference - FIRST_NODE]
        operation = OPERATIONS[op]
        own = operation.precedence
        if b != NONE:
            text = operation.text.format(a=write(a, own), b=write(b, own + 1))
        else:
            inside = {"neg": own, "inverse": own + 1, "square": own + 1}.get(operation.name, 0)
            text = operation.text.format(a=write(a, inside))
        return f"({text})" if own < precedence else text

    result = write(graph.root, 0)
    where = [f"{name} = {define(reference, 0)}" for reference, name in named.items()]
    return f"{result}, where {', '.join(where)}" if where else result


def _free_letter(graph: Graph, leaf: Callable[[int], str]) -> str:
    """Return a letter for names of parts, one that no leaf's name begins with in such a way."""
    leaves = [leaf(reference) for node in graph.nodes for reference in node[1:] if 0 <= reference < FIRST_NODE]
    return next(letter for letter in LETTERS if not any(name.removeprefix(letter).isdigit() for name in leaves))
