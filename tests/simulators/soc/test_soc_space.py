"""The spaces: what designs mean, and that equal canonical forms are equal systems."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.testing import check_simulator, check_space
from designgym.core.workload import Workload
from designgym.simulators.soc import Soc, SocWorkload, Task, TaskGraph, simulate
from designgym.simulators.soc.archgym import archgym_space
from designgym.simulators.soc.genome import CLOCKS_MHZ, WIDTHS_BYTES
from designgym.simulators.soc.library import NAMES, SocWorkloads, built_in, make_workload
from designgym.simulators.soc.simulator import SocSimulator
from designgym.simulators.soc.space import system_space
from tests.simulators.soc.conftest import graphs

LIBRARY = SocWorkloads()
ARCHGYM = {"audio_decoder": (18, 54, 5.4e26), "hpvm_cava": (9, 36, 1.40e18), "edge_detection": (8, 34, 1.56e17)}
COMPARED = ("latency_ms", "power_mw", "area_mm2", "energy_mj", "cost", "average_power_mw", "phases", "buses")


def sampled(seed: int, simulator: SocSimulator) -> Design:
    return simulator.space.sample(np.random.default_rng(seed), 1)[0]


def literal_soc(design: Design, workload: SocWorkload) -> Soc:
    """Return the system that a structured design describes, block by block, used or not."""
    blocks, graph = workload.blocks, workload.graph
    processors, memories, buses = design["processors"], design["memories"], design["buses"]
    working = [task for task in graph.tasks if task.processor_cycles]
    pes, pe_bus = [blocks.processor() for _ in processors], [p["bus"] % len(buses) for p in processors]
    input_memory: int = design["input_memory"] % len(memories)
    task_pe, task_memory = dict.fromkeys(graph.names, 0), dict.fromkeys(graph.names, input_memory)
    for task, entry in zip(working, design["tasks"], strict=False):
        task_memory[task.name] = entry["memory"] % len(memories)
        if entry["on"] == "processor":
            task_pe[task.name] = entry["processor"] % len(processors)
            continue
        unrollings = blocks.unrollings(task)
        chosen = entry["unrolling"] if entry["unrolling"] in unrollings else unrollings[-1]
        task_pe[task.name] = len(pes)
        pes.append(blocks.accelerator(task, chosen, entry["clock_mhz"] * 1e6))
        pe_bus.append(entry["bus"] % len(buses))
    return Soc(
        tuple(pes),
        tuple(blocks.memory(m["kind"], m["width_bytes"], m["clock_mhz"] * 1e6) for m in memories),
        tuple(blocks.bus(b["width_bytes"], b["clock_mhz"] * 1e6) for b in buses),
        tuple(pe_bus),
        tuple(m["bus"] % len(buses) for m in memories),
        tuple((i, bus["parent"] % i) for i, bus in enumerate(buses) if i),
        task_pe,
        task_memory,
    )


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_design_is_the_system_that_it_describes(name: str, seed: int) -> None:
    simulator = SocSimulator()
    design = sampled(seed, simulator)
    [found] = simulator.evaluate([design], LIBRARY.get(name))
    run = simulate(literal_soc(design, built_in(name)), built_in(name))
    expected = [run.latency_s * 1e3, run.power_w * 1e3, run.area_m2 * 1e6, run.energy_j * 1e3, run.cost, run.phases, run.buses]
    assert [found[key] for key in COMPARED if key != "average_power_mw"] == pytest.approx(expected, rel=1e-9)


def respelled(design: Design, rng: np.random.Generator, working: int) -> dict[str, Any]:
    """Return another spelling of the same system: blocks renumbered, some added that nobody uses, rates made of other widths and clocks."""
    plain = design.to_dict()
    lists = {name: [dict(entry) for entry in plain[name]] for name in ("processors", "memories", "buses", "tasks")}
    n_bus = len(lists["buses"])
    for entry in (*lists["memories"], *lists["buses"]):
        rate = entry["width_bytes"] * entry["clock_mhz"]
        same = [(w, c) for w in WIDTHS_BYTES for c in CLOCKS_MHZ if w * c == rate]
        entry["width_bytes"], entry["clock_mhz"] = same[int(rng.integers(len(same)))]
    # buses: another order in which parents still come first, and perhaps one more that is a leaf
    parents = [entry["parent"] % i if i else -1 for i, entry in enumerate(lists["buses"])]
    order: list[int] = []
    while len(order) < n_bus:
        ready = [b for b in range(n_bus) if b not in order and (parents[b] < 0 or parents[b] in order)]
        order.append(ready[int(rng.integers(len(ready)))])
    buses = [{**lists["buses"][b], "parent": order.index(parents[b]) if parents[b] >= 0 else 3} for b in order]
    bus_of = {b: order.index(b) for b in range(n_bus)}
    if n_bus < 5:
        buses.append({"width_bytes": 4, "clock_mhz": 100, "parent": int(rng.integers(n_bus))})
    # memories and processors, but for the first of these
    memory_order = [int(m) for m in rng.permutation(len(lists["memories"]))]
    memories = [{**lists["memories"][m], "bus": bus_of[lists["memories"][m]["bus"] % n_bus]} for m in memory_order]
    n_memory = len(memories)
    if n_memory < 5:
        memories.append({"kind": "dram", "width_bytes": 8, "clock_mhz": 600, "bus": 0})
    n_processor = len(lists["processors"])
    processor_order = [0, *(int(p) + 1 for p in rng.permutation(n_processor - 1))]
    processors = [{"bus": bus_of[lists["processors"][p]["bus"] % n_bus]} for p in processor_order]
    if n_processor < 4:
        processors.append({"bus": len(buses) - 1})
    for i, entry in enumerate(lists["tasks"]):
        entry["memory"] = memory_order.index(entry["memory"] % n_memory)
        entry["bus"] = bus_of[entry["bus"] % n_bus]
        entry["processor"] = processor_order.index(entry["processor"] % n_processor)
        if entry["on"] == "processor":
            entry["bus"], entry["clock_mhz"], entry["unrolling"] = int(rng.integers(5)), 400, 64
        else:
            entry["processor"] = int(rng.integers(4))
        if i >= working:
            entry["memory"] = int(rng.integers(5))
    tasks = lists["tasks"]
    input_memory = memory_order.index(plain["input_memory"] % n_memory)
    return {"processors": processors, "memories": memories, "buses": buses, "tasks": tasks, "input_memory": input_memory}


@pytest.mark.parametrize("model", ["corrected", "as_farsi"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(NAMES))
def test_other_spellings_of_a_system_have_one_canonical_form_and_one_result(model: str, seed: int, name: str) -> None:
    simulator, workload, rng = SocSimulator(model=model), LIBRARY.get(name), np.random.default_rng(seed)
    design = sampled(seed, simulator)
    working = sum(task.processor_cycles > 0 for task in workload.data.graph.tasks)
    other = simulator.space.validate(respelled(design, rng, working))
    canonical = simulator.space.canonical(design, workload.traits)
    assert simulator.space.canonical(other, workload.traits) == canonical
    assert simulator.space.canonical(canonical, workload.traits) == canonical
    results = simulator.evaluate([design, other, canonical], workload)
    assert results[0] == results[1] == results[2]
    if model == "corrected":  # as given, not only as canonicalised
        runs = [simulate(literal_soc(d, workload.data), workload.data) for d in (design, other)]
        assert (runs[0].latency_s, runs[0].phases, runs[0].buses) == (runs[1].latency_s, runs[1].phases, runs[1].buses)
        assert [runs[0].energy_j, runs[0].area_m2, runs[0].cost] == pytest.approx(
            [runs[1].energy_j, runs[1].area_m2, runs[1].cost], rel=1e-12
        )


def test_without_a_workload_only_what_holds_for_all_is_simplified() -> None:
    space = system_space()
    design = space.sample(np.random.default_rng(3), 1)[0]
    assert space.canonical(design)["tasks"] == space.canonical(design)["tasks"]
    memories = [{"kind": "sram", "width_bytes": 128, "clock_mhz": 100, "bus": 0}]
    first = space.validate({**design.to_dict(), "memories": memories})
    second = space.validate({**design.to_dict(), "memories": [{**memories[0], "width_bytes": 32, "clock_mhz": 400}]})
    assert space.canonical(first) == space.canonical(second)
    assert len(space.canonical(first)["processors"]) == len(design["processors"])


@pytest.mark.parametrize("name", NAMES)
def test_archgym_has_its_dimensions(name: str) -> None:
    tasks, parameters, size = ARCHGYM[name]
    space = archgym_space(tasks)
    assert len(space.parameters) == parameters and space.size() == pytest.approx(size, rel=0.01)
    check_space(space, traits=LIBRARY.get(name).traits)
    for model in ("corrected", "as_farsi"):
        check_simulator(SocSimulator(space="archgym", tasks=tasks, model=model), LIBRARY.get(name), samples=24, twins=6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(NAMES))
def test_blocks_of_archgym_are_interchangeable(seed: int, name: str) -> None:
    tasks = ARCHGYM[name][0]
    simulator, workload, rng = SocSimulator(space="archgym", tasks=tasks), LIBRARY.get(name), np.random.default_rng(seed)
    design = dict(sampled(seed, simulator))
    pe, memory, bus = ([int(i) for i in rng.permutation(3)] for _ in range(3))  # by old number, the new one
    other = dict(design)
    for i in range(3):
        other[f"pe_allocation_{pe[i]}"] = design[f"pe_allocation_{i}"]
        other[f"pe_to_bus_connection_{pe[i]}"] = bus[design[f"pe_to_bus_connection_{i}"]]
        other[f"mem_allocation_{memory[i]}"] = design[f"mem_allocation_{i}"]
        other[f"bus_allocation_{bus[i]}"] = design[f"bus_allocation_{i}"]
        for group, numbers in (("bus_to_bus_connection", bus), ("bus_to_mem_connection", memory)):
            value = design[f"{group}_{i}"]
            other[f"{group}_{bus[i]}"] = numbers[value] if value >= 0 else -1
    for i in range(tasks):
        other[f"task_to_pe_mapping_{i}"] = pe[design[f"task_to_pe_mapping_{i}"]]
        other[f"task_to_mem_mapping_{i}"] = memory[design[f"task_to_mem_mapping_{i}"]]
    one, two = Design(design), simulator.space.validate(other)
    assert simulator.space.canonical(one, workload.traits) == simulator.space.canonical(two, workload.traits)
    results = simulator.evaluate([one, two], workload)
    assert results[0].status == results[1].status and dict(results[0].values) == pytest.approx(dict(results[1].values), rel=1e-12)


def test_archgyms_first_pe_matters_as_farsi() -> None:
    simulator = SocSimulator(space="archgym", tasks=8, model="as_farsi")
    idle_first = {**simulator.space.default(), **{f"task_to_pe_mapping_{i}": 1 for i in range(8)}}
    [result] = simulator.evaluate([Design(idle_first)], LIBRARY.get("edge_detection"))
    assert result.status == "infeasible" and "first PE" in result.reasons[0]
    assert SocSimulator(space="archgym", tasks=8).evaluate([Design(idle_first)], LIBRARY.get("edge_detection"))[0].ok


def test_an_accelerator_of_archgym_runs_one_task() -> None:
    simulator, workload = SocSimulator(space="archgym", tasks=8), LIBRARY.get("edge_detection")
    one = {**simulator.space.default(), "pe_allocation_1": 1, "task_to_pe_mapping_1": 1}
    two = {**one, "task_to_pe_mapping_2": 1}
    results = simulator.evaluate([simulator.space.default(), Design(one), Design(two)], workload)
    assert results[1]["latency_ms"] != results[0]["latency_ms"]
    assert results[2].status == "infeasible" and "one task with work" in results[2].reasons[0]


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_task_graph_can_be_searched(data: st.DataObject) -> None:
    workload = make_workload("mine", SocWorkload(data.draw(graphs())))
    check_simulator(SocSimulator(tasks=9), workload, samples=6, twins=3)
    check_simulator(SocSimulator(space="archgym", tasks=11), workload, samples=6, twins=3)


def test_a_task_without_figures_cannot_be_accelerated() -> None:
    graph = TaskGraph((Task("in", 0), Task("a", 1e6), Task("out", 0)), (("in", "a", 1e6), ("a", "out", 1e6)))
    simulator, workload = SocSimulator(tasks=1), make_workload("mine", SocWorkload(graph))
    default = simulator.space.default().to_dict()
    design = simulator.space.validate({**default, "tasks": [{**default["tasks"][0], "on": "accelerator"}]})
    [result] = simulator.evaluate([design], workload)
    assert result.status == "infeasible" and "no figures of one" in result.reasons[0]


def test_options_and_workloads_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="structured or archgym"):
        SocSimulator(space="farsi")
    with pytest.raises(InputError, match="corrected or as_farsi"):
        SocSimulator(model="real")
    with pytest.raises(InputError, match="from 1 to 200"):
        SocSimulator(tasks=0)
    few = SocSimulator(tasks=3)
    with pytest.raises(InputError, match="has 15 tasks with work, the space 3 entries: use the option tasks=15"):
        few.evaluate([few.space.default()], LIBRARY.get("audio_decoder"))
    with pytest.raises(InputError, match="must be a SocWorkload"):
        few.evaluate([few.space.default()], Workload("w", 1))
    with pytest.raises(InputError, match="fidelity must be 1"):
        few.evaluate([few.space.default()], LIBRARY.get("audio_decoder"), fidelity=0.5)


def test_load_orders_are_other_simulators() -> None:
    names = built_in("edge_detection").graph.names
    simulators = [SocSimulator(), SocSimulator(model="as_farsi"), SocSimulator(load_order="file"), SocSimulator(load_order=",".join(names))]
    assert len({simulator.version for simulator in simulators}) == 4
    design = simulators[0].space.default()
    assert simulators[2].evaluate([design], LIBRARY.get("edge_detection")) == simulators[3].evaluate(
        [design], LIBRARY.get("edge_detection")
    )


def test_a_design_in_words_names_what_is_used() -> None:
    simulator, workload = SocSimulator(), LIBRARY.get("edge_detection")
    plain = simulator.space.default().to_dict()
    plain["buses"] = [{"width_bytes": 4, "clock_mhz": 100, "parent": 0}, {"width_bytes": 16, "clock_mhz": 800, "parent": 0}]
    plain["tasks"][1] = {**plain["tasks"][1], "on": "accelerator", "unrolling": 65536, "clock_mhz": 600, "bus": 1}
    assert simulator.describe(simulator.space.validate(plain), workload).splitlines() == [
        "bus 0: 0.4 GB/s",
        "  processor 0: gaussianSmoothing, computeZeroCrossings, computeGradient, computeMaxGradientLeaf, rejectZeroCrossings",
        "  sram 0, 25.6 GB/s: output of souurce, gaussianSmoothing, laplacianEstimate, computeZeroCrossings, computeGradient, "
        "computeMaxGradientLeaf, rejectZeroCrossings",
        "bus 1: 12.8 GB/s, on bus 0",
        "  accelerator: laplacianEstimate, unrolled 1638400 x, 600 MHz",
    ]
    assert simulator.describe(simulator.space.default()) == ""
