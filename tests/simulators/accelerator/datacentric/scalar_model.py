"""The rules of the data-centric model written down once more, plainly and for one mapping at a time: what the product is tested against.

Shares no code with the product. Integers throughout, loops over cases, recursion over levels; follows MAESTRO (commit 4eb08d1, MIT) with
what is odd in it ("quirk").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

Step = tuple[str, str, int, int]
"""A directive: ``T`` or ``S``, dimension (``Y'`` and ``X'`` are output coordinates), tile size, offset."""


class Rejected(Exception):
    """Upstream refuses the mapping or crashes on it; `kind` is ``exit 255``, ``SIGFPE`` or ``runtime 0``."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Problem:
    """A layer (padded input sizes Y and X), a mapping and the hardware."""

    sizes: dict[str, int]
    levels: list[list[Step]]
    clusters: list[int]
    pes: int
    depthwise: bool = False
    stride_y: int = 1
    stride_x: int = 1
    noc_bw: int = 1
    offchip_bw: int = 1
    hop_latency: int = 1
    lanes: int = 1


@dataclass
class Directive:
    spatial: bool
    dim: str
    tile: int
    offset: int


@dataclass(frozen=True)
class State:
    position: str
    count: int
    edge: bool = False
    unrolled: bool = False
    part: bool = False


@dataclass
class Dim:
    """Constants of one directive within its level."""

    spatial: bool
    dim: str
    tile: int
    offset: int
    m: int
    u: int
    me: int
    ue: int


def div0(a: int, b: int) -> int:
    return abs(a) // b if a >= 0 else -(abs(a) // b)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def tensors(depthwise: bool) -> dict[str, str]:
    return {"input": "CYX", "weight": "CRS" if depthwise else "KCRS", "output": "CYX" if depthwise else "KYX"}


# ---- levels ------------------------------------------------------------------------------------------------------------


