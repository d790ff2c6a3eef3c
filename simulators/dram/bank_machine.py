"""Bank machines: what each bank proposes to do next, given the requests buffered for it.

A bank proposes one command for one request. `proposed_time` holds what the bank itself demands; the rank's and the command bus's
demands change with every command and are added when the controller chooses.
"""

from designgym.simulators.dram.compiled import Array, Record, at, compiled, inlined, trailing_zeros
from designgym.simulators.dram.controller import (
    BANKWISE,
    CLOSED,
    CLOSED_ADAPTIVE,
    FIFO,
    FR_FCFS_GRP,
    OPEN,
    OPEN_ADAPTIVE,
    READ_WRITE,
)
from designgym.simulators.dram.state import ACT, BANK_BITS, BANK_MASK, NEVER, ORDER_BITS, ORDER_MASK, PRE, RD, RDA, UNSET


@inlined
def has_space(s: Record, banks: Array) -> bool:
    """Return whether the buffer takes another request; `Bankwise` looks at the bank of the request accepted last."""
    if s.buffer_kind == BANKWISE:
        return banks[at(s.last_bank)].queue_length < s.buffer_size
    if s.buffer_kind == READ_WRITE:
        return s.buffered - s.buffered_writes < s.buffer_size and s.buffered_writes < s.buffer_size
    return s.buffered < s.buffer_size


@inlined
def enqueue(s: Record, banks: Array, queues: Array, trace: Array, request: int) -> None:
    """Put `request` into the buffer."""
    wanted = trace[at(request)]
    index = wanted.bank
    bank = banks[at(index)]
    queued = queues[at(index), at(bank.queue_length)]
    queued.request = request
    queued.row = wanted.row
    queued.is_write = wanted.is_write
    queued.address = wanted.address
    bank.queue_length += 1
    bank.n_hits += wanted.row == bank.open_row
    s.buffered += 1
    s.buffered_writes += wanted.is_write
    s.last_bank = index


@inlined
def dequeue(s: Record, bank: Record, queue: Array) -> None:
    """Take the chosen request of a bank, which hits the open row, out of the buffer."""
    position = bank.chosen_position
    s.buffered -= 1
    s.buffered_writes -= queue[at(position)].is_write
    last = bank.queue_length - 1
    bank.queue_length = last
    bank.n_hits -= 1
    # Four at a time, beyond the last one if need be: the number of those behind is hard to predict.
    while position < last:
        for i in range(4):
            queue[at(position + i)] = queue[at(position + i + 1)]
        position += 4


@inlined
def open_row(bank: Record, queue: Array, row: int) -> None:
    """Open a row of a bank."""
    bank.open_row = row
    n_hits = 0
    for i in range(bank.queue_length):
        n_hits += queue[at(i)].row == row
    bank.n_hits = n_hits


@inlined
def _is_hazard(queue: Array, position: int) -> bool:
    """Return whether an older request has the same address; it has the same row then, so that it is an older hit."""
    address = queue[at(position)].address
    older = 0
    while older < position and queue[at(older)].address != address:
        older += 1
    return older < position


@inlined
def _choose(s: Record, bank: Record, queue: Array) -> int:
    """Return the position of the request that the scheduler serves next on a bank with an open row."""
    if s.scheduler == FIFO or bank.n_hits == 0:
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


@inlined
def _further_hit(s: Record, bank: Record, queue: Array) -> bool:
    """Return whether another request than the chosen one hits the open row, as far as the scheduler looks."""
    if s.scheduler == FIFO:
        return bank.queue_length > 1 and queue[1].row == bank.open_row
    return bank.n_hits > 1


@compiled
def propose(s: Record, banks: Array, queues: Array, index: int) -> None:
    """Let bank `index` decide its next command."""
    s.choice_time = -1
    bank = banks[at(index)]
    length = bank.queue_length
    if s.blocked or length == 0:
        s.proposing &= ~(1 << index)
        return
    s.proposing |= 1 << index
    queue = queues[at(index)]
    if bank.open_row < 0:
        s.proposed_command[at(index)] = ACT
        s.proposed_time[at(index)] = bank.act_earliest
        s.proposed_order[at(index)] = (queue[0].request << BANK_BITS) | index
        return
    position = _choose(s, bank, queue)
    bank.chosen_position = position
    chosen = queue[at(position)]
    s.proposed_order[at(index)] = (chosen.request << BANK_BITS) | index
    policy = s.page_policy
    if policy in (OPEN, OPEN_ADAPTIVE):
        if chosen.row != bank.open_row:
            s.proposed_command[at(index)] = PRE
            s.proposed_time[at(index)] = bank.precharge_earliest
            return
        auto_precharge = policy == OPEN_ADAPTIVE and length > 1 and not _further_hit(s, bank, queue)
    else:
        auto_precharge = policy == CLOSED or not _further_hit(s, bank, queue)
    command = RD | chosen.is_write << 1 | auto_precharge
    s.proposed_command[at(index)] = command
    s.proposed_time[at(index)] = bank.rda_earliest if command == RDA else bank.access_earliest


@inlined
def may_change_proposal(s: Record, bank: Record, queue: Array) -> bool:
    """Return whether a request that was just put into the buffer of a bank can change what the bank proposes."""
    length = bank.queue_length
    if length == 1 or s.blocked:
        return True
    if bank.open_row < 0:
        return False
    policy = s.page_policy
    if s.scheduler == FIFO:
        return length == 2 and policy in (OPEN_ADAPTIVE, CLOSED_ADAPTIVE)
    if queue[at(length - 1)].row != bank.open_row:
        return length == 2 and policy == OPEN_ADAPTIVE
    # A hit is preferred to older misses and to older hits of the other direction, and is a reason to leave the row open.
    return bank.n_hits == 1 or s.scheduler == FR_FCFS_GRP or policy in (OPEN_ADAPTIVE, CLOSED_ADAPTIVE)


@inlined
def choose_bank(s: Record) -> None:
    """Find the bank whose proposal is legal first, that of the oldest request among equals, and when that is.

    The result holds as long as no bank proposes anew, no command is issued, and its time has not passed.
    """
    now = s.now
    if s.choice_time >= now:
        return
    floor = max(now, s.last_command_tick + 1)
    first = UNSET
    remaining = s.proposing
    # Ticks from now, request and bank are compared as one integer: a branch per bank would be mispredicted half of the time.
    while remaining:
        index = at(trailing_zeros(remaining))
        remaining &= remaining - 1
        time = max(max(s.proposed_time[index], floor), s.rank_earliest[at(s.proposed_command[index] >> 1)])
        first = min(first, ((time - now) << ORDER_BITS) | s.proposed_order[index])
    s.choice = first & BANK_MASK
    s.choice_request = (first & ORDER_MASK) >> BANK_BITS
    s.choice_time = now + (first >> ORDER_BITS) if first < UNSET else NEVER
