"""The simulation of one system after another: topology, order, steps, phases, metrics. Compiled by Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.simulators.soc.compiled import Array, compiled, entry_point, source_digest
from designgym.simulators.soc.schedule import Steps, schedule
from designgym.simulators.soc.topology import (
    BUS_CYCLE,
    IDLE_FIRST_PE,
    NEW_BUS_ON_PATH,
    NO_PATH,
    OK,
    clean_up,
    cut_unused,
    find_hops,
    linked,
    preorder,
)

LATENCY, POWER, AREA, ENERGY, COST, PHASES, BUSES, PE_AREA, MEMORY_AREA, AVERAGE_POWER = range(10)
"""Columns of the results."""
RESULTS = 10
WINDOW_S = 0.01  # over which power is averaged
SMALLEST_BYTES, STEP_BYTES = 2048.0, 256_000.0  # of a memory, and by which it grows
BANK_BYTES = 1_048_576.0
ACCELERATOR_EFFORT, BLOCK_EFFORT = 100.0, 0.1  # cost of porting a task to an accelerator; of a bank, a bus, a hop


@compiled
def _simulate(graph: Any, socs: Any, b: int, order: Array, as_farsi: bool, result: Array, peaks: Array) -> int:  # pragma: no cover
    n = len(graph.work)
    n_pe, n_memory, n_bus, n_links = socs.counts[b, 0], socs.counts[b, 1], socs.counts[b, 2], socs.counts[b, 3]
    task_pe, task_memory = socs.task_pe[b], socs.task_memory[b]
    pe_bus, memory_bus = socs.pe_bus[b, :n_pe].copy(), socs.memory_bus[b, :n_memory].copy()
    pe_used, memory_used = np.zeros(n_pe, np.bool_), np.zeros(n_memory, np.bool_)
    for t in range(n):
        pe_used[task_pe[t]] = True
        memory_used[task_memory[t]] |= graph.child_start[t + 1] > graph.child_start[t]
    if as_farsi and not pe_used[0]:
        return IDLE_FIRST_PE
    near, count = np.empty((n_bus, n_bus + 1), np.int64), np.zeros(n_bus, np.int64)
    hop = np.empty((n_bus, n_bus), np.int64)
    if n_links >= n_bus or not linked(socs.links[b, :n_links], near, count):
        return BUS_CYCLE
    find_hops(near, count, hop)
    carried, on_path = np.zeros((n_bus, n_bus), np.bool_), np.zeros(n_bus, np.bool_)
    for v in range(len(graph.visits)):
        bus, end = pe_bus[task_pe[graph.visits[v, 0]]], memory_bus[task_memory[graph.visits[v, 1]]]
        if hop[bus, end] < 0:
            return NO_PATH
        on_path[bus] = True
        while bus != end:
            following = hop[bus, end]
            carried[bus, following] = carried[following, bus] = True
            bus = following
            on_path[bus] = True
    buses_left = int(np.sum(on_path))
    kernels = order
    if as_farsi:
        cut_unused(near, count, carried)
        buses_left = clean_up(near, count, pe_bus, memory_bus, pe_used, memory_used)
        before = hop.copy()
        find_hops(near, count, hop)
        for v in range(len(graph.visits)):
            t, owner = graph.visits[v, 0], graph.visits[v, 1]
            p, m = task_pe[t], task_memory[owner]
            if not _within(pe_bus[p], memory_bus[m], hop, socs.pe_bus[b, p], socs.memory_bus[b, m], before):
                return NEW_BUS_ON_PATH
        kernels = np.empty(n, np.int64)
        _kernel_order(graph.visits, order, task_pe, task_memory, pe_bus, memory_bus, near, count, hop, kernels)
    steps, slots, pairs, onwards = _steps(graph, socs, b, n_pe, n_memory, n_bus, pe_bus, memory_bus, hop, as_farsi)
    s = schedule(
        graph.work, graph.alloc, graph.parent_start, graph.parent, graph.child_start, graph.child, graph.ends[0], graph.ends[2],
        kernels, task_pe, task_memory, socs.pe_rate[b], n_memory, steps, slots, pairs, onwards, as_farsi,
    )  # fmt: skip
    memory_figures = np.zeros((n_memory, 3))
    for m in range(n_memory):
        peaks[m] = s.peak[m]
        if memory_used[m]:
            _memory_figures(graph, socs.memory_kind[b, m], s.peak[m], memory_figures[m])
    energies = np.zeros(s.phases)
    for i in range(s.ran):
        t = s.ran_task[i]
        moved = graph.alloc[t] * memory_figures[task_memory[t], 1]
        for k in range(graph.parent_start[t], graph.parent_start[t + 1]):
            moved += graph.parent_bytes[k] * memory_figures[task_memory[graph.parent[k]], 0]
        energies[s.ran_phase[i]] += s.ran_work[i] / socs.pe_per_j[b, task_pe[t]] + s.ran_work[i] / graph.work[t] * moved
    result[LATENCY], result[PHASES], result[BUSES] = s.latency, s.phases, buses_left
    result[ENERGY] = np.sum(energies)
    result[AVERAGE_POWER] = result[ENERGY] / np.sum(s.lengths[: s.phases])
    result[POWER] = _peak_power(s.lengths[: s.phases], energies, as_farsi)
    result[MEMORY_AREA] = np.sum(memory_figures[:, 2])
    result[PE_AREA] = _pe_area(graph, socs, b, n_pe, as_farsi)
    result[AREA] = result[PE_AREA] + result[MEMORY_AREA]
    result[COST] = _cost(graph, socs, b, n_pe, pe_bus, memory_bus, hop, memory_used, s.peak, buses_left)
    return OK


@compiled
def _within(bus: int, end: int, hop: Array, old_bus: int, old_end: int, old_hop: Array) -> bool:  # pragma: no cover  # compiled
    """Return whether the way from ``bus`` to ``end`` leads over buses of the old way only."""
    while True:
        old, on_it = old_bus, False
        while True:
            on_it |= old == bus
            if old == old_end:
                break
            old = old_hop[old, old_end]
        if not on_it or hop[bus, end] < 0:
            return False
        if bus == end:
            return True
        bus = hop[bus, end]


@compiled
def _kernel_order(
    visits: Array,
    order: Array,
    task_pe: Array,
    task_memory: Array,
    pe_bus: Array,
    memory_bus: Array,
    near: Array,
    count: Array,
    hop: Array,
    kernels: Array,
) -> None:  # pragma: no cover  # compiled
    """Fill FARSI's order of tasks: those of the first PE in load order, then, bus by bus, those whose data passes."""
    n, found = len(kernels), 0
    taken = np.zeros(n, np.bool_)
    for i in range(n):
        if task_pe[order[i]] == 0:
            kernels[found] = order[i]
            taken[order[i]] = True
            found += 1
    buses = np.empty(len(count), np.int64)
    n_buses = preorder(near, count, pe_bus[0], buses)
    for i in range(n_buses):
        if found == n:
            return
        for v in range(len(visits)):
            t = visits[v, 0]
            if taken[t]:
                continue
            bus, end = pe_bus[task_pe[t]], memory_bus[task_memory[visits[v, 1]]]
            while bus != end and bus != buses[i]:
                bus = hop[bus, end]
            if bus == buses[i]:
                kernels[found] = t
                taken[t] = True
                found += 1