def build_levels(problem: Problem) -> tuple[list[list[Directive]], list[dict[str, int]], list[int]]:
    """Return the directives, nominal sizes and sub-units of every level."""
    product = 1
    for size in problem.clusters:
        product *= size
    if problem.pes < product:
        raise Rejected("SIGFPE")
    units = [problem.pes // product, *problem.clusters]
    dims = "CRSXY" if problem.depthwise else "CKRSXY"
    if problem.depthwise and len(problem.levels) > 1 and any(dim == "K" for level in problem.levels for _, dim, _, _ in level):
        raise Rejected("exit 255")
    levels: list[list[Directive]] = []
    nominal = [dict(problem.sizes)]
    for number, steps in enumerate(problem.levels):
        sizes = nominal[number]
        tile_of = {dim: tile for _, dim, tile, _ in steps}
        level: list[Directive] = []
        for kind, name, tile, offset in steps:
            dim = name[0]
            if kind == "T" and dim in "RS" and not tile == offset == problem.sizes[dim]:
                raise Rejected("exit 255")  # of what is written; what a level takes over from the one above may differ
            if name.endswith("'"):
                tile += tile_of["R" if dim == "Y" else "S"] - 1
            level.append(Directive(kind == "S", dim, tile, offset))
        if number:
            for above in levels[-1]:
                if all(d.dim != above.dim for d in level):
                    level.insert(0, Directive(False, above.dim, above.tile, above.offset))
        for dim in dims:
            if all(d.dim != dim for d in level):
                level.append(Directive(False, dim, sizes[dim], sizes[dim]))
        for d in level:
            if d.dim in "YX":
                stride, window = (problem.stride_y, problem.sizes["R"]) if d.dim == "Y" else (problem.stride_x, problem.sizes["S"])
                if stride > 1 and d.tile >= window:
                    outputs = (d.tile + stride - window) // stride
                    d.tile = outputs * min(stride, window) + max(window - stride, 0)
                    d.offset = outputs * (window if number and window < stride else stride)
        if not 1 <= sum(d.spatial for d in level) <= 2:
            raise Rejected("exit 255")
        levels.append(level)
        nominal.append({d.dim: min(d.tile, sizes[d.dim]) for d in level})
    return levels, nominal, units


def constants(level: list[Directive], sizes: dict[str, int]) -> list[Dim]:
    found = []
    for d in level:
        size = sizes[d.dim]
        steps = max(0, div0(size - d.tile, d.offset))
        partial = steps * d.offset + d.tile < size or d.tile > size
        rest = size - (steps + 1) * d.offset
        if rest < 0:
            rest = size
        u = 0 if not d.spatial and size <= d.tile else min(d.tile, d.offset)
        ue = max(d.offset - (d.tile - rest), 0)
        found.append(Dim(d.spatial, d.dim, d.tile, d.offset, d.tile, u, rest if partial else d.tile, ue))
    return found


def in_outputs(dims: list[Dim]) -> list[Dim]:
    """Return the dims with Y and X in output coordinates."""
    by_name = {d.dim: d for d in dims}
    found = []
    for d in dims:
        if d.dim in "YX":
            window = by_name["R" if d.dim == "Y" else "S"]
            me = d.me - window.me + 1
            d = replace(d, m=d.m - window.m + 1, u=min(d.offset, d.tile), me=me, ue=min(d.offset, me))
        found.append(d)
    return found


def units_at_edge(d: Dim, size: int, n: int) -> int:
    cover = d.tile + d.offset * (n - 1)
    if size > cover:
        rounds = ((size - d.tile) // d.offset + 1) // n - 1
        rest = size - (rounds + 1) * d.offset * n
        return 1 if rest < d.tile else (rest - d.tile) // d.offset + 1
    if size <= d.tile:
        return 1
    active = (size - d.tile) // d.offset + 1
    return active + ((active - 1) * d.offset + d.tile < size)


def states(d: Directive, size: int, n: int) -> list[State]:
    if not d.spatial:
        found = [State("I", 1, unrolled=size <= d.tile, edge=size < d.tile)]
        count = div0(size - d.tile, d.offset)
        if size > d.tile and count > 0:
            found.append(State("S", count))
        if size >= d.tile and count * d.offset + d.tile < size:
            found.append(State("E", 1, edge=True))
        return found
    cover = d.tile + d.offset * (n - 1)
    found = [State("I", 1, unrolled=size <= cover, edge=size < cover, part=size < cover)]
    if size > cover:
        count = ((size - d.tile) // d.offset + 1) // n - 1
        if count > 0:
            found.append(State("S", count))
        if count * d.offset * n + cover != size:
            rest = size - (count + 1) * d.offset * n
            k = 1 if rest < d.tile else (rest - d.tile) // d.offset + 1
            found.append(State("E", 1, edge=True, part=(k - 1) * d.offset + d.tile < rest))
    return found


def in_order(options: list[list[State]]) -> Iterator[tuple[State, ...]]:
    """Yield all combinations in upstream's order."""
    after = [1] * len(options)
    for i in range(len(options) - 2, -1, -1):
        after[i] = after[i + 1] * len(options[i + 1])
    for c in range(after[0] * len(options[0])):
        yield tuple(some[ceil_div(c, f) % len(some)] for some, f in zip(options, after, strict=True))


# ---- traffic of one case ---------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """A combination of states within a level."""

    dims: list[Dim]
    outputs: list[Dim]
    chosen: tuple[State, ...]
    n: int
    ne: int
    out: str

    @property
    def last_moving(self) -> int:
        return max((i for i, s in enumerate(self.chosen) if s.position != "I"), default=-1)

    def volume(self, tensor: str, first: bool, part: bool) -> int:
        star, total = self.last_moving, 1
        if star >= 0 and self.dims[star].dim not in tensor:
            return 0
        restarted = any(d.dim in tensor and not s.unrolled for d, s in list(zip(self.dims, self.chosen, strict=True))[star + 1 :])
        for i, (d, s) in enumerate(zip(self.dims, self.chosen, strict=True)):
            if d.dim not in tensor:
                continue
            if star == -1:
                total *= d.me if s.edge and (not d.spatial or self.ne == 1 or part) else d.m
            elif not d.spatial:
                if s.position == "I":
                    total *= d.me if s.edge else d.m
                elif i == star and not restarted:
                    if d.u == 0:
                        raise Rejected("exit 255")
                    total *= d.u
                else:
                    total *= d.m
            else:
                new = not first and ((s.position == "I" and i > star) or (s.position != "I" and i == star and not restarted))
                total *= (d.ue if part else d.u) if new else (d.me if part else d.m)
        return total

    def spatial_flags(self, tensor: str | None) -> list[State]:
        """Return the states of the SpatialMaps of a tensor, in the order of its dims; of all in list order without one."""
        pairs = [(d.dim, s) for d, s in zip(self.dims, self.chosen, strict=True) if d.spatial]
        if tensor is None:
            return [s for _, s in pairs]
        return [s for dim in tensor for other, s in pairs if other == dim]

    def ingress(self, tensor: str) -> int:
        flags = self.spatial_flags(tensor)
        if not flags:
            return self.volume(tensor, True, False)
        if not any(s.edge for s in flags):
            return self.volume(tensor, True, False) + (self.n - 1) * self.volume(tensor, False, False)
        p = flags[-1].part
        total = self.volume(tensor, True, self.ne == 1 and p)
        if self.ne > 1:
            total += max(self.ne - p - 1, 0) * self.volume(tensor, False, False) + p * self.volume(tensor, False, True)
        return total

    def result(self, psum: bool, first: bool, part: bool, keep: bool) -> int:
        total = 1
        for plain, output, s in zip(self.dims, self.outputs, self.chosen, strict=True):
            coupled = plain.dim in self.out
            if not coupled and not psum:
                continue
            d = output if coupled else plain
            if not d.spatial:
                total *= d.me if s.edge else d.m
            elif s.position == "E":
                if self.ne == 1:
                    total *= plain.me if first or part else 1
                else:
                    total *= d.ue if part else d.m if first else d.u or 1
            elif s.position == "I" and s.edge and part:
                total *= d.ue if self.ne > 1 and coupled and not keep else d.me
            else:
                total *= d.m if first else d.u or 1
        return total

    def egress(self) -> int:
        flags = self.spatial_flags(self.out)
        if not flags:
            return self.result(False, True, False, False)
        if not any(s.edge for s in flags):
            return self.result(False, True, False, False) + (self.n - 1) * self.result(False, False, False, False)
        p = flags[-1].part
        total = self.result(False, True, self.ne == 1 and p, False)
        if self.ne > 1:
            total += max(self.ne - p - 1, 0) * self.result(False, False, False, False) + p * self.result(False, False, True, False)
        return total

    def critical_psums(self) -> int:
        flags = self.spatial_flags(self.out)
        p = bool(flags) and any(s.edge for s in flags) and flags[-1].part
        return self.result(True, True, self.ne == 1 and p, False)

    def macs(self) -> int:
        flags = self.spatial_flags(None)
        if not any(s.edge for s in flags):
            return self.n * self.result(True, True, False, False)
        p = flags[-1].part
        total = self.result(True, True, self.ne == 1 and p, False)
        if self.ne > 1:
            total += max(self.ne - p - 1, 0) * self.result(True, True, False, False) + p * self.result(True, False, True, True)
        return total


# ---- the whole ---------------------------------------------------------------------------------------------------------------


@dataclass
class Analysis:
    """What a level gives for actual sizes."""

    runtime: int = 0
    active: float = 0.0
    sums: dict[str, int] = field(default_factory=dict)
    buffers: dict[str, int] = field(default_factory=dict)
    noc_req: int = 0
    offchip_req: int = 0


class Model:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.levels, self.nominal, self.units = build_levels(problem)
        self.l1: int | None = None
        self.memo: dict[Any, Analysis] = {}

    def delay(self, elements: int) -> int:
        return self.problem.hop_latency + ceil_div(elements, self.problem.noc_bw) - 1

    def analyse(self, number: int, actual: dict[str, int]) -> Analysis:
        key = (number, tuple(sorted(actual.items())))
        if key not in self.memo:
            self.memo[key] = self._analyse(number, actual)
        return self.memo[key]

    def _analyse(self, number: int, actual: dict[str, int]) -> Analysis:
        p, level, n = self.problem, self.levels[number], self.units[number]
        dims = constants(level, self.nominal[number])
        outputs = in_outputs(dims)
        spatial = next(i for i, d in enumerate(level) if d.spatial)
        ne = units_at_edge(dims[spatial], self.nominal[number][dims[spatial].dim], n)
        names = tensors(p.depthwise)
        last = number == len(self.levels) - 1
        result = Analysis(sums=dict.fromkeys(("I", "W", "E", "X", "X_all"), 0), buffers={"in": 0, "w": 0, "out": 0})
        tile_l1 = {"input": 0, "weight": 0, "output": 0}
        occurrences = 0
        active_sum = 0.0
        started = False
        for chosen in in_order([states(d, actual[d.dim], n) for d in level]):
            case = Case(dims, outputs, chosen, n, ne, names["output"])
            times = 1
            for s in chosen:
                times *= s.count
            i1, w1, e = case.ingress(names["input"]), case.ingress(names["weight"]), case.egress()
            q, x = case.critical_psums(), case.macs()
            result.sums["E"] += times * e
            result.sums["X_all"] += times * x
            if not started:
                result.buffers["in"] += 2 * i1
                result.buffers["w"] += 2 * w1
                result.buffers["out"] = 2 * e
                for tensor, coupled in names.items():
                    product = 1
                    for d in dims:
                        if d.dim in coupled:
                            product *= d.m
                    tile_l1[tensor] = 2 * product + (tile_l1[tensor] if tensor != "output" else 0)
            if q <= 0:
                continue
            started = True
            result.sums["I"] += times * i1
            result.sums["W"] += times * w1
            result.sums["X"] += times * x
            at_edge = chosen[spatial].edge
            if last:
                comp = ceil_div(q, p.lanes)
                active: float = ne if at_edge else n
            else:
                comp, active = self._inside(number, case, at_edge, chosen[spatial].part, n, ne)
            ingress, egress = self.delay(i1 + w1), self.delay(e)
            delay = comp + ingress if case.last_moving == -1 else max(comp, ingress, egress)
            if number == 0:
                b = result.buffers
                delay = max(delay, ((b["in"] + b["w"]) // p.offchip_bw) // 2, (b["out"] // p.offchip_bw) // 2)
                if comp == 0:
                    raise Rejected("SIGFPE")
                result.noc_req = max(result.noc_req, max(i1 + w1, e) // max(comp, 1))
                result.offchip_req = max(result.offchip_req, b["out"] // comp, (b["in"] + b["w"]) // comp) // 2
            result.runtime += times * delay
            active_sum += times * active
            occurrences += times
        if (last or not started) and self.l1 is None:  # of the first analysis to end
            self.l1 = sum(tile_l1.values())
        result.active = active_sum / occurrences if occurrences else 0.0
        return result

    def _inside(self, number: int, case: Case, at_edge: bool, part: bool, n: int, ne: int) -> tuple[int, float]:
        def actual(partial: bool) -> dict[str, int]:
            found = {}
            for d, s in zip(case.dims, case.chosen, strict=True):
                short = s.edge and (not d.spatial or ne == 1 or partial)
                found[d.dim] = d.me if short else d.m
            return found

        if at_edge and part:
            groups = [(actual(True), 1), *([(actual(False), ne - 1)] if ne > 1 else [])]
        else:
            groups = [(actual(False), ne if at_edge else n)]
        comp, active = 0, 0.0
        for sizes, weight in groups:
            found = self.analyse(number + 1, sizes)
            comp = max(comp, found.runtime)
            active += found.active * weight
        return comp, active or (ne if at_edge else n)


def evaluate(problem: Problem) -> dict[str, float]:
    """Return the columns of a reference table; raises `Rejected` for what upstream does not evaluate."""
    model = Model(problem)
    top = model.analyse(0, dict(problem.sizes))
    if top.runtime == 0:
        raise Rejected("runtime 0")
    d, p, b, s = problem.sizes, problem.pes, top.buffers, top.sums
    result: dict[str, float] = {
        "runtime_cycles": top.runtime,
        "num_macs": s["X"],
        "throughput_MACs_per_cycle": s["X"] / top.runtime,
        "avg_utilised_pes": top.active,
        "utilisation": top.active / p,
        "l2_in_rd": s["I"], "l1_in_wr": s["I"],
        "l2_w_rd": s["W"], "l1_w_wr": s["W"],
        "l2_out_wr": s["E"],
        "l2_in_wr": d["C"] * d["Y"] * d["X"],
        "l2_w_wr": d["C"] * d["R"] * d["S"] * (1 if problem.depthwise else d["K"]),
        "l2_out_rd": (d["C"] if problem.depthwise else d["K"]) * (d["Y"] - d["R"] + 1) * (d["X"] - d["S"] + 1),
        "l1_in_rd": s["X"], "l1_w_rd": s["X"],
        "l1_out_rd": s["X_all"], "l1_out_wr": s["X_all"],
        "l1_bytes_req": model.l1 or 0,
        "l2_bytes_req": b["in"] + b["w"] + b["out"],
        "noc_bw_req": top.noc_req,
        "offchip_bw_req": top.offchip_req,
    }  # fmt: skip
    energy = 0.00023 * 18.61 * sum(result[name] for name in ("l2_in_rd", "l2_in_wr", "l2_w_rd", "l2_w_wr", "l2_out_wr"))
    if len(problem.levels) == 1:
        energy += 0.00023 * 1.68 * sum(result[f"l1_{t}_{a}"] for t, a in itertools.product(("in", "w", "out"), ("rd", "wr")))
    l1, l2, v = max(result["l1_bytes_req"], 1), max(result["l2_bytes_req"], 1), problem.lanes
    bus, g = (14.662 * p + 28.895) * problem.noc_bw, 1.2886 * p * p + 5.5814 * p - 23.711
    result["energy_nJ"] = energy
    result["area_um2"] = p * (283 * v + 0.104 * l1) + 0.104 * l2 + 101.7938 * bus + 395.473 * max(1.0, g)
    result["power_mW"] = p * (1.2223 * v + 0.00345 * l1) + 0.00345 * l2 + 0.0008 * bus + 0.34 * max(1.0, g / 1000)
    return result
