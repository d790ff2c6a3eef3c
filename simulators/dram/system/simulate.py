"""Simulating memory systems from Python: each channel alone, then all of them as one memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram import latency
from designgym.simulators.dram.latency import LatencyStatistics, latency_statistics
from designgym.simulators.dram.run import RequestTimes
from designgym.simulators.dram.state import DEADLOCK, EVENT_LIMIT, FINISHED, HEAP_FULL, REQUEST_STATE, STOPPED_AT_LIMIT, TRACE
from designgym.simulators.dram.system.config import MemorySystemConfig
from designgym.simulators.dram.system.energy import Activity, Energy, energy
from designgym.simulators.dram.system.kernel import run_channel
from designgym.simulators.dram.system.merge import merge_bursts, summarise_requests
from designgym.simulators.dram.system.standard import LINE_BYTES, MemoryStandard, standard
from designgym.simulators.dram.system.state import COMMAND_NAMES, REFA, REFB
from designgym.simulators.dram.system.workspace import ChannelTrace, ChannelWorkspace, refresh_units, split_trace
from designgym.simulators.dram.trace import Trace

__all__ = ["COUNTED_COMMANDS", "SystemRun", "simulate_system", "simulate_systems"]

COUNTED_COMMANDS = COMMAND_NAMES[1:]
_STATUS = {FINISHED: "finished", STOPPED_AT_LIMIT: "stopped", DEADLOCK: "deadlock", EVENT_LIMIT: "event_limit"}


@dataclass(frozen=True)
class SystemRun:
    """One simulated run of a memory system.

    Attributes:
        config: The memory system.
        status: The worst of its channels': `finished`, `stopped` (after the asked number of commands), `deadlock` or `event_limit`.
        total_time_ns: From the start until the last response of any channel, in ns.
        energy: By cause, of all devices until then. A channel that finished earlier is idle for the rest: it keeps its open rows, is
            refreshed at the average rate, and sleeps if power-down is on.
        bandwidth_gbps: Lines of 64 bytes moved, divided by the total time, in Gb/s (10^9 bit per second).
        row_hit_rate: Share of the answered requests that no ACT was issued for, 0 to 1.
        power_down_share: Share of the ranks' time in power-down, 0 to 1.
        counts: Commands issued, by name, all channels together.
        latency: Response minus first presentation. A request has its response when all of its bursts have.
        latency_from_accept: Response minus acceptance (of the last burst).
        latency_from_arrival: Response minus arrival time in the trace, with all waiting.
        n_answered: Requests answered.
        n_drains: Times that buffered writes reached the high watermark while reads waited.
        requests: Times of each request in clocks of the memory, if asked for.
        commands: All commands of each channel that got requests, by channel, if asked for; `COMMAND_RECORD`. A command to a whole rank, or
            a refresh of some banks, names the first bank of these.
        end_ticks: When each of those channels had its last response, in clocks.
    """

    config: MemorySystemConfig
    status: str
    total_time_ns: float
    energy: Energy
    bandwidth_gbps: float
    row_hit_rate: float
    power_down_share: float
    counts: dict[str, int]
    latency: LatencyStatistics
    latency_from_accept: LatencyStatistics
    latency_from_arrival: LatencyStatistics
    n_answered: int
    n_drains: int
    requests: RequestTimes | None = None
    commands: dict[int, NDArray[np.void]] | None = None
    end_ticks: dict[int, int] | None = None

    @property
    def failed(self) -> bool:
        """Whether the run neither finished nor was stopped as asked."""
        return self.status in ("deadlock", "event_limit")

    @property
    def power_mw(self) -> float:
        """Energy divided by the total time."""
        return self.energy.total_pj / self.total_time_ns if self.total_time_ns else 0.0


def simulate_system(
    config: MemorySystemConfig,
    trace: Trace,
    memory: MemoryStandard | None = None,
    *,
    record_commands: bool = False,
    stop_commands: int | None = None,
) -> SystemRun:
    """Return the run of one memory system, with the times of every request.

    Args:
        config: The memory system.
        trace: The requests, each of which moves the line of 64 bytes that its address lies in.
        memory: Another memory than the one that the config names.
        record_commands: Also keep every command.
        stop_commands: Stop each channel after this many commands.

    Raises:
        InputError: If the trace does not fit the memory, or the memory does not know the config's refreshes.
    """
    memory = standard(config.Memory) if memory is None else memory
    return _simulate(config, trace, memory, record_commands=record_commands, stop_commands=stop_commands, keep_requests=True)


def simulate_systems(configs: Sequence[MemorySystemConfig], trace: Trace, *, threads: int = 1) -> list[SystemRun]:
    """Return the runs of several memory systems on one trace, in the order of `configs`.

    Args:
        configs: The memory systems.
        trace: The requests.
        threads: Simulations that run at a time; they do not hold the interpreter lock.

    Raises:
        InputError: If the trace does not fit a memory, or `threads` is less than 1.
    """
    if threads < 1:
        raise InputError(f"threads must be 1 or more, but is {threads}.")

    def one(config: MemorySystemConfig) -> SystemRun:
        return _simulate(config, trace, standard(config.Memory))

    if threads == 1:
        return [one(config) for config in configs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, configs))


@dataclass(frozen=True, eq=False)
class _ChannelRun:
    part: ChannelTrace
    workspace: ChannelWorkspace

    @property
    def state(self) -> np.void:
        state: np.void = self.workspace.state[0]
        return state


def _simulate(
    config: MemorySystemConfig,
    trace: Trace,
    memory: MemoryStandard,
    *,
    record_commands: bool = False,
    stop_commands: int | None = None,
    keep_requests: bool = False,
) -> SystemRun:
    refresh_units(memory, config.RefreshPolicy)  # refuses what the memory does not know
    runs = [_run(part, config, memory, record_commands, stop_commands) for part in split_trace(trace, memory, config.mapping)]
    requests, trace_in_clocks = _merge(runs, trace)
    end = max(int(run.state["now"]) for run in runs)
    statistics = np.zeros(latency.STATISTICS_SHAPE, dtype=np.int64)
    activated = summarise_requests(trace_in_clocks, requests, end, latency.make_bins(), statistics)
    from_arrival, from_presented, from_accepted = latency_statistics(statistics, memory.clock_ns)
    answered = int(np.count_nonzero(requests["response"] >= 0))
    counts = np.sum([run.state["counts"] for run in runs], axis=0).tolist()
    total_time_ns = end * memory.clock_ns
    activity = _activity(runs, config, memory, end)
    asleep = activity.asleep_clocks / max(activity.asleep_clocks + activity.awake_clocks, 1)
    return SystemRun(
        config=config,
        status=_STATUS[max(int(run.state["status"]) for run in runs)],
        total_time_ns=total_time_ns,
        energy=energy(memory, activity),
        bandwidth_gbps=answered * LINE_BYTES * 8 / total_time_ns if total_time_ns else 0.0,
        row_hit_rate=1.0 - activated / answered if answered else 0.0,
        power_down_share=asleep,
        counts=dict(zip(COUNTED_COMMANDS, counts[1:], strict=True)),
        latency=from_presented,
        latency_from_accept=from_accepted,
        latency_from_arrival=from_arrival,
        n_answered=answered,
        n_drains=sum(int(run.state["n_drains"]) for run in runs),
        requests=_times(requests) if keep_requests else None,
        commands={r.part.channel: r.workspace.record[: r.state["n_commands"]].copy() for r in runs} if record_commands else None,
        end_ticks={r.part.channel: int(r.state["now"]) for r in runs} if record_commands else None,
    )


def _run(
    part: ChannelTrace, config: MemorySystemConfig, memory: MemoryStandard, record_commands: bool, stop_commands: int | None
) -> _ChannelRun:
    """Simulate one channel; arrays that turn out too small grow, and the run is repeated."""
    # Three commands a burst, refreshes, and rows closed by them.
    capacity = min(4 * part.bursts.size + 1024, stop_commands or 1 << 62) if record_commands else 0
    w = ChannelWorkspace.allocate(part.bursts, memory, record_capacity=capacity)
    while True:
        w.configure(config, stop_commands=stop_commands)
        run_channel(w.state, w.banks, w.queues, w.groups, w.ranks, w.units, w.heap, w.trace, w.requests, w.record)
        n_commands = int(w.state["n_commands"][0])
        if int(w.state["status"][0]) == HEAP_FULL:
            w.grow_heap()
        elif record_commands and n_commands > w.record.size:
            w.grow_record(n_commands)
        else:
            return _ChannelRun(part, w)


def _merge(runs: Sequence[_ChannelRun], trace: Trace) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Return what happened to each request of the trace, from what happened to its bursts, and the trace with arrivals in clocks."""
    merged = np.zeros(len(trace), dtype=REQUEST_STATE)
    merged["presented"] = merged["accepted"] = -1
    in_clocks = np.zeros(len(trace), dtype=TRACE)
    for run in runs:
        merge_bursts(run.part.requests, run.part.bursts, run.workspace.requests, in_clocks, merged)
    return merged, in_clocks


