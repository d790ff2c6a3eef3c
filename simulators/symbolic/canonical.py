"""The canonical form of an expression: dead nodes dropped, common subexpressions shared, operands, constants and nodes in one order.

Expressions are rewritten only where IEEE 754 gives the same number to the last bit, zeros' signs, infinities and NaN included:

- ``a + b = b + a``, ``a * b = b * a``, ``a * a = square(a)``, ``1 / a = inverse(a)``;
- ``a * 1 = a / 1 = a``; ``inverse(1) = square(1) = sqrt(1) = 1``;
- signs, since rounding is symmetric: ``-(-a) = a``, ``a + (-b) = a - b``, ``a - (-b) = a + b``, ``-a - b = -b - a``; the sign of a
  factor, of a numerator or denominator, and of the argument of ``inverse``, ``sin`` and ``tanh`` is that of the result; ``square`` and
  ``cos`` have none.

Not the same, and left alone: ``-(a - b)`` and ``b - a`` (0 has a sign), ``a - a`` and 0 (NaN), ``inverse(inverse(a))`` and ``a``,
``sqrt(square(a))`` and its magnitude (overflow), and anything that associates or distributes; that is what functional keys are for.

Constants are fitted, so their names mean nothing: they are numbered in the order of first use. Where the order of operands depends on
their names alone (``c0 * x + c1 * x``), all ways to number the constants are tried, and the smallest graph wins.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from typing import Any, Final, NamedTuple

from designgym.simulators.symbolic.graph import NONE, Graph, Node, read_graph, write_graph
from designgym.simulators.symbolic.operations import ARITIES, CODES, FIRST_CONSTANT, FIRST_NODE, MOST_INPUTS, MOST_NODES, ONE

ADD, SUB, MUL, DIV, NEG = (CODES[name] for name in ("add", "sub", "mul", "div", "neg"))
INVERSE, SQUARE, SQRT, SIN, COS, TANH = (CODES[name] for name in ("inverse", "square", "sqrt", "sin", "cos", "tanh"))
_ODD: Final = frozenset({INVERSE, SIN, TANH})
_EVEN: Final = frozenset({SQUARE, COS})
_ONE_OF_ONE: Final = frozenset({INVERSE, SQUARE, SQRT})
_KEPT: Final = 1 << 15  # graphs: each is asked for by the searcher, the keys, the probe and the evaluation
_TRAIT: Final = "inputs-"
_MASK: Final = (1 << 64) - 1


class Canonical(NamedTuple):
    """A graph in canonical form.

    Attributes:
        graph: The form; its constants are those from `FIRST_CONSTANT` on, in the order of first use.
        sources: For each of its constants, the reference to what was that constant in the graph as it was written.
    """

    graph: Graph
    sources: tuple[int, ...]


def inputs_trait(inputs: int) -> str:
    """Return the trait of a workload with so many inputs."""
    return f"{_TRAIT}{inputs}"


def canonical_form(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return the canonical form of a design's nodes (a `CanonicalForm`); the trait ``inputs-2`` says that there are x0 and x1 alone."""
    inputs = next((int(trait[len(_TRAIT) :]) for trait in traits if trait.startswith(_TRAIT)), MOST_INPUTS)
    return (_written(canonical_graph(read_graph(values[0], inputs)).graph),)


_written = lru_cache(maxsize=_KEPT)(write_graph)


@lru_cache(maxsize=_KEPT)
def canonical_graph(graph: Graph) -> Canonical:
    """Return the canonical form of a graph.

    Moving signs outwards can take a node more where a negated value has another reader. Where the form would have more nodes than
    designs have, signs stay where they are: such graphs are no less exact, but fewer of them are found to be equal.
    """
    found = _canonical(graph, move_signs=True)
    return found if len(found.graph.nodes) <= MOST_NODES else _canonical(graph, move_signs=False)


def _canonical(graph: Graph, *, move_signs: bool) -> Canonical:
    alike = [0] * (ONE - FIRST_CONSTANT)
    builder = _Builder(graph, alike, move_signs)
    best = builder.extract()
    used = best.sources
    if builder.tied and len(used) > 1:
        best = min(_numbered(graph, used, order, move_signs) for order in permutations(range(1, len(used) + 1)))
    return best


def _numbered(graph: Graph, used: tuple[int, ...], order: tuple[int, ...], move_signs: bool) -> Canonical:
    """Return the form that results if operands are put in order by this numbering of the constants."""
    labels = [0] * (ONE - FIRST_CONSTANT)
    for reference, label in zip(used, order, strict=True):
        labels[reference - FIRST_CONSTANT] = label
    return _Builder(graph, labels, move_signs).extract()


