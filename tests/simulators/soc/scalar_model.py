"""The rules of FARSI once more, written plainly and without the product's code: what the fast simulator is compared with.

Everything is looked up by name, one design at a time. The comments name the steps of the rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Pipe = tuple[str, str]  # from one node of the topology to the next: "p0" a PE, "b0" a bus, "m0" a memory

WINDOW_S = 0.01
BANK_BYTES = 1 << 20


@dataclass(frozen=True)
class Graph:
    """Tasks in file order: work, burst, and bytes to each child, in file order; parents in file order."""

    work: Mapping[str, float]
    burst: Mapping[str, float]
    children: Mapping[str, Mapping[str, float]]
    parents: Mapping[str, Sequence[str]]
    last: str

    @property
    def source(self) -> str:
        return next(task for task in self.work if not self.parents[task])

    @property
    def sink(self) -> str:
        return next(task for task in self.work if not self.children[task])


@dataclass(frozen=True)
class Pe:
    """``fixed_area_m2`` is that of a processor; None for an accelerator, whose area follows from its largest task."""

    rate: float
    work_per_joule: float
    work_per_m2: float
    fixed_area_m2: float | None = None


@dataclass(frozen=True)
class Memory:
    rate: float
    kind: str


@dataclass(frozen=True)
class Table:
    """By memory kind and size in bytes: J per byte read, J per byte written, m2."""

    rows: Mapping[tuple[str, int], tuple[float, float, float]]

    def row(self, kind: str, size: float) -> tuple[float, ...]:
        """Return a row of the table, or one between the nearest two by power laws (FARSI itself would run CACTI)."""
        sizes = sorted(s for k, s in self.rows if k == kind)
        if size in sizes:
            return self.rows[kind, int(size)]
        above = min(max(sum(s < size for s in sizes), 1), len(sizes) - 1)
        low, high = sizes[above - 1], sizes[above]
        part = math.log(size / low) / math.log(high / low)
        return tuple(a * (b / a) ** part for a, b in zip(self.rows[kind, low], self.rows[kind, high], strict=True))


@dataclass(frozen=True)
class Soc:
    pes: Sequence[Pe]
    memories: Sequence[Memory]
    bus_rates: Sequence[float]
    pe_bus: Sequence[int]
    memory_bus: Sequence[int]
    links: Sequence[tuple[int, int]]
    task_pe: Mapping[str, int]
    task_memory: Mapping[str, int]


@dataclass
class Result:
    latency_s: float
    power_w: float
    area_m2: float
    energy_j: float
    cost: float
    n_phases: int
    pe_area_m2: float
    memory_area_m2: float
    peak_bytes: list[float]
    n_buses: int
    phases: list[tuple[float, dict[str, float]]] = field(default_factory=list)


class RejectedError(Exception):
    """A design that upstream does not simulate, or crashes on."""


def simulate(graph: Graph, soc: Soc, table: Table, load_order: Sequence[str], *, quirks: bool = True) -> Result:
    return _Model(graph, soc, table, load_order, quirks).run()


class _Model:
    def __init__(self, graph: Graph, soc: Soc, table: Table, load_order: Sequence[str], quirks: bool) -> None:
        self.g, self.soc, self.table, self.quirks = graph, soc, table, quirks
        self.load_order = list(load_order)
        self.pe_bus, self.memory_bus = list(soc.pe_bus), list(soc.memory_bus)
        self.used_memories = {soc.task_memory[t] for t in graph.work if graph.children[t]}
        self.neighbours: dict[int, list[int]] = {b: [] for b in range(len(soc.bus_rates))}
        for a, b in soc.links:
            self.neighbours[b].append(a)
            self.neighbours[a].append(b)

    # ---- flows -----------------------------------------------------------------------------------------------------------

    def flows(self, t: str) -> Iterator[tuple[str, str, float]]:
        """Yield direction, other end's memory owner (whose memory it is) and bytes."""
        for p in self.g.parents[t]:
            yield "read", p, self.g.children[p][t]
        for size in self.g.children[t].values():
            yield "write", t, size

    def buses_between(self, start: int, end: int) -> list[int]:
        came: dict[int, int] = {start: -1}
        todo = [start]
        for bus in todo:
            for other in self.neighbours[bus]:
                if other not in came:
                    came[other] = bus
                    todo.append(other)
        if end not in came:
            raise RejectedError("no path")
        path = [end]
        while path[-1] != start:
            path.append(came[path[-1]])
        return path[::-1]

    def path(self, t: str, owner: str) -> list[str]:
        pe, memory = self.soc.task_pe[t], self.soc.task_memory[owner]
        return [f"p{pe}", *(f"b{b}" for b in self.buses_between(self.pe_bus[pe], self.memory_bus[memory])), f"m{memory}"]

    # ---- section 2 --------------------------------------------------------------------------------------------------------

    def preorder(self) -> list[int]:
        order: list[int] = []

        def visit(bus: int) -> None:
            order.append(bus)
            for other in self.neighbours[bus]:
                if other not in order:
                    visit(other)

        visit(self.pe_bus[0])
        return order

    def clean_up(self) -> None:
        if not self.quirks:
            on = {block for t in self.g.work for _, o, _ in self.flows(t) for block in self.path(t, o) if block[0] == "b"}
            self.n_buses = len(on)
            return
        if 0 not in self.soc.task_pe.values():
            raise RejectedError("PE 0 hosts no task")
        original = {(t, owner): set(self.path(t, owner)) for t in self.g.work for _, owner, _ in self.flows(t)}
        carried = {frozenset(pair) for t in self.g.work for _, o, _ in self.flows(t) for pair in self._pairs(self.path(t, o))}
        for bus, others in self.neighbours.items():
            self.neighbours[bus] = [o for o in others if frozenset((f"b{bus}", f"b{o}")) in carried]
        removed = set[int]()
        order = self.preorder()
        for bus in order:
            pes = [p for p, at in enumerate(self.pe_bus) if at == bus and p in self.soc.task_pe.values()]
            memories = [m for m, at in enumerate(self.memory_bus) if at == bus and m in self.used_memories]
            near = self.neighbours[bus]
            if not memories and len(near) == 1:
                for p in pes:
                    self.pe_bus[p] = near[0]
            elif not pes and len(near) == 1:
                for m in memories:
                    self.memory_bus[m] = near[0]
            elif pes or memories:
                continue
            removed.add(bus)
            for other in near:
                self.neighbours[other].remove(bus)
            for other in near[1:]:
                self.neighbours[near[0]].append(other)
                self.neighbours[other].append(near[0])
            self.neighbours[bus] = []
        self.n_buses = len([bus for bus in order if bus not in removed])
        for (t, owner), before in original.items():
            if not set(self.path(t, owner)) <= before:
                raise RejectedError("a path leads over a bus that was not on it")

    @staticmethod
    def _pairs(path: list[str]) -> list[Pipe]:
        return list(pairwise(path))

    # ---- section 3 --------------------------------------------------------------------------------------------------------

    def kernel_list(self) -> list[str]:
        if not self.quirks:
            return self.load_order
        kernels = [t for t in self.load_order if self.soc.task_pe[t] == 0]
        events: list[tuple[str, str]] = []
        seen: set[str] = set()

        def visit(t: str, father: str | None) -> None:
            if father is not None:
                events.extend((block, t) for block in self.path(t, father)[1:-1])
            if t in seen:
                return
            seen.add(t)
            if self.g.children[t]:
                events.extend((block, t) for block in self.path(t, t)[1:-1])
            for child in self.g.children[t]:
                visit(child, t)

        visit(self.g.source, None)
        for bus in self.preorder():
            kernels += dict.fromkeys(t for block, t in events if block == f"b{bus}" and t not in kernels)
        return kernels

    # ---- section 4 --------------------------------------------------------------------------------------------------------

    def units_of(self, t: str, size: float) -> float:
        g = 1.0
        if self.g.parents[t] and self.g.children[t]:
            smallest = min(self.g.children[p][t] for p in self.g.parents[t])
            g = math.floor(smallest / self.g.burst[t])
            if g == 0 or math.floor(min(self.g.children[t].values()) / g) == 0 or math.floor(self.g.work[t] / g) == 0:
                g = 1.0
        return math.floor(size / g)

    def speeds(self, running: list[str]) -> dict[str, float]:
        units: dict[tuple[str, Pipe, str], dict[str, float]] = {}  # direction, incoming pipe and where on: by task
        onward: dict[tuple[str, str, str], set[Pipe]] = {}  # direction, block and next block: incoming pipes
        through: dict[tuple[str, str, str, str], float] = {}  # task, block, direction, where on: bytes
        entered: dict[str, list[tuple[str, str, Pipe, str]]] = {}  # task: direction, block, incoming pipe, next block
        for t in running:
            entered[t] = []
            for d, owner, size in self.flows(t):
                path = self.path(t, owner)
                for x, y, z in zip(path, path[1:], [*path[2:], ""], strict=False):
                    to = "" if self.quirks else z  # only what goes on to the same place counts
                    units.setdefault((d, (x, y), to), {}).setdefault(t, 0.0)
                    units[d, (x, y), to][t] += self.units_of(t, size)
                    onward.setdefault((d, y, z), set()).add((x, y))
                    through[t, y, d, to] = through.get((t, y, d, to), 0.0) + size
                    entered[t].append((d, y, (x, y), z))
        speeds = {}
        for t in running:
            if not self.g.work[t]:
                speeds[t] = math.inf
                continue
            speed = self.soc.pes[self.soc.task_pe[t]].rate
            for d, y, pipe, z in entered[t]:
                to = "" if self.quirks else z
                share = units[d, pipe, to][t] / sum(units[d, pipe, to].values()) / len(onward[d, y, z])
                rate = self.soc.memories[int(y[1:])].rate if y[0] == "m" else self.soc.bus_rates[int(y[1:])]
                speed = min(speed, rate * share * self.g.work[t] / through[t, y, d, to])
            speeds[t] = speed
        return speeds

    # ---- sections 5 and 6 -------------------------------------------------------------------------------------------------

    def alloc(self, t: str) -> float:
        relay = not self.g.work[t] and t != self.g.source
        return 0.0 if relay else sum(self.g.children[t].values())

    def run(self) -> Result:
        self.clean_up()
        waiting_for_launch = self.kernel_list()
        g, soc = self.g, self.soc
        done: set[str] = set()
        left: dict[str, float] = {}
        speeds: dict[str, float] = {}
        running: list[str] = []
        waiting: list[str] = []
        clock, latency = 0.0, math.nan
        phases: list[tuple[float, dict[str, float]]] = [(0.0, {})]
        occupied = [0.0] * len(soc.memories)
        peak = [0.0] * len(soc.memories)
        marked: set[str] = set()
        while True:
            new = [t for t in waiting_for_launch if all(p in done for p in g.parents[t])]
            waiting_for_launch = [t for t in waiting_for_launch if t not in new]
            for t in new:
                left[t] = g.work[t]
                m = soc.task_memory[t]
                occupied[m] += self.alloc(t)
                peak[m] = max(peak[m], occupied[m])
            candidates = [*running, *new, *waiting] if self.quirks else [*running, *waiting, *new]
            running, waiting = [], []
            busy: set[int] = set()
            for t in candidates:
                (waiting if soc.task_pe[t] in busy else running).append(t)
                busy.add(soc.task_pe[t])
            if not running:
                break
            speeds = self.speeds(running)
            later = clock + min(0.0 if not g.work[t] else left[t] / speeds[t] for t in running)
            dt = later - clock
            clock = later
            work = {t: speeds[t] * dt for t in running if g.work[t]}
            if self.quirks:
                for t, amount in work.items():
                    left[t] -= amount
                ended = [t for t in running if not g.work[t] or 1 - left[t] / g.work[t] >= 0.99]
            else:
                first = min(0.0 if not g.work[t] else left[t] / speeds[t] for t in running)
                ended = [t for t in running if not g.work[t] or left[t] / speeds[t] <= first * (1 + 1e-9)]
                for t in work:
                    work[t] = left[t] if t in ended else min(work[t], left[t])
                    left[t] -= work[t]
            phases.append((dt, work))
            for t in ended:
                running.remove(t)
                done.add(t)
                if t == g.last:
                    latency = clock
                marked.add(t)
                for p in g.parents[t]:
                    if self.quirks:
                        free = all(c in marked for c in g.children[p])
                        if free:
                            marked -= set(g.children[p])
                        free = free and p != g.source
                    else:
                        free = all(c in done for c in g.children[p])
                    if free:
                        occupied[soc.task_memory[p]] -= self.alloc(p)
        return self.result(latency, phases, peak)

    # ---- section 7 --------------------------------------------------------------------------------------------------------

    def result(self, latency: float, phases: list[tuple[float, dict[str, float]]], peak: list[float]) -> Result:
        g, soc = self.g, self.soc
        sizes = [math.ceil(max(p, 2048) / 256000) * 256000 for p in peak]
        memory_rows = [
            self.table.row(memory.kind, size) if m in self.used_memories else (0.0, 0.0, 0.0)
            for m, (memory, size) in enumerate(zip(soc.memories, sizes, strict=True))
        ]
        energies = []
        for _, work in phases:
            energy = 0.0
            for t, amount in work.items():
                energy += amount / soc.pes[soc.task_pe[t]].work_per_joule
                read = sum(g.children[p][t] * memory_rows[soc.task_memory[p]][0] for p in g.parents[t])
                energy += amount / g.work[t] * (read + self.alloc(t) * memory_rows[soc.task_memory[t]][1])
            energies.append(energy)
        pe_area = 0.0
        for i, pe in enumerate(soc.pes):
            tasks = [t for t in g.work if soc.task_pe[t] == i]
            if all(t in (g.source, g.sink) if self.quirks else not g.work[t] for t in tasks):
                continue
            largest = max(g.work[t] for t in tasks)
            pe_area += pe.fixed_area_m2 if pe.fixed_area_m2 is not None else largest / pe.work_per_m2
        memory_area = sum(row[2] for row in memory_rows)
        lengths = [length for length, _ in phases]
        return Result(
            latency, self.power(lengths, energies), pe_area + memory_area, sum(energies), self.cost(peak), len(phases),
            pe_area, memory_area, peak, self.n_buses, phases,
        )  # fmt: skip

    def power(self, lengths: list[float], energies: list[float]) -> float:
        windows: list[tuple[int, int]] = []
        if not self.quirks:
            lengths, energies = map(list, zip(*((t, e) for t, e in zip(lengths, energies, strict=True) if t), strict=True))
        u = lo = 0
        budget = WINDOW_S
        for length in lengths:
            if not length:
                continue
            if length > budget:
                windows.append((lo, u + 1))
                lo, budget = u + 1, WINDOW_S
            else:
                budget -= length
            u += 1
        if not windows:
            windows = [(0, len(lengths))]
        elif windows[-1][1] != len(lengths):
            windows.append((windows[-1][1], len(lengths)))
        return max(sum(energies[a:b]) / sum(lengths[a:b]) if sum(lengths[a:b]) else 0.0 for a, b in windows)

    def cost(self, peak: list[float]) -> float:
        g, soc = self.g, self.soc
        smallest = min(w for w in g.work.values() if w)
        cost = 0.1 * self.n_buses + sum(0.1 * math.ceil(p / BANK_BYTES) for p in peak)
        for i, pe in enumerate(soc.pes):
            works = [g.work[t] for t in g.work if soc.task_pe[t] == i]
            if pe.fixed_area_m2 is not None:
                cost += sum(works) / smallest
            elif works:
                cost += 100 * max(works) / smallest
            for m in range(len(soc.memories)):
                users: dict[str, int] = {}
                for t in g.work:
                    if soc.task_pe[t] == i:
                        for _, owner, _ in self.flows(t):
                            if soc.task_memory[owner] == m:
                                users[t] = len(self.path(t, owner))
                cost += sum(0.1 * length for length in users.values())
        return cost
