"""The canonical form: exact to the last bit, settled, and blind to how an expression is written."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.simulators.symbolic.canonical import canonical_graph, inputs_trait
from designgym.simulators.symbolic.expression import Expression
from designgym.simulators.symbolic.graph import NONE, Graph, Node, read_graph, write_graph
from designgym.simulators.symbolic.operations import ARITIES, CODES, CONSTANTS, FIRST_CONSTANT, FIRST_NODE, MOST_NODES, ONE
from designgym.simulators.symbolic.space import NODES, expression_space
from tests.simulators.symbolic.conftest import designs

SPACE = expression_space()
COMMUTATIVE = (CODES["add"], CODES["mul"])
_SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -3.7, 1e-300, 1e300, -1e154, np.inf, -np.inf, np.nan, 2.0, 710.0]
POINTS = np.array([[random.Random(seed * 7 + i).choice(_SPECIAL) for i in range(6)] for seed in range(60)])
POINTS = np.vstack([POINTS, np.random.default_rng(0).normal(0, 3, (60, 6))])


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Return whether numbers are equal, the signs of zeros included; NaN has neither sign nor kinds."""
    nan = np.isnan(a)
    return bool(np.array_equal(nan, np.isnan(b)) and np.array_equal(a[~nan], b[~nan]) and not (np.signbit(a) ^ np.signbit(b))[~nan].any())


def canonical_text(text: str) -> str:
    return Expression.parse(text, ("x", "y", "z")).canonical().design.literal


@settings(max_examples=150, deadline=None)
@given(designs(inputs=6))
def test_it_computes_the_same_to_the_last_bit_and_settles(design: Design) -> None:
    written = Expression(design)
    form = written.canonical()
    assert same_bits(written(POINTS), form(POINTS))
    assert SPACE.canonical(design) == form.design and SPACE.canonical(form.design) == form.design
    assert len(form.design[NODES]) <= len(design[NODES]) or "neg" in design.literal


@settings(max_examples=60, deadline=None)
@given(designs(), st.integers(1, 5))
def test_inputs_that_do_not_exist_stand_for_those_that_do(design: Design, inputs: int) -> None:
    form = SPACE.canonical(design, frozenset({inputs_trait(inputs)}))
    assert same_bits(
        Expression(design, inputs=inputs)(POINTS[:, :inputs]), Expression(design, inputs=inputs).canonical()(POINTS[:, :inputs])
    )
    assert {name for node in form[NODES] for name in (node["a"], node["b"]) if name.startswith("x")} <= {f"x{i}" for i in range(inputs)}
    assert form == Expression(design, inputs=inputs).canonical().design
    assert SPACE.canonical(form, frozenset({inputs_trait(inputs)})) == form


def rewritten(graph: Graph, rng: random.Random) -> Design:
    """Return a design that says the same: nodes in another order, dead ones between, operands swapped, constants renamed."""
    names = list(range(FIRST_CONSTANT, ONE))
    rng.shuffle(names)
    placed: dict[int, int] = {}
    nodes: list[Node] = []

    def moved(reference: int) -> int:
        if reference >= FIRST_NODE:
            return placed[reference]
        return names[reference - FIRST_CONSTANT] if FIRST_CONSTANT <= reference < ONE else reference

    waiting = list(range(len(graph.nodes)))
    while waiting:
        if len(nodes) + len(waiting) < MOST_NODES and rng.random() < 0.3:
            nodes.append(Node(CODES["div"], rng.randrange(FIRST_NODE + len(nodes)), rng.randrange(FIRST_NODE)))
        ready = [i for i in waiting if all(r < FIRST_NODE or r in placed for r in graph.nodes[i][1:])]
        i = rng.choice(ready[:-1] or ready) if len(waiting) > 1 else ready[0]
        op, a, b = graph.nodes[i]
        operands = [moved(a), moved(b)] if ARITIES[op] == 2 else [moved(a)]
        if op in COMMUTATIVE and rng.random() < 0.5:
            operands.reverse()
        nodes.append(Node(op, operands[0], operands[1] if len(operands) == 2 else NONE))
        placed[FIRST_NODE + i] = FIRST_NODE + len(nodes) - 1
        waiting.remove(i)
    return SPACE.validate({NODES: write_graph(Graph(tuple(nodes), FIRST_NODE + len(nodes) - 1))})


