"""Checks a stream of DRAM commands against the rules of the memory device.

The checker knows nothing of controllers, queues or policies: it sees only which command was on the command bus at which
tick, and says which rule of the device the stream breaks. It is written apart from the simulator on purpose, so that a
mistake in one is not repeated in the other. Every distance is in ticks (memory clock cycles).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram.protocol_rules import (
    ALL_BANKS,
    COLUMN,
    COMMANDS,
    DDR3_1600_TIMINGS,
    READS,
    WRITES,
    RefreshRule,
    ServedRequests,
    Violation,
    spacings,
)

__all__ = ["COMMANDS", "DDR3_1600_TIMINGS", "RefreshRule", "ServedRequests", "Violation", "check_commands"]


@dataclass
class _Device:
    """What the memory device remembers while the stream is read."""

    timings: Mapping[str, int]
    banks: int
    refresh: RefreshRule | None
    served: ServedRequests | None
    found: list[Violation] = field(default_factory=list)
    open_row: dict[int, int] = field(default_factory=dict)
    last: dict[tuple[str, int], int] = field(default_factory=dict)  # (command, bank) -> tick; bank -1 is the rank
    activations: list[int] = field(default_factory=list)
    bus_free: int = 0  # first tick at which no earlier burst is on the data bus
    previous: int | None = None
    refreshes: int = 0
    done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.spacings = spacings(self.timings)

    def report(self, i: int, tick: int, command: str, rule: str, required: int | None, message: str) -> None:
        self.found.append(Violation(i, tick, command, rule, required, f"{command} at tick {tick}: {message}"))

    def step(self, i: int, tick: int, command: str, bank: int, row: int, request: int) -> None:
        if self.previous is not None and tick <= self.previous:
            rule, words = ("bus", "one command per tick") if tick == self.previous else ("order", "ticks must increase")
            self.report(i, tick, command, rule, self.previous + 1, f"{words}; the last was at {self.previous}")
        if command not in ALL_BANKS and not 0 <= bank < self.banks:
            self.report(i, tick, command, "bank", None, f"bank {bank} is not within 0..{self.banks - 1}")
        self.check_state(i, tick, command, bank, row)
        self.check_spacing(i, tick, command, bank)
        if command in COLUMN:
            self.check_burst(i, tick, command)
            if self.served is not None:
                self.check_request(i, tick, command, bank, row, request, self.served)
        if command == "REFA" and self.refresh is not None:
            self.check_refresh_time(i, tick, self.refresh)
        self.apply(tick, command, bank, row)

    def check_state(self, i: int, tick: int, command: str, bank: int, row: int) -> None:
        open_row = self.open_row.get(bank)
        if command == "ACT" and open_row is not None:
            self.report(i, tick, command, "open-bank", None, f"bank {bank} still has row {open_row} open")
        elif command in COLUMN and open_row is None:
            self.report(i, tick, command, "closed-bank", None, f"bank {bank} has no open row")
        elif command in COLUMN and open_row != row:
            self.report(i, tick, command, "wrong-row", None, f"bank {bank} has row {open_row} open, not row {row}")
        elif command == "PRE" and open_row is None:
            self.report(i, tick, command, "precharge-closed", None, f"bank {bank} is precharged already")
        elif command == "PREA" and not self.open_row:
            self.report(i, tick, command, "precharge-closed", None, "all banks are precharged already")
        elif command == "REFA" and self.open_row:
            banks = ", ".join(str(b) for b in sorted(self.open_row))
            self.report(i, tick, command, "refresh-open-bank", None, f"open rows in bank(s) {banks}")

    def check_spacing(self, i: int, tick: int, command: str, bank: int) -> None:
        for spacing in self.spacings[command]:
            where = -1 if spacing.rank else bank
            for earlier in spacing.after:
                last = self.last.get((earlier, where))
                if last is not None and tick < last + spacing.ticks:
                    words = f"{spacing.ticks} ticks after {earlier} at {last} needed, {tick - last} seen"
                    self.report(i, tick, command, spacing.rule, last + spacing.ticks, words)
        if command == "ACT" and len(self.activations) >= 4 and tick < self.activations[-4] + self.timings["FAW"]:
            required = self.activations[-4] + self.timings["FAW"]
            self.report(i, tick, command, "tFAW", required, f"a fifth ACT within {self.timings['FAW']} ticks")

    def check_burst(self, i: int, tick: int, command: str) -> None:
        latency = self.timings["RL" if command in READS else "WL"]
        if tick + latency < self.bus_free:
            words = f"its data start at {tick + latency}, the data bus is busy until {self.bus_free}"
            self.report(i, tick, command, "data-bus", self.bus_free - latency, words)
        self.bus_free = max(self.bus_free, tick + latency + self.timings["BURST"])

    def check_request(self, i: int, tick: int, command: str, bank: int, row: int, request: int, served: ServedRequests) -> None:
        if not 0 <= request < len(served.banks):
            self.report(i, tick, command, "request", None, f"request {request} is not in the workload")
            return
        if request in self.done:
            self.report(i, tick, command, "request-twice", None, f"request {request} was served before")
        self.done.add(request)
        wanted = (int(served.banks[request]), int(served.rows[request]), bool(served.is_write[request]))
        if wanted != (bank, row, command in WRITES):
            words = f"request {request} is bank {wanted[0]}, row {wanted[1]}, {'write' if wanted[2] else 'read'}"
            self.report(i, tick, command, "request", None, f"{words}; served at bank {bank}, row {row}")

    def latest_refresh(self, rule: RefreshRule, number: int) -> int:
        """Latest tick for all-bank refresh ``number`` (from 1)."""
        slack = self.timings["REFI"] if rule.slack_ticks is None else rule.slack_ticks
        return (number + rule.max_postponed) * self.timings["REFI"] + slack

    def check_refresh_time(self, i: int, tick: int, rule: RefreshRule) -> None:
        number = self.refreshes + 1
        latest = self.latest_refresh(rule, number)
        if tick > latest:
            self.report(i, tick, "REFA", "refresh-overdue", latest, f"refresh {number} was due by {latest}")
        if rule.max_pulled_in is not None:
            earliest = (number - rule.max_pulled_in) * self.timings["REFI"]
            if tick < earliest:
                self.report(i, tick, "REFA", "refresh-early", earliest, f"refresh {number} comes before {earliest}")

    def apply(self, tick: int, command: str, bank: int, row: int) -> None:
        if command == "ACT":
            self.open_row[bank] = row
            self.activations.append(tick)
        elif command in ("PRE", "RDA", "WRA"):
            self.open_row.pop(bank, None)
        elif command == "PREA":
            self.open_row.clear()
        elif command == "REFA":
            self.refreshes += 1
        self.last[command, bank] = self.last[command, -1] = tick
        self.previous = tick

    def finish(self, count: int, end: int) -> None:
        """Look for what should have been there by tick ``end`` and was not."""
        if self.refresh is not None:
            while (latest := self.latest_refresh(self.refresh, self.refreshes + 1)) < end:
                self.refreshes += 1
                words = f"refresh {self.refreshes} was due by {latest} and never came"
                self.report(count, end, "REFA", "refresh-overdue", latest, words)
        if self.served is not None:
            for request in sorted(set(range(len(self.served.banks))) - self.done):
                self.report(count, end, "RD", "request-missing", None, f"request {request} was never served")


def check_commands(
    ticks: ArrayLike,
    commands: Sequence[str] | NDArray[np.integer],
    banks: ArrayLike,
    rows: ArrayLike,
    *,
    timings: Mapping[str, int] = DDR3_1600_TIMINGS,
    bank_count: int = 8,
    refresh: RefreshRule | None = None,
    requests: ArrayLike | None = None,
    served: ServedRequests | None = None,
    end_tick: int | None = None,
    command_names: Sequence[str] = COMMANDS,
) -> list[Violation]:
    """Find every broken rule in a command stream.

    Args:
        ticks: tick of each command, shape (n,), in the order of issue.
        commands: name of each command, or its number in ``command_names``, shape (n,).
        banks: bank of each command, shape (n,); ignored for PREA and REFA.
        rows: row of each command, shape (n,); looked at for ACT and for the four column commands.
        timings: ticks by name; the names of ``DDR3_1600_TIMINGS`` are needed, others are ignored.
        bank_count: banks of the rank.
        refresh: limits on moving refreshes; None skips the refresh-rate rules.
        requests: request served by each column command (other entries ignored), shape (n,).
        served: what the requests asked for; needs ``requests``.
        end_tick: tick at which the stream was cut off; missing refreshes are looked for until then.
        command_names: meaning of the numbers in ``commands``.

    Returns:
        The violations in stream order; empty for a legal stream.

    Raises:
        InputError: the arrays do not belong together, a command is unknown, or a timing is missing.
    """
    by_number = dict(enumerate(command_names))
    names = [c if isinstance(c, str) else by_number.get(int(c), f"number {c}") for c in commands]
    columns = [np.asarray(column, dtype=np.int64).tolist() for column in (ticks, banks, rows)]
    columns.append([-1] * len(names) if requests is None else np.asarray(requests, dtype=np.int64).tolist())
    if {len(column) for column in columns} != {len(names)}:
        sizes = [len(column) for column in columns]
        raise InputError(f"all command arrays must have one length; got {len(names)} commands, others {sizes}")
    if unknown := sorted(set(names) - set(COMMANDS)):
        raise InputError(f"commands must be of {', '.join(COMMANDS)}; got {', '.join(unknown)}")
    if missing := sorted(set(DDR3_1600_TIMINGS) - set(timings)):
        raise InputError(f"timings must name {', '.join(DDR3_1600_TIMINGS)}; missing: {', '.join(missing)}")
    if served is not None and requests is None:
        raise InputError("served needs requests: give the request index of each column command")
    device = _Device(timings, bank_count, refresh, served)
    for i, (tick, bank, row, request) in enumerate(zip(*columns, strict=True)):
        device.step(i, tick, names[i], bank, row, request)
    last = device.previous if device.previous is not None else 0
    device.finish(len(names), last if end_tick is None else end_tick)
    return device.found
