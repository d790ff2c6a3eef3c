"""Issuing a command: its effect on the timing of later ones, on the state of banks and ranks, and on background power."""

from designgym.simulators.dram.bank_machine import dequeue, open_row
from designgym.simulators.dram.compiled import Array, Record, at, compiled, inlined, trailing_zeros
from designgym.simulators.dram.controller import FR_FCFS_GRP
from designgym.simulators.dram.event_heap import stop
from designgym.simulators.dram.state import ACT, PRE, PREA, RD, REFA, RUNNING, STOPPED_AT_LIMIT
from designgym.simulators.dram.system.refresh import note_refresh
from designgym.simulators.dram.system.state import (
    KIND_ACT,
    KIND_PRE,
    MIXED,
    N_BANK_KINDS,
    N_KINDS,
    OTHER_RANK,
    PDX,
    SAME_GROUP,
    SAME_RANK,
)


@inlined
def issue(s: Record, banks: Array, queues: Array, groups: Array, ranks: Array, trace: Array, requests: Array, record: Array) -> bool:
    """Put the chosen bank's command on the command bus now; return whether it moves data."""
    now = s.now
    index = s.choice
    request = s.choice_request
    bank = banks[at(index)]
    queue = queues[at(index)]
    rank = ranks[at(bank.rank)]
    command = s.proposed_command[at(index)]
    row = trace[at(request)].row
    _put_on_bus(s, groups, rank, record, command, index, row, request, bank.group, bank.rank)
    if command >= RD:
        is_write = (command >> 1) & 1
        _access(s, rank, bank, now, is_write, command & 1 != 0)
        dequeue(s, bank, queue)
        requests[at(request)].data_end = now + s.data_end[at(is_write)]
        return True
    if command == ACT:
        open_row(bank, queue, row)
        _activate(s, groups, rank, bank, now)
        requests[at(request)].activated = 1
    else:
        _precharge(s, rank, bank, now)
    return False


@compiled
def issue_refresh(s: Record, banks: Array, groups: Array, ranks: Array, units: Array, record: Array) -> None:
    """Put the refresh logic's command on the command bus now."""
    now = s.now
    unit = units[at(s.refresh_unit)]
    rank = ranks[at(unit.rank)]
    command = unit.command
    bank = banks[at(unit.bank)]
    _put_on_bus(s, groups, rank, record, command, unit.bank, -1, -1, bank.group if command == PRE else -1, unit.rank)
    if command == PRE:
        _precharge(s, rank, bank, now)
        s.stale_banks |= 1 << unit.bank
    elif command == PREA:
        to_act = now + s.precharge_all_to_act
        _delay_rank(groups, unit.rank, KIND_ACT, to_act)
        rank.refa_earliest = max(rank.refa_earliest, to_act)
        rank.power_down_earliest = max(rank.power_down_earliest, now + s.precharge_to_power_down)
        s.stale_banks |= unit.bank_mask
        remaining = unit.bank_mask
        while remaining:
            index = trailing_zeros(remaining)
            remaining &= remaining - 1
            if banks[at(index)].open_row >= 0:
                _close(s, rank, banks[at(index)], now)
    else:
        rank.power_down_earliest = max(rank.power_down_earliest, now + s.refresh_to_power_down)
        if command == REFA:
            to_any = now + s.refresh_to_any
            _delay_rank(groups, unit.rank, KIND_ACT, to_any)
            rank.refa_earliest = max(rank.refa_earliest, to_any)
        else:
            rank.refb_earliest = max(rank.refb_earliest, now + s.refresh_bank_to_refresh_bank)
            remaining = unit.bank_mask
            while remaining:
                refreshed = banks[at(trailing_zeros(remaining))]
                remaining &= remaining - 1
                refreshed.act_earliest = max(refreshed.act_earliest, now + s.refresh_bank_to_act)
        note_refresh(s, unit)


@compiled
def issue_power(s: Record, groups: Array, ranks: Array, record: Array) -> None:
    """Put a rank into power-down, or take it out."""
    now = s.now
    rank = ranks[at(s.power_rank)]
    command = s.power_command
    _put_on_bus(s, groups, rank, record, command, rank.first_bank, -1, -1, -1, s.power_rank)
    if command == PDX:
        rank.asleep = 0
        rank.awake_since = now
        s.asleep_banks &= ~rank.bank_mask
        ticks = now - rank.asleep_since
        rank.asleep_ticks += ticks
        rank.asleep_bank_ticks += ticks * rank.open_banks
        ready = now + s.power_down_to_any
        for kind in range(N_BANK_KINDS):
            _delay_rank(groups, s.power_rank, kind, ready)
        rank.prea_earliest = max(rank.prea_earliest, ready)
        rank.refa_earliest = max(rank.refa_earliest, ready)
        rank.refb_earliest = max(rank.refb_earliest, ready)
    else:
        rank.asleep = 1
        rank.asleep_since = now
        s.asleep_banks |= rank.bank_mask