@compiled
def _steps(
    graph: Any, socs: Any, b: int, n_pe: int, n_memory: int, n_bus: int, pe_bus: Array, memory_bus: Array, hop: Array, as_farsi: bool
) -> Any:  # pragma: no cover  # compiled
    """Return the steps of all tasks' data, and how many slots, pairs and onward ways there are.

    Pipes are numbered: from bus x to bus y, from each PE to its bus, from each memory's bus to it; ways on: a bus, or a memory behind.
    In FARSI a step's units are all that come in with it, and its bytes all that the task moves through the block in that direction,
    wherever they go on to; else what goes on as the step does.
    """
    n, ways = len(graph.work), n_bus + n_memory
    pipes = n_bus * n_bus + n_pe + n_memory
    onwards = n_bus * ways
    room = n * 2
    for t in range(n):
        room += (graph.parent_start[t + 1] - graph.parent_start[t] + 1) * (n_bus + 1)
    start = np.zeros(n + 1, np.int64)
    slot, pair, onward = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    counted, units, size, rate = np.empty(room, np.bool_), np.empty(room), np.empty(room), np.empty(room)
    block, way = np.empty(room, np.int64), np.empty(room, np.int64)
    in_units, in_bytes = np.zeros(ways), np.zeros(ways)  # by block
    e = 0
    for t in range(n):
        p = socs.task_pe[b, t]
        for d in range(2):
            first = e
            start_k, end_k = graph.parent_start[t], graph.parent_start[t + 1]
            if d == 1:  # one write, of all that the task passes on
                start_k, end_k = 0, 1 if graph.write_bytes[t] > 0 else 0
            for k in range(start_k, end_k):
                m = socs.task_memory[b, graph.parent[k]] if d == 0 else socs.task_memory[b, t]
                flow_units = graph.parent_units[k] if d == 0 else graph.write_units[t]
                flow_bytes = graph.parent_bytes[k] if d == 0 else graph.write_bytes[t]
                pipe, here, end = n_bus * n_bus + p, pe_bus[p], memory_bus[m]
                while True:
                    at_memory = here >= n_bus
                    following = -1 if at_memory else (n_bus + m if here == end else hop[here, end])
                    in_units[here] += flow_units
                    in_bytes[here] += flow_bytes
                    found = first
                    while found < e and not (block[found] == here and way[found] == following):
                        found += 1
                    if found == e:
                        block[e], way[e], units[e], size[e] = here, following, 0.0, 0.0
                        private = pipe >= n_bus * n_bus and pipe < n_bus * n_bus + n_pe
                        pair[e] = (d * pipes + pipe) * ways + (0 if at_memory else following)
                        slot[e] = -1 if private else ((d * pipes + pipe) * ways if as_farsi else pair[e])
                        onward[e] = -1 if at_memory else d * onwards + here * ways + following
                        rate[e] = socs.memory_rate[b, m] if at_memory else socs.bus_rate[b, here]
                        counted[e] = not private
                        if as_farsi:
                            for other in range(first, e):
                                counted[e] &= slot[other] != slot[e]
                        e += 1
                    units[found] += flow_units
                    size[found] += flow_bytes
                    if at_memory:
                        break
                    pipe = n_bus * n_bus + n_pe + m if following >= n_bus else here * n_bus + following
                    here = following
            for i in range(first, e):
                if as_farsi:
                    units[i], size[i] = in_units[block[i]], in_bytes[block[i]]
            for i in range(first, e):
                in_units[block[i]] = in_bytes[block[i]] = 0
        start[t + 1] = e
    return Steps(start, slot, counted, pair, onward, units, size, rate), 2 * pipes * ways, 2 * pipes * ways, 2 * onwards


