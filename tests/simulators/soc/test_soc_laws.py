"""Laws of the model on random graphs and systems, and the anomalies that keep others from being laws."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from designgym.simulators.soc import Bus, Memory, ProcessingElement, Soc, SocRun, SocWorkload, Task, TaskGraph, simulate
from designgym.simulators.soc.blocks import MEMORY_KINDS
from tests.simulators.soc.conftest import graphs, socs

ENDLESS = 1e30  # bytes/s
BOTH = pytest.mark.parametrize("model", ["corrected", "as_farsi"])


def run(soc: Soc, workload: SocWorkload, model: str = "corrected") -> SocRun:
    found = simulate(soc, workload, model=model)
    assume(not found.refused)
    return found


def faster(soc: Soc, factor: float) -> Soc:
    return replace(
        soc,
        pes=tuple(replace(pe, rate=factor * pe.rate) for pe in soc.pes),
        memories=tuple(replace(memory, rate=factor * memory.rate) for memory in soc.memories),
        buses=tuple(replace(bus, rate=factor * bus.rate) for bus in soc.buses),
    )


def whole(graph: TaskGraph) -> SocWorkload:
    """Return a workload whose latency is the time of the whole run."""
    return SocWorkload(replace(graph, last_task=graph.sink))


def figures(soc: Soc, workload: SocWorkload, found: SocRun, memory: int) -> tuple[float, float, float]:
    """Return J per byte read and written, and m2, of a memory that is one size of the table; skip other sizes."""
    size = math.ceil(max(found.memory_bytes[memory], 2048) / 256_000) * 256_000
    table = {row[0]: row[1:] for row in workload.blocks.memory_table[MEMORY_KINDS.index(soc.memories[memory].kind)]}
    assume(size in table)
    return table[size]


@BOTH
@settings(max_examples=100, deadline=None)
@given(data=st.data(), doublings=st.integers(-3, 6))
def test_time_scales_with_all_rates(model: str, data: st.DataObject, doublings: int) -> None:
    workload = SocWorkload(data.draw(graphs()))
    soc = data.draw(socs(workload.graph))
    before, after = run(soc, workload, model), run(faster(soc, 2.0**doublings), workload, model)
    assert after.latency_s * 2.0**doublings == before.latency_s  # exact: a power of two
    assert after.energy_j == pytest.approx(before.energy_j, rel=1e-12)
    assert (after.area_m2, after.cost, after.memory_bytes) == (before.area_m2, before.cost, before.memory_bytes)


@BOTH
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_energy_is_that_of_the_work_and_of_the_bytes(model: str, data: st.DataObject) -> None:
    workload = SocWorkload(data.draw(graphs()))
    graph, soc = workload.graph, data.draw(socs(workload.graph))
    found = run(soc, workload, model)
    work = sum(workload.blocks.work(task) / soc.pes[soc.task_pe[task.name]].instructions_per_j for task in graph.tasks)
    energy = work
    for task in graph.tasks:
        if task.processor_cycles:
            energy += sum(size * figures(soc, workload, found, soc.task_memory[p])[0] for p, size in graph.parents[task.name].items())
            written = sum(graph.children[task.name].values())
            energy += written * figures(soc, workload, found, soc.task_memory[task.name])[1]
    if model == "corrected":
        assert found.energy_j == pytest.approx(energy, rel=1e-9) and found.energy_j >= work * (1 - 1e-12)
    else:  # the last hundredth of a task may be dropped
        assert 0.99 * energy * (1 - 1e-9) <= found.energy_j <= energy * (1 + 1e-9)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_area_is_the_sum_of_the_blocks_that_are_used(data: st.DataObject) -> None:
    workload = SocWorkload(data.draw(graphs()))
    graph, soc = workload.graph, data.draw(socs(workload.graph))
    found = run(soc, workload)
    expected = sum(figures(soc, workload, found, m)[2] for m in {soc.task_memory[t] for t in graph.names if graph.children[t]})
    for i, pe in enumerate(soc.pes):
        works = [workload.blocks.work(task) for task in graph.tasks if soc.task_pe[task.name] == i]
        if any(works):
            expected += pe.area_m2 or max(works) / pe.instructions_per_m2
    assert found.area_m2 == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_blocks_that_nobody_uses_change_nothing(data: st.DataObject) -> None:
    workload = SocWorkload(data.draw(graphs()))
    soc = data.draw(socs(workload.graph))
    more = replace(
        soc,
        pes=(*soc.pes, workload.blocks.processor()),
        memories=(*soc.memories, Memory("dram", 1e9)),
        buses=(*soc.buses, Bus(1e9)),
        pe_bus=(*soc.pe_bus, len(soc.buses)),
        memory_bus=(*soc.memory_bus, 0),
        bus_links=(*soc.bus_links, (0, len(soc.buses))),
    )
    one, other = simulate(soc, workload), simulate(more, workload)
    assert replace(one, memory_bytes=(*one.memory_bytes, 0.0)) == other


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_time_is_at_least_the_critical_path_the_work_of_a_pe_and_the_bytes_of_a_memory(data: st.DataObject) -> None:
    workload = whole(data.draw(graphs()))
    graph, soc = workload.graph, data.draw(socs(workload.graph))
    latency = run(soc, workload).latency_s * (1 + 1e-9)
    assert latency >= critical_path(workload, soc)
    for i, pe in enumerate(soc.pes):
        assert latency >= sum(workload.blocks.work(task) for task in graph.tasks if soc.task_pe[task.name] == i) / pe.rate
    for m, memory in enumerate(soc.memories):
        working = [task.name for task in graph.tasks if task.processor_cycles]  # the others' data takes no time
        read = sum(size for t in working for p, size in graph.parents[t].items() if soc.task_memory[p] == m)
        written = sum(sum(graph.children[t].values()) for t in working if soc.task_memory[t] == m)
        assert latency >= max(read, written) / memory.rate


def critical_path(workload: SocWorkload, soc: Soc) -> float:
    """Return the longest chain of work, each task at the rate of its PE."""
    ends: dict[str, float] = {}

    def end(task: str) -> float:
        if task not in ends:
            work = workload.graph.work_of[task] * workload.blocks.instructions_per_cycle / soc.pes[soc.task_pe[task]].rate
            ends[task] = work + max(map(end, workload.graph.parents[task]), default=0.0)
        return ends[task]

    return end(workload.graph.last_task)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_with_endless_bandwidth_and_a_pe_for_each_task_the_time_is_the_critical_path(data: st.DataObject) -> None:
    workload = SocWorkload(data.draw(graphs()))
    soc = alone(data.draw(socs(workload.graph)), workload)
    soc = replace(
        soc,
        memories=tuple(replace(memory, rate=ENDLESS) for memory in soc.memories),
        buses=tuple(replace(bus, rate=ENDLESS) for bus in soc.buses),
    )
    assert run(soc, workload).latency_s == pytest.approx(critical_path(workload, soc), rel=1e-9)
    which = data.draw(st.integers(0, len(soc.pes) - 1))
    quicker = replace(soc, pes=tuple(replace(pe, rate=3 * pe.rate) if i == which else pe for i, pe in enumerate(soc.pes)))
    assert run(quicker, workload).latency_s <= run(soc, workload).latency_s * (1 + 1e-9)


def alone(soc: Soc, workload: SocWorkload) -> Soc:
    """Return the system with a PE for each task, as fast as the one that it was on."""
    names = workload.graph.names
    return replace(
        soc,
        pes=tuple(soc.pes[soc.task_pe[name]] for name in names),
        pe_bus=tuple(soc.pe_bus[soc.task_pe[name]] for name in names),
        task_pe={name: i for i, name in enumerate(names)},
    )


@BOTH
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_in_a_chain_no_faster_block_makes_it_slower(model: str, data: st.DataObject) -> None:
    workload = SocWorkload(chain_of(data.draw(st.lists(st.integers(1, 10**8), min_size=1, max_size=6)), data))
    soc = data.draw(socs(workload.graph))
    before = run(soc, workload, model)
    parts = [("pes", len(soc.pes)), ("memories", len(soc.memories)), ("buses", len(soc.buses))]
    name, count = data.draw(st.sampled_from(parts))
    which = data.draw(st.integers(0, count - 1))
    blocks = [replace(block, rate=2 * block.rate) if i == which else block for i, block in enumerate(getattr(soc, name))]
    changed: dict[str, Any] = {name: tuple(blocks)}
    after = run(replace(soc, **changed), workload, model)
    assert after.latency_s <= before.latency_s * (1 + 1e-9)
    assert after.energy_j == pytest.approx(before.energy_j, rel=1e-9)


def chain_of(works: list[int], data: st.DataObject) -> TaskGraph:
    names = ["in", *(f"t{i}" for i in range(len(works))), "out"]
    sizes = data.draw(st.lists(st.integers(1, 5_000_000), min_size=len(names) - 1, max_size=len(names) - 1))
    tasks = [Task("in", 0), *(Task(name, work) for name, work in zip(names[1:-1], works, strict=True)), Task("out", 0)]
    return TaskGraph(tuple(tasks), tuple((a, b, float(size)) for a, b, size in zip(names, names[1:], sizes, strict=False)))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_peak_power_is_at_least_the_average(data: st.DataObject) -> None:
    workload = whole(data.draw(graphs()))
    found = run(data.draw(socs(workload.graph)), workload)
    assert found.power_w >= found.energy_j / found.latency_s * (1 - 1e-9)


def fixed(graph: TaskGraph, rates: dict[str, float], pe_of: dict[str, str], memory_rate: float = ENDLESS, kept: str = "") -> Soc:
    """Return a system with PEs of these names and rates, and two memories, one with what the tasks of ``kept`` write."""
    pes = list(rates)
    return Soc(
        tuple(ProcessingElement(rate, 1e10, 1e-7) for rate in rates.values()),
        (Memory("sram", ENDLESS), Memory("sram", memory_rate)),
        (Bus(ENDLESS),),
        (0,) * len(pes),
        (0, 0),
        (),
        {name: pes.index(pe_of.get(name, pes[0])) for name in graph.names},
        {name: int(name in kept) for name in graph.names},
    )


def test_a_faster_pe_can_make_a_system_slower_where_tasks_wait_for_a_pe() -> None:
    """Graham's anomaly (Bell System Technical Journal 1966): sooner ready, c takes the PE for 2 ms that d needs, which e waits for."""
    tasks = (Task("in", 0), *(Task(*task) for task in (("a", 5e5), ("b", 6e5), ("c", 2e6), ("d", 5e5), ("e", 9e6))), Task("out", 0))
    links = [("in", "a"), ("in", "b"), ("a", "c"), ("b", "d"), ("d", "e"), ("c", "out"), ("e", "out")]
    graph = TaskGraph(tasks, tuple((*link, 1.0) for link in links))

    def latency_ms(rate: float) -> float:
        on = {"a": "first", "b": "second", "c": "shared", "d": "shared", "e": "last"}
        soc = fixed(graph, {"first": rate, "second": 2e9, "shared": 2e9, "last": 2e9}, on)
        return simulate(soc, SocWorkload(graph)).latency_s * 1e3

    assert latency_ms(1e9) == pytest.approx(0.6 + 0.5 + 9)
    assert latency_ms(2e9) == pytest.approx(0.5 + 2 + 0.5 + 9)


