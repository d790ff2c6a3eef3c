"""No design may ever break a rule of any memory; and a simulation with a wrong figure is caught by the checker."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.simulators.dram.protocol_rules import Violation
from designgym.simulators.dram.system.config import MemorySystemConfig
from designgym.simulators.dram.system.simulate import simulate_system
from designgym.simulators.dram.system.standard import STANDARDS, Timings, standard
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import CATALOGUE, generate

checked = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
Violations = Callable[..., list[Violation]]
Systems = Callable[..., MemorySystemConfig]


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Requests of any direction to few or many rows, at any time, several in one tick included."""
    size = draw(st.integers(1, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    ticks = np.cumsum(rng.integers(0, draw(st.sampled_from([1, 2, 10, 200, 8000])), size))
    addresses = rng.integers(0, draw(st.sampled_from([64, 1 << 14, 1 << 18, 1 << 22, 1 << 30])), size)
    return Trace("random", ticks, rng.random(size) < draw(st.floats(0, 1)), addresses)


@pytest.mark.parametrize("memory", STANDARDS)
@settings(checked, max_examples=60)
@given(seed=st.integers(0, 2**32), trace=traces())
def test_no_design_breaks_a_rule(memory: str, seed: int, trace: Trace, violations: Violations, random_system: Systems) -> None:
    assert violations(random_system(np.random.default_rng(seed), Memory=memory), trace) == []


@settings(checked, max_examples=20)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(sorted(CATALOGUE)))
def test_no_design_breaks_a_rule_on_longer_traces(seed: int, name: str, violations: Violations, random_system: Systems) -> None:
    assert violations(random_system(np.random.default_rng(seed)), generate(name, requests=2000)) == []


# Memory, a timing, and the rules that speak up when the simulation takes one clock less (more for intervals) than the device needs.
WRONG = [
    ("DDR4-2400", "rcd_rd", {"tRCD"}),
    ("HBM2", "rcd_wr", {"tRCD"}),
    ("DDR4-2400", "rp", {"tRP", "tRTP+tRP", "tWR+tRP"}),
    ("LPDDR4-3200", "rp_ab", {"tRP_AB"}),
    ("DDR4-2400", "ras", {"tRAS"}),
    ("DDR4-2400", "rtp", {"tRTP", "tRTP+tRP"}),
    ("DDR4-2400", "wr", {"tWR", "tWR+tRP", "tWRPDEN", "tWRAPDEN"}),
    ("DDR4-2400", "wtr_s", {"tWTR_S"}),
    ("DDR4-2400", "wtr_l", {"tWTR_L"}),
    ("DDR4-2400", "ccd_l", {"tCCD_L"}),
    ("DDR5-4800", "ccd_l_wr", {"tCCD_L_WR"}),
    ("LPDDR5-6400", "burst_same_group", {"tWTR_L"}),
    ("DDR4-2400", "rrd_s", {"tRRD_S"}),
    ("DDR4-2400", "rrd_l", {"tRRD_L"}),
    ("DDR4-2400", "faw", {"tFAW"}),
    ("LPDDR4-3200", "ppd", {"tPPD"}),
    ("DDR4-2400", "rtrs", {"tRTRS"}),
    ("DDR4-2400", "turnaround", {"tRTW"}),
    ("DDR4-2400", "rfc", {"tRFC"}),
    ("LPDDR4-3200", "rfc_bank", {"tRFC_BANK"}),
    ("DDR5-4800", "rfc_bank", {"tRFC_BANK"}),
    ("LPDDR5-6400", "rfc_bank", {"tRFC_BANK"}),
    ("LPDDR4-3200", "refb_to_refb", {"REFB-REFB"}),
    ("LPDDR4-3200", "refb_to_act", {"REFB-ACT"}),
    ("DDR4-2400", "cke", {"tCKE"}),
    ("DDR4-2400", "xp", {"tXP"}),
]


@pytest.mark.parametrize(("memory", "timing", "rules"), WRONG)
def test_a_simulation_that_is_one_clock_too_fast_is_caught(memory: str, timing: str, rules: set[str], violations: Violations) -> None:
    true = standard(memory)
    wrong = replace(true, timings=_one_less(true.timings, timing))
    bank = true.bank_refresh != "none" and timing != "rp_ab"
    base = MemorySystemConfig(
        Memory=memory, Scheduler="FrFcfs", RefreshPolicy="Bank" if bank else "AllBank", RefreshMaxPostponed=1, RefreshMaxPulledin=4,
        Arbiter="Fifo", MaxActiveTransactions=64, BankGroupBits="AboveBank", RankBits="WithBank",
    )  # fmt: skip
    others = (
        replace(base, PagePolicy="ClosedAdaptive", BankGroupBits="Low"),
        replace(base, PowerDown="On", PowerDownIdle=1, RankBits="Low"),
        replace(base, PagePolicy="Closed", PowerDown="On", PowerDownIdle=1, WriteDrain="Batch", WriteLowWatermark=1),
        replace(base, AddressOrder="BankRowColumn", RankBits="Low"),
    )
    found: set[str] = set()
    for config in (base, *others):
        for name in ("mixed", "bursts", "strided"):
            found |= {violation.rule for violation in violations(config, generate(name, requests=1500), wrong)}
    assert found & rules
    assert found <= rules | {"data-bus"}


def _one_less(timings: Timings, name: str) -> Timings:
    shorter = {name: getattr(timings, name) - 1}
    if name in ("ras", "rp"):
        shorter["rc"] = timings.rc  # which is not meant
    return replace(timings, **shorter)


@pytest.mark.parametrize(("memory", "cycles", "rule"), [("LPDDR4-3200", "act", "command-bus"), ("DDR5-4800", "rd", "command-bus")])
def test_a_simulation_with_shorter_commands_is_caught(memory: str, cycles: str, rule: str, violations: Violations) -> None:
    true = standard(memory)
    wrong = replace(true, command_cycles=replace(true.command_cycles, **{cycles: 1}))
    config = MemorySystemConfig(Memory=memory, Scheduler="FrFcfs", BankGroupBits="Low", Arbiter="Fifo", MaxActiveTransactions=64)
    found = {violation.rule for name in ("random-like", "mixed") for violation in violations(config, generate(name, requests=1500), wrong)}
    assert found == {rule}


@pytest.mark.parametrize("memory", ["DDR4-2400", "LPDDR5-6400"])
@pytest.mark.parametrize(("factor", "rule"), [(0.9, "refresh-early"), (1.3, "refresh-overdue")])
def test_a_simulation_with_another_refresh_interval_is_caught(memory: str, factor: float, rule: str, violations: Violations) -> None:
    true = standard(memory)
    name = "refi_bank" if true.bank_refresh != "none" else "refi"
    wrong = replace(true, timings=replace(true.timings, **{name: round(getattr(true.timings, name) * factor)}))
    sparse = Trace("sparse", np.arange(60) * 1500, np.zeros(60, dtype=np.bool_), np.arange(60) << 16)
    config = MemorySystemConfig(
        Memory=memory, RefreshPolicy="Bank" if name == "refi_bank" else "AllBank", RefreshMaxPostponed=0, RefreshMaxPulledin=0
    )
    assert violations(config, sparse) == []
    assert rule in {violation.rule for violation in violations(config, sparse, wrong)}


def test_power_down_and_refresh_meet() -> None:
    """A rank that sleeps most of the time is woken for each of its refreshes."""
    sparse = Trace("sparse", np.arange(20) * 50_000, np.zeros(20, dtype=np.bool_), np.zeros(20, dtype=np.int64))
    run = simulate_system(MemorySystemConfig(PowerDown="On", PowerDownIdle=4, RefreshMaxPulledin=1), sparse)
    assert run.counts["REFA"] > 200 and run.counts["PDX"] >= run.counts["REFA"] // 2
    assert run.power_down_share > 0.8