@settings(max_examples=150, deadline=None)
@given(designs(longest=12), st.randoms(use_true_random=False))
def test_order_names_and_dead_nodes_do_not_matter(design: Design, rng: random.Random) -> None:
    graph = read_graph(SPACE.canonical(design)[NODES], 6)
    twin = rewritten(graph, rng)
    assert SPACE.canonical(twin) == SPACE.canonical(design)


@settings(max_examples=80, deadline=None)
@given(designs(operations=("add", "mul", "sub"), inputs=1, longest=9), st.randoms(use_true_random=False))
def test_constants_are_told_apart_by_their_places_alone(design: Design, rng: random.Random) -> None:
    """Sums and products of a single input and constants: nearly every operand has a look-alike."""
    assert SPACE.canonical(rewritten(read_graph(design[NODES], 1), rng), frozenset({inputs_trait(1)})) == SPACE.canonical(
        design, frozenset({inputs_trait(1)})
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x + y", "y + x"),
        ("x * x", "x**2"),
        ("1 / x", "1 / (x * 1)"),
        ("x - (-y)", "y + x"),
        ("(-x) * y", "-(y * x)"),
        ("(-x) / (-y)", "x / y"),
        ("-x - y", "-y - x"),
        ("(-x) + (-y)", "-x - y"),
        ("sin(-x)", "-sin(x)"),
        ("cos(-x) + (-y)**2", "y**2 + cos(x)"),
        ("(x + y) * (y + x)", "(x + y)**2"),
        ("2 * x + 3", "7 + 5 * x"),
        ("2 * x + 3 * x * y", "9 * x * y + 2 * x"),
        ("(2 * x + 3) * (5 * x + 3)", "(3 * x + 2) * (4 * x + 2)"),
        ("x", "(x * 1) / 1"),
    ],
)
def test_what_is_the_same(one: str, other: str) -> None:
    assert canonical_text(one) == canonical_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-(x - y)", "y - x"),  # 0 and -0
        ("(x + y) + z", "x + (y + z)"),  # rounding
        ("sqrt(x**2)", "x"),
        ("x / y", "x * (1 / y)"),
        ("1 / (1 / x)", "x"),
        ("2 * x + 2 * y", "2 * x + 3 * y"),  # one constant or two
        ("x - x", "y - y"),  # NaN where the input is infinite
        ("x - y", "y - x"),
        ("(2 * x + 3) * (5 * x + 3)", "(2 * x + 3) * (5 * x + 4)"),
    ],
)
def test_what_is_not_the_same(one: str, other: str) -> None:
    assert canonical_text(one) != canonical_text(other)


def test_signs_stay_where_moving_them_would_take_too_many_nodes() -> None:
    nodes: list[dict[str, str]] = []
    for i in range(4):  # each -x has another reader, so exp(-x * y) would need a sign of its own
        nodes += [
            {"op": "neg", "a": f"x{i}"},
            {"op": "sub", "a": "back1", "b": "back2"} if nodes else {"op": "exp", "a": "back1"},
            {"op": "mul", "a": "back2", "b": f"x{i + 1}"},
            {"op": "exp", "a": "back1"},
            {"op": "mul", "a": "back1", "b": "back3"},
        ]
    assert len(SPACE.canonical(SPACE.validate({NODES: nodes[:5]}))[NODES]) == 6
    design = SPACE.validate({NODES: nodes})
    form = SPACE.canonical(design)
    assert len(form[NODES]) == MOST_NODES == len(nodes)
    assert SPACE.canonical(form) == form and same_bits(Expression(design)(POINTS), Expression(form)(POINTS))


@settings(max_examples=80, deadline=None)
@given(designs(operations=("neg", "mul", "sub", "exp", "sin"), shortest=15))
def test_many_signs_settle_within_the_length_of_designs(design: Design) -> None:
    form = SPACE.canonical(design)
    assert len(form[NODES]) <= MOST_NODES and SPACE.canonical(form) == form
    assert same_bits(Expression(design)(POINTS), Expression(design).canonical()(POINTS))


def test_constants_keep_their_values() -> None:
    design = Expression.parse("2 * y - 3 * x", ("x", "y")).design
    form = canonical_graph(read_graph(design[NODES], 2))
    assert sorted(form.sources) == [FIRST_CONSTANT, FIRST_CONSTANT + 1]
    both = Expression(design, {"c0": 5.0, "c1": 7.0}, inputs=2)
    assert np.array_equal(both.canonical()([[1.0, 10.0]]), both([[1.0, 10.0]])) and both([[1.0, 10.0]])[0] == 43.0
    assert set(both.canonical().constants) == set(CONSTANTS)