@compiled
def _memory_figures(graph: Any, kind: int, peak: float, figures: Array) -> None:  # pragma: no cover  # compiled
    """Fill J per byte read and written, and m2, of a memory: from the table, power laws between its sizes and beyond."""
    size = np.ceil(max(peak, SMALLEST_BYTES) / STEP_BYTES) * STEP_BYTES
    first, end = graph.table_start[kind], graph.table_start[kind + 1]
    above = first
    while above < end - 1 and graph.table[above, 0] < size:
        above += 1
    if graph.table[above, 0] == size:
        for i in range(3):
            figures[i] = graph.table[above, i + 1]
        return
    above = max(above, first + 1)
    low, high = graph.table[above - 1], graph.table[above]
    part = np.log(size / low[0]) / np.log(high[0] / low[0])
    for i in range(3):
        figures[i] = low[i + 1] * (high[i + 1] / low[i + 1]) ** part


@compiled
def _peak_power(lengths: Array, energies: Array, as_farsi: bool) -> float:  # pragma: no cover  # compiled
    """Return the largest power over a window: phases in a row until the budget of time is exceeded.

    In FARSI phases without length are not counted when windows are laid, and counted when they are summed up, so that windows are moved.
    """
    n, low, budget, u, peak = len(lengths), 0, WINDOW_S, 0, 0.0
    for i in range(n):
        length = lengths[i]
        if length == 0:
            continue
        u = u + 1 if as_farsi else i + 1
        if length > budget:
            peak = max(peak, _power(lengths, energies, low, u))
            low, budget = u, WINDOW_S
        else:
            budget -= length
    if low < n:
        peak = max(peak, _power(lengths, energies, low, n))
    return peak


