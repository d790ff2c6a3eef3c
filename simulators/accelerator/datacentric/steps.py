"""The steps of a level: what each of them computes and moves, and how often it occurs."""

from __future__ import annotations

from functools import cached_property

from designgym.simulators.accelerator.arrays import Array
from designgym.simulators.accelerator.datacentric.rejection import NO_OVERLAP
from designgym.simulators.accelerator.datacentric.traffic import Edges, Traffic

__all__ = ["Steps"]


class Steps:
    """Tables of the steps of items of one kind; all arrays have shape (n,).

    Attributes:
        outgoing: Elements that go out, by edges.
        sums: Partial sums of the sub-unit that has most to do, by edges; a step without any is skipped.
        computes: Whether a step exists and is not skipped, by edges.
        first: Elements of input and weights that come in with the first step.
        incoming: Elements of input and weights that come in, by the innermost loop that moved and edges of SpatialMaps.
        times: How often steps occur, by the innermost loop that moved and edges.
        rejected: A code where upstream ends with an error.
    """

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.spatial_edges: dict[Edges, Edges] = {}
        self.outgoing: dict[Edges, Array] = {}
        self.sums: dict[Edges, Array] = {}
        for at_edge in traffic.spatial_edges:
            out_factor, sum_factor = traffic.outgoing(at_edge), traffic.critical(at_edge)
            for others, (out, psum) in traffic.products.items():
                edges = tuple(sorted(others + at_edge))
                self.spatial_edges[edges] = at_edge
                self.outgoing[edges] = out if out_factor is None else out * out_factor
                self.sums[edges] = psum * sum_factor
        self.computes: dict[Edges, Array] = {}
        for edges, sums in self.sums.items():
            exists = traffic.exists(edges)
            self.computes[edges] = sums > 0 if exists is None else (sums > 0) & exists
        self.rejected = traffic.zeros
        self.first = self._incoming(None, ())
        self.incoming = {d: {at_edge: self._incoming(d, at_edge) for at_edge in traffic.spatial_edges} for d in traffic.live}
        self.times = {d: traffic.occurrences(d) for d in traffic.live}

    def _incoming(self, moved: int | None, at_edge: Edges) -> tuple[Array, Array]:
        inputs, weights = self.traffic.tensors.input, self.traffic.tensors.weight
        found = []
        for tensor in (inputs, weights):
            elements, error = self.traffic.incoming(tensor, moved, at_edge)
            found.append(elements)
            if error is not None:
                self.rejected = self.traffic.xp.where(error, float(NO_OVERLAP), self.rejected)
        return found[0], found[1]

    @cached_property
    def operations(self) -> dict[Edges, Array]:
        """Operations of all sub-units, by edges."""
        traffic, found = self.traffic, dict[Edges, Array]()
        for at_edge in traffic.spatial_edges:
            factor = traffic.operations(at_edge)
            for others, (_, psum) in traffic.products.items():
                found[tuple(sorted(others + at_edge))] = psum * factor
        return found
