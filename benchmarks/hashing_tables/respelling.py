"""Pairs of answers of designs that are equal, but are computed in different ways: what a fingerprint must not tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from designgym.core.space import DesignSpace
from hashing_tables.domains import FORMULA, program_answer

Pairs = Callable[[DesignSpace, np.random.Generator], Iterator[tuple[Any, Any]]]
SPELLINGS = 20  # mutations tried on a program to find another spelling of it
LONGEST = 400  # nodes of a rewritten expression


def program_pairs(space: DesignSpace, rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """Yield answers of programs that differ in their spelling alone, each as it is spelled and not in its canonical form."""
    used: set[str] = set()
    while True:
        design = space.sample(rng)[0]
        canonical = space.canonical(design)
        if canonical.literal in used:
            continue
        for _ in range(SPELLINGS):
            other = space.mutate(design, rng)
            if other != design and space.canonical(other) == canonical:
                used.add(canonical.literal)
                yield program_answer(design, 10, False), program_answer(other, 10, False)
                break


def expression_pairs(space: DesignSpace, rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """Yield values of random expressions before and after a step of algebra that rounds otherwise, where all of them are finite.

    Steps: ``a / b = a * (1 / b)``, ``(a + b) + c = a + (b + c)``, ``(a * b) * c = a * (b * c)``, ``a * (b + c) = a * b + a * c``,
    ``(a * b)**2 = a**2 * b**2``, ``1 / (a * b) = (1 / a) * (1 / b)``, each wherever it can be done, with probability 1/2.
    """
    from designgym.simulators.symbolic.formulas import BY_ID
    from designgym.simulators.symbolic.graph import read_graph, values_of
    from designgym.simulators.symbolic.simulator import probed_points
    from designgym.simulators.symbolic.space import NODES

    formula = BY_ID[FORMULA]
    inputs, constants = probed_points(formula.id, formula.ranges)
    while True:
        graph = read_graph(space.sample(rng)[0][NODES], len(formula.variables))
        other = _rewritten(graph, rng)
        if other is None:
            continue
        with np.errstate(all="ignore"):
            pair = [np.broadcast_to(values_of(g, inputs, constants)[g.root], inputs[0].shape) for g in (graph, other)]
            logarithms = [np.log(np.abs(values)) for values in pair]
        if all(np.isfinite(each).all() for each in logarithms):
            one, two = ((each, values < 0) for each, values in zip(logarithms, pair, strict=True))
            yield one, two


def _rewritten(graph: Any, rng: np.random.Generator) -> Any:
    """Return an algebraically equal graph, or None if no step was made."""
    from designgym.simulators.symbolic.graph import NONE, Graph, Node
    from designgym.simulators.symbolic.operations import CODES, FIRST_NODE

    nodes: list[Any] = []
    new: dict[int, int] = {}
    steps = 0

    def put(name: str, a: int, b: int = NONE) -> int:
        nodes.append(Node(CODES[name], a, b))
        return FIRST_NODE + len(nodes) - 1

    def operands(reference: int, name: str) -> tuple[int, int] | None:
        """Return what a node of that operation is applied to."""
        node = nodes[reference - FIRST_NODE] if reference >= FIRST_NODE else None
        return (node.a, node.b) if node is not None and node.op == CODES[name] else None

    def step(op: int, a: int, b: int) -> int | None:
        if op == CODES["div"]:
            return put("mul", a, put("inverse", b))
        for name in ("add", "mul"):
            if op == CODES[name] and (inner := operands(a, name)) is not None:
                return put(name, inner[0], put(name, inner[1], b))
        if op == CODES["mul"] and (inner := operands(b, "add")) is not None:
            return put("add", put("mul", a, inner[0]), put("mul", a, inner[1]))
        for name in ("square", "inverse"):
            if op == CODES[name] and (inner := operands(a, "mul")) is not None:
                return put("mul", put(name, inner[0]), put(name, inner[1]))
        return None

    for i, node in enumerate(graph.nodes):
        a, b = new.get(node.a, node.a), new.get(node.b, node.b)
        made = step(node.op, a, b) if rng.random() < 0.5 else None
        steps += made is not None
        if made is None:
            nodes.append(Node(node.op, a, b))
            made = FIRST_NODE + len(nodes) - 1
        new[FIRST_NODE + i] = made
    return Graph(tuple(nodes), new[graph.root]) if steps and len(nodes) < LONGEST else None


PAIRS: dict[str, Pairs] = {"designgym/AutoMLZero-v0": program_pairs, "designgym/SymbolicRegression-v0": expression_pairs}
