"""What each vertex of a cell computes, in symbols: the same for all cells that compute the same, however their graphs differ.

A value is a sum of atoms with whole multiplicities. A convolution does not see a common factor of its input, since batch normalisation
follows it, so the factor is left out; max-pooling hands the factor on, and has no weights: two max-poolings of the same input are one
atom, computed once. Two convolutions of the same input have weights of their own, so the second is another atom.

Atoms have names, which say how they are made of others. Weights are drawn by these names, and what is computed follows their order: cells
with equal roles start from the same weights, perform the same operations and so train alike to the last bit. A name that is too fine only
hides that two cells are equal; names never make them so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from blake3 import blake3

from designgym.simulators.nas.cell import INPUT, Cell


@dataclass(frozen=True)
class Step:
    """An atom of a cell: an operation on a sum of others.

    Attributes:
        operation: ``projection`` (of the cell's input), or that of a vertex.
        channels: Of the result.
        terms: What is summed: names of atoms, and how often each counts; the first ``channels`` channels of each.
    """

    operation: str
    channels: int
    terms: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Roles:
    """What a cell computes.

    Attributes:
        steps: By name, in an order in which they can be computed.
        joined: The parts of the output: names and factors, in order.
        shortcut: The name of the projection that is added to the output, or None.
        vertices: By interior vertex of the cell, the name of its atom, which it may share.
        fed: By interior vertex with an edge from the input, the name of its projection.
    """

    steps: Mapping[str, Step]
    joined: tuple[tuple[str, int], ...]
    shortcut: str | None
    vertices: Mapping[int, str]
    fed: Mapping[int, str]

    @property
    def projections(self) -> dict[str, int]:
        """The channels of all projections of the input, by name."""
        return {name: step.channels for name, step in self.steps.items() if step.operation == "projection"}


def roles_of(cell: Cell, width: int) -> Roles:
    """Return what a cell with ``width`` output channels computes."""
    channels = cell.channels(width)
    values: dict[int, tuple[str, int]] = {}  # by vertex, its atom and the factor
    steps: dict[str, Step] = {}
    depths: dict[str, int] = {}
    fed: dict[int, str] = {}

    def added(step: Step, *words: object, shared: bool = False) -> str:
        """Note a step and return its name; one that is not shared gets a name that no other has."""
        name, number = _name(step, *words), 1
        while not shared and name in steps:
            number += 1
            name = _name(step, *words, number)
        steps[name] = step
        depths[name] = 1 + max((depths[atom] for atom, _ in step.terms), default=0)
        return name

    for vertex in cell.interior:
        operation, size = cell.operation(vertex), channels[vertex]
        total: Counter[str] = Counter()
        for source in cell.sources_of(vertex):
            if source == INPUT:  # what the projection leads to is part of its name: fewer that only a number tells apart
                fed[vertex] = added(Step("projection", size), operation)
            atom, count = (fed[vertex], 1) if source == INPUT else values[source]
            total[atom] += count
        factor = math.gcd(*total.values())
        step = Step(operation, size, tuple(sorted((atom, count // factor) for atom, count in total.items())))
        pooling = operation == "maxpool3x3"
        values[vertex] = added(step, shared=pooling), factor if pooling else 1
    joined = tuple(sorted(values[vertex] for vertex in cell.output_sources if vertex != INPUT))
    shortcut = added(Step("projection", width), "output") if INPUT in cell.output_sources else None
    ordered = sorted(steps, key=lambda name: (depths[name], name))
    return Roles({name: steps[name] for name in ordered}, joined, shortcut, {v: name for v, (name, _) in values.items()}, fed)


def _name(*words: object) -> str:
    return blake3(repr(words).encode()).hexdigest(length=12)
