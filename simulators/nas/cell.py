"""A cell of NAS-Bench-101 (Ying et al., ICML 2019): a graph of up to seven vertices, and how one is written as a design or a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERTICES = 7
INPUT, OUTPUT = 0, VERTICES - 1
MAX_EDGES = 9
OPERATIONS = ("conv1x1", "conv3x3", "maxpool3x3")

EDGES = tuple((source, target) for source in range(VERTICES) for target in range(source + 1, VERTICES))
EDGE_NAMES = tuple(f"edge_{source}_{target}" for source, target in EDGES)
OP_NAMES = tuple(f"op_{vertex}" for vertex in range(1, OUTPUT))
PARAMETER_NAMES = EDGE_NAMES + OP_NAMES

OP_BITS = 2
OPS_SHIFT = len(EDGES)  # a code holds the edges in its lowest bits, and above them the operations, two bits each


def encode(values: Sequence[Any]) -> int:
    """Return the code of a cell's values, which are in the order of `PARAMETER_NAMES`."""
    code = 0
    for bit, present in enumerate(values[: len(EDGES)]):
        if present:
            code |= 1 << bit
    for slot, operation in enumerate(values[len(EDGES) :]):
        code |= OPERATIONS.index(operation) << (OPS_SHIFT + OP_BITS * slot)
    return code


def decode(code: int) -> tuple[Any, ...]:
    """Return the values of a code, in the order of `PARAMETER_NAMES`."""
    edges = tuple(bool(code >> bit & 1) for bit in range(len(EDGES)))
    return edges + tuple(OPERATIONS[code >> (OPS_SHIFT + OP_BITS * slot) & 3] for slot in range(len(OP_NAMES)))


@dataclass(frozen=True)
class Cell:
    """The part of a cell that acts: its vertices in topological order, without those that no path from input to output meets.

    Attributes:
        operations: Of the interior vertices 1 to n.
        sources: By vertex 1 to n + 1 (the last is the output), where its edges come from, ascending; 0 is the input.
    """

    operations: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]

    @classmethod
    def of_design(cls, canonical: Mapping[str, Any]) -> Cell:
        """Return the cell of a legal design in canonical form, whose live vertices come first."""
        edges = [edge for edge, name in zip(EDGES, EDGE_NAMES, strict=True) if canonical[name]]
        interior = len({target for _, target in edges}) - 1
        number = {vertex: vertex for vertex in range(interior + 1)} | {OUTPUT: interior + 1}
        return cls(
            tuple(canonical[name] for name in OP_NAMES[:interior]),
            tuple(tuple(s for s, t in edges if number[t] == vertex) for vertex in range(1, interior + 2)),
        )

    def __str__(self) -> str:
        """A line per vertex: ``v2 = conv3x3(input + v1)``; the output joins channels with ``&`` and adds an edge from the input."""
        lines = [f"v{vertex} = {self.operation(vertex)}({' + '.join(map(_named, self.sources_of(vertex)))})" for vertex in self.interior]
        joined = " & ".join(_named(vertex) for vertex in self.output_sources if vertex != INPUT)
        parts = [joined, "input"] if joined and INPUT in self.output_sources else [joined or "input"]
        lines.append(f"output = {' + '.join(f'({part})' if ' & ' in part and len(parts) > 1 else part for part in parts)}")
        edges = sum(map(len, self.sources))
        lines.append(f"{len(self.operations)} operation{'' if len(self.operations) == 1 else 's'}, {edges} edge{'' if edges == 1 else 's'}")
        return "\n".join(lines)

    @property
    def interior(self) -> range:
        """The vertices that have an operation."""
        return range(1, len(self.operations) + 1)

    @property
    def output_sources(self) -> tuple[int, ...]:
        """The vertices with an edge to the output."""
        return self.sources[-1]

    def operation(self, vertex: int) -> str:
        """Return the operation of an interior vertex."""
        return self.operations[vertex - 1]

    def sources_of(self, vertex: int) -> tuple[int, ...]:
        """Return where the edges of an interior vertex come from."""
        return self.sources[vertex - 1]

    def channels(self, width: int) -> dict[int, int]:
        """Return the number of channels of each interior vertex, for a cell whose output has ``width``; NAS-Bench-101's rule.

        Vertices with an edge to the output share its channels, the first ones taking what cannot be divided; any other vertex has as
        many as the widest one that it feeds. So a vertex is never wider than what it is fed by.
        """
        sharing = [vertex for vertex in self.output_sources if vertex]
        share, rest = divmod(width, max(len(sharing), 1))
        channels = {vertex: share + (position < rest) for position, vertex in enumerate(sharing)}
        for vertex in reversed(self.interior):
            if vertex not in channels:
                channels[vertex] = max(channels[target] for target in self.interior if vertex in self.sources_of(target))
        return channels


def _named(vertex: int) -> str:
    return f"v{vertex}" if vertex != INPUT else "input"
