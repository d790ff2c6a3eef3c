"""The arrays that a simulation runs on, prepared for one design, trace and memory."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram import latency
from designgym.simulators.dram.controller import BANKWISE, NO_REFRESH, READ_WRITE, ControllerConfig
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.state import (
    BANK,
    COMMAND_RECORD,
    CONFIG_FIELDS,
    CONSTRAINT_FIELDS,
    HORIZON,
    LATEST_ARRIVAL,
    MAX_BANKS,
    NEVER,
    PAIRED_CONSTRAINTS,
    QUEUED,
    REQUEST_STATE,
    STATE,
    TRACE,
    UNSET,
)
from designgym.simulators.dram.trace import Trace

__all__ = ["Workspace", "decode_trace"]

HEAP_CAPACITY = 1 << 12  # timed settings of alarms, dead ones included; grows when it is not enough


@lru_cache(maxsize=16)
def decode_trace(trace: Trace, memory: MemorySpec) -> NDArray[np.void]:
    """Return the trace with its addresses decoded, as the simulation reads it; shape ``(n,)``, `TRACE`.

    Raises:
        InputError: If the trace does not fit the memory, or the memory is of a kind that the simulation does not know.
    """
    org = memory.organisation
    more = {name: getattr(org, name) for name in ("channels", "ranks", "bank_groups") if getattr(org, name) != 1}
    if more:
        raise InputError(
            f"The simulation knows memories of one channel, one rank and one bank group, but {memory.name!r} has "
            f"{', '.join(f'{count} {name}' for name, count in more.items())}. Split the trace and simulate each part alone."
        )
    if org.banks > MAX_BANKS:
        raise InputError(f"The simulation knows up to {MAX_BANKS} banks, but {memory.name!r} has {org.banks}.")
    if trace.clock_ns != memory.clock_ns:
        raise InputError(
            f"The clock of trace {trace.name!r} is {trace.clock_ns} ns, that of {memory.name!r} {memory.clock_ns} ns, but they "
            "must be equal. Convert the arrival times to memory cycles first."
        )
    slow = [name for name, cycles in memory.constraints.items() if cycles >= HORIZON]
    if slow:
        raise InputError(f"{memory.name!r} has commands {HORIZON} cycles or more apart ({', '.join(slow)}). Check its timings.")
    if int(trace.arrival_ticks.max()) > LATEST_ARRIVAL:
        raise InputError(f"A request of {trace.name!r} arrives after tick {LATEST_ARRIVAL}. Shorten the trace.")
    decoded = np.zeros(len(trace), dtype=TRACE)
    decoded["arrival"] = trace.arrival_ticks
    decoded["is_write"] = trace.is_write
    decoded["address"] = trace.addresses
    decoded["bank"], decoded["row"] = memory.decode(trace.addresses)
    return decoded


@dataclass(eq=False)
class Workspace:
    """One simulation's arrays; see `kernel.run`. May be used for one run after another, by one thread at a time."""

    initial_state: NDArray[np.void]
    initial_banks: NDArray[np.void]
    state: NDArray[np.void]
    banks: NDArray[np.void]
    queues: NDArray[np.void]
    heap: NDArray[np.int64]
    trace: NDArray[np.void]
    requests: NDArray[np.void]
    record: NDArray[np.void]
    bins: NDArray[np.int64]
    latencies: NDArray[np.int64]

    @classmethod
    def allocate(cls, trace: NDArray[np.void], memory: MemorySpec, *, record_capacity: int = 0) -> "Workspace":
        """Return the arrays for runs of one trace on one memory.

        Args:
            trace: Decoded by `decode_trace`.
            memory: The memory.
            record_capacity: Commands to keep, from the first.
        """
        state = np.zeros(1, dtype=STATE)
        for name in CONSTRAINT_FIELDS:
            state[name] = memory.constraints[name]
        for name, pair in PAIRED_CONSTRAINTS.items():
            state[name] = [memory.constraints[of_one] for of_one in pair]
        state["n_banks"] = memory.organisation.banks
        state["n_requests"] = trace.size
        state["rounds_left"] = _round_limit(trace, memory)
        for name in _INITIALLY_NONE:
            state[name] = -1
        for name in _INITIALLY_NEVER:
            state[name] = NEVER
        state["refresh_trigger"] = state["refresh_time"] = memory.timings.refi
        state["recent_acts"] = -NEVER
        state["alarm_entry"] = UNSET
        banks = np.zeros(memory.organisation.banks, dtype=BANK)
        banks["open_row"] = -1
        return cls(
            initial_state=state,
            initial_banks=banks,
            state=state.copy(),
            banks=banks.copy(),
            queues=np.zeros((memory.organisation.banks, 0), dtype=QUEUED),
            heap=np.zeros(HEAP_CAPACITY, dtype=np.int64),
            trace=trace,
            requests=np.zeros(trace.size, dtype=REQUEST_STATE),
            record=np.zeros(record_capacity, dtype=COMMAND_RECORD),
            bins=latency.make_bins(),
            latencies=np.zeros(latency.STATISTICS_SHAPE, dtype=np.int64),
        )

    def configure(self, config: ControllerConfig, *, stop_commands: int | None = None) -> None:
        """Set the design to simulate next, and after how many commands to stop (at the end of that round)."""
        # As plain integers: copying field by field would take a hundredth of the time of a simulation.
        words = self.state.view(np.int64)
        words[:] = self.initial_state.view(np.int64)
        words[: len(CONFIG_FIELDS)] = config.encode()
        self.banks.view(np.int64)[:] = self.initial_banks.view(np.int64)
        s = self.state[0]
        if s["refresh_policy"] == NO_REFRESH:
            s["refresh_trigger"] = s["refresh_time"] = NEVER
        s["stop_commands"] = NEVER if stop_commands is None else stop_commands
        # Bankwise looks at the bank of the last request only, so that a bank can get one more than its share.
        size = config.RequestBufferSize
        capacity = min({BANKWISE: size + 1, READ_WRITE: 2 * size}.get(int(s["buffer_kind"]), size), self.trace.size) + 5
        if self.queues.shape[1] < capacity:
            self.queues = np.zeros((self.banks.size, capacity), dtype=QUEUED)

    def grow_heap(self) -> None:
        """Double the room for timed settings of alarms."""
        self.heap = np.zeros(2 * self.heap.size, dtype=np.int64)

    def grow_record(self, n_commands: int) -> None:
        """Make room for this many commands."""
        self.record = np.zeros(n_commands, dtype=COMMAND_RECORD)


_INITIALLY_NONE = (
    "presented",
    "held",
    "accepted_tick",
    "ended_tick",
    "response_end",
    "last_command_tick",
    "choice_time",
    "implicit_precharge_tick",
)
_INITIALLY_NEVER = ("player_response_due", "request_due", "response_due", "waiting_from", "next_data_end")


def _round_limit(trace: NDArray[np.void], memory: MemorySpec) -> int:
    """Return a number of rounds that no run which makes progress needs.

    A request causes a few tens of rounds and can take the time of a full bank cycle and a refresh; each refresh interval of
    simulated time causes a few more.
    """
    t = memory.timings
    slowest = int(trace["arrival"].max()) + trace.size * 4 * (t.rc + t.rfc)
    return 10_000 + 1_000 * trace.size + 50 * (slowest // t.refi)
