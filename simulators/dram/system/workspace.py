"""The arrays that a channel's simulation runs on, prepared for one design, part of a trace, and memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram.controller import BANKWISE, READ_WRITE
from designgym.simulators.dram.state import (
    COMMAND_RECORD,
    CONFIG_FIELDS,
    LATEST_ARRIVAL,
    MAX_BANKS,
    NEVER,
    QUEUED,
    REQUEST_STATE,
    TRACE,
    UNSET,
)
from designgym.simulators.dram.system.config import CHOICES, MemorySystemConfig
from designgym.simulators.dram.system.distances import distances
from designgym.simulators.dram.system.mapping import AddressMapping
from designgym.simulators.dram.system.standard import LINE_BYTES, MemoryStandard
from designgym.simulators.dram.system.state import BANK, CHANNEL, GROUP, KIND_OF, MIXED, RANK, READS, UNIT
from designgym.simulators.dram.trace import Trace

__all__ = ["ChannelTrace", "ChannelWorkspace", "split_trace"]

HEAP_CAPACITY = 1 << 12  # timed settings of alarms, dead ones included; grows when it is not enough


@dataclass(frozen=True, eq=False)
class ChannelTrace:
    """What one channel serves.

    Attributes:
        channel: Its number.
        bursts: Decoded, in the order of the trace; shape ``(n,)``, `TRACE`.
        requests: Position in the trace of the request that each burst belongs to; int64, shape ``(n,)``.
    """

    channel: int
    bursts: NDArray[np.void]
    requests: NDArray[np.int64]


@lru_cache(maxsize=8)
def split_trace(trace: Trace, memory: MemoryStandard, mapping: AddressMapping) -> tuple[ChannelTrace, ...]:
    """Split a trace by channel, its requests by burst, and turn arrival times into clocks of the memory (the first not before them).

    Channels without requests are left out.

    Raises:
        InputError: If an address lies beyond the memory, a request arrives too late, or the memory has too many banks.
    """
    if memory.banks > MAX_BANKS:
        raise InputError(f"The simulation knows up to {MAX_BANKS} banks per channel, but {memory.name} has {memory.banks}.")
    arrivals = np.ceil(trace.arrival_ticks * (trace.clock_ns / memory.clock_ns) - 1e-6).astype(np.int64)
    if int(arrivals.max()) > LATEST_ARRIVAL:
        raise InputError(f"A request of {trace.name!r} arrives after clock {LATEST_ARRIVAL} of {memory.name}. Shorten the trace.")
    lines = trace.addresses & -LINE_BYTES
    where = mapping.decode(lines, memory)
    n = memory.bursts_per_line
    parts = []
    for channel in np.unique(where.channel).tolist():
        own = np.flatnonzero(where.channel == channel)
        bursts = np.zeros(own.size * n, dtype=TRACE)
        requests = np.repeat(own, n)
        bursts["arrival"] = arrivals[requests]
        bursts["is_write"] = trace.is_write[requests]
        bursts["address"] = lines[requests] + np.tile(np.arange(n) * memory.burst_bytes, own.size)
        bursts["bank"] = where.bank[requests]
        bursts["row"] = where.row[requests]
        parts.append(ChannelTrace(channel, bursts, requests))
    return tuple(parts)


@dataclass(eq=False)
class ChannelWorkspace:
    """One channel's arrays; see `kernel.run_channel`. May be used for one run after another, by one thread at a time."""

    memory: MemoryStandard
    initial_state: NDArray[np.void]
    initial_banks: NDArray[np.void]
    state: NDArray[np.void]
    banks: NDArray[np.void]
    queues: NDArray[np.void]
    groups: NDArray[np.void]
    ranks: NDArray[np.void]
    units: NDArray[np.void]
    heap: NDArray[np.int64]
    trace: NDArray[np.void]
    requests: NDArray[np.void]
    record: NDArray[np.void]

    @classmethod
    def allocate(cls, bursts: NDArray[np.void], memory: MemoryStandard, *, record_capacity: int = 0) -> ChannelWorkspace:
        """Return the arrays for runs of one channel's part of a trace.

        Args:
            bursts: Of a `ChannelTrace`.
            memory: The memory.
            record_capacity: Commands to keep, from the first.
        """
        state = _initial_state(bursts, memory)
        banks = np.zeros(memory.banks, dtype=BANK)
        banks["open_row"] = -1
        banks["group"] = np.arange(memory.banks) // memory.organisation.banks_per_group
        banks["rank"] = np.arange(memory.banks) // memory.banks_per_rank
        return cls(
            memory=memory,
            initial_state=state,
            initial_banks=banks,
            state=state.copy(),
            banks=banks.copy(),
            queues=np.zeros((memory.banks, 0), dtype=QUEUED),
            groups=np.zeros(memory.groups, dtype=GROUP),
            ranks=np.zeros(memory.organisation.ranks, dtype=RANK),
            units=np.zeros(0, dtype=UNIT),
            heap=np.zeros(HEAP_CAPACITY, dtype=np.int64),
            trace=bursts,
            requests=np.zeros(bursts.size, dtype=REQUEST_STATE),
            record=np.zeros(record_capacity, dtype=COMMAND_RECORD),
        )

    def configure(self, config: MemorySystemConfig, *, stop_commands: int | None = None) -> None:
        """Set the design to simulate next, and after how many commands to stop (at the end of that round)."""
        words = self.state.view(np.int64)
        words[:] = self.initial_state.view(np.int64)
        words[: len(CONFIG_FIELDS)] = config.encode()
        self.banks.view(np.int64)[:] = self.initial_banks.view(np.int64)
        self.groups["earliest"] = 0
        self.groups["rank"] = np.arange(self.groups.size) // self.memory.organisation.bank_groups
        self._reset_ranks()
        self.units = refresh_units(self.memory, config.RefreshPolicy)
        s = self.state[0]
        s["n_units"] = self.units.size
        s["refresh_wake"] = s["refresh_time"] = self.units["trigger"].min() if self.units.size else NEVER
        s["write_drain"] = CHOICES["WriteDrain"].index(config.WriteDrain)
        s["mode"] = MIXED if config.WriteDrain == "None" else READS
        s["high_watermark"], s["low_watermark"] = config.WriteHighWatermark, config.WriteLowWatermark
        s["power_down"] = config.PowerDown == "On"
        s["power_down_idle"] = config.PowerDownIdle
        s["stop_commands"] = NEVER if stop_commands is None else stop_commands
        # Bankwise looks at the bank of the last request only, so that a bank can get one more than its share.
        size = config.RequestBufferSize
        kind = CHOICES["SchedulerBuffer"].index(config.SchedulerBuffer)
        capacity = min({BANKWISE: size + 1, READ_WRITE: 2 * size}.get(kind, size), self.trace.size) + 5
        if self.queues.shape[1] < capacity:
            self.queues = np.zeros((self.banks.size, capacity), dtype=QUEUED)

    def _reset_ranks(self) -> None:
        n = self.memory.banks_per_rank
        self.ranks.view(np.int64)[:] = 0
        for index, rank in enumerate(self.ranks):
            rank["first_bank"] = index * n
            rank["bank_mask"] = ((1 << n) - 1) << (index * n)
        self.ranks["recent_acts"] = -NEVER
        self.ranks["awake_since"] = -NEVER

    def grow_heap(self) -> None:
        """Double the room for timed settings of alarms."""
        self.heap = np.zeros(2 * self.heap.size, dtype=np.int64)

    def grow_record(self, n_commands: int) -> None:
        """Make room for this many commands."""
        self.record = np.zeros(n_commands, dtype=COMMAND_RECORD)


