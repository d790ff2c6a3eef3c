"""What each vertex of a cell computes, in symbols: names for its weights that do not depend on how the cell is written.

A value is a sum of atoms with whole multiplicities. A convolution does not see a common factor of its input, since batch normalisation
follows it; max-pooling hands the factor on, and has no weights: two max-poolings of the same input are the same atom. Two convolutions of
the same input have independent weights, so the second is another atom. Weights are drawn by these names: cells that compute the same
function, even if their graphs differ, start from the same weights and train alike.

A name that is too fine only hides that two cells are equal; names never make them so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from blake3 import blake3

from designgym.simulators.nas.cell import INPUT, Cell

Value = Mapping[str, int]


@dataclass(frozen=True)
class Roles:
    """The names of a cell's weights, and the order in which its output joins the vertices.

    Attributes:
        operations: Of each interior vertex (of a max-pooling too, where it names the result).
        projections: Of the projection of the input to each interior vertex that has one; 1x1 convolutions, one per edge.
        shortcut: Of the projection of the input to the output, or None.
        joined: The vertices with an edge to the output, ordered by what they compute.
    """

    operations: Mapping[int, str]
    projections: Mapping[int, str]
    shortcut: str | None
    joined: tuple[int, ...]


def roles_of(cell: Cell, width: int) -> Roles:
    """Return the roles in a cell with ``width`` output channels."""
    channels = cell.channels(width)
    values: dict[int, Value] = {}
    operations: dict[int, str] = {}
    projections: dict[int, str] = {}
    seen: Counter[str] = Counter()

    def fresh(*words: object) -> str:
        """Return a name that no other weights of this cell have."""
        seen[name := _name(*words)] += 1
        return name if seen[name] == 1 else _name(name, "again", seen[name])

    for vertex in cell.interior:
        operation, size = cell.operation(vertex), channels[vertex]
        total: Counter[str] = Counter()
        for source in cell.sources_of(vertex):
            if source == INPUT:
                projections[vertex] = fresh("projection", operation, size)
                total[projections[vertex]] += 1
            else:
                total.update(_cut(values[source], size, channels[source]))
        factor = math.gcd(*total.values())
        content = sorted((atom, count // factor) for atom, count in total.items())
        if operation == "maxpool3x3":
            operations[vertex] = _name(operation, size, content)
            values[vertex] = {operations[vertex]: factor}
        else:
            operations[vertex] = fresh(operation, size, content)
            values[vertex] = {operations[vertex]: 1}
    joined = sorted((v for v in cell.output_sources if v != INPUT), key=lambda v: (sorted(values[v].items()), v))
    return Roles(operations, projections, _name("shortcut", width) if INPUT in cell.output_sources else None, tuple(joined))


def _cut(value: Value, size: int, available: int) -> Value:
    """Return the first ``size`` channels of a value."""
    return value if size == available else {_name("first", size, atom): count for atom, count in value.items()}


def _name(*words: object) -> str:
    return blake3(repr(words).encode()).hexdigest(length=12)
