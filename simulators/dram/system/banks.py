"""What each bank of a channel proposes to do next, and which requests are served at all: reads, writes, or both."""

from designgym.simulators.dram.compiled import Array, Record, at, compiled, inlined, trailing_zeros
from designgym.simulators.dram.controller import CLOSED, FIFO, FR_FCFS_GRP, OPEN, OPEN_ADAPTIVE
from designgym.simulators.dram.state import ACT, ALL_BANKS, BANK_BITS, BANK_MASK, NEVER, ORDER_BITS, ORDER_MASK, PRE, RD, RDA, UNSET, WR
from designgym.simulators.dram.system.config import DRAIN_BATCH
from designgym.simulators.dram.system.state import MIXED, READS, WRITES


@inlined
def update_mode(s: Record) -> bool:
    """Decide whether reads or writes are served; return whether that changed, so that all banks must propose again."""
    reads = s.buffered - s.buffered_writes
    if s.draining:
        if s.buffered_writes == 0 or (s.buffered_writes <= s.low_watermark and reads > 0):
            s.draining = 0
    elif s.buffered_writes >= s.high_watermark or (s.write_drain == DRAIN_BATCH and reads == 0 and s.buffered_writes > s.low_watermark):
        s.draining = 1
        s.n_drains += reads > 0
    mode = WRITES if s.draining or reads == 0 else READS
    if mode == s.mode:
        return False
    s.mode = mode
    s.stale_banks = ALL_BANKS
    return True


@inlined
def _is_hazard(queue: Array, position: int) -> bool:
    address = queue[at(position)].address
    older = 0
    while older < position and queue[at(older)].address != address:
        older += 1
    return older < position


@inlined
def _choose_mixed(s: Record, bank: Record, queue: Array) -> int:
    """Return the position of the request to serve next, as the DRAM controller does."""
    if s.scheduler == FIFO or bank.open_row < 0 or bank.n_hits == 0:
        return 0
    first = 0
    while queue[at(first)].row != bank.open_row:
        first += 1
    if s.scheduler == FR_FCFS_GRP:
        for position in range(first, bank.queue_length):
            queued = queue[at(position)]
            if queued.row == bank.open_row and queued.is_write == s.last_is_write and not _is_hazard(queue, position):
                return position
    return first


@compiled
def _choose_of_direction(s: Record, bank: Record, queue: Array) -> int:
    """Return the position of the request to serve next if only reads or only writes are served, -1 for none.

    A request of the other direction is served as well if one that may be served would overtake it at the same address.
    """
    is_write = 1 if s.mode == WRITES else 0
    first = -1
    for position in range(bank.queue_length):
        if queue[at(position)].is_write != is_write:
            continue
        wanted = position
        older = 0
        while older < position:
            if queue[at(older)].address == queue[at(position)].address:
                wanted = older
                break
            older += 1
        if s.scheduler == FIFO or queue[at(wanted)].row == bank.open_row:
            return wanted
        if first < 0:
            first = wanted
    return first


@inlined
def _further_hit(s: Record, bank: Record, queue: Array, chosen: int) -> bool:
    """Return whether another request than the chosen one hits the open row, as far as the scheduler looks."""
    if s.scheduler == FIFO:
        other = 1 if chosen == 0 else 0
        return bank.queue_length > 1 and queue[at(other)].row == bank.open_row
    return bank.n_hits > 1


@compiled
def propose(s: Record, banks: Array, queues: Array, index: int) -> None:
    """Let bank `index` decide its next command."""
    s.choice_time = -1
    bank = banks[at(index)]
    queue = queues[at(index)]
    bit = 1 << index
    length = bank.queue_length
    s.proposing &= ~bit
    if length == 0:
        s.occupied &= ~bit
        return
    s.occupied |= bit
    if s.blocked_banks & bit:
        return
    position = _choose_mixed(s, bank, queue) if s.mode == MIXED else _choose_of_direction(s, bank, queue)
    if position < 0:
        return
    s.proposing |= bit
    bank.chosen_position = position
    chosen = queue[at(position)]
    s.proposed_order[at(index)] = (chosen.request << BANK_BITS) | index
    if bank.open_row < 0:
        s.proposed_command[at(index)] = ACT
        s.proposed_time[at(index)] = bank.act_earliest
        return
    if chosen.row != bank.open_row:
        s.proposed_command[at(index)] = PRE
        s.proposed_time[at(index)] = bank.precharge_earliest
        return
    policy = s.page_policy
    if policy == OPEN:
        auto_precharge = False
    elif policy == OPEN_ADAPTIVE:
        auto_precharge = length > 1 and not _further_hit(s, bank, queue, position)
    else:
        auto_precharge = policy == CLOSED or not _further_hit(s, bank, queue, position)
    command = RD | chosen.is_write << 1 | auto_precharge
    s.proposed_command[at(index)] = command
    s.proposed_time[at(index)] = bank.write_earliest if command >= WR else bank.rda_earliest if command == RDA else bank.read_earliest


@inlined
def propose_stale(s: Record, banks: Array, queues: Array) -> None:
    """Let those banks propose again that could propose something new."""
    remaining = s.stale_banks & ((1 << s.n_banks) - 1)
    s.stale_banks = 0
    while remaining:
        propose(s, banks, queues, trailing_zeros(remaining))
        remaining &= remaining - 1


@inlined
def choose_bank(s: Record, banks: Array, groups: Array) -> None:
    """Find the bank whose proposal is legal first, that of the oldest request among equals, and when that is."""
    now = s.now
    if s.choice_time >= now:
        return
    first = UNSET
    remaining = s.proposing & ~s.asleep_banks
    while remaining:
        index = at(trailing_zeros(remaining))
        remaining &= remaining - 1
        kind = at(s.proposed_command[index] >> 1)
        time = max(max(s.proposed_time[index], now), max(groups[at(banks[index].group)].earliest[kind], s.bus_earliest[kind]))
        first = min(first, ((time - now) << ORDER_BITS) | s.proposed_order[index])
    s.choice = first & BANK_MASK
    s.choice_request = (first & ORDER_MASK) >> BANK_BITS
    s.choice_time = now + (first >> ORDER_BITS) if first < UNSET else NEVER