@inlined
def _put_on_bus(
    s: Record, groups: Array, rank: Record, record: Array, command: int, bank: int, row: int, request: int, group: int, rank_index: int
) -> None:
    """Record and count a command, and let others of all banks keep their distance; `group` is -1 for a command to a whole rank."""
    now = s.now
    position = s.n_commands
    if position < record.size:
        entry = record[at(position)]
        entry.tick = now
        entry.command = command
        entry.bank = bank
        entry.row = row
        entry.request = request
    s.n_commands = position + 1
    if s.n_commands == s.stop_commands and s.status == RUNNING:
        stop(s, STOPPED_AT_LIMIT)
    s.counts[at(command)] += 1
    s.last_command = command
    s.last_command_tick = now
    s.choice_time = -1
    rank.last_command_tick = now
    kind = s.kind_of[at(command)]
    for later in range(N_KINDS):
        s.bus_earliest[at(later)] = now + s.bus_distance[at(kind), at(later)]
    for i in range(s.n_groups):
        other = groups[at(i)]
        scope = OTHER_RANK if other.rank != rank_index else SAME_GROUP if i == group else SAME_RANK
        for later in range(N_BANK_KINDS):
            other.earliest[at(later)] = max(other.earliest[at(later)], now + s.distance[at(scope), at(kind), at(later)])
    if kind == KIND_PRE:
        rank.prea_earliest = max(rank.prea_earliest, now + s.distance[SAME_RANK, KIND_PRE, KIND_PRE])


@inlined
def _delay_rank(groups: Array, rank: int, kind: int, earliest: int) -> None:
    """Let no bank of a rank issue a command of this kind before `earliest`."""
    for i in range(groups.size):
        group = groups[at(i)]
        if group.rank == rank:
            group.earliest[at(kind)] = max(group.earliest[at(kind)], earliest)


@inlined
def _activate(s: Record, groups: Array, rank: Record, bank: Record, now: int) -> None:
    bank.activated_at = now
    bank.read_earliest = now + s.act_to_read
    bank.rda_earliest = now + s.act_to_read
    bank.write_earliest = now + s.act_to_write
    bank.precharge_earliest = now + s.act_to_precharge
    bank.act_earliest = now + s.act_to_act
    # The ACT four ACTs ago opens the window of the next one: after storing this one, the oldest of four is the next to go.
    rank.recent_acts[at(rank.act_index)] = now
    rank.act_index = (rank.act_index + 1) & 3
    _delay_rank(groups, bank.rank, KIND_ACT, rank.recent_acts[at(rank.act_index)] + s.four_act_window)
    rank.prea_earliest = max(rank.prea_earliest, now + s.act_to_precharge)
    rank.refa_earliest = max(rank.refa_earliest, now + s.act_to_act)
    rank.refb_earliest = max(rank.refb_earliest, now + s.act_to_refresh_bank)
    rank.power_down_earliest = max(rank.power_down_earliest, now + s.act_to_power_down)
    rank.open_banks += 1


@inlined
def _precharge(s: Record, rank: Record, bank: Record, now: int) -> None:
    """Account for PRE."""
    to_act = now + s.precharge_to_act
    bank.act_earliest = max(bank.act_earliest, to_act)
    rank.refa_earliest = max(rank.refa_earliest, to_act)
    rank.power_down_earliest = max(rank.power_down_earliest, now + s.precharge_to_power_down)
    _close(s, rank, bank, now)


@inlined
def _close(s: Record, rank: Record, bank: Record, at_tick: int) -> None:
    """Close a bank's row; `at_tick` is the tick of the (explicit or implicit) precharge."""
    bank.open_row = -1
    rank.open_banks -= 1
    rank.open_bank_ticks += at_tick - bank.activated_at
    s.n_precharged_banks += 1


@inlined
def _access(s: Record, rank: Record, bank: Record, now: int, is_write: int, auto_precharge: bool) -> None:
    """Account for RD, RDA (`is_write` 0), WR or WRA (1)."""
    if s.last_is_write != is_write:
        s.last_is_write = is_write
        # The grouping scheduler may choose differently on every bank when the data bus turns.
        if s.scheduler == FR_FCFS_GRP and s.mode == MIXED:
            s.stale_banks |= s.proposing
    to_precharge = now + s.access_to_precharge[at(is_write)]
    rank.prea_earliest = max(rank.prea_earliest, to_precharge)
    to_power_down = s.auto_precharge_to_power_down[at(is_write)] if auto_precharge else s.access_to_power_down[at(is_write)]
    rank.power_down_earliest = max(rank.power_down_earliest, now + to_power_down)
    if auto_precharge:
        implicit = now + s.auto_precharge_to_implicit[at(is_write)]
        to_act = now + s.auto_precharge_to_act[at(is_write)]
        if not is_write:
            implicit = max(implicit, bank.activated_at + s.act_to_precharge)
        bank.act_earliest = max(bank.act_earliest, to_act)
        rank.refa_earliest = max(rank.refa_earliest, to_act)
        # Not before the row is closed: power-down keeps banks as they are.
        rank.power_down_earliest = max(rank.power_down_earliest, implicit + s.precharge_to_power_down)
        _close(s, rank, bank, implicit)
    else:
        bank.precharge_earliest = max(bank.precharge_earliest, to_precharge)
        if is_write:
            bank.rda_earliest = max(bank.rda_earliest, now + s.write_to_rda)
