"""The compiled simulation equals the plain model: on random graphs and systems, and FARSI itself on its rows through the product's data."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.soc import Bus, Memory, Soc, SocRun, SocWorkload, Task, TaskGraph, simulate, simulate_batch
from designgym.simulators.soc.topology import BUS_CYCLE, IDLE_FIRST_PE, NEW_BUS_ON_PATH, NO_PATH, REASONS
from tests.simulators.soc import scalar_model
from tests.simulators.soc.conftest import graphs, problems, scalar_graph, scalar_soc, scalar_table, socs

FIELDS = {
    "latency_s": "latency_s", "power_w": "power_w", "area_m2": "area_m2", "energy_j": "energy_j", "cost": "cost", "phases": "n_phases",
    "buses": "n_buses", "pe_area_m2": "pe_area_m2", "memory_area_m2": "memory_area_m2",
}  # fmt: skip


def numbers(run: SocRun) -> dict[str, float]:
    return {name: getattr(run, name) for name in FIELDS}


@pytest.mark.parametrize("model", ["as_farsi", "corrected"])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_equals_the_plain_model(model: str, data: st.DataObject) -> None:
    workload, soc, order = data.draw(problems())
    ours = simulate(soc, workload, model=model, load_order=order)
    args = scalar_graph(workload), scalar_soc(soc), scalar_table(workload.blocks), order
    try:
        plain = scalar_model.simulate(*args, quirks=model == "as_farsi")
    except scalar_model.RejectedError:
        assert ours.refused == REASONS[NEW_BUS_ON_PATH]
        return
    assert not ours.refused
    expected = {name: getattr(plain, other) for name, other in FIELDS.items()}
    assert numbers(ours) == pytest.approx(expected, rel=1e-9, abs=0)
    assert ours.memory_bytes == pytest.approx(plain.peak_bytes, rel=1e-12, abs=0)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_batch_gives_what_its_systems_give_one_by_one(data: st.DataObject) -> None:
    workload = SocWorkload(data.draw(graphs()))
    several = data.draw(st.lists(socs(workload.graph), min_size=2, max_size=4))
    assert simulate_batch(several, workload) == [simulate(soc, workload) for soc in several]
    assert simulate_batch([], workload) == []


CHAIN = SocWorkload(
    TaskGraph((Task("in", 0), Task("a", 1e6), Task("b", 1e6), Task("out", 0)), (("in", "a", 4e6), ("a", "b", 4e6), ("b", "out", 4e6)))
)


def chain(**changes: Any) -> Soc:
    pe = CHAIN.blocks.processor()
    parts: dict[str, Any] = {
        "pes": (pe, pe), "memories": (Memory("sram", 4e8),), "buses": (Bus(8e8),), "pe_bus": (0, 0), "memory_bus": (0,), "bus_links": (),
        "task_pe": {"in": 0, "a": 0, "b": 1, "out": 0}, "task_memory": dict.fromkeys(CHAIN.graph.names, 0),
    }  # fmt: skip
    return Soc(**parts | changes)


def test_a_chain_by_hand() -> None:
    run = simulate(chain(), CHAIN)
    assert run.latency_s == pytest.approx(2 * 4e6 / 4e8)  # 10 ms each from memory; the work alone takes 1 ms
    table = CHAIN.blocks.memory_table[0]
    size, read, write, area = next(row for row in table if row[0] == 6_656_000)  # 8 MB held at once: between two sizes of the table
    above = table[table.index((size, read, write, area)) + 1]
    part = np.log(8_192_000 / size) / np.log(above[0] / size)
    per_read, per_write = read * (above[1] / read) ** part, write * (above[2] / write) ** part
    work = 2 * 2e6 / CHAIN.blocks.instructions_per_j
    assert run.energy_j == pytest.approx(work + 2 * 4e6 * (per_read + per_write))
    assert run.memory_bytes == (8e6,)
    assert run.area_m2 == pytest.approx(2 * 6.5e-7 + area * (above[3] / area) ** part)
    assert run.power_w == pytest.approx(run.energy_j / run.latency_s)  # two windows of 10 ms, alike
    assert run.cost == pytest.approx(1 + 1 + 0.1 * 8 + 0.1 + 0.1 * 4 * 3)  # works, banks, bus, and four tasks three blocks from memory


REFUSED: dict[str, tuple[dict[str, Any], str, int]] = {
    "idle first PE": ({"task_pe": {"in": 1, "a": 1, "b": 1, "out": 1}}, "as_farsi", IDLE_FIRST_PE),
    "cycle": ({"buses": (Bus(8e8),) * 3, "bus_links": ((0, 1), (1, 2), (2, 0))}, "corrected", BUS_CYCLE),
    "linked twice": ({"buses": (Bus(8e8),) * 3, "bus_links": ((0, 1), (1, 0))}, "corrected", BUS_CYCLE),
    "linked to itself": ({"buses": (Bus(8e8),) * 3, "bus_links": ((1, 1),)}, "corrected", BUS_CYCLE),
    "no path": ({"buses": (Bus(8e8),) * 2, "memory_bus": (1,)}, "corrected", NO_PATH),
}


@pytest.mark.parametrize("name", REFUSED)
def test_systems_that_cannot_be_simulated_are_refused_with_the_reason(name: str) -> None:
    changes, model, outcome = REFUSED[name]
    run = simulate(chain(**changes), CHAIN, model=model)
    assert run.refused == REASONS[outcome] and np.isnan(run.latency_s)


def test_what_farsi_crashes_on_is_refused_as_farsi_and_simulated_otherwise() -> None:
    star = chain(
        buses=(Bus(8e8),) * 4, bus_links=((1, 0), (2, 0), (3, 0)), pe_bus=(1, 2), memory_bus=(3, 1, 2), memories=(Memory("sram", 4e8),) * 3,
        task_memory={"in": 0, "a": 0, "b": 0, "out": 0},
    )  # fmt: skip
    wide = chain(
        buses=(Bus(8e8),) * 4, bus_links=((1, 0), (2, 0), (3, 0)), pe_bus=(1, 2), memory_bus=(3, 1, 2), memories=(Memory("sram", 4e8),) * 3,
        task_memory={"in": 1, "a": 0, "b": 2, "out": 0},
    )  # fmt: skip
    outcomes = {simulate(soc, CHAIN, model="as_farsi").refused for soc in (star, wide)}
    assert REASONS[NEW_BUS_ON_PATH] in outcomes
    assert not simulate(star, CHAIN).refused and not simulate(wide, CHAIN).refused


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no such bus": ({"memory_bus": (1,)}, "memory_bus names bus 1, expected a number from 0 to 0"),
    "too few": ({"pe_bus": (0,)}, "pe_bus has 1 entries, expected 2"),
    "no such PE": ({"task_pe": {"in": 0, "a": 2, "b": 1, "out": 0}}, "task_pe names PE 2"),
    "unmapped": ({"task_memory": {"in": 0, "a": 0, "b": 0}}, "task_memory lacks the task 'out'"),
    "unknown task": ({"task_pe": {"in": 0, "a": 0, "b": 1, "out": 0, "c": 0}}, "unknown task in task_pe: 'c'"),
    "nothing": ({"memories": (), "memory_bus": ()}, "at least one memory"),
}


@pytest.mark.parametrize("name", BAD)
def test_systems_of_parts_that_do_not_exist_are_errors(name: str) -> None:
    changes, message = BAD[name]
    with pytest.raises(InputError, match=message):
        simulate(chain(**changes), CHAIN)


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match="expected corrected or as_farsi"):
        simulate(chain(), CHAIN, model="upstream")
    with pytest.raises(InputError, match="'alphabetical', 'file'"):
        simulate(chain(), CHAIN, load_order="random")
    with pytest.raises(InputError, match="each of the 4 tasks once"):
        simulate(chain(), CHAIN, load_order=["a", "b"])
    with pytest.raises(InputError, match="unknown task in the load order"):
        simulate(chain(), CHAIN, load_order=["a", "b", "in", "end"])
