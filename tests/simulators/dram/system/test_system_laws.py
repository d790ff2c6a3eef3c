"""Laws that every memory system obeys, whatever the trace and the design."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.simulate import simulate
from designgym.simulators.dram.system.config import MemorySystemConfig
from designgym.simulators.dram.system.energy import Activity, energy
from designgym.simulators.dram.system.simulate import SystemRun, simulate_system, simulate_systems
from designgym.simulators.dram.system.standard import STANDARDS, standard
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import generate

SEEDS = st.integers(0, 2**32)
law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Traces = Callable[..., Trace]
Configs = Callable[..., ControllerConfig]
Systems = Callable[..., MemorySystemConfig]


@law
@given(seed=SEEDS)
def test_ddr3_is_the_dram_controller_to_the_clock(seed: int, random_trace: Traces, random_config: Configs) -> None:
    """With what v0 has, v1 issues the same commands for the same requests at the same clocks."""
    rng = np.random.default_rng(seed)
    trace, config = random_trace(rng), random_config(rng)
    theirs = simulate(config, trace, record_commands=True)
    ours = simulate_system(MemorySystemConfig.from_mapping({**config.to_dict(), "Memory": "DDR3-1600"}), trace, record_commands=True)
    assert theirs.commands is not None and ours.commands is not None and theirs.requests is not None and ours.requests is not None
    for name in ("tick", "command", "row", "request"):
        assert np.array_equal(theirs.commands[name], ours.commands[0][name]), name
    of_bank = theirs.commands["bank"] >= 0
    assert np.array_equal(theirs.commands["bank"][of_bank], ours.commands[0]["bank"][of_bank])
    for name in ("presented", "accepted", "response", "row_hit"):
        assert np.array_equal(getattr(theirs.requests, name), getattr(ours.requests, name)), name
    assert (theirs.total_time_ns, theirs.latency, theirs.latency_from_accept) == (
        ours.total_time_ns,
        ours.latency,
        ours.latency_from_accept,
    )
    assert (theirs.row_hit_rate, theirs.bandwidth_gbps) == (ours.row_hit_rate, ours.bandwidth_gbps)
    # The energy models differ at the end of the run only, and IDD2N is IDD3N.
    end_ns = 200.0
    assert abs(theirs.energy_pj - ours.energy.total_pj) <= 675 * end_ns / 1.25 + 165_000


@law
@given(seed=SEEDS)
def test_requests_are_served_within_physical_limits(seed: int, random_trace: Traces, random_system: Systems) -> None:
    rng = np.random.default_rng(seed)
    trace, config = random_trace(rng), random_system(rng)
    memory = standard(config.Memory)
    run = simulate_system(config, trace)
    assert run.status == "finished" and run.n_answered == len(trace) and run.requests is not None
    times = run.requests
    arrival = trace.arrival_ticks * trace.clock_ns / memory.clock_ns
    assert (times.presented >= arrival - 1e-3).all() and (times.accepted >= times.presented).all()
    t = memory.timings
    access = np.where(trace.is_write, t.wl + t.dqss, t.rl + t.dqsck) + memory.burst_cycles
    opening = np.where(times.row_hit, 0, np.where(trace.is_write, t.rcd_wr, t.rcd_rd))  # who misses waits for its row as well
    assert (times.response - times.presented >= opening + access).all()
    assert 0 < run.bandwidth_gbps <= memory.peak_bandwidth_gbps
    bursts = len(trace) * memory.bursts_per_line
    assert run.counts["RD"] + run.counts["RDA"] == int((~trace.is_write).sum()) * memory.bursts_per_line
    assert run.counts["RD"] + run.counts["RDA"] + run.counts["WR"] + run.counts["WRA"] == bursts
    assert 0 <= run.row_hit_rate <= 1 and 0 <= run.power_down_share <= 1
    assert run.counts["PDX"] <= run.counts["PDE"] and (config.PowerDown == "On" or run.counts["PDE"] == run.power_down_share == 0)
    assert run.latency_from_arrival.avg_ns >= run.latency.avg_ns - 1e-6


@law
@given(seed=SEEDS)
def test_energy_is_positive_in_each_part_and_no_less_than_sleeping(seed: int, random_trace: Traces, random_system: Systems) -> None:
    rng = np.random.default_rng(seed)
    trace, config = random_trace(rng), random_system(rng)
    memory = standard(config.Memory)
    run = simulate_system(config, trace)
    e = run.energy
    assert min(e.background_pj, e.activation_pj, e.read_pj, e.write_pj, e.refresh_pj) >= 0
    assert e.total_pj == pytest.approx(e.background_pj + e.activation_pj + e.read_pj + e.write_pj + e.refresh_pj)
    clocks = run.total_time_ns / memory.clock_ns * memory.organisation.channels * memory.organisation.ranks
    least = energy(memory, Activity(asleep_clocks=clocks)).total_pj
    most = energy(memory, Activity(awake_clocks=clocks, awake_open_clocks=clocks * memory.banks_per_rank)).total_pj
    assert least * (1 - 1e-9) <= e.background_pj <= most * 1.02 + 1e4  # closing a bank may fall after the end
    accesses = energy(memory, Activity(reads=1)).total_pj * (run.counts["RD"] + run.counts["RDA"])
    assert e.read_pj == pytest.approx(accesses)
    assert run.power_mw == pytest.approx(e.total_pj / run.total_time_ns)


@law
@given(seed=SEEDS)
def test_a_design_gives_the_same_in_any_batch_and_number_of_threads(seed: int, random_trace: Traces, random_system: Systems) -> None:
    rng = np.random.default_rng(seed)
    trace = random_trace(rng)
    configs = [random_system(rng) for _ in range(4)]
    alone = [replace(simulate_system(config, trace), requests=None) for config in configs]
    assert simulate_systems(configs, trace) == alone
    assert simulate_systems(configs[::-1], trace, threads=3) == alone[::-1]


@pytest.mark.parametrize("memory", STANDARDS)
def test_a_stream_that_the_mapping_spreads_uses_most_of_the_bandwidth(memory: str) -> None:
    n = 20_000
    stream = Trace("stream", np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_), np.arange(n) * 64)
    config = MemorySystemConfig(
        Memory=memory, Scheduler="FrFcfs", BankGroupBits="Low", ChannelBits="Low", RefreshPolicy="NoRefresh", Arbiter="Fifo",
        MaxActiveTransactions=128,
    )  # fmt: skip
    run = simulate_system(config, stream)
    # Lines of two bursts keep to one bank group: tCCD_L apart in HBM2 and LPDDR5, where the next line's burst may go in between.
    assert run.bandwidth_gbps > 0.75 * standard(memory).peak_bandwidth_gbps
    assert run.row_hit_rate > 0.9


def both(trace: Trace, **changes: object) -> tuple[SystemRun, SystemRun]:
    base = MemorySystemConfig(Scheduler="FrFcfs")
    return simulate_system(base, trace), simulate_system(replace(base, **changes), trace)  # type: ignore[arg-type]


def test_bank_groups_cost_time_when_a_stream_keeps_to_one() -> None:
    n = 5_000
    stream = Trace("stream", np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_), np.arange(n) * 64)
    one, spread = both(stream, BankGroupBits="Low")
    t = standard("DDR4-2400").timings
    assert one.total_time_ns / spread.total_time_ns == pytest.approx(t.ccd_l / t.ccd_s, rel=0.1)


def test_changing_ranks_costs_time() -> None:
    n = 5_000
    stream = Trace("stream", np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_), np.arange(n) * 64)
    _, grouped = both(stream, BankGroupBits="Low", Arbiter="Fifo", MaxActiveTransactions=64)
    _, ranks = both(stream, BankGroupBits="Low", RankBits="Low", Arbiter="Fifo", MaxActiveTransactions=64, Scheduler="Fifo")
    assert ranks.total_time_ns > grouped.total_time_ns


def test_channels_share_the_work() -> None:
    stream = generate("random-like", requests=4_000)
    config = MemorySystemConfig(Memory="HBM2", Scheduler="FrFcfs", Arbiter="Fifo", MaxActiveTransactions=64)
    one = simulate_system(config, stream)
    many = simulate_system(replace(config, ChannelBits="Low"), stream, record_commands=True)
    assert many.commands is not None and len(many.commands) == 16
    assert one.latency_from_arrival.avg_ns > many.latency_from_arrival.avg_ns


@pytest.mark.parametrize("memory", ["DDR5-4800", "LPDDR4-3200", "LPDDR5-6400", "HBM2"])
def test_refreshes_of_banks_let_others_work(memory: str) -> None:
    """Without moving refreshes, the worst wait is shorter when not all banks are refreshed at once."""
    n = 12_000
    rng = np.random.default_rng(1)
    trace = Trace("random", np.arange(n) * 20, np.zeros(n, dtype=np.bool_), rng.integers(0, 1 << 24, n) * 64)
    base = MemorySystemConfig(
        Memory=memory, Scheduler="FrFcfs", BankGroupBits="Low", ChannelBits="Low", RefreshMaxPostponed=0, RefreshMaxPulledin=0,
        Arbiter="Fifo", MaxActiveTransactions=64,
    )  # fmt: skip
    all_banks, some = simulate_system(base, trace), simulate_system(replace(base, RefreshPolicy="Bank"), trace)
    assert all_banks.counts["REFA"] > 0 and some.counts["REFB"] > all_banks.counts["REFA"] and some.counts["REFA"] == 0
    assert some.latency_from_arrival.avg_ns < all_banks.latency_from_arrival.avg_ns


def test_power_down_saves_energy_and_costs_time_where_there_are_pauses() -> None:
    n = 400
    sparse = Trace("sparse", np.arange(n) * 2_000, np.zeros(n, dtype=np.bool_), np.arange(n) << 17)
    for policy in ("Open", "Closed"):
        awake = simulate_system(MemorySystemConfig(PagePolicy=policy), sparse)
        asleep = simulate_system(MemorySystemConfig(PagePolicy=policy, PowerDown="On", PowerDownIdle=32), sparse)
        assert asleep.energy.background_pj < awake.energy.background_pj
        assert asleep.latency.avg_ns > awake.latency.avg_ns
        assert asleep.power_down_share > 0.9


def test_draining_writes_lets_reads_go_first() -> None:
    trace = generate("mixed", requests=6_000)
    base = MemorySystemConfig(
        Scheduler="FrFcfs", SchedulerBuffer="ReadWrite", Arbiter="Fifo", MaxActiveTransactions=64, BankGroupBits="Low"
    )
    reads = ~trace.is_write
    turns = {}
    for drain in ("None", "Eager", "Batch"):
        run = simulate_system(replace(base, WriteDrain=drain, WriteHighWatermark=7, WriteLowWatermark=2), trace, record_commands=True)
        assert run.commands is not None and run.requests is not None
        accesses = run.commands[0]["command"]
        is_write = accesses[(accesses >= 4) & (accesses <= 7)] >= 6
        turns[drain] = int(np.count_nonzero(np.diff(is_write.astype(int))))
        assert (run.n_drains > 0) == (drain != "None")
        assert (run.requests.response[reads] > 0).all()
    assert turns["Batch"] < turns["None"] and turns["Eager"] < turns["None"]


def test_what_does_not_fit_is_refused() -> None:
    trace = Trace("far", [0], [False], [1 << 35])
    with pytest.raises(InputError, match="lies beyond"):
        simulate_system(MemorySystemConfig(), trace)
    near = Trace("near", [0], [False], [0])
    with pytest.raises(InputError, match="DDR4-2400 refreshes all banks of a rank at once"):
        simulate_system(MemorySystemConfig(RefreshPolicy="Bank"), near)
    with pytest.raises(InputError, match="threads must be 1 or more"):
        simulate_systems([], near, threads=0)
    with pytest.raises(InputError, match=r"Memory must be one of DDR3-1600.*PowerDownIdle must be an integer from 1"):
        MemorySystemConfig(Memory="DDR6", PowerDownIdle=0)
    with pytest.raises(InputError, match="WriteLowWatermark must be below WriteHighWatermark = 2, but is 2"):
        MemorySystemConfig(WriteDrain="Eager", WriteHighWatermark=2, WriteLowWatermark=2)
    late = Trace("late", [1 << 40], [False], [0])
    with pytest.raises(InputError, match="arrives after clock"):
        simulate_system(MemorySystemConfig(), late)


def test_stopping_after_some_commands() -> None:
    run = simulate_system(MemorySystemConfig(), generate("mixed", requests=500), stop_commands=50, record_commands=True)
    assert run.status == "stopped" and run.commands is not None and run.commands[0].size >= 50
    assert run.n_answered < 500
