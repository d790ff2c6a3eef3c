"""Issuing a command: its effect on the timing of later ones, on the state of the banks, and on energy."""

from designgym.simulators.dram.bank_machine import dequeue, open_row
from designgym.simulators.dram.compiled import Array, Record, at, compiled, inlined
from designgym.simulators.dram.controller import FR_FCFS_GRP
from designgym.simulators.dram.event_heap import stop
from designgym.simulators.dram.refresh import note_refresh
from designgym.simulators.dram.state import ACT, ALL_BANKS, PREA, RD, RUNNING, STOPPED_AT_LIMIT, WR


@inlined
def issue(s: Record, banks: Array, queues: Array, trace: Array, requests: Array, record: Array) -> bool:
    """Put the chosen bank's command on the command bus now; return whether it moves data."""
    now = s.now
    index = s.choice
    request = s.choice_request
    bank = banks[at(index)]
    queue = queues[at(index)]
    row = trace[at(request)].row
    command = s.proposed_command[at(index)]
    _put_on_bus(s, record, command, index, row, request)
    if command >= RD:
        is_write = (command >> 1) & 1
        _access(s, bank, now, is_write, command & 1 != 0)
        dequeue(s, bank, queue)
        requests[at(request)].data_end = now + s.data_end[at(is_write)]
        return True
    if command == ACT:
        open_row(bank, queue, row)
        _activate(s, bank, now)
        requests[at(request)].activated = 1
    else:
        _delay_refresh(s, now + s.precharge_to_act)
        bank.act_earliest = max(bank.act_earliest, now + s.precharge_to_act)
        _close(s, bank, now)
    return False


@compiled
def issue_to_all(s: Record, banks: Array, record: Array) -> None:
    """Put the refresh logic's command on the command bus now."""
    now = s.now
    command = s.refresh_command
    _put_on_bus(s, record, command, -1, -1, -1)
    if command == PREA:
        _delay(s, ACT, now + s.precharge_to_act)
        _delay_refresh(s, now + s.precharge_to_act)
        s.stale_banks = ALL_BANKS
        for i in range(s.n_banks):
            if banks[at(i)].open_row >= 0:
                _close(s, banks[at(i)], now)
    else:
        _delay(s, ACT, now + s.refresh_to_any)
        _delay_refresh(s, now + s.refresh_to_any)
        note_refresh(s)


@inlined
def _put_on_bus(s: Record, record: Array, command: int, bank: int, row: int, request: int) -> None:
    position = s.n_commands
    if position < record.size:
        entry = record[at(position)]
        entry.tick = s.now
        entry.command = command
        entry.bank = bank
        entry.row = row
        entry.request = request
    s.n_commands = position + 1
    if s.n_commands == s.stop_commands and s.status == RUNNING:
        stop(s, STOPPED_AT_LIMIT)
    s.counts[at(command)] += 1
    s.last_command = command
    s.last_command_tick = s.now
    s.choice_time = -1


@inlined
def _delay(s: Record, command: int, earliest: int) -> None:
    """Let no bank issue a command of this group before `earliest`."""
    s.rank_earliest[at(command >> 1)] = max(s.rank_earliest[at(command >> 1)], earliest)


@inlined
def _delay_refresh(s: Record, earliest: int) -> None:
    s.refa_earliest = max(s.refa_earliest, earliest)


@inlined
def _delay_precharge_of_all(s: Record, earliest: int) -> None:
    s.prea_earliest = max(s.prea_earliest, earliest)


@inlined
def _activate(s: Record, bank: Record, now: int) -> None:
    bank.activated_at = now
    bank.access_earliest = now + s.act_to_access_bank
    bank.rda_earliest = now + s.act_to_access_bank
    bank.precharge_earliest = now + s.act_to_precharge
    bank.act_earliest = now + s.act_to_act_bank
    # The ACT four ACTs ago opens the window of the next one: after storing this one, the oldest of four is the next to go.
    s.recent_acts[at(s.act_index)] = now
    s.act_index = (s.act_index + 1) & 3
    _delay(s, ACT, max(now + s.act_to_act, s.recent_acts[at(s.act_index)] + s.four_act_window))
    _delay_precharge_of_all(s, now + s.act_to_precharge)
    _delay_refresh(s, now + s.act_to_act_bank)
    s.open_banks += 1
    if s.powered_banks == 0 and now > s.all_closed_at:
        s.powered_cycles += s.all_closed_at - s.powered_since
        s.powered_since = now
    s.powered_banks += 1


@inlined
def _close(s: Record, bank: Record, at: int) -> None:
    """Close a bank's row; `at` is the tick of the (explicit or implicit) precharge."""
    bank.open_row = -1
    s.open_banks -= 1
    s.n_precharged_banks += 1
    s.powered_banks -= 1
    s.all_closed_at = max(s.all_closed_at, at)


@inlined
def _access(s: Record, bank: Record, now: int, is_write: int, auto_precharge: bool) -> None:
    """Account for RD, RDA (`is_write` 0), WR or WRA (1)."""
    if s.last_is_write != is_write:
        s.last_is_write = is_write
        # The grouping scheduler may choose differently on every bank when the data bus turns.
        if s.scheduler == FR_FCFS_GRP:
            s.stale_banks |= s.proposing
    _delay(s, RD, now + s.access_to_read[at(is_write)])
    _delay(s, WR, now + s.access_to_write[at(is_write)])
    to_precharge = now + s.access_to_precharge[at(is_write)]
    _delay_precharge_of_all(s, to_precharge)
    if auto_precharge:
        to_act = now + s.auto_precharge_to_act[at(is_write)]
        bank.act_earliest = max(bank.act_earliest, to_act)
        _delay_refresh(s, to_act)
        implicit = now + s.auto_precharge_to_implicit[at(is_write)]
        _close_implicitly(s, bank, implicit if is_write else max(implicit, bank.activated_at + s.act_to_precharge))
    else:
        bank.precharge_earliest = max(bank.precharge_earliest, to_precharge)
        if is_write:
            bank.rda_earliest = max(bank.rda_earliest, now + s.write_to_rda_bank)


@inlined
def _close_implicitly(s: Record, bank: Record, at: int) -> None:
    _close(s, bank, at)
    s.implicit_precharge_tick = max(s.implicit_precharge_tick, at)
