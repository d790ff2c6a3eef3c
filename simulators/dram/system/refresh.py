"""Refresh logic of a channel: each unit of banks, a rank or less, does what the DRAM controller does with all of its banks."""

from designgym.simulators.dram.compiled import Array, Record, at, compiled, inlined, trailing_zeros
from designgym.simulators.dram.state import NEVER, NONE, PRE, PREA, REFA
from designgym.simulators.dram.system.state import KIND_PRE, KIND_REF, REFB


@inlined
def update_refresh(s: Record, banks: Array, groups: Array, ranks: Array, units: Array) -> None:
    """Decide what the refresh logic proposes now: a command and its earliest tick, or none and when it must look again."""
    if s.now >= s.refresh_wake:
        _decide(s, banks, groups, ranks, units)


@compiled
def _decide(s: Record, banks: Array, groups: Array, ranks: Array, units: Array) -> None:
    due_ranks = 0
    for i in range(s.n_units):
        unit = units[at(i)]
        if s.now >= unit.trigger:
            _decide_due(s, banks, groups, ranks[at(unit.rank)], unit)
            if unit.command != NONE and not unit.pulled_in:
                due_ranks |= 1 << unit.rank
    s.refresh_wake = NEVER
    s.refresh_command_time = NEVER
    s.refresh_time = NEVER
    s.refreshing_ranks = 0
    for i in range(s.n_units):
        unit = units[at(i)]
        s.refresh_wake = min(s.refresh_wake, unit.trigger)
        if unit.command != NONE:
            if unit.pulled_in and (due_ranks >> unit.rank) & 1:
                unit.time = NEVER  # what is done ahead of time waits for what is due; decided again in the next pass
            s.refreshing_ranks |= 1 << unit.rank
            if unit.time < s.refresh_command_time:
                s.refresh_command_time = unit.time
                s.refresh_unit = i
        s.refresh_time = min(s.refresh_time, unit.time)


@inlined
def _decide_due(s: Record, banks: Array, groups: Array, rank: Record, unit: Record) -> None:
    if s.now >= unit.trigger + unit.interval:
        unit.trigger += unit.interval
        unit.pulled_in = 0
    if unit.pulled_in == 0 and unit.counter == s.max_postponed:
        s.n_forced_refreshes += 1
        if not unit.blocked:
            unit.blocked = 1
            s.blocked_banks |= unit.bank_mask
            s.stale_banks |= unit.bank_mask
    elif s.occupied & unit.bank_mask:
        if unit.pulled_in:
            unit.pulled_in = 0
        else:
            unit.counter += 1
        _wait_one_interval(unit)
        return
    _propose(s, banks, groups, rank, unit)
    if rank.asleep:
        unit.time = NEVER  # until power-down has ended


@inlined
def _propose(s: Record, banks: Array, groups: Array, rank: Record, unit: Record) -> None:
    """Propose to close what is open, or to refresh."""
    unit.bank = unit.first_bank
    if unit.all_banks:
        if rank.open_banks > 0:
            unit.command = PREA
            unit.time = max(rank.prea_earliest, s.bus_earliest[KIND_PRE])
        else:
            unit.command = REFA
            unit.time = max(rank.refa_earliest, s.bus_earliest[KIND_REF])
        return
    unit.command = REFB
    idle = unit.time = NEVER
    idle = 0
    remaining = unit.bank_mask
    while remaining:
        index = trailing_zeros(remaining)
        remaining &= remaining - 1
        bank = banks[at(index)]
        if bank.open_row >= 0:
            time = max(bank.precharge_earliest, groups[at(bank.group)].earliest[KIND_PRE])
            if unit.command == REFB or time < unit.time:
                unit.command = PRE
                unit.bank = index
                unit.time = time
        idle = max(idle, bank.act_earliest)
    if unit.command == PRE:
        unit.time = max(unit.time, s.bus_earliest[KIND_PRE])
    else:
        unit.time = max(max(idle, rank.refb_earliest), s.bus_earliest[KIND_REF])


@compiled
def note_refresh(s: Record, unit: Record) -> None:
    """Account for a refresh of a unit that was just issued."""
    unit.blocked = 0
    s.blocked_banks &= ~unit.bank_mask
    s.stale_banks |= unit.bank_mask
    if unit.pulled_in:
        unit.counter -= 1
    else:
        unit.pulled_in = 1
    if unit.counter == -s.max_pulled_in:
        s.n_pull_in_decisions += 1
        unit.pulled_in = 0
        _wait_one_interval(unit)


@inlined
def _wait_one_interval(unit: Record) -> None:
    unit.trigger += unit.interval
    unit.command = NONE
    unit.time = unit.trigger