def _times(requests: NDArray[np.void]) -> RequestTimes:
    return RequestTimes(
        presented=requests["presented"].copy(),
        accepted=requests["accepted"].copy(),
        response=requests["response"].copy(),
        row_hit=requests["activated"] == 0,
    )


def _activity(runs: Sequence[_ChannelRun], config: MemorySystemConfig, memory: MemoryStandard, end: int) -> Activity:
    """Return what all ranks of all channels did until `end`."""
    total = Activity()
    for run in runs:
        total += _of_channel(run, config, memory, end)
    unused = memory.organisation.channels - len(runs)
    ranks = memory.organisation.ranks
    idle = _idle(config, memory, end, open_banks=0, asleep=False)
    for _ in range(unused * ranks):
        total += idle
    return total


def _of_channel(run: _ChannelRun, config: MemorySystemConfig, memory: MemoryStandard, end: int) -> Activity:
    s, w = run.state, run.workspace
    now = int(s["now"])
    counts = s["counts"]
    open_now = w.banks["open_row"] >= 0
    awake = asleep = awake_open = asleep_open = 0
    rest = Activity()
    for index, rank in enumerate(w.ranks):
        own = (w.banks["rank"] == index) & open_now
        sleeping = now - int(rank["asleep_since"]) if rank["asleep"] else 0
        slept = int(rank["asleep_ticks"]) + sleeping
        open_asleep = int(rank["asleep_bank_ticks"]) + sleeping * int(rank["open_banks"])
        open_ticks = int(rank["open_bank_ticks"]) + int((now - w.banks["activated_at"][own]).sum())
        asleep, awake = asleep + slept, awake + now - slept
        asleep_open, awake_open = asleep_open + open_asleep, awake_open + open_ticks - open_asleep
        rest += _idle(config, memory, end - now, open_banks=int(own.sum()), asleep=bool(rank["asleep"]))
    return rest + Activity(
        awake_clocks=awake,
        awake_open_clocks=awake_open,
        asleep_clocks=asleep,
        asleep_open_clocks=asleep_open,
        activations=int(counts[COMMAND_NAMES.index("ACT")]),
        reads=int(counts[COMMAND_NAMES.index("RD")] + counts[COMMAND_NAMES.index("RDA")]),
        writes=int(counts[COMMAND_NAMES.index("WR")] + counts[COMMAND_NAMES.index("WRA")]),
        refreshes=int(counts[REFA]),
        bank_refreshes=int(counts[REFB]),
    )


def _idle(config: MemorySystemConfig, memory: MemoryStandard, clocks: int, *, open_banks: int, asleep: bool) -> Activity:
    """Return what a rank does that nobody uses any more."""
    awake = clocks
    if config.PowerDown == "On":
        awake = 0 if asleep else min(clocks, config.PowerDownIdle)
    t, refreshes = memory.timings, 0.0
    if config.RefreshPolicy == "Bank":
        refreshes = len(memory.refreshed_together) // memory.organisation.ranks * clocks / t.refi_bank
    elif config.RefreshPolicy == "AllBank":
        refreshes = clocks / t.refi
    activity = Activity(
        awake_clocks=awake,
        awake_open_clocks=awake * open_banks,
        asleep_clocks=clocks - awake,
        asleep_open_clocks=(clocks - awake) * open_banks,
    )
    return replace(activity, bank_refreshes=refreshes) if config.RefreshPolicy == "Bank" else replace(activity, refreshes=refreshes)
