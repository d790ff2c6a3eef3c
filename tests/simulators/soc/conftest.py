"""Random task graphs and systems, as the product has them and as the scalar model does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from designgym.simulators.soc import Accelerator, Blocks, Bus, Memory, ProcessingElement, Soc, SocWorkload, Task, TaskGraph
from designgym.simulators.soc.blocks import MEMORY_KINDS
from tests.simulators.soc import scalar_model

Draw = Any


@st.composite
def graphs(draw: Draw, most: int = 9) -> TaskGraph:
    """A source, tasks with work and some without, and a sink; names in no order, transfers from a few bytes to megabytes."""
    count = draw(st.integers(1, most))
    names = draw(st.permutations([f"t{i}" for i in range(count)]))
    sizes = st.one_of(st.integers(1, 3000), st.integers(1, 3_000_000), st.sampled_from([1024.0, 2048.5, 65536.0]))
    works = st.one_of(st.integers(1, 2000), st.integers(1, 10**8), st.sampled_from([0.0, 1e6, 2e6]))
    work = [draw(works) for _ in names]
    if not any(work):
        work[0] = 5e5
    transfers = []
    for i, name in enumerate(names):
        before = draw(st.lists(st.sampled_from(["source", *names[:i]]), min_size=1, max_size=3, unique=True))
        transfers += [(parent, name, draw(sizes)) for parent in before]
    passing = {producer for producer, _, _ in transfers}
    transfers += [(name, "sink", draw(sizes)) for name in names if name not in passing]
    if "source" not in passing:
        transfers.append(("source", names[0], draw(sizes)))
    tasks = [
        Task(name, w, Accelerator(draw(st.integers(1, 10**6)), draw(st.integers(1, 10**5)), draw(st.integers(1, 10**6)), 64) if w else None)
        for name, w in zip(names, work, strict=True)
    ]
    order = draw(st.permutations([Task("source", 0.0), *tasks, Task("sink", 0.0)]))
    last = draw(st.sampled_from(["sink", *names]))
    return TaskGraph(tuple(order), tuple(draw(st.permutations(transfers))), last)


@st.composite
def socs(draw: Draw, graph: TaskGraph, *, first_pe_used: bool = True) -> Soc:
    """1 to 5 buses in a tree, 1 to 5 memories, 1 to 4 processors and up to 4 accelerators, whatever is mapped to them."""
    blocks = Blocks.default()
    n_bus, n_memory = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    pes = [blocks.processor()] * draw(st.integers(1, 4))
    able = [task for task in graph.tasks if task.accelerator is not None]
    for task in draw(st.lists(st.sampled_from(able), max_size=4)) if able else []:
        pes.append(blocks.accelerator(task, draw(st.sampled_from(blocks.unrollings(task))), draw(st.sampled_from([1e8, 4e8, 6e8, 8e8]))))
    pes = draw(st.permutations(pes))
    rates = st.sampled_from([4e8, 1.6e9, 6.4e9, 2.56e10])
    links = [(b, draw(st.integers(0, b - 1))) for b in range(1, n_bus)]
    links = draw(st.permutations([draw(st.sampled_from([link, link[::-1]])) for link in links]))
    label = draw(st.permutations(range(n_bus)))
    mapped = {name: draw(st.integers(0, len(pes) - 1)) for name in graph.names}
    if first_pe_used:
        mapped[graph.source] = 0 if 0 not in mapped.values() else mapped[graph.source]
    if draw(st.booleans()) and not first_pe_used:  # a task without work alone on a PE, as dummy_last can be
        pes.append(blocks.processor())
        mapped[graph.sink] = len(pes) - 1
    return Soc(
        tuple(pes),
        tuple(Memory(draw(st.sampled_from(MEMORY_KINDS)), draw(rates)) for _ in range(n_memory)),
        tuple(Bus(draw(rates)) for _ in range(n_bus)),
        tuple(draw(st.integers(0, n_bus - 1)) for _ in pes),
        tuple(draw(st.integers(0, n_bus - 1)) for _ in range(n_memory)),
        tuple((label[a], label[b]) for a, b in links),
        mapped,
        {name: draw(st.integers(0, n_memory - 1)) for name in graph.names},
    )


@st.composite
def problems(draw: Draw) -> tuple[SocWorkload, Soc, list[str]]:
    """A workload, a system for it, and a load order."""
    workload = SocWorkload(draw(graphs()))
    return workload, draw(socs(workload.graph)), draw(st.permutations(sorted(workload.graph.names)))


def scalar_graph(workload: SocWorkload) -> scalar_model.Graph:
    graph = workload.graph
    return scalar_model.Graph(
        {task.name: task.processor_cycles * workload.blocks.instructions_per_cycle for task in graph.tasks},
        {task.name: task.burst_bytes for task in graph.tasks},
        {name: {c: size for p, c, size in graph.transfers if p == name} for name in graph.names},
        {name: [p for p in graph.names if any(t[:2] == (p, name) for t in graph.transfers)] for name in graph.names},
        graph.last_task,
    )


def scalar_soc(soc: Soc) -> scalar_model.Soc:
    def pe(block: ProcessingElement) -> scalar_model.Pe:
        return scalar_model.Pe(block.rate, block.instructions_per_j, block.instructions_per_m2, block.area_m2 or None)

    return scalar_model.Soc(
        [pe(block) for block in soc.pes],
        [scalar_model.Memory(memory.rate, memory.kind) for memory in soc.memories],
        [bus.rate for bus in soc.buses],
        soc.pe_bus,
        soc.memory_bus,
        soc.bus_links,
        soc.task_pe,
        soc.task_memory,
    )


def scalar_table(blocks: Blocks) -> scalar_model.Table:
    rows: Mapping[tuple[str, int], tuple[float, float, float]] = {
        (kind, int(size)): (read, write, area)
        for kind, table in zip(MEMORY_KINDS, blocks.memory_table, strict=True)
        for size, read, write, area in table
    }
    return scalar_model.Table(rows)
