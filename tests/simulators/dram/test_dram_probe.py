"""Probes tell designs apart whose behaviour differs anywhere in the trace, though only its beginning is run."""

from collections.abc import Callable

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.workload import Workload
from designgym.simulators.dram.simulator import PROBED_REQUESTS, DramController, make_workload
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import generate

SIMULATOR = DramController()
ONE_DESIGN = {
    "PagePolicy": "ClosedAdaptive", "Scheduler": "FrFcfs", "SchedulerBuffer": "Shared", "RequestBufferSize": 3, "RespQueue": "Reorder",
    "RefreshPolicy": "AllBank", "RefreshMaxPostponed": 1, "RefreshMaxPulledin": 8, "Arbiter": "Fifo", "MaxActiveTransactions": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"SchedulerBuffer": "Bankwise", "RequestBufferSize": 2}),
        ({"Scheduler": "Fifo", "RespQueue": "Fifo", "RefreshMaxPostponed": 4}, {"RequestBufferSize": 2}),
    ],
)
def test_a_buffer_that_matters_only_behind_a_refresh_is_seen(one: dict[str, object], other: dict[str, object]) -> None:
    """On this trace, no refresh is due in the time of the first requests, and without one these buffers behave alike."""
    workload = make_workload(generate("stream-like"))
    designs = [SIMULATOR.space.validate(ONE_DESIGN | one | values) for values in ({}, other)]
    a, b = SIMULATOR.evaluate(designs, workload)
    assert a["total_time_ns"] != b["total_time_ns"]
    first, second = SIMULATOR.probe(designs, workload)
    assert first != second


def _neighbours(workload: Workload) -> list[Design]:
    """Return designs that differ in how they count or limit what they buffer: the likeliest to be taken for each other."""
    found: dict[Design, None] = {}
    for design in SIMULATOR.space.sample(np.random.default_rng(6), 20):
        for kind in ("Bankwise", "ReadWrite", "Shared"):
            for size in range(1, 9):
                neighbour = SIMULATOR.space.validate({**design, "SchedulerBuffer": kind, "RequestBufferSize": size})
                found[SIMULATOR.space.canonical(neighbour, workload.traits)] = None
    return list(found)


def _merges(workload: Workload) -> int:
    """Return how many designs are taken for an earlier one, after checking that they have its metrics."""
    designs = _neighbours(workload)
    first: dict[bytes, tuple[object, Design]] = {}
    merges = 0
    for design, probe, metrics in zip(designs, SIMULATOR.probe(designs, workload), SIMULATOR.evaluate(designs, workload), strict=True):
        merges += probe in first
        values, other = first.setdefault(probe, (metrics.values, design))
        assert values == metrics.values, (design, other)
    return merges


def test_in_a_short_trace_all_designs_that_do_the_same_are_one(random_trace: Callable[..., Trace]) -> None:
    traces = (random_trace(np.random.default_rng(seed)).head(PROBED_REQUESTS) for seed in range(6))
    assert sum(_merges(make_workload(trace)) for trace in traces) > 100


@pytest.mark.parametrize("name", ["stream-like", "cloud-like"])
def test_in_a_long_trace_neighbours_are_not_taken_for_each_other(name: str) -> None:
    """By a probe that took equal beginnings for evidence, 22 of 37 neighbours on the second of these traces were merged falsely."""
    trace = generate(name, requests=3_000)
    assert _merges(make_workload(trace)) == 0
    assert _merges(make_workload(trace.head(PROBED_REQUESTS))) > 10  # though their beginnings are equal


def test_equal_traces_are_probed_alike() -> None:
    designs = _neighbours(make_workload(generate("mixed", requests=300)))[:40]
    first, second = (SIMULATOR.probe(designs, make_workload(generate("mixed", requests=300))) for _ in range(2))
    assert first == second