@compiled
def _power(lengths: Array, energies: Array, low: int, high: int) -> float:  # pragma: no cover  # compiled
    time = np.sum(lengths[low:high])
    return np.sum(energies[low:high]) / time if time > 0 else 0.0


@compiled
def _pe_area(graph: Any, socs: Any, b: int, n_pe: int, as_farsi: bool) -> float:  # pragma: no cover  # compiled
    """Return the area of the PEs in m2: an accelerator's is that of its largest task; PEs that only stand for input or output have none."""
    area = 0.0
    for p in range(n_pe):
        largest, real = 0.0, False
        for t in range(len(graph.work)):
            if socs.task_pe[b, t] == p:
                largest = max(largest, graph.work[t])
                real |= (t != graph.ends[0] and t != graph.ends[1]) if as_farsi else graph.work[t] > 0
        if real:
            area += socs.pe_area[b, p] if socs.pe_per_m2[b, p] == 0 else largest / socs.pe_per_m2[b, p]
    return area


@compiled
def _cost(
    graph: Any, socs: Any, b: int, n_pe: int, pe_bus: Array, memory_bus: Array, hop: Array, memory_used: Array, peak: Array, buses: int
) -> float:  # pragma: no cover  # compiled
    """Return the effort of development: porting tasks, banks of memory, buses, and paths by their length."""
    n, smallest = len(graph.work), np.inf
    for t in range(n):
        if graph.work[t] > 0:
            smallest = min(smallest, graph.work[t])
    cost = BLOCK_EFFORT * buses
    for m in range(len(memory_used)):
        if memory_used[m]:
            cost += BLOCK_EFFORT * np.ceil(peak[m] / BANK_BYTES)
    largest, uses = np.zeros(n_pe), np.zeros(len(memory_used), np.bool_)
    for t in range(n):
        p = socs.task_pe[b, t]
        if socs.pe_per_m2[b, p] == 0:
            cost += graph.work[t] / smallest
        largest[p] = max(largest[p], graph.work[t])
        uses[:] = False
        if graph.write_bytes[t] > 0:
            uses[socs.task_memory[b, t]] = True
        for k in range(graph.parent_start[t], graph.parent_start[t + 1]):
            uses[socs.task_memory[b, graph.parent[k]]] = True
        for m in range(len(uses)):
            if uses[m]:
                blocks, bus = 3, pe_bus[p]
                while bus != memory_bus[m]:
                    blocks += 1
                    bus = hop[bus, memory_bus[m]]
                cost += BLOCK_EFFORT * blocks
    for p in range(n_pe):
        if socs.pe_per_m2[b, p] > 0:
            cost += ACCELERATOR_EFFORT * largest[p] / smallest
    return cost


def _compile(sources: int) -> Callable[..., None]:
    @entry_point
    def simulate_all(
        graph: Any, socs: Any, order: Array, as_farsi: bool, results: Array, peaks: Array, outcomes: Array
    ) -> None:  # pragma: no cover  # compiled
        """Fill the results (b, `RESULTS`), the peak bytes of the memories (b, m) and the outcomes (b,) of all systems."""
        if sources == 0:
            return
        for b in range(len(socs.counts)):
            outcomes[b] = _simulate(graph, socs, b, order, as_farsi, results[b], peaks[b])

    return simulate_all


simulate_all = _compile(source_digest())
