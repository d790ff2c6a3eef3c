"""Checks a stream of commands on one channel against the rules of the memory devices behind it.

It knows nothing of controllers, queues or policies, only which command was on the bus at which clock; see `protocol_checker` for its
counterpart for DDR3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram.protocol_rules import Violation
from designgym.simulators.dram.system.rules import (
    COLUMN,
    COMMANDS,
    OF_RANK,
    READS,
    WRITES,
    Scope,
    command_clocks,
    refreshed_with,
    spacings,
)
from designgym.simulators.dram.system.standard import MemoryStandard

__all__ = ["Bursts", "Command", "RefreshLimits", "check_channel"]


@dataclass(frozen=True)
class Command:
    """One command: its (last) clock on the bus, name, bank (any of the rank for commands to a rank), row and burst, -1 for none."""

    tick: int
    name: str
    bank: int
    row: int = -1
    burst: int = -1


@dataclass(frozen=True)
class RefreshLimits:
    """How far each unit's refreshes may be from one per interval.

    Attributes:
        banks: Whether refreshes are of some banks (REFB), each unit of them at its own time, or of all (REFA).
        max_postponed: Refreshes of a unit that may be owed.
        max_pulled_in: Refreshes of a unit that may be done ahead of their time.
        slack_clocks: Time after the last one that may be postponed within which it must come.
        first_due: When each unit's first refresh is due, by its first bank; by default spread evenly, the last at the end of an interval.
    """

    banks: bool
    max_postponed: int
    max_pulled_in: int
    slack_clocks: int
    first_due: dict[int, int] | None = None


@dataclass(frozen=True)
class Bursts:
    """What the column commands should do, an entry per burst of the channel: bank, row, direction and address; shape ``(n,)`` each."""

    banks: NDArray[np.int64]
    rows: NDArray[np.int64]
    is_write: NDArray[np.bool_]
    addresses: NDArray[np.int64]


@dataclass
class _Channel:
    """What the devices on a channel remember while the stream is read."""

    memory: MemoryStandard
    limits: RefreshLimits | None
    bursts: Bursts | None
    found: list[Violation] = field(default_factory=list)
    open_row: dict[int, int] = field(default_factory=dict)
    last: dict[tuple[str, Scope, int], int] = field(default_factory=dict)
    activations: dict[int, list[int]] = field(default_factory=dict)
    asleep: set[int] = field(default_factory=set)
    on_data_bus: tuple[int, int] | None = None  # end of the last burst and its rank
    on_command_bus: dict[bool, int] = field(default_factory=dict)  # by whether it is the column commands' own: last clock in use
    previous: int = -1
    refreshes: dict[int, int] = field(default_factory=dict)
    done: dict[int, int] = field(default_factory=dict)  # burst -> position among the bursts served

    def __post_init__(self) -> None:
        self.spacings, self.clocks = spacings(self.memory), command_clocks(self.memory)

    def report(self, i: int, c: Command, rule: str, required: int | None, message: str) -> None:
        self.found.append(Violation(i, c.tick, c.name, rule, required, f"{c.name} at clock {c.tick}: {message}"))

    def places(self, c: Command) -> Iterable[tuple[Scope, int]]:
        """Yield where a command counts as a last one: its banks, bank groups, rank."""
        rank = c.bank // self.memory.banks_per_rank
        yield "rank", rank
        if c.name in OF_RANK:
            return
        for bank in refreshed_with(self.memory, c.bank) if c.name == "REFB" else (c.bank,):
            yield "bank", bank
            if c.name != "REFB":
                yield "group", bank // self.memory.organisation.banks_per_group

    def step(self, i: int, c: Command) -> None:
        if not 0 <= c.bank < self.memory.banks:
            self.report(i, c, "bank", None, f"bank {c.bank} is not within 0..{self.memory.banks - 1}")
            return
        self.check_command_bus(i, c)
        self.check_state(i, c)
        self.check_spacing(i, c)
        if c.name in COLUMN:
            self.check_data_bus(i, c)
            if self.bursts is not None:
                self.check_burst(i, c, self.bursts)
        if c.name in ("REFA", "REFB") and self.limits is not None:
            self.check_refresh(i, c, self.limits)
        self.apply(c)

    def check_command_bus(self, i: int, c: Command) -> None:
        if c.tick <= self.previous:
            self.report(i, c, "order", self.previous + 1, f"the last command was at {self.previous}")
        own = self.memory.split_command_bus and c.name in COLUMN
        free = self.on_command_bus.get(own, -1) + 1
        first = c.tick - self.clocks[c.name] + 1
        if i > 0 and first < free and own in self.on_command_bus:
            words = f"it takes {self.clocks[c.name]} clocks, from {first}, and the command bus is in use until {free - 1}"
            self.report(i, c, "command-bus", free + self.clocks[c.name] - 1, words)

    def check_state(self, i: int, c: Command) -> None:
        rank = c.bank // self.memory.banks_per_rank
        row = self.open_row.get(c.bank)
        of_rank = [bank for bank in self.open_row if bank // self.memory.banks_per_rank == rank]
        if (c.name == "PDX") != (rank in self.asleep):
            self.report(i, c, "power-down", None, f"rank {rank} is {'in' if rank in self.asleep else 'not in'} power-down")
        if c.name == "ACT" and row is not None:
            self.report(i, c, "open-bank", None, f"bank {c.bank} still has row {row} open")
        elif c.name in COLUMN and row != c.row:
            self.report(i, c, "wrong-row", None, f"bank {c.bank} has {'no row' if row is None else f'row {row}'} open, not row {c.row}")
        elif (c.name == "PRE" and row is None) or (c.name == "PREA" and not of_rank):
            self.report(i, c, "precharge-closed", None, "what it closes is closed already")
        elif c.name == "REFA" and of_rank:
            self.report(i, c, "refresh-open-bank", None, f"open rows in banks {sorted(of_rank)}")
        elif c.name == "REFB" and (still := [bank for bank in refreshed_with(self.memory, c.bank) if bank in self.open_row]):
            self.report(i, c, "refresh-open-bank", None, f"open rows in banks {still}")

    def check_spacing(self, i: int, c: Command) -> None:
        own: dict[Scope, list[int]] = {}
        for scope, place in self.places(c):
            own.setdefault(scope, []).append(place)
        for spacing in self.spacings[c.name]:
            for place in own.get(spacing.scope, []):
                for earlier in spacing.after:
                    last = self.last.get((earlier, spacing.scope, place))
                    if last is not None and c.tick < last + spacing.clocks:
                        words = f"{spacing.clocks} clocks after {earlier} at {last} needed, {c.tick - last} seen"
                        self.report(i, c, spacing.rule, last + spacing.clocks, words)
        if c.name == "ACT":
            acts = self.activations.get(own["rank"][0], [])
            if len(acts) >= 4 and c.tick < acts[-4] + self.memory.timings.faw:
                self.report(i, c, "tFAW", acts[-4] + self.memory.timings.faw, f"a fifth ACT within {self.memory.timings.faw} clocks")

    def check_data_bus(self, i: int, c: Command) -> None:
        t, rank = self.memory.timings, c.bank // self.memory.banks_per_rank
        latency = t.rl + t.dqsck if c.name in READS else t.wl + t.dqss
        if self.on_data_bus is not None:
            end, last_rank = self.on_data_bus
            free = end + (t.rtrs if rank != last_rank else 0)
            if c.tick + latency < free:
                rule = "tRTRS" if rank != last_rank and c.tick + latency >= end else "data-bus"
                self.report(i, c, rule, free - latency, f"its data start at {c.tick + latency}, the data bus is free from {free}")
        self.on_data_bus = c.tick + latency + self.memory.burst_cycles, rank

    def check_burst(self, i: int, c: Command, bursts: Bursts) -> None:
        if not 0 <= c.burst < len(bursts.banks):
            self.report(i, c, "burst", None, f"burst {c.burst} is not in the workload")
            return
        if c.burst in self.done:
            self.report(i, c, "burst-twice", None, f"burst {c.burst} was served before")
        self.done[c.burst] = len(self.done)
        wanted = (int(bursts.banks[c.burst]), int(bursts.rows[c.burst]), bool(bursts.is_write[c.burst]))
        if wanted != (c.bank, c.row, c.name in WRITES):
            words = f"burst {c.burst} is bank {wanted[0]}, row {wanted[1]}, {'write' if wanted[2] else 'read'}"
            self.report(i, c, "burst", None, f"{words}; served at bank {c.bank}, row {c.row}")

    def units(self) -> dict[int, int]:
        """Return the first bank of each refresh unit, and when its first refresh is due."""
        assert self.limits is not None
        if self.limits.first_due is not None:
            return self.limits.first_due
        n = self.memory.banks_per_rank
        if self.limits.banks:
            firsts = [bank for bank in range(self.memory.banks) if refreshed_with(self.memory, bank)[0] == bank]
        else:
            firsts = list(range(0, self.memory.banks, n))
        return {first: self.interval() * (position + 1) // len(firsts) for position, first in enumerate(firsts)}

    def interval(self) -> int:
        assert self.limits is not None
        return self.memory.timings.refi_bank if self.limits.banks else self.memory.timings.refi

    def latest(self, unit: int, number: int) -> int:
        """Return the latest clock for a unit's refresh of that number, from 1."""
        assert self.limits is not None
        return self.units()[unit] + (number - 1 + self.limits.max_postponed) * self.interval() + self.limits.slack_clocks

    def check_refresh(self, i: int, c: Command, limits: RefreshLimits) -> None:
        if (c.name == "REFB") != limits.banks:
            self.report(i, c, "refresh-kind", None, f"refreshes are of {'some' if limits.banks else 'all'} banks")
            return
        n = self.memory.banks_per_rank
        unit = refreshed_with(self.memory, c.bank)[0] if limits.banks else c.bank - c.bank % n
        number = self.refreshes.get(unit, 0) + 1
        self.refreshes[unit] = number
        if c.tick > (latest := self.latest(unit, number)):
            self.report(i, c, "refresh-overdue", latest, f"refresh {number} of bank {unit} was due by {latest}")
        earliest = self.units()[unit] + (number - 1 - limits.max_pulled_in) * self.interval()
        if c.tick < earliest:
            self.report(i, c, "refresh-early", earliest, f"refresh {number} of bank {unit} comes before {earliest}")

    def apply(self, c: Command) -> None:
        rank = c.bank // self.memory.banks_per_rank
        if c.name == "ACT":
            self.open_row[c.bank] = c.row
            self.activations.setdefault(rank, []).append(c.tick)
        elif c.name in ("PRE", "RDA", "WRA"):
            self.open_row.pop(c.bank, None)
        elif c.name == "PREA":
            self.open_row = {bank: row for bank, row in self.open_row.items() if bank // self.memory.banks_per_rank != rank}
        elif c.name == "PDE":
            self.asleep.add(rank)
        elif c.name == "PDX":
            self.asleep.discard(rank)
        for scope, place in self.places(c):
            self.last[c.name, scope, place] = c.tick
        self.on_command_bus[self.memory.split_command_bus and c.name in COLUMN] = c.tick
        self.previous = c.tick

    def finish(self, count: int, end: int) -> None:
        """Look for what should have been there by clock `end` and was not, and for accesses of an address in another order."""
        if self.limits is not None:
            for unit in self.units():
                number = self.refreshes.get(unit, 0) + 1
                while (latest := self.latest(unit, number)) < end:
                    missing = Command(end, "REFB" if self.limits.banks else "REFA", unit)
                    self.report(count, missing, "refresh-overdue", latest, f"refresh {number} of bank {unit} was due by {latest}")
                    number += 1
        if self.bursts is None:
            return
        newest: dict[int, list[int]] = {}
        for burst, (address, is_write) in enumerate(zip(self.bursts.addresses.tolist(), self.bursts.is_write.tolist(), strict=True)):
            command = Command(end, "WR" if is_write else "RD", int(self.bursts.banks[burst]), burst=burst)
            if burst not in self.done:
                self.report(count, command, "burst-missing", None, f"burst {burst} was never served")
                continue
            for older in newest.setdefault(address, []):
                mixed = is_write or bool(self.bursts.is_write[older])
                if mixed and self.done.get(older, -1) > self.done[burst]:
                    self.report(count, command, "address-order", None, f"burst {burst} overtook burst {older} at address {address:#x}")
            newest[address].append(burst)


def check_channel(
    commands: Iterable[Command],
    memory: MemoryStandard,
    *,
    limits: RefreshLimits | None = None,
    bursts: Bursts | None = None,
    end_tick: int | None = None,
) -> list[Violation]:
    """Find every broken rule in the command stream of a channel.

    Args:
        commands: In the order of issue.
        memory: The memory.
        limits: On moving refreshes; None skips the rules about their times.
        bursts: What the column commands should do; None skips the rules about that.
        end_tick: Clock at which the stream was cut off; missing refreshes are looked for until then.

    Returns:
        The violations in stream order; empty for a legal stream.

    Raises:
        InputError: If a command is unknown.
    """
    stream = list(commands)
    if unknown := sorted({c.name for c in stream} - set(COMMANDS)):
        raise InputError(f"commands must be of {', '.join(COMMANDS)}; got {', '.join(unknown)}")
    channel = _Channel(memory, limits, bursts)
    for i, command in enumerate(stream):
        channel.step(i, command)
    channel.finish(len(stream), (stream[-1].tick if stream else 0) if end_tick is None else end_tick)
    return channel.found
