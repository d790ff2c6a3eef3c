"""The analyses that a level asks of the level inside: each distinct sub-problem of a mapping once."""

from __future__ import annotations

from dataclasses import dataclass

from designgym.simulators.accelerator.arrays import Array
from designgym.simulators.accelerator.datacentric.levels import DIMS
from designgym.simulators.accelerator.datacentric.steps import Steps
from designgym.simulators.accelerator.datacentric.traffic import Edges

__all__ = ["Inner"]


@dataclass(frozen=True)
class _Units:
    """Which sub-units a step has: one with less than a tile (`lesser`), others, or both; how SpatialMaps are cut for each."""

    has_lesser: Array
    has_others: Array
    cut_lesser: Array
    cut_others: Array
    others: Array


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
        needed: dict[tuple[Edges, int], Array] = {}
        for edges, at_edge in steps.spatial_edges.items():
            units, others = self._units[at_edge], tuple(d for d in edges if d not in t.spatial)
            for cut in range(1 << len(t.spatial)):
                wanted = (units.has_lesser & (units.cut_lesser == cut)) | (units.has_others & (units.cut_others == cut))
                wanted = wanted & steps.computes[edges]
                needed[others, cut] = needed[others, cut] | wanted if (others, cut) in needed else wanted
        self._ids: dict[tuple[Edges, int], Array] = {}
        members, columns, total = [], [], 0
        for (others, cut), wanted in needed.items():
            (chosen,) = xp.nonzero(wanted)
            count = chosen.shape[0]
            if not count:
                continue
            ids = xp.full(wanted.shape, -1, dtype=xp.int64, device=chosen.device)
            ids[chosen] = xp.arange(total, total + count, device=chosen.device)
            self._ids[others, cut] = ids
            rows = [self._size(d, others, cut)[chosen] for d in DIMS]
            members.append(chosen)
            columns.append(xp.stack(rows))
            total += count
        empty = xp.nonzero(t.units < 0)[0]
        self.members = xp.concat(members) if members else empty
        self.sizes = xp.concat(columns, axis=1) if columns else xp.zeros((6, 0), dtype=xp.float64, device=empty.device)

    def _of_step(self, at_edge: Edges) -> _Units:
        """Return the sub-units of a step with these SpatialMaps at their edge."""
        t, xp = self._steps.traffic, self._steps.traffic.xp
        first = t.spatial[0]
        cut = xp.zeros_like(t.units)
        for i, d in enumerate(t.spatial):
            cut = cut + (float(1 << i) if d in at_edge else xp.where(t.short[d], float(1 << i), 0.0))
        lesser = t.part_of(first, at_edge)
        units = t.edge_units if first in at_edge else xp.where(t.short[first], t.edge_units, t.units)
        return _Units(lesser, ~(lesser & t.alone), cut, xp.where(t.alone, cut, 0.0), xp.where(lesser, t.edge_units - 1, units))

    def _size(self, d: int, others: Edges, cut: int) -> Array:
        t = self._steps.traffic
        if d in t.spatial:
            return t.edge[d] if cut >> t.spatial.index(d) & 1 else t.tile[d]
        return t.edge[d] if d in others else t.held[d]

    def gather(self, values: Array, sentinel: float = 0.0) -> dict[Edges, tuple[Array, Array]]:
        """Return, by edges, the sub-problems' values of the lesser sub-unit and of the others; ``sentinel`` where there is none."""
        t, xp = self._steps.traffic, self._steps.traffic.xp
        padded = xp.concat([values, xp.full((1,), sentinel, dtype=values.dtype, device=values.device)])
        last = padded.shape[0] - 1
        found = {}
        for edges, at_edge in self._steps.spatial_edges.items():
            units, others = self._units[at_edge], tuple(d for d in edges if d not in t.spatial)
            pair = []
            for has, cut in ((units.has_lesser, units.cut_lesser), (units.has_others, units.cut_others)):
                index = xp.full(has.shape, last, dtype=xp.int64, device=values.device)
                for code in range(1 << len(t.spatial)):
                    if (ids := self._ids.get((others, code))) is not None:
                        index = xp.where(has & (cut == code) & (ids >= 0), ids, index)
                pair.append(xp.take(padded, index))
            found[edges] = (pair[0], pair[1])
        return found

    def others(self, edges: Edges) -> Array:
        """Return how many sub-units of a step are not the lesser one."""
        return self._units[self._steps.spatial_edges[edges]].others
