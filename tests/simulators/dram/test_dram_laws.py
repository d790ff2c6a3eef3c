"""Laws that every run obeys, whatever the trace and the controller."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.latency import STATISTICS_SHAPE, make_bins, summarise
from designgym.simulators.dram.run import COUNTED_COMMANDS, DramRun
from designgym.simulators.dram.simulate import default_memory, simulate, simulate_batch
from designgym.simulators.dram.state import COMMAND_NAMES, REQUEST_STATE, TRACE
from designgym.simulators.dram.trace import Trace

MEMORY = default_memory()
SEEDS = st.integers(0, 2**32)
law = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(run: DramRun) -> tuple[Any, ...]:
    """Return everything that a run found, except which controller it was."""
    assert run.requests is not None and run.commands is not None
    times = run.requests
    plain = replace(run, config=ControllerConfig(), requests=None, commands=None)
    return (
        plain,
        times.presented.tolist(),
        times.accepted.tolist(),
        times.response.tolist(),
        times.row_hit.tolist(),
        run.commands.tolist(),
    )


def recorded(config: ControllerConfig, trace: Trace) -> DramRun:
    return simulate(config, trace, record_commands=True)


@law
@given(seed=SEEDS)
def test_every_request_is_served_once_and_in_order_of_its_stages(
    seed: int, random_trace: Callable[..., Trace], random_config: Callable[..., ControllerConfig]
) -> None:
    rng = np.random.default_rng(seed)
    trace = random_trace(rng)
    run = recorded(random_config(rng), trace)
    assert run.status == "finished"
    assert run.n_answered == len(trace)
    assert run.requests is not None and run.commands is not None
    times, commands = run.requests, run.commands
    is_access = (commands["command"] >= COMMAND_NAMES.index("RD")) & (commands["command"] <= COMMAND_NAMES.index("WRA"))
    served = commands[is_access]
    assert sorted(served["request"].tolist()) == list(range(len(trace)))
    is_write = served["command"] >= COMMAND_NAMES.index("WR")
    assert (is_write == trace.is_write[served["request"]]).all()
    assert (times.presented >= trace.arrival_ticks).all()
    assert (np.diff(times.presented) >= 1).all()
    assert (times.accepted >= times.presented).all()
    data_end = served["tick"] + np.where(is_write, MEMORY.constraints["write_data_end"], MEMORY.constraints["read_data_end"])
    assert (times.response[served["request"]] >= data_end).all()
    assert run.total_time_ns == times.response.max() * MEMORY.clock_ns


@law
@given(seed=SEEDS)
def test_counts_energy_and_row_hits_follow_from_the_recorded_commands(
    seed: int, random_trace: Callable[..., Trace], random_config: Callable[..., ControllerConfig]
) -> None:
    rng = np.random.default_rng(seed)
    trace = random_trace(rng)
    run = recorded(random_config(rng), trace)
    assert run.commands is not None and run.requests is not None
    n = dict(zip(COUNTED_COMMANDS, np.bincount(run.commands["command"], minlength=9)[1:].tolist(), strict=True))
    assert run.counts == n
    opened_for = run.commands["request"][run.commands["command"] == COMMAND_NAMES.index("ACT")]
    assert (run.requests.row_hit == ~np.isin(np.arange(len(trace)), opened_for)).all()
    assert run.row_hit_rate == pytest.approx(run.requests.row_hit.mean())
    closed, is_open = 0, [False] * 8
    for command, bank in run.commands[["command", "bank"]].tolist():
        name = COMMAND_NAMES[command]
        if name == "ACT":
            is_open[bank] = True
        elif name in ("PRE", "RDA", "WRA"):
            closed, is_open[bank] = closed + 1, False
        elif name == "PREA":
            closed, is_open = closed + sum(is_open), [False] * 8
    reads, writes = n["RD"] + n["RDA"], n["WR"] + n["WRA"]
    # The figures of this memory put into the general formula; both standby currents are equal.
    energy = 675 * run.cycles + 10500 * n["ACT"] + 3750 * closed + 5700 * reads + 6000 * writes + 165000 * n["REFA"]
    assert run.energy_pj == pytest.approx(energy, rel=1e-15)
    assert run.power_mw == pytest.approx(energy / (run.cycles * MEMORY.clock_ns))
    assert 0 < run.bandwidth_gbps <= MEMORY.peak_bandwidth_gbps


@law
@given(seed=SEEDS)
def test_powered_cycles_are_those_with_a_bank_open(
    seed: int, random_trace: Callable[..., Trace], random_config: Callable[..., ControllerConfig]
) -> None:
    """With different standby currents, energy tells how long the energy model saw a bank open."""
    rng = np.random.default_rng(seed)
    trace, config = random_trace(rng), random_config(rng)
    quiet = replace(MEMORY, currents=replace(MEMORY.currents, idd2n=0.0))
    run, other = recorded(config, trace), simulate(config, trace, quiet)
    assert run.commands is not None
    c, ras = MEMORY.constraints, MEMORY.timings.ras
    closings: list[tuple[int, int]] = []  # (opened, closed) of every row
    opened: dict[int, int] = {}
    for tick, command, bank in run.commands[["tick", "command", "bank"]].tolist():
        name = COMMAND_NAMES[command]
        if name == "ACT":
            opened[bank] = tick
        elif name == "PREA":
            closings += [(at, tick) for at in opened.values()]
            opened.clear()
        elif name in ("PRE", "RDA", "WRA"):
            at = opened.pop(bank)
            delay = {"PRE": 0, "RDA": c["rda_to_implicit_precharge"], "WRA": c["wra_to_implicit_precharge"]}[name]
            closings.append((at, max(tick + delay, at + ras if name == "RDA" else 0)))
    powered = np.zeros(run.cycles, dtype=bool)
    for start, end in closings + [(at, run.cycles) for at in opened.values()]:
        powered[start:end] = True
    expected = powered.sum() + run.counts["REFA"] * (MEMORY.timings.rfc - MEMORY.timings.rp)
    org = MEMORY.organisation
    per_cycle = org.devices * MEMORY.voltage_v * MEMORY.clock_ns * MEMORY.currents.idd2n
    precharges = len(closings)
    # Without precharge standby current, the run loses it in the unpowered cycles and gains it in the energy of precharges.
    gained = precharges * (MEMORY.timings.rc - ras) * per_cycle
    assert other.energy_pj == pytest.approx(run.energy_pj - (run.cycles - expected) * per_cycle + gained)


@law
@given(seed=SEEDS)
def test_parameters_without_a_mechanism_have_no_effect(
    seed: int, random_trace: Callable[..., Trace], random_config: Callable[..., ControllerConfig]
) -> None:
    rng = np.random.default_rng(seed)
    trace, config = random_trace(rng), random_config(rng)
    simple = replace(config, Arbiter="Simple")
    assert outcome(recorded(simple, trace)) == outcome(recorded(replace(simple, MaxActiveTransactions=1), trace))
    quiet = replace(config, RefreshPolicy="NoRefresh")
    other = replace(quiet, RefreshMaxPostponed=0, RefreshMaxPulledin=1)
    assert outcome(recorded(quiet, trace)) == outcome(recorded(other, trace))
    reads = Trace("reads", trace.arrival_ticks, np.zeros(len(trace)), trace.addresses)
    split = replace(config, SchedulerBuffer="ReadWrite", Scheduler="FrFcfsGrp")
    whole = replace(config, SchedulerBuffer="Shared", Scheduler="FrFcfs")
    assert outcome(recorded(split, reads)) == outcome(recorded(whole, reads))


def test_runs_are_reproducible_alone_in_batches_and_on_threads(
    random_trace: Callable[..., Trace], random_config: Callable[..., ControllerConfig]
) -> None:
    rng = np.random.default_rng(7)
    trace = random_trace(rng)
    configs = [random_config(rng) for _ in range(40)]
    alone = [outcome(recorded(config, trace)) for config in configs]
    for threads in (1, 3):
        runs = simulate_batch(configs, trace, threads=threads, record_commands=True, keep_requests=True)
        assert [run.config for run in runs] == configs
        assert [outcome(run) for run in runs] == alone


def test_a_stopped_run_is_a_prefix_of_the_whole_one(
    random_trace: Callable[..., Trace], random_config: Callable[..., ControllerConfig]
) -> None:
    rng = np.random.default_rng(8)
    trace, config = random_trace(rng), random_config(rng)
    whole, part = recorded(config, trace), simulate(config, trace, record_commands=True, stop_commands=50)
    assert part.status == "stopped"
    assert whole.commands is not None and part.commands is not None and whole.requests is not None and part.requests is not None
    assert part.commands.tolist() == whole.commands[:50].tolist()
    answered = part.requests.response >= 0
    assert answered.sum() == part.n_answered < len(trace)
    assert (part.requests.response[answered] == whole.requests.response[answered]).all()


def test_latencies_of_any_length_are_summarised_exactly() -> None:
    rng = np.random.default_rng(10)
    for longest in (1, 100, 4095, 4096, 70_000, 1 << 26):
        n = int(rng.integers(1, 300))
        trace, requests = np.zeros(n, dtype=TRACE), np.zeros(n, dtype=REQUEST_STATE)
        trace["arrival"] = rng.integers(0, longest, n)
        requests["presented"] = trace["arrival"] + rng.integers(0, longest, n)
        requests["accepted"] = requests["presented"] + rng.integers(0, longest, n)
        requests["response"] = np.where(rng.random(n) < 0.2, -1, requests["accepted"] + rng.integers(0, longest, n))
        requests["activated"] = rng.integers(0, 2, n)
        answered = requests["response"] >= 0
        out = np.full(STATISTICS_SHAPE, -1, dtype=np.int64)
        end = int(requests["response"].max())
        assert summarise(trace, requests, max(end, 0), make_bins(), out) == requests["activated"][answered].sum()
        for row, start in zip(out.tolist(), (trace["arrival"], requests["presented"], requests["accepted"]), strict=True):
            latency = (requests["response"] - start)[answered]
            p50, p99 = np.percentile(latency, [50, 99], method="inverted_cdf") if answered.any() else (0, 0)
            assert row == [answered.sum(), latency.sum(), p50, p99, latency.max(initial=0)]


def test_percentiles_are_those_of_the_request_times(random_trace: Callable[..., Trace]) -> None:
    rng = np.random.default_rng(9)
    for _ in range(5):
        base = random_trace(rng)
        # All at once: the last requests wait for much longer than the percentiles count tick by tick.
        trace = Trace("burst", np.zeros(len(base)), base.is_write, base.addresses)
        run = simulate(ControllerConfig("Closed", "Fifo", "Shared", 1), trace)
        assert run.requests is not None
        starts = {"arrival": trace.arrival_ticks, "presented": run.requests.presented, "accepted": run.requests.accepted}
        found = {"arrival": run.latency_from_arrival, "presented": run.latency, "accepted": run.latency_from_accept}
        for event, start in starts.items():
            latency = (run.requests.response - start) * MEMORY.clock_ns
            p50, p99 = np.percentile(latency, [50, 99], method="inverted_cdf")
            assert found[event] == (pytest.approx(latency.mean()), p50, p99, latency.max())
