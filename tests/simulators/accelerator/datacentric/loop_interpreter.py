"""The loops of a two-level mapping run one by one, with sets of elements: what `exact.count` must give in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from designgym.core.design import Design
from designgym.simulators.accelerator.datacentric.batch import Hardware
from designgym.simulators.accelerator.datacentric.space import ORDERS
from designgym.simulators.accelerator.layer import Layer

Range = tuple[int, int]
Tile = dict[str, Range]  # outputs by dimension K, C, Y, X
Elements = frozenset[tuple[int, ...]]
Visit = dict[str, int]


@dataclass
class Totals:
    """What the loops took; ``active`` PEs are summed over inner ``steps``, ``done`` are the operations (k, c, y, x)."""

    cycles: int = 0
    macs: int = 0
    network_in: int = 0
    network_out: int = 0
    dram_in: int = 0
    dram_out: int = 0
    l1_bytes: int = 0
    l2_bytes: int = 0
    noc_bw_required: int = 0
    active: int = 0
    steps: int = 0
    done: set[tuple[int, ...]] = field(default_factory=set)


class Interpreter:
    def __init__(self, design: Design, layer: Layer, hardware: Hardware) -> None:
        self.layer, self.hardware = layer, hardware
        self.size = {"K": 1 if layer.depthwise else layer.k, "C": layer.c, "Y": layer.p, "X": layer.q}
        self.tile = [{d: min(int(design[f"{d}_{level}"]), self.size[d]) for d in "KCYX"} for level in ("l2", "l1")]
        self.order = [[d for d in ORDERS[int(design[f"order_{level}"])] if d in "KCYX"] for level in ("l2", "l1")]
        swap = {"K": "C"} if layer.depthwise else {}
        self.spread = [swap.get(str(design[f"parallel_{level}"]), str(design[f"parallel_{level}"])) for level in ("l2", "l1")]
        d = self.spread[1]
        pes = min(math.ceil(self.tile[0][d] / self.tile[1][d]), hardware.pes)
        self.units = [hardware.pes // pes, pes]
        self.tensors = {"input": "CYX", "weight": "C" if layer.depthwise else "KC", "output": "CYX" if layer.depthwise else "KYX"}

    def covers(self, level: int, d: str) -> int:
        return self.tile[level][d] * (self.units[level] if d == self.spread[level] else 1)

    def positions(self, level: int, within: Tile) -> Iterator[tuple[Visit, Tile]]:
        """Yield the positions of a level's loops, and what all its sub-units have there."""
        trips = {d: math.ceil((b - a) / self.covers(level, d)) for d, (a, b) in within.items()}
        for at in itertools.product(*(range(trips[d]) for d in self.order[level])):
            where = dict(zip(self.order[level], at, strict=True))
            tile = {}
            for d, (a, b) in within.items():
                start = a + where[d] * self.covers(level, d)
                tile[d] = (start, min(start + self.covers(level, d), b))
            yield where, tile

    def parts(self, level: int, tile: Tile) -> list[Tile]:
        """Return what each sub-unit has that has anything."""
        d = self.spread[level]
        start, end = tile[d]
        step = self.tile[level][d]
        return [{**tile, d: (a, min(a + step, end))} for a in range(start, end, step)]

    def elements(self, tensor: str, tile: Tile) -> Elements:
        layer = self.layer
        ranges = [range(*tile[d]) for d in self.tensors[tensor]]
        if tensor == "input":
            for i, (d, window) in enumerate((("Y", layer.r), ("X", layer.s)), 1):
                stride = min(layer.stride, window)
                ranges[i] = range(tile[d][0] * stride, (tile[d][1] - 1) * stride + window)
        if tensor == "weight":
            ranges += [range(layer.r), range(layer.s)]
        return frozenset(itertools.product(*ranges))

    def run(self) -> Totals:
        totals = Totals()
        above: dict[str, tuple[Visit, Elements]] = {}
        below: dict[tuple[str, int], tuple[Visit, Elements]] = {}
        visited: set[tuple[int, ...]] = set()
        in_memory: set[tuple[int, ...]] = set()
        for number, (where, tile) in enumerate(self.positions(0, {d: (0, n) for d, n in self.size.items()})):
            moved = {t: {d: where[d] for d in dims} for t, dims in self.tensors.items()}
            # L2 and DRAM
            fetched = written = 0
            for tensor in self.tensors:
                wanted = self.elements(tensor, tile)
                before = above.get(tensor)
                above[tensor] = moved[tensor], wanted
                if before and before[0] == moved[tensor]:
                    continue
                slides = before is not None and _slides(before[0], moved[tensor])
                if tensor == "output":
                    written += len(wanted)
                    fetched += len(wanted & in_memory)
                    in_memory |= wanted
                else:
                    fetched += len(wanted - before[1]) if before and slides else len(wanted)
            # the clusters
            coming = leaving = 0
            work = 0
            parts = self.parts(0, tile)
            steps = 0
            for tensor, dims in self.tensors.items():
                clusters = parts if self.spread[0] in dims else parts[:1]  # the others are sent the same
                for j in range(len(clusters), self.units[0]):
                    below.pop((tensor, j), None)  # a cluster without work begins anew
                for j, cluster in enumerate(clusters):
                    for inner, inner_tile in self.positions(1, cluster):
                        at = moved[tensor] | {f"{d} inside": inner[d] for d in dims}
                        wanted_by = [self.elements(tensor, part) for part in self.parts(1, inner_tile)]
                        all_of_them: Elements = frozenset().union(*wanted_by)
                        before_of = below.get((tensor, j))
                        below[tensor, j] = at, all_of_them
                        if before_of and before_of[0] == at:
                            continue
                        if tensor == "output":
                            leaving += len(all_of_them)
                            coming += len(all_of_them & visited)
                            visited |= all_of_them
                        elif before_of and _slides(before_of[0], at, still=self._shared()):
                            coming += len(all_of_them - before_of[1])
                        else:
                            coming += len(all_of_them)
            # the PEs
            for j, cluster in enumerate(parts):
                busy = [0] * self.units[1]
                for _, inner_tile in self.positions(1, cluster):
                    pes = self.parts(1, inner_tile)
                    assert len(pes) <= self.units[1]
                    totals.active += len(pes)
                    steps += j == 0
                    for i, part in enumerate(pes):
                        for operation in itertools.product(*(range(*part[d]) for d in "KCYX")):
                            assert operation not in totals.done
                            totals.done.add(operation)
                        busy[i] += math.prod(b - a for a, b in part.values()) * self.layer.r * self.layer.s
                        words = sum(len(self.elements(t, part)) for t in self.tensors)
                        totals.l1_bytes = max(totals.l1_bytes, 2 * words)
                totals.macs += sum(busy)
                work = max(work, math.ceil(max(busy) / self.hardware.lanes))
            assert len(parts) <= self.units[0]
            totals.steps += steps
            totals.l2_bytes = max(totals.l2_bytes, 2 * sum(len(self.elements(t, tile)) for t in self.tensors))
            transfer = max(coming, leaving)
            network = self.hardware.hop_latency - 1 + math.ceil(transfer / self.hardware.noc_bw) if transfer else 0
            memory = math.ceil(fetched / self.hardware.offchip_bw)
            cycles = max(work, network)
            cycles = cycles + memory if number == 0 else max(cycles, memory)
            totals.cycles += max(cycles, math.ceil(written / self.hardware.offchip_bw))
            totals.network_in += coming
            totals.network_out += leaving
            totals.dram_in += fetched
            totals.dram_out += written
            totals.noc_bw_required = max(totals.noc_bw_required, math.ceil(transfer / work))
        return totals

    def least(self) -> tuple[int, int]:
        """Return the inputs and weights that cross the network, and come from DRAM, if nothing is brought that is there already.

        The network then brings an element once to all PEs that need it in the same step, of whichever cluster.
        """
        network = dram = 0
        l2: dict[str, Elements] = {}
        l1: dict[tuple[str, int, int], Elements] = {}
        for _, tile in self.positions(0, {d: (0, n) for d, n in self.size.items()}):
            clusters = [list(self.positions(1, part)) for part in self.parts(0, tile)]
            for tensor in ("input", "weight"):
                wanted = self.elements(tensor, tile)
                dram += len(wanted - l2.get(tensor, frozenset()))
                l2[tensor] = wanted
                by_step: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
                for j, steps in enumerate(clusters):
                    for where, inner_tile in steps:
                        for i, part in enumerate(self.parts(1, inner_tile)):
                            wanted = self.elements(tensor, part)
                            by_step.setdefault(tuple(where.values()), set()).update(wanted - l1.get((tensor, j, i), frozenset()))
                            l1[tensor, j, i] = wanted
                network += sum(map(len, by_step.values()))
        return network, dram

    def _shared(self) -> set[str]:
        """Return loops along which nothing slides, since PEs then hold what other PEs held."""
        found = {self.spread[0]} if self.units[0] > 1 else set()
        return found | ({self.spread[1], f"{self.spread[1]} inside"} if self.units[1] > 1 else set())


def _slides(before: Visit, now: Visit, still: set[str] = frozenset()) -> bool:  # type: ignore[assignment]
    """Return whether one loop moved on by one, and no other moved."""
    changed = [d for d in now if before[d] != now[d]]
    return len(changed) == 1 and now[changed[0]] == before[changed[0]] + 1 and changed[0] not in still
