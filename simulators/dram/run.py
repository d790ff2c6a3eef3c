"""What a simulation found out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.latency import LatencyStatistics, latency_statistics
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.state import (
    COMMAND_NAMES,
    DEADLOCK,
    EVENT_LIMIT,
    FINISHED,
    SCALAR_FIELDS,
    STOPPED_AT_LIMIT,
)
from designgym.simulators.dram.workspace import Workspace

__all__ = ["COUNTED_COMMANDS", "DramRun", "RequestTimes"]

COUNTED_COMMANDS = COMMAND_NAMES[1:]
_STATUS = {FINISHED: "finished", STOPPED_AT_LIMIT: "stopped", DEADLOCK: "deadlock", EVENT_LIMIT: "event_limit"}
Status = Literal["finished", "stopped", "deadlock", "event_limit"]


@dataclass(frozen=True)
class RequestTimes:
    """When each request passed which point, in ticks from the start, -1 where it did not; int64, shape ``(n,)``.

    Attributes:
        presented: The player offered it to the arbiter for the first time.
        accepted: The arbiter accepted it; with `Simple`, which has no queue of its own, the controller's buffer did.
        response: The player received its response.
        row_hit: True if no ACT was issued on its behalf: it used a row that was opened for another request; bool.
    """

    presented: NDArray[np.int64]
    accepted: NDArray[np.int64]
    response: NDArray[np.int64]
    row_hit: NDArray[np.bool_]


@dataclass(frozen=True)
class DramRun:
    """One simulated run. Only what happened until its end counts.

    Attributes:
        config: The controller.
        status: `finished` when all requests were answered; `stopped` when the asked number of commands was reached first.
            `deadlock` (requests are left but nothing can happen) and `event_limit` (no progress) are failures.
        total_time_ns: From the start until the last response was received, in ns.
        energy_pj: Energy of all devices in pJ, without I/O and termination.
        cycles: Clock cycles over which the energy model counts; it closes the last command.
        power_mw: Energy divided by those cycles, in mW.
        bandwidth_gbps: All data moved, divided by the total time, in Gb/s (10^9 bit per second).
        row_hit_rate: Share of the answered requests that are row hits (see `RequestTimes`), 0 to 1.
        counts: Commands issued, by name.
        latency: Response minus first presentation. Waiting for the requests ahead to be accepted is not in it.
        latency_from_accept: Response minus acceptance.
        latency_from_arrival: Response minus arrival time in the trace, with all waiting.
        busy_time_ns: Time with at least one request in the controller, in ns.
        n_answered: Requests answered.
        n_completed: Requests that the controller itself knows to be answered; with `Simple` the last one is not, because the
            run ends first.
        n_input_stalls: Passes in which a request waited because the buffer was full.
        n_arbiter_holds: Requests that waited because the most transactions were active.
        reached_max_postponed: Whether no further refresh could be postponed at some time.
        reached_max_pulled_in: Whether no further refresh could be pulled in at some time.
        requests: Times of each request, if asked for.
        commands: All commands in order, if asked for; `COMMAND_RECORD`, shape ``(commands,)``.
    """

    config: ControllerConfig
    status: Status
    total_time_ns: float
    energy_pj: float
    cycles: int
    power_mw: float
    bandwidth_gbps: float
    row_hit_rate: float
    counts: dict[str, int]
    latency: LatencyStatistics
    latency_from_accept: LatencyStatistics
    latency_from_arrival: LatencyStatistics
    busy_time_ns: float
    n_answered: int
    n_completed: int
    n_input_stalls: int
    n_arbiter_holds: int
    reached_max_postponed: bool
    reached_max_pulled_in: bool
    requests: RequestTimes | None = None
    commands: NDArray[np.void] | None = None

    @property
    def failed(self) -> bool:
        """Whether the run neither finished nor was stopped as asked."""
        return self.status in ("deadlock", "event_limit")


def summarise_run(
    workspace: Workspace, config: ControllerConfig, memory: MemorySpec, *, keep_requests: bool, keep_commands: bool
) -> DramRun:
    """Return the results that a run left in its workspace."""
    s: dict[str, int] = dict(zip(SCALAR_FIELDS, workspace.state.view(np.int64)[: len(SCALAR_FIELDS)].tolist(), strict=True))
    counts: dict[str, int] = dict(zip(COUNTED_COMMANDS, workspace.state["counts"][0, 1:].tolist(), strict=True))
    cycles, powered = _counted_cycles(s, memory, counts["REFA"])
    energy = memory.energy_pj(
        cycles=cycles,
        powered_cycles=powered,
        activations=counts["ACT"],
        precharges=s["n_precharged_banks"],
        reads=counts["RD"] + counts["RDA"],
        writes=counts["WR"] + counts["WRA"],
        refreshes=counts["REFA"],
    )
    clock_ns, answered = memory.clock_ns, s["n_returned"]
    total_time_ns = s["now"] * clock_ns
    from_arrival, from_presented, from_accepted = latency_statistics(workspace.latencies, clock_ns)
    return DramRun(
        config=config,
        status=_STATUS[s["status"]],  # type: ignore[arg-type]
        total_time_ns=total_time_ns,
        energy_pj=energy,
        cycles=cycles,
        power_mw=energy / (cycles * clock_ns) if cycles else 0.0,
        bandwidth_gbps=answered * memory.burst_bytes * 8 / total_time_ns if total_time_ns else 0.0,
        row_hit_rate=1.0 - s["n_activated_answered"] / answered if answered else 0.0,
        counts=counts,
        latency=from_presented,
        latency_from_accept=from_accepted,
        latency_from_arrival=from_arrival,
        busy_time_ns=(s["busy_ticks"] + (s["now"] - s["busy_since"] if s["in_controller"] else 0)) * clock_ns,
        n_answered=answered,
        n_completed=s["n_completed"],
        n_input_stalls=s["n_input_stalls"],
        n_arbiter_holds=s["n_arbiter_holds"],
        reached_max_postponed=s["n_forced_refreshes"] > 0,
        reached_max_pulled_in=s["n_pull_in_decisions"] > 0,
        requests=_request_times(workspace.requests) if keep_requests else None,
        commands=workspace.record[: s["n_commands"]].copy() if keep_commands else None,
    )


def _counted_cycles(s: dict[str, int], memory: MemorySpec, refreshes: int) -> tuple[int, int]:
    """Return the cycles that the energy model counts, and those of them that it counts as powered (a bank open)."""
    if s["n_commands"] == 0:
        return 0, 0
    last, tick = COMMAND_NAMES[s["last_command"]], s["last_command_tick"]
    implicit = s["implicit_precharge_tick"]
    recovery = memory.timings.rfc - memory.timings.rp
    if implicit > tick:
        cycles = implicit + memory.completion_cycles["PRE"] - 1
    elif last == "REFA":
        cycles = tick + recovery
    else:
        cycles = tick + memory.completion_cycles[last.removesuffix("A") if last in ("RDA", "WRA") else last] - 1
    end = cycles if s["powered_banks"] else min(cycles, s["all_closed_at"])
    return cycles, s["powered_cycles"] + end - s["powered_since"] + refreshes * recovery


def _request_times(requests: NDArray[np.void]) -> RequestTimes:
    return RequestTimes(
        presented=requests["presented"].copy(),
        accepted=requests["accepted"].copy(),
        response=requests["response"].copy(),
        row_hit=requests["activated"] == 0,
    )