def refresh_units(memory: MemoryStandard, policy: str) -> NDArray[np.void]:
    """Return what is refreshed together under a policy, with first refreshes spread over an interval, the last at its end.

    Raises:
        InputError: If the policy is `Bank` and the memory has no such refreshes.
    """
    n = memory.banks_per_rank
    if policy == "NoRefresh":
        return np.zeros(0, dtype=UNIT)
    if policy == "Bank":
        if memory.bank_refresh == "none":
            raise InputError(f"{memory.name} refreshes all banks of a rank at once. Choose RefreshPolicy AllBank.")
        together, interval = memory.refreshed_together, memory.timings.refi_bank
    else:
        together = tuple(tuple(range(first, first + n)) for first in range(0, memory.banks, n))
        interval = memory.timings.refi
    units = np.zeros(len(together), dtype=UNIT)
    units["interval"] = interval
    units["all_banks"] = policy == "AllBank"
    units["first_bank"] = [banks[0] for banks in together]
    units["bank_mask"] = [sum(1 << bank for bank in banks) for banks in together]
    units["rank"] = units["first_bank"] // n
    units["trigger"] = interval * (np.arange(len(together)) + 1) // len(together)
    units["time"] = units["trigger"]
    return units


def _initial_state(bursts: NDArray[np.void], memory: MemoryStandard) -> NDArray[np.void]:
    state = np.zeros(1, dtype=CHANNEL)
    known = distances(memory)
    for name, clocks in known.single.items():
        state[name] = clocks
    for name, pair in known.paired.items():
        state[name] = pair
    state["distance"] = known.between
    state["bus_distance"] = known.bus
    for command, kind in KIND_OF.items():
        state["kind_of"][0, command] = kind
    state["n_banks"], state["n_groups"], state["n_ranks"] = memory.banks, memory.groups, memory.organisation.ranks
    state["n_requests"] = bursts.size
    state["rounds_left"] = _round_limit(bursts, memory)
    for name in _INITIALLY_NONE:
        state[name] = -1
    for name in _INITIALLY_NEVER:
        state[name] = NEVER
    state["alarm_entry"] = UNSET
    return state


_INITIALLY_NONE = (
    "presented", "held", "accepted_tick", "ended_tick", "response_end", "last_command_tick", "choice_time", "implicit_precharge_tick",
)  # fmt: skip
_INITIALLY_NEVER = (
    "player_response_due", "request_due", "response_due", "waiting_from", "next_data_end", "refresh_command_time", "power_time",
)  # fmt: skip


def _round_limit(bursts: NDArray[np.void], memory: MemoryStandard) -> int:
    """Return a number of rounds that no run which makes progress needs.

    A burst causes a few tens of rounds and can take the time of a full bank cycle and a refresh; each refresh of a unit in simulated time
    causes a few tens more, with power-down around it.
    """
    t = memory.timings
    slowest = int(bursts["arrival"].max()) + bursts.size * 4 * (t.rc + t.rfc + t.xp + t.cke)
    interval = t.refi_bank or t.refi
    return 10_000 + 1_000 * bursts.size + 200 * memory.banks * (slowest // min(interval, t.refi) + 1)
