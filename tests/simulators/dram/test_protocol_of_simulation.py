"""No design may ever break a rule of the memory device; and a simulation with a wrong rule is caught by the checker."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.protocol_checker import RefreshRule, ServedRequests, Violation, check_commands
from designgym.simulators.dram.simulate import simulate
from designgym.simulators.dram.state import COMMAND_NAMES
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import CATALOGUE, generate

MEMORY = MemorySpec.load()
REFRESH_SLACK = 200  # ticks to finish what is under way, precharge all banks and refresh

CONFIGS = st.builds(
    ControllerConfig,
    PagePolicy=st.sampled_from(["Open", "OpenAdaptive", "Closed", "ClosedAdaptive"]),
    Scheduler=st.sampled_from(["Fifo", "FrFcfs", "FrFcfsGrp"]),
    SchedulerBuffer=st.sampled_from(["Bankwise", "ReadWrite", "Shared"]),
    RequestBufferSize=st.integers(1, 8),
    RespQueue=st.sampled_from(["Fifo", "Reorder"]),
    RefreshPolicy=st.sampled_from(["AllBank", "NoRefresh"]),
    RefreshMaxPostponed=st.integers(0, 8),
    RefreshMaxPulledin=st.integers(0, 8),
    Arbiter=st.sampled_from(["Simple", "Fifo", "Reorder"]),
    MaxActiveTransactions=st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]),
)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Requests of any direction to few or many rows, at any time, several in one tick included."""
    size = draw(st.integers(1, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    ticks = np.cumsum(rng.integers(0, draw(st.sampled_from([1, 2, 10, 200, 8000])), size))
    addresses = rng.integers(0, draw(st.sampled_from([64, 1 << 14, 1 << 18, 1 << 22, 1 << 30])), size)
    return Trace("random", ticks, rng.random(size) < draw(st.floats(0, 1)), addresses)


def violations(config: ControllerConfig, trace: Trace, memory: MemorySpec = MEMORY) -> list[Violation]:
    """Simulates on `memory`, which may be wrong, and checks against the true one."""
    run = simulate(config, trace, memory, record_commands=True)
    assert run.status == "finished"
    assert run.commands is not None
    commands = run.commands
    banks, rows = MEMORY.decode(trace.addresses)
    refresh = RefreshRule(config.RefreshMaxPostponed, config.RefreshMaxPulledin, REFRESH_SLACK)
    return check_commands(
        commands["tick"],
        commands["command"],
        commands["bank"],
        commands["row"],
        command_names=COMMAND_NAMES,
        timings={f.name.upper(): getattr(MEMORY.timings, f.name) for f in fields(MEMORY.timings)} | {"BURST": MEMORY.burst_cycles},
        refresh=refresh if config.RefreshPolicy == "AllBank" else None,
        requests=commands["request"],
        served=ServedRequests(banks, rows, trace.is_write),
        end_tick=round(run.total_time_ns / MEMORY.clock_ns),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(config=CONFIGS, trace=traces())
def test_no_design_breaks_a_rule(config: ControllerConfig, trace: Trace) -> None:
    assert violations(config, trace) == []


@settings(max_examples=15, deadline=None)
@given(config=CONFIGS, name=st.sampled_from(sorted(CATALOGUE)))
def test_no_design_breaks_a_rule_on_longer_traces(config: ControllerConfig, name: str) -> None:
    assert violations(config, generate(name, requests=3000)) == []


# Which rules speak up when the simulation takes one tick less than the device needs.
RULES = {
    "rcd": {"tRCD"},
    "rp": {"tRP", "tRP-PREA", "tRTP+tRP", "tWR+tRP"},
    "ras": {"tRAS"},
    "rc": {"tRC"},
    "rtp": {"tRTP", "tRTP+tRP"},
    "wr": {"tWR", "tWR+tRP"},
    "wtr": {"tWTR"},
    "ccd": {"tCCD"},
    "rrd": {"tRRD"},
    "faw": {"tFAW"},
    "rfc": {"tRFC"},
}


@pytest.mark.parametrize("timing", RULES)
def test_a_simulation_that_is_one_tick_too_fast_is_caught(timing: str) -> None:
    wrong = replace(MEMORY, timings=replace(MEMORY.timings, **{timing: getattr(MEMORY.timings, timing) - 1}))
    found: set[str] = set()
    base = ControllerConfig(Scheduler="FrFcfs", RefreshMaxPostponed=1, RefreshMaxPulledin=4, Arbiter="Fifo")
    for config in (base, replace(base, PagePolicy="ClosedAdaptive")):
        for name in ("mixed", "bursts", "strided"):
            found |= {violation.rule for violation in violations(config, generate(name, requests=3000), wrong)}
    assert found & RULES[timing]
    assert found <= RULES[timing] | {"data-bus"}


@pytest.mark.parametrize(("refi", "rule"), [(6239, "refresh-early"), (7000, "refresh-overdue")])
def test_a_simulation_with_another_refresh_interval_is_caught(refi: int, rule: str) -> None:
    wrong = replace(MEMORY, timings=replace(MEMORY.timings, refi=refi))
    sparse = Trace("sparse", np.arange(20) * 5000, np.zeros(20, dtype=np.bool_), np.arange(20) << 16)
    config = ControllerConfig(RefreshMaxPostponed=0, RefreshMaxPulledin=0)
    assert violations(config, sparse) == []
    assert {violation.rule for violation in violations(config, sparse, wrong)} == {rule}
