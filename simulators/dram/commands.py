"""Issuing a command: its effect on the timing of later ones, on the state of the banks, and on energy."""

from designgym.simulators.dram.bank_machine import dequeue
from designgym.simulators.dram.compiled import Array, Record, at, inlined
from designgym.simulators.dram.controller import FR_FCFS_GRP
from designgym.simulators.dram.refresh import note_refresh
from designgym.simulators.dram.state import ACT, ALL_BANKS, PRE, PREA, RD, RDA, WR, WRA


@inlined
def issue(
    s: Record, banks: Array, queues: Array, trace: Array, requests: Array, record: Array, command: int, index: int, request: int
) -> None:
    """Put `command` for `request` on the command bus now, for bank `index` (both -1 for a command to all banks)."""
    now = s.now
    position = s.n_commands
    if position < record.size:
        entry = record[at(position)]
        entry.tick = now
        entry.command = command
        entry.bank = index
        entry.row = trace[at(request)].row if request >= 0 else -1
        entry.request = request
    s.n_commands = position + 1
    s.counts[at(command)] += 1
    s.last_command = command
    s.last_command_tick = now
    s.choice_stale = 1
    if command in (RD, RDA):
        _read(s, banks[at(index)], now, command == RDA)
        _serve(s, banks, queues, trace, requests, index, request, now + s.read_data_end)
    elif command in (WR, WRA):
        _write(s, banks[at(index)], now, command == WRA)
        _serve(s, banks, queues, trace, requests, index, request, now + s.write_data_end)
    elif command == ACT:
        _activate(s, banks[at(index)], now, trace[at(request)].row)
        requests[at(request)].activated = 1
    elif command == PRE:
        bank = banks[at(index)]
        _delay_refresh(s, now + s.precharge_to_act)
        bank.act_earliest = max(bank.act_earliest, now + s.precharge_to_act)
        _close(s, bank, now)
    elif command == PREA:
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
def _activate(s: Record, bank: Record, now: int, row: int) -> None:
    bank.open_row = row
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
def _turn_bus(s: Record, is_write: int) -> None:
    """Note the direction of the data bus; the grouping scheduler may choose differently on every bank when it turns."""
    if s.last_is_write != is_write:
        s.last_is_write = is_write
        if s.scheduler == FR_FCFS_GRP:
            s.stale_banks |= s.proposing


@inlined
def _read(s: Record, bank: Record, now: int, auto_precharge: bool) -> None:
    _turn_bus(s, 0)
    _delay(s, RD, now + s.read_to_read)
    _delay(s, WR, now + s.read_to_write)
    _delay_precharge_of_all(s, now + s.read_to_precharge)
    if auto_precharge:
        bank.act_earliest = max(bank.act_earliest, now + s.rda_to_act)
        _delay_refresh(s, now + s.rda_to_act)
        _close_implicitly(s, bank, max(now + s.rda_to_implicit_precharge, bank.activated_at + s.act_to_precharge))
    else:
        bank.precharge_earliest = max(bank.precharge_earliest, now + s.read_to_precharge)


@inlined
def _write(s: Record, bank: Record, now: int, auto_precharge: bool) -> None:
    _turn_bus(s, 1)
    _delay(s, RD, now + s.write_to_read)
    _delay(s, WR, now + s.write_to_write)
    _delay_precharge_of_all(s, now + s.write_to_precharge)
    if auto_precharge:
        bank.act_earliest = max(bank.act_earliest, now + s.wra_to_act)
        _delay_refresh(s, now + s.wra_to_act)
        _close_implicitly(s, bank, now + s.wra_to_implicit_precharge)
    else:
        bank.precharge_earliest = max(bank.precharge_earliest, now + s.write_to_precharge)
        bank.rda_earliest = max(bank.rda_earliest, now + s.write_to_rda_bank)


@inlined
def _close_implicitly(s: Record, bank: Record, at: int) -> None:
    _close(s, bank, at)
    s.implicit_precharge_tick = max(s.implicit_precharge_tick, at)


@inlined
def _serve(s: Record, banks: Array, queues: Array, trace: Array, requests: Array, index: int, request: int, data_end: int) -> None:
    """Free the buffer slot and note when the data will have left the bus; the response is queued by `queue_response`."""
    dequeue(s, banks, queues, trace, index)
    requests[at(request)].data_end = data_end


@inlined
def is_access(command: int) -> bool:
    """Return whether a command moves data."""
    return RD <= command <= WRA
