"""The recursion over levels: runtime and active sub-units of every analysis, and what the outermost level moves in total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from designgym.simulators.accelerator.arrays import Array, namespace
from designgym.simulators.accelerator.datacentric.batch import Batch
from designgym.simulators.accelerator.datacentric.inner import Inner
from designgym.simulators.accelerator.datacentric.levels import DIMS, Level
from designgym.simulators.accelerator.datacentric.order import first_computing, offchip_requirement
from designgym.simulators.accelerator.datacentric.rejection import NO_WORK
from designgym.simulators.accelerator.datacentric.states import Packed, kinds, states
from designgym.simulators.accelerator.datacentric.steps import Steps
from designgym.simulators.accelerator.datacentric.traffic import Edges, Tensors, Traffic

__all__ = ["Outermost", "Result", "analyse"]

TOTALS = ("input", "weight", "output", "macs", "all_macs")
BUFFERS = ("input", "weight", "output")


@dataclass(frozen=True)
class Result:
    """Of each item: float64 arrays of shape (n,).

    Attributes:
        runtime: Cycles.
        active: Average number of active PEs.
        rejected: Code of why upstream ends with an error, 0 if it does not.
        visits: Steps of the first analysis to end, up to the first that computes something; nearly always 1, and a buffer requirement
            counts them. That analysis is of the innermost level, unless a level inside which no step computes anything comes before:
            `ABOVE` is added for each level that it is above the innermost.
    """

    runtime: Array
    active: Array
    rejected: Array
    visits: Array


@dataclass
class Outermost:
    """What is asked of the outermost level only: float64 arrays of shape (n,), filled kind by kind.

    Attributes:
        offchip_bw: Elements per cycle between L2 and memory.
        printed: Whether to compute the off-chip requirement as MAESTRO prints it, which takes every step one by one.
        totals: Elements in and out by tensor, operations of computing steps and of all steps.
        buffers: Elements of L2's double buffers by tensor.
        noc_requirement: Elements per cycle.
        offchip_requirement: Elements per cycle; 0 unless ``printed``.
    """

    offchip_bw: Array
    printed: bool
    totals: dict[str, Array] = field(init=False)
    buffers: dict[str, Array] = field(init=False)
    noc_requirement: Array = field(init=False)
    offchip_requirement: Array = field(init=False)

    def __post_init__(self) -> None:
        xp = namespace(self.offchip_bw)
        self.totals = {name: xp.zeros_like(self.offchip_bw) for name in TOTALS}
        self.buffers = {name: xp.zeros_like(self.offchip_bw) for name in BUFFERS}
        self.noc_requirement, self.offchip_requirement = xp.zeros_like(self.offchip_bw), xp.zeros_like(self.offchip_bw)


def analyse(batch: Batch, levels: Sequence[Level], sizes: Array, *, printed: bool) -> tuple[Result, Outermost]:
    """Return the analysis of whole mappings, all of which upstream accepts as written.

    Args:
        batch: The mappings.
        levels: Their levels.
        sizes: Sizes of the layers as the outermost level sees them, shape (6, n).
        printed: See `Outermost`.
    """
    xp = namespace(sizes)
    packed = [Packed.of(level, batch.hardware) for level in levels]
    top = Outermost(batch.hardware[2], printed)
    return _analyse(packed, Tensors(batch.depthwise), xp.arange(len(batch), device=sizes.device), sizes, top), top


def _analyse(packed: Sequence[Packed], tensors: Tensors, owner: Array, sizes: Array, top: Outermost | None) -> Result:
    """Return the results of items at the first of some levels; ``owner`` is the mapping of each."""
    xp = namespace(sizes)
    found = states(packed[0], owner, sizes)
    result = Result(*(xp.zeros_like(sizes[0]) for _ in fields(Result)))
    groups = []
    moving = xp.any(found.count > 0, axis=1)
    moves = [d for d in DIMS if bool(moving[d])]
    for kind in kinds(packed[0], owner, found):
        live = [d for d in DIMS if d in kind.edges or d in moves]
        traffic = Traffic(packed[0], xp.take(owner, kind.members), kind, found, live, tensors)
        groups.append((kind.members, Steps(traffic)))
    inners: list[tuple[Inner, Result] | None] = [None] * len(groups)
    if len(packed) > 1 and groups:
        asked = [Inner(steps) for _, steps in groups]
        owners = [xp.take(owner, xp.take(members, inner.members)) for (members, _), inner in zip(groups, asked, strict=True)]
        whole = _analyse(packed[1:], tensors, xp.concat(owners), xp.concat([inner.sizes for inner in asked], axis=1), None)
        start = 0
        for i, inner in enumerate(asked):
            end = start + inner.sizes.shape[1]
            inners[i] = inner, Result(*(getattr(whole, f.name)[start:end] for f in fields(Result)))
            start = end
    for (members, steps), inside in zip(groups, inners, strict=True):
        values = _Evaluation(steps, inside, len(packed) - 1).run(top, members)
        for f in fields(Result):
            getattr(result, f.name)[members] = getattr(values, f.name)
    return result


class _Evaluation:
    """Adds up the steps of items of one kind.

    Args:
        steps: The steps.
        inside: The sub-problems with their results; None at the innermost level.
        above: How many levels are inside.
    """

    def __init__(self, steps: Steps, inside: tuple[Inner, Result] | None, above: int) -> None:
        self._steps, self._traffic, self._above = steps, steps.traffic, above
        self._xp = xp = steps.traffic.xp
        self._visits: dict[Edges, Array] | None = None
        self._rejected = steps.rejected
        if inside is None:
            t = steps.traffic
            single = bool(xp.all(t.lanes == 1))
            self._comp = steps.sums if single else {edges: xp.ceil(sums / t.lanes) for edges, sums in steps.sums.items()}
            self._active = {edges: t.units_of(at_edge) for edges, at_edge in steps.spatial_edges.items()}
        else:
            self._from_inside(*inside)

    def _from_inside(self, inner: Inner, results: Result) -> None:
        xp = self._xp
        self._comp, self._active, self._visits = {}, {}, {}
        odd = bool(xp.any((results.rejected != 0) | (results.visits != 1)))
        rows = [results.runtime, results.active, *([results.rejected, results.visits] if odd else [])]
        for edges, (lesser, others) in inner.gather(xp.stack(rows)).items():
            count, units = inner.units(edges)
            self._comp[edges] = xp.maximum(lesser[0], others[0])
            active = lesser[1] + others[1] * count
            self._active[edges] = xp.where(active == 0, units, active)  # quirk
            if odd:
                self._rejected = xp.maximum(self._rejected, xp.maximum(lesser[2], others[2]))
                self._visits[edges] = xp.where(lesser[3] > 0, lesser[3], others[3])
            else:
                self._visits[edges] = xp.astype(self._steps.computes[edges], xp.float64)

    def run(self, top: Outermost | None, members: Array) -> Result:
        """Return the results; those of the outermost level also go into ``top``."""
        steps, t, xp = self._steps, self._traffic, self._xp
        visits, buffers = self._begin()
        memory = None if top is None else self._memory_cycles(buffers, top.offchip_bw[members])
        ingress = {d: {e: t.delay(i + w) for e, (i, w) in tables.items()} for d, tables in steps.incoming.items()}
        first = self._comp[()] + t.delay(steps.first[0] + steps.first[1])
        runtime = (first if memory is None else xp.maximum(first, memory)) * steps.computes[()]
        busy, count = t.zeros, t.zeros
        for edges, at_edge in steps.spatial_edges.items():
            least = xp.maximum(self._comp[edges], t.delay(steps.outgoing[edges]))
            least = least if memory is None else xp.maximum(least, memory)
            cycles = t.zeros
            for d, table in steps.times.items():
                cycles = cycles + table[edges] * xp.maximum(least, ingress[d][at_edge])
            runtime = runtime + cycles * steps.computes[edges]
            times = t.all_occurrences[edges] * steps.computes[edges]
            count, busy = count + times, busy + times * self._active[edges]
        rejected = self._rejected if top is None else self._finish(top, members, buffers)
        return Result(runtime + 0.0, busy / xp.maximum(count, 1.0), rejected, visits)

    def _begin(self) -> tuple[Array, dict[str, Array]]:
        """Return visits and L2 buffers."""
        steps, xp = self._steps, self._xp
        visits = steps.traffic.ones if self._visits is None else self._visits[()]
        if not bool(xp.all(steps.computes[()] & (visits > 0))):
            return first_computing(steps, self._visits, self._above)
        return visits, {"input": 2 * steps.first[0], "weight": 2 * steps.first[1], "output": 2 * steps.outgoing[()]}

    def _memory_cycles(self, buffers: dict[str, Array], offchip_bw: Array) -> Array:
        xp = self._xp
        words = xp.floor((buffers["input"] + buffers["weight"]) / offchip_bw)
        return xp.floor(xp.maximum(words, xp.floor(buffers["output"] / offchip_bw)) / 2)

    def _finish(self, top: Outermost, members: Array, buffers: dict[str, Array]) -> Array:
        """Add up what the outermost level moves; returns the codes of what upstream ends with."""
        steps, xp, t = self._steps, self._xp, self._traffic
        totals: dict[str, Array] = dict.fromkeys(TOTALS, t.zeros)
        totals["input"], totals["weight"] = (elements * steps.computes[()] for elements in steps.first)
        requirement, idle = t.zeros, t.zeros > 0
        counted = {d: dict.fromkeys(t.spatial_edges, t.zeros) for d in t.live}
        for edges, at_edge in steps.spatial_edges.items():
            computes, all_times = steps.computes[edges], t.all_occurrences[edges]
            moved = (steps.first[0] + steps.first[1]) if not edges else t.zeros
            for d, tables in steps.incoming.items():
                times = steps.times[d][edges] * computes
                counted[d][at_edge] = counted[d][at_edge] + times
                inputs, weights = tables[at_edge]
                moved = xp.maximum(moved, (inputs + weights) * (times > 0))
            operations = all_times * steps.operations[edges]
            totals["output"] = totals["output"] + all_times * steps.outgoing[edges]
            totals["macs"] = totals["macs"] + operations * computes
            totals["all_macs"] = totals["all_macs"] + operations
            comp = self._comp[edges]
            idle = idle | (computes & (comp == 0))
            needed = xp.floor(xp.maximum(moved, steps.outgoing[edges]) / xp.maximum(comp, 1.0))
            requirement = xp.maximum(requirement, needed * computes)
        for d, tables in steps.incoming.items():
            for at_edge, (inputs, weights) in tables.items():
                totals["input"] = totals["input"] + counted[d][at_edge] * inputs
                totals["weight"] = totals["weight"] + counted[d][at_edge] * weights
        for name in TOTALS:
            top.totals[name][members] = totals[name] + 0.0  # no -0.0, whose sign is up to the library
        for name in BUFFERS:
            top.buffers[name][members] = buffers[name] + 0.0
        top.noc_requirement[members] = requirement + 0.0
        if top.printed:
            top.offchip_requirement[members] = offchip_requirement(steps, self._comp, buffers)
        return xp.where((self._rejected == 0) & idle, float(NO_WORK), self._rejected)
