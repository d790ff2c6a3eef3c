"""The design space of NAS-Bench-101's cells: 2^21 x 3^5 = 509,607,936 raw designs, 423,624 different cells."""

from __future__ import annotations

from functools import lru_cache

from designgym.core.canonical_form import CanonicalForm
from designgym.core.discrete import Categorical
from designgym.core.parameter_base import Parameter
from designgym.core.rules import Constraint
from designgym.core.space import DesignSpace
from designgym.simulators.nas.canonical import canonical_cell
from designgym.simulators.nas.cell import EDGE_NAMES, INPUT, MAX_EDGES, OP_NAMES, OPERATIONS, OUTPUT, PARAMETER_NAMES

__all__ = ["cell_space"]

_CHAIN = {f"edge_{vertex}_{vertex + 1}" for vertex in range(INPUT, OUTPUT)}  # the default: all vertices in a row


@lru_cache(maxsize=1)
def cell_space() -> DesignSpace:
    """Return the space: a boolean per edge, from a vertex to a later one, and an operation per interior vertex.

    Edges count as they are written, those of dead vertices included (NAS-Bench-101 counts after pruning); that loses no cell, since a
    pruned cell is a design too.
    """
    edges: dict[str, Parameter] = {name: Categorical(False, True, default=name in _CHAIN) for name in EDGE_NAMES}
    operations: dict[str, Parameter] = {name: Categorical(*OPERATIONS, default="conv3x3") for name in OP_NAMES}
    return DesignSpace(
        edges | operations,
        version="1",
        constraints=[
            Constraint(
                f"sum([{', '.join(EDGE_NAMES)}]) <= {MAX_EDGES}",
                f"a cell of NAS-Bench-101 has at most {MAX_EDGES} edges: set more of {EDGE_NAMES[0]} ... {EDGE_NAMES[-1]} to false",
            ),
            Constraint(
                _reaches(OUTPUT),
                f"no path of edges leads from the input (vertex {INPUT}) to the output (vertex {OUTPUT}): "
                f"set, for instance, edge_{INPUT}_{OUTPUT} to true",
            ),
        ],
        symmetries=[CanonicalForm(canonical_cell, PARAMETER_NAMES, version="1")],
    )


def _reaches(vertex: int) -> str:
    """Return the condition that a path leads from the input to a vertex."""
    ways = [f"edge_{INPUT}_{vertex}"] + [f"edge_{s}_{vertex} and ({_reaches(s)})" for s in range(INPUT + 1, vertex)]
    return " or ".join(ways)
