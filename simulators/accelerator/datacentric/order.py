"""What depends on the order in which upstream visits the steps: the off-chip requirement, and buffers if the first step is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from designgym.simulators.accelerator.arrays import Array
from designgym.simulators.accelerator.datacentric.steps import Steps
from designgym.simulators.accelerator.datacentric.traffic import Edges

__all__ = ["ABOVE", "first_computing", "offchip_requirement"]

ABOVE = 1024
"""More than a level has steps that differ (3^6): what tells visits of levels apart in one number."""


class _Order:
    """Upstream's numbering of steps: step c takes for the loop over d the position number ceil(c / f) mod n.

    n is the loop's number of positions, f the product of those of the loops inside.
    """

    def __init__(self, steps: Steps) -> None:
        t = self._traffic = steps.traffic
        xp = self._xp = t.xp
        ones = xp.ones_like(t.units)
        self._steady = {d: t.count[d] > 0 for d in t.live}
        positions = {d: ones + xp.astype(self._steady[d], xp.float64) + xp.astype(t.has_edge[d], xp.float64) for d in t.live}
        inside = {d: ones for d in t.live}
        for d in t.live:
            for other in t.live:
                if other != d:
                    inside[d] = inside[d] * xp.where(t.inside(other, d), positions[other], 1.0)
        self._positions, self._inside = positions, inside
        self.total = ones
        for d in t.live:
            self.total = self.total * positions[d]
        self._codes = {edges: sum(1 << d for d in edges) for edges in steps.sums}

    def __iter__(self) -> Iterator[tuple[Array, Array, Array]]:
        """Yield, step by step, whether it exists, the innermost loop that moved (-1: none), and a code of the edges."""
        t, xp = self._traffic, self._xp
        for c in range(int(xp.max(self.total))):
            moved = xp.full_like(t.units, -1.0)
            innermost = xp.full_like(t.units, -1.0)
            code = xp.zeros_like(t.units)
            for d in t.live:
                chosen = xp.ceil(c / self._inside[d]) % self._positions[d]
                later = (chosen > 0) & (t.place[d] > innermost)
                moved, innermost = xp.where(later, float(d), moved), xp.where(later, t.place[d], innermost)
                if d in t.edges:
                    edge = (chosen == 2) | ((chosen == 1) & ~self._steady[d])
                    code = code + xp.where(edge, float(1 << d), 0.0)
            yield c < self.total, moved, code

    def by_edges(self, table: Mapping[Edges, Array], code: Array) -> Array:
        """Return each item's entry of a table by edges."""
        found = self._xp.zeros_like(self._traffic.units)
        for edges, values in table.items():
            found = self._xp.where(code == self._codes[edges], values, found)
        return found

    def at_spatial_edges(self, code: Array, at_edge: Edges) -> Array:
        """Return whether the SpatialMaps at their edge are exactly those of ``at_edge``."""
        xp, spatial = self._xp, sum(1 << d for d in self._traffic.spatial)
        return (xp.astype(code, xp.int64) & spatial) == sum(1 << d for d in at_edge)


def first_computing(steps: Steps, inner: Mapping[Edges, Array] | None, above: int) -> tuple[Array, dict[str, Array]]:
    """Return visits (see `Result`) and buffers of items, where the first step may be skipped.

    Quirk: buffers are taken again at each step up to the first that computes something; inputs and weights add up.

    Args:
        steps: The steps.
        inner: Visits of the analyses inside, by edges; None at the innermost level.
        above: How many levels are inside.
    """
    t, xp, order = steps.traffic, steps.traffic.xp, _Order(steps)
    zeros = xp.zeros_like(t.units)
    visits, inputs, weights, outputs = zeros, zeros, zeros, zeros
    done = zeros > 0
    computes = {edges: xp.astype(mask, xp.float64) for edges, mask in steps.computes.items()}
    by_moved: dict[int, Mapping[Edges, tuple[Array, Array]]] = {-1: {(): steps.first}, **steps.incoming}
    for exists, moved, code in order:
        waiting = exists & ~done
        for d, tables in by_moved.items():
            for at_edge, (i, w) in tables.items():
                here = waiting & (moved == d) & order.at_spatial_edges(code, at_edge)
                inputs, weights = xp.where(here, inputs + 2 * i, inputs), xp.where(here, weights + 2 * w, weights)
        outputs = xp.where(waiting, 2 * order.by_edges(steps.outgoing, code), outputs)
        found = order.by_edges(computes, code) > 0
        if inner is None:
            visits = xp.where(waiting, visits + 1, visits)
        else:
            visits = xp.where(exists & found & (visits == 0), order.by_edges(inner, code), visits)
        done = done | (exists & found)
    if inner is not None:  # quirk: a level that computes nothing asks nothing of those inside, and is the first to end
        visits = xp.where(done, visits, order.total + ABOVE * above)
    return visits, {"input": inputs, "weight": weights, "output": outputs}


def offchip_requirement(steps: Steps, comp: Mapping[Edges, Array], buffers: Mapping[str, Array]) -> Array:
    """Return the requirement as printed. Quirk: the maximum so far is halved at every step."""
    xp, order = steps.traffic.xp, _Order(steps)
    words, out = buffers["input"] + buffers["weight"], buffers["output"]
    required = xp.zeros_like(words)
    computes = {edges: xp.astype(mask, xp.float64) for edges, mask in steps.computes.items()}
    for exists, _, code in order:
        cycles = xp.maximum(order.by_edges(comp, code), 1.0)
        most = xp.maximum(required, xp.maximum(xp.floor(out / cycles), xp.floor(words / cycles)))
        required = xp.where(exists & (order.by_edges(computes, code) > 0), xp.floor(most / 2), required)
    return required