class _Builder:
    """Builds the nodes of a graph anew, each one once and each in its normal form.

    Attributes:
        tied: Whether different operands could not be put in order.
    """

    def __init__(self, graph: Graph, labels: list[int], move_signs: bool) -> None:
        self._move_signs = move_signs
        self.tied = False
        self._nodes: list[Node] = []
        # what a leaf or a node is, names of constants aside, as 64 bits; equal ones of different nodes only leave their order open
        self._keys = [_mixed(reference, 0, 0) for reference in range(FIRST_NODE)]
        for constant, label in enumerate(labels):
            self._keys[FIRST_CONSTANT + constant] = _mixed(FIRST_NODE, label, 0)
        self._known: dict[Node, int] = {}
        self._root = self._build(graph)

    def _build(self, graph: Graph) -> int:
        new = list(range(FIRST_NODE))
        for op, a, b in graph.nodes:
            new.append(self._make(op, new[a], new[b] if b != NONE else NONE))
        return new[graph.root]

    def extract(self) -> Canonical:
        """Return the nodes that the root needs, operands first, with constants and nodes numbered as they are met."""
        number: dict[int, int] = {}
        constants: dict[int, int] = {}
        found: list[Node] = []

        def visit(reference: int) -> int:
            if reference < FIRST_NODE:
                if FIRST_CONSTANT <= reference < ONE:
                    return constants.setdefault(reference, FIRST_CONSTANT + len(constants))
                return reference
            if reference not in number:
                op, a, b = self._nodes[reference - FIRST_NODE]
                found.append(Node(op, visit(a), visit(b) if b != NONE else NONE))
                number[reference] = FIRST_NODE + len(found) - 1
            return number[reference]

        root = visit(self._root)
        return Canonical(Graph(tuple(found), root), tuple(constants))

    def _node(self, op: int, a: int, b: int = NONE) -> int:
        node = Node(op, a, b)
        if node not in self._known:
            self._known[node] = FIRST_NODE + len(self._nodes)
            self._nodes.append(node)
            self._keys.append(_mixed(FIRST_NODE + 1 + op, self._keys[a], self._keys[b] if b != NONE else 0))
        return self._known[node]

    def _without_sign(self, reference: int) -> tuple[int, bool]:
        """Return what is negated, and whether it is."""
        if reference >= FIRST_NODE and (node := self._nodes[reference - FIRST_NODE]).op == NEG:
            return node.a, True
        return reference, False

    def _negated(self, reference: int) -> int:
        bare, negative = self._without_sign(reference)
        return bare if negative else self._node(NEG, reference)

    def _sorted(self, a: int, b: int) -> tuple[int, int]:
        one, two = self._keys[a], self._keys[b]
        self.tied |= one == two and a != b
        return (b, a) if two < one else (a, b)

    def _make(self, op: int, a: int, b: int) -> int:
        """Return a reference to the normal form of an operation on operands in normal form."""
        if ARITIES[op] == 1:
            return self._make_unary(op, a)
        if op in (ADD, SUB):
            return self._make_sum(op, a, b)
        (bare_a, sign_a), (bare_b, sign_b) = self._without_sign(a), self._without_sign(b)
        if self._move_signs or (sign_a and sign_b):
            a, b = bare_a, bare_b
            negative = sign_a != sign_b
        else:
            negative = False
        result = self._make_product(a, b) if op == MUL else self._make_quotient(a, b)
        return self._negated(result) if negative else result

    def _make_unary(self, op: int, a: int) -> int:
        if op == NEG:
            return self._negated(a)
        bare, negative = self._without_sign(a)
        if op in _EVEN:
            a, negative = bare, False
        elif negative and op in _ODD and self._move_signs:
            a = bare
        else:
            negative = False
        if a == ONE and op in _ONE_OF_ONE:
            return self._negated(ONE) if negative else ONE
        result = self._node(op, a)
        return self._negated(result) if negative else result

    def _make_sum(self, op: int, a: int, b: int) -> int:
        bare_b, negative_b = self._without_sign(b)
        if negative_b:
            op, b = (SUB if op == ADD else ADD), bare_b
        bare_a, negative_a = self._without_sign(a)
        if op == ADD:
            return self._node(SUB, b, bare_a) if negative_a else self._node(ADD, *self._sorted(a, b))
        if negative_a and self._move_signs:
            low, high = self._sorted(bare_a, b)
            return self._node(SUB, self._negated(low), high)
        return self._node(SUB, a, b)

    def _make_product(self, a: int, b: int) -> int:
        if ONE in (a, b):
            return b if a == ONE else a
        return self._node(SQUARE, a) if a == b else self._node(MUL, *self._sorted(a, b))

    def _make_quotient(self, a: int, b: int) -> int:
        if b == ONE:
            return a
        return self._make_unary(INVERSE, b) if a == ONE else self._node(DIV, a, b)


def _mixed(kind: int, a: int, b: int) -> int:
    """Return 64 bits of three numbers, well mixed, and the same in every process."""
    x = (kind * 0x9E3779B97F4A7C15 + a * 0xBF58476D1CE4E5B9 + b * 0x94D049BB133111EB + 0x632BE59BD9B4E019) & _MASK
    x = (x ^ (x >> 30)) * 0xD6E8FEB86659FD93 & _MASK
    return x ^ (x >> 32)