def test_a_faster_pe_can_make_a_system_slower_where_tasks_share_a_memory() -> None:
    """With a PE for each task too: sooner ready, b takes half of the memory from c, which d waits for."""
    tasks = (Task("in", 0), Task("a", 1e6), Task("b", 1), Task("c", 1), Task("d", 1e7), Task("out", 0))
    links = [("in", "a", 1.0), ("a", "b", 1.0), ("in", "c", 1.0), ("c", "d", 4e6), ("b", "out", 4e6), ("d", "out", 1.0)]
    graph = TaskGraph(tasks, tuple(links))

    def latency_ms(rate: float) -> float:
        rates = {"a": rate} | dict.fromkeys("bcd", 2e9)
        soc = fixed(graph, rates, {name: name for name in "abcd"}, memory_rate=1e9, kept="bc")
        return simulate(soc, SocWorkload(graph)).latency_s * 1e3

    assert latency_ms(4e8) == pytest.approx(4 + 10, rel=1e-3)  # a takes 5 ms, and c has the memory for itself for 4 ms
    assert latency_ms(2e9) == pytest.approx(1 + 2 * 3 + 10, rel=1e-3)


def test_a_faster_memory_can_make_a_system_slower() -> None:
    """The same, with a waiting for a memory of its own instead of its PE."""
    tasks = (Task("in", 0), Task("x", 1), Task("a", 1), Task("b", 1), Task("c", 1), Task("d", 1e7), Task("out", 0))
    links = [("in", "x", 1.0), ("x", "a", 4e6), ("a", "b", 1.0), ("in", "c", 1.0), ("c", "d", 4e6), ("b", "out", 4e6), ("d", "out", 1.0)]
    graph = TaskGraph(tasks, tuple(links))

    def latency_ms(rate: float) -> float:
        soc = fixed(graph, dict.fromkeys("xabcd", 2e9), {name: name for name in "xabcd"}, memory_rate=1e9, kept="bc")
        memories = (*soc.memories, Memory("sram", rate))
        soc = replace(soc, memories=memories, memory_bus=(0, 0, 0), task_memory={**soc.task_memory, "x": 2})
        return simulate(soc, SocWorkload(graph)).latency_s * 1e3

    assert latency_ms(8e8) == pytest.approx(4 + 10, rel=1e-3)  # x and a take 5 ms each
    assert latency_ms(4e9) == pytest.approx(2 + 2 * 2 + 10, rel=1e-3)
