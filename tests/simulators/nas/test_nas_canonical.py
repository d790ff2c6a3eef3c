"""The canonical form of a cell against brute force, networkx and the published count."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from designgym.core.testing import check_space
from designgym.simulators.nas.canonical import canonical_cell, canonical_code
from designgym.simulators.nas.cell import EDGES, INPUT, MAX_EDGES, OP_BITS, OPERATIONS, OPS_SHIFT, OUTPUT, PARAMETER_NAMES, decode, encode
from designgym.simulators.nas.space import cell_space

_njit: Any = njit
CLASSES = {2: 1, 3: 6, 4: 84, 5: 2_441, 6: 62_010, 7: 359_082}
"""Different cells by vertices left after pruning, of up to 9 edges: 423,624, as Ying et al. (ICML 2019) report for NAS-Bench-101."""
EDGE_MASK = (1 << len(EDGES)) - 1


def edges_of(code: int) -> list[tuple[int, int]]:
    return [edge for bit, edge in enumerate(EDGES) if code >> bit & 1]


def operation_of(code: int, vertex: int) -> int:
    return code >> (OPS_SHIFT + OP_BITS * (vertex - 1)) & 3


def assembled(edges: list[tuple[int, int]], operations: dict[int, int]) -> int:
    """Return the code of these edges and of the operations by vertex."""
    return sum(1 << EDGES.index(edge) for edge in edges) | sum(op << (OPS_SHIFT + OP_BITS * (v - 1)) for v, op in operations.items())


def live_graph(code: int) -> nx.DiGraph:
    """Return the part of a cell on paths from input to output, labelled; networkx decides what that is."""
    whole = nx.DiGraph([*edges_of(code)])
    whole.add_nodes_from((INPUT, OUTPUT))
    live = (nx.descendants(whole, INPUT) | {INPUT}) & (nx.ancestors(whole, OUTPUT) | {OUTPUT})
    graph = nx.DiGraph(whole.subgraph(live))
    for vertex in graph:
        graph.nodes[vertex]["op"] = {INPUT: "input", OUTPUT: "output"}.get(vertex, operation_of(code, vertex))
    return graph


def isomorphic(a: int, b: int) -> bool:
    return nx.is_isomorphic(live_graph(a), live_graph(b), node_match=lambda x, y: x["op"] == y["op"])


def smallest_form(code: int) -> tuple[Any, ...]:
    """Return the smallest form of a cell over all orders of its live vertices, topological or not: slow and plain."""
    graph = live_graph(code)
    forms = []
    for order in itertools.permutations(set(graph) - {INPUT, OUTPUT}):
        place = {INPUT: 0, OUTPUT: OUTPUT} | {vertex: i for i, vertex in enumerate(order, 1)}
        forms.append((tuple(graph.nodes[v]["op"] for v in order), tuple(sorted((place[s], place[t]) for s, t in graph.edges))))
    return min(forms)


def legal_path(code: int) -> bool:
    return INPUT in live_graph(code)


def all_cells(interior: int) -> Iterator[int]:
    """Yield every cell with edges among the input, the vertices 1 to ``interior`` and the output only, dead vertices included."""
    vertices = {INPUT, OUTPUT, *range(1, interior + 1)}
    possible = [edge for edge in EDGES if vertices.issuperset(edge)]
    for count in range(1, min(len(possible), MAX_EDGES) + 1):
        for edges in itertools.combinations(possible, count):
            if legal_path(assembled(list(edges), {})):
                for operations in itertools.product(range(len(OPERATIONS)), repeat=interior):
                    yield assembled(list(edges), dict(enumerate(operations, 1)))


def random_cell(rng: np.random.Generator) -> int:
    """Return a legal cell, mostly with many live vertices."""
    while True:
        chosen = rng.choice(len(EDGES), size=int(rng.integers(6, MAX_EDGES + 1)), replace=False)
        code = assembled([EDGES[int(i)] for i in chosen], {v: int(rng.integers(len(OPERATIONS))) for v in range(1, OUTPUT)})
        if len(live_graph(code)) >= 5:
            return code


def renumbered(code: int, rng: np.random.Generator) -> int:
    """Return the same cell with its interior vertices in a random topological order."""
    order, left = [INPUT], set(range(1, OUTPUT))
    while left:
        ready = sorted(v for v in left if all(s in order for s, t in edges_of(code) if t == v))
        order.append(int(rng.choice(ready)))
        left.remove(order[-1])
    place = {vertex: i for i, vertex in enumerate([*order, OUTPUT])}
    edges = [(place[s], place[t]) for s, t in edges_of(code)]
    return assembled(edges, {place[v]: operation_of(code, v) for v in range(1, OUTPUT)})


@pytest.mark.parametrize("interior", [0, 1, 2])
def test_all_small_cells_are_told_apart_as_by_trying_every_numbering(interior: int) -> None:
    forms: dict[tuple[Any, ...], int] = {}
    for code in all_cells(interior):
        found = canonical_code(code)
        assert forms.setdefault(smallest_form(code), found) == found
        assert canonical_code(found) == found and smallest_form(found) == smallest_form(code)
    assert len(set(forms.values())) == len(forms) == sum(CLASSES[vertices] for vertices in range(2, interior + 3))


def test_random_cells_agree_with_networkx() -> None:
    rng = np.random.default_rng(0)
    alike = 0
    for _ in range(300):
        code = random_cell(rng)
        assert isomorphic(code, canonical_code(code)) and canonical_code(renumbered(code, rng)) == canonical_code(code)
        moved = renumbered(code ^ 1 << int(rng.integers(len(EDGES))), rng)  # nearly the same: one edge more or less, perhaps a dead one
        if legal_path(moved):
            same = canonical_code(code) == canonical_code(moved)
            assert same == isomorphic(code, moved)
            alike += same
    assert 10 < alike < 200


def test_the_most_symmetric_cells_have_one_form() -> None:
    """Four vertices that colours cannot tell apart, in all numberings."""
    for middle in itertools.permutations(range(1, OUTPUT), 4):
        edges = [edge for v in middle for edge in ((INPUT, v), (v, OUTPUT))]
        assert canonical_code(assembled(edges, dict.fromkeys(range(1, OUTPUT), 1))) == canonical_code(
            assembled([e for v in (1, 2, 3, 4) for e in ((INPUT, v), (v, OUTPUT))], dict.fromkeys(range(1, OUTPUT), 1))
        )


@_njit
def canonical_codes(edges: Any, interiors: Any) -> Any:  # pragma: no cover  # compiled
    """Return the canonical codes of the cells with these edges and all operations of their interior vertices, and how many stay."""
    total = 0
    for interior in interiors:
        total += 3**interior
    codes, count, fixed = np.empty(total, np.int64), 0, 0
    for i in range(len(edges)):
        for combination in range(3 ** interiors[i]):
            code, rest = edges[i], combination
            for slot in range(interiors[i]):
                code |= (rest % 3) << (OPS_SHIFT + OP_BITS * slot)
                rest //= 3
            codes[count] = canonical_code(code)
            fixed += codes[count] == code
            count += 1
    return codes, fixed


def live_edge_sets() -> tuple[Any, Any]:
    """Return all sets of up to 9 edges in which the first vertices live and the others have no edge, with their interior vertices."""
    codes = np.arange(1, 1 << len(EDGES), dtype=np.int64)
    codes = codes[np.bitwise_count(codes) <= MAX_EDGES]
    into = {v: np.any([codes >> b & 1 for b, (_, t) in enumerate(EDGES) if t == v], axis=0) for v in range(1, OUTPUT + 1)}
    out = {v: np.any([codes >> b & 1 for b, (s, _) in enumerate(EDGES) if s == v], axis=0) for v in range(OUTPUT)}
    # with an edge in and an edge out for each vertex that has any, numbered along the edges, each lies on a path
    good = into[OUTPUT] & out[INPUT] & np.all([into[v] == out[v] for v in range(1, OUTPUT)], axis=0)
    good &= np.all([into[v] >= into[v + 1] for v in range(1, OUTPUT - 1)], axis=0)
    return codes[good], np.sum([into[v][good] for v in range(1, OUTPUT)], axis=0)


@pytest.mark.slow
def test_all_cells_are_as_many_as_nas_bench_101_has() -> None:
    """Every legal design is one of these cells after pruning and renumbering, so its canonical form is one of their forms."""
    edges, interiors = live_edge_sets()
    codes, fixed = canonical_codes(edges, interiors)
    forms = np.unique(codes)
    assert len(forms) == fixed == sum(CLASSES.values()) == 423_624
    assert (np.bitwise_count(forms & EDGE_MASK) <= MAX_EDGES).all()
    used = [np.any([forms >> b & 1 for b, edge in enumerate(EDGES) if v in edge], axis=0) for v in range(1, OUTPUT)]
    assert dict(zip(*(part.tolist() for part in np.unique(2 + np.sum(used, axis=0), return_counts=True)), strict=True)) == CLASSES


def test_the_space_keeps_the_laws_and_has_the_published_size() -> None:
    space = cell_space()
    assert space.size() == 2**21 * 3**5 == 509_607_936
    check_space(space)


def test_constraints_say_what_is_wrong() -> None:
    space = cell_space()
    nothing = space.validate(dict.fromkeys(PARAMETER_NAMES[: len(EDGES)], False) | dict.fromkeys(PARAMETER_NAMES[len(EDGES) :], "conv1x1"))
    assert [reason for reason in space.violations(nothing) if "no path of edges leads from the input" in reason]
    full = space.validate(nothing.replace(**dict.fromkeys(PARAMETER_NAMES[: len(EDGES)], True)))
    assert len(space.violations(full)) == 1 and "at most 9 edges" in space.violations(full)[0]
    assert not space.violations(space.validate(nothing.replace(edge_0_6=True)))


@settings(max_examples=200, deadline=None)
@given(edges=st.lists(st.sampled_from(EDGES), unique=True, max_size=MAX_EDGES), operations=st.tuples(*[st.integers(0, 2)] * 5))
def test_forms_settle_and_the_path_constraint_agrees_with_networkx(edges: list[tuple[int, int]], operations: tuple[int, ...]) -> None:
    code = assembled(edges, dict(enumerate(operations, 1)))
    values = decode(code)
    assert encode(values) == code
    design = cell_space().validate(dict(zip(PARAMETER_NAMES, values, strict=True)))
    graph = nx.DiGraph(edges)
    graph.add_nodes_from((INPUT, OUTPUT))
    assert (not cell_space().violations(design)) == nx.has_path(graph, INPUT, OUTPUT)
    form = canonical_cell(values, frozenset())
    assert canonical_cell(form, frozenset()) == form
    assert not cell_space().violations(design) or form == values  # what has no path stands for itself
