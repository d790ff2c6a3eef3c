"""The analyses that a level asks of the level inside: each distinct sub-problem of a mapping once."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.simulators.accelerator.arrays import Array
from designgym.simulators.accelerator.datacentric.levels import DIMS
from designgym.simulators.accelerator.datacentric.steps import Steps
from designgym.simulators.accelerator.datacentric.traffic import Edges

__all__ = ["Inner"]

_Cut = int
"""Which SpatialMaps are cut to what is left at the edge: a bit per SpatialMap."""


@dataclass(frozen=True)
class _Units:
    """The sub-units of a step: one that has less than a tile (`lesser`), others, or both.

    Attributes:
        has_lesser: Whether there is one with less than a tile.
        has_others: Whether there are others.
        cut_lesser: How SpatialMaps are cut for the lesser one.
        cut_others: And for the others.
        others: How many others there are.
        units: All of them.
    """

    has_lesser: Array
    has_others: Array
    cut_lesser: Array
    cut_others: Array
    others: Array
    units: Array


class Inner:
    """The sub-problems of items of one kind.

    Attributes:
        members: The item of each sub-problem, integers, shape (m,).
        sizes: Its actual sizes, shape (6, m).
    """

    def __init__(self, steps: Steps) -> None:
        t, xp = steps.traffic, steps.traffic.xp
        self._steps = steps
        self._units = {at_edge: self._of_step(at_edge) for at_edge in t.spatial_edges}
        cuts = range(1 << len(t.spatial))
        asked = {
            at_edge: [(u.has_lesser & (u.cut_lesser == cut)) | (u.has_others & (u.cut_others == cut)) for cut in cuts]
            for at_edge, u in self._units.items()
        }
        needed: dict[tuple[Edges, _Cut], Array] = {}
        for edges, at_edge in steps.spatial_edges.items():
            others = tuple(d for d in edges if d not in t.spatial)
            for cut in cuts:
                wanted = asked[at_edge][cut] & steps.computes[edges]
                needed[others, cut] = needed[others, cut] | wanted if (others, cut) in needed else wanted
        self._ids: dict[tuple[Edges, _Cut], Array] = {}
        members, columns, total = [], [], 0
        for (others, cut), wanted in needed.items():
            (chosen,) = xp.nonzero(wanted)
            if not (count := chosen.shape[0]):
                continue
            ids = xp.zeros(wanted.shape, dtype=xp.int64, device=chosen.device) - 1
            ids[chosen] = xp.arange(total, total + count, device=chosen.device)
            self._ids[others, cut] = ids
            members.append(chosen)
            rows = xp.stack([self._size(d, others, cut) for d in DIMS])
            columns.append(rows if count == wanted.shape[0] else xp.take(rows, chosen, axis=1))
            total += count
        none = xp.nonzero(t.units < 0)[0]
        self.members = xp.concat(members) if members else none
        self.sizes = xp.concat(columns, axis=1) if columns else xp.zeros((6, 0), dtype=xp.float64, device=none.device)

    def _of_step(self, at_edge: Edges) -> _Units:
        """Return the sub-units of a step with these SpatialMaps at their edge."""
        t, xp = self._steps.traffic, self._steps.traffic.xp
        first = t.spatial[0]
        cut = t.zeros
        for i, d in enumerate(t.spatial):
            cut = cut + (float(1 << i) if d in at_edge else float(1 << i) * t.short[d])
        lesser = t.part_of(first, at_edge)
        units = t.units_of(at_edge)
        return _Units(lesser, ~(lesser & t.alone), cut, cut * t.alone, xp.where(lesser, t.edge_units - 1, units), units)

    def _size(self, d: int, others: Edges, cut: _Cut) -> Array:
        t = self._steps.traffic
        if d in t.spatial:
            return t.edge[d] if cut >> t.spatial.index(d) & 1 else t.tile[d]
        return t.edge[d] if d in others else t.held[d]

    def gather(self, rows: Array) -> dict[Edges, tuple[Array, Array]]:
        """Return, by edges, the sub-problems' values of the lesser sub-unit and of the others; 0 where there is none.

        Args:
            rows: Values of the sub-problems, shape (k, m).
        """
        t, xp = self._steps.traffic, self._steps.traffic.xp
        padded = xp.concat([rows, xp.zeros((rows.shape[0], 1), dtype=rows.dtype, device=t.units.device)], axis=1)
        last = rows.shape[1]
        found = {}
        for edges, at_edge in self._steps.spatial_edges.items():
            units, others = self._units[at_edge], tuple(d for d in edges if d not in t.spatial)
            pair = []
            for has, cut in ((units.has_lesser, units.cut_lesser), (units.has_others, units.cut_others)):
                index = xp.full(has.shape, last, dtype=xp.int64, device=t.units.device)
                for code in range(1 << len(t.spatial)):
                    if (ids := self._ids.get((others, code))) is not None:
                        index = xp.where(has & (cut == code), ids, index)
                pair.append(xp.take(padded, index, axis=1))
            found[edges] = (pair[0], pair[1])
        return found

    def units(self, edges: Edges) -> tuple[Array, Array]:
        """Return how many sub-units of a step are not the lesser one, and how many there are."""
        units = self._units[self._steps.spatial_edges[edges]]
        return units.others, units.units
