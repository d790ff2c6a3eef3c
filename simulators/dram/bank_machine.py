"""Bank machines: what each bank proposes to do next, given the requests buffered for it.

A bank proposes one command for one request. `proposal_time` holds what the bank itself demands; the rank's and the command bus's
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
from designgym.simulators.dram.state import ACT, BANK_BITS, BANK_MASK, NEVER, ORDER_BITS, PRE, RD, RDA, UNSET, WR, WRA


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
    index = trace[at(request)].bank
    bank = banks[at(index)]
    queues[at(index), at(bank.queue_length)] = request
    bank.queue_length += 1
    s.buffered += 1
    s.buffered_writes += trace[at(request)].is_write
    s.last_bank = index


@inlined
def dequeue(s: Record, banks: Array, queues: Array, trace: Array, index: int) -> None:
    """Take the chosen request of bank `index` out of the buffer."""
    bank = banks[at(index)]
    last = bank.queue_length - 1
    for i in range(bank.chosen_position, last):
        queues[at(index), at(i)] = queues[at(index), at(i + 1)]
    bank.queue_length = last
    s.buffered -= 1
    s.buffered_writes -= trace[at(bank.chosen)].is_write


@inlined
def _first_hit(length: int, open_row: int, queue: Array, trace: Array, start: int) -> int:
    """Return the first position from `start` on whose request hits the open row, `length` if there is none."""
    for i in range(start, length):
        if trace[at(queue[at(i)])].row == open_row:
            return i
    return length


@inlined
def _is_hazard(queue: Array, trace: Array, position: int) -> bool:
    """Return whether an older request has the same address; it has the same row then, so that it is an older hit."""
    address = trace[at(queue[at(position)])].address
    older = 0
    while older < position and trace[at(queue[at(older)])].address != address:
        older += 1
    return older < position


@inlined
def _choose(s: Record, bank: Record, queue: Array, trace: Array) -> int:
    """Return the position of the request that the scheduler serves next on a bank with an open row."""
    if s.scheduler == FIFO:
        return 0
    length = bank.queue_length
    open_row = bank.open_row
    first = _first_hit(length, open_row, queue, trace, 0)
    if first == length:
        return 0
    if s.scheduler == FR_FCFS_GRP:
        position = first
        while position < length:
            if trace[at(queue[at(position)])].is_write == s.last_is_write and not _is_hazard(queue, trace, position):
                return position
            position = _first_hit(length, open_row, queue, trace, position + 1)
    return first


@inlined
def _further_hit(s: Record, bank: Record, queue: Array, trace: Array) -> bool:
    """Return whether another request than the chosen one hits the open row, as far as the scheduler looks."""
    length = bank.queue_length
    open_row = bank.open_row
    if s.scheduler == FIFO:
        return length > 1 and trace[at(queue[1])].row == open_row
    first = _first_hit(length, open_row, queue, trace, 0)
    return _first_hit(length, open_row, queue, trace, first + 1) < length


@compiled
def propose(s: Record, banks: Array, queues: Array, trace: Array, index: int) -> None:
    """Let bank `index` decide its next command."""
    bank = banks[at(index)]
    length = bank.queue_length
    if s.blocked or length == 0:
        s.proposing &= ~(1 << index)
        return
    s.proposing |= 1 << index
    queue = queues[at(index)]
    if bank.open_row < 0:
        bank.proposal = ACT
        bank.chosen = queue[0]
        bank.order = (queue[0] << BANK_BITS) | index
        bank.proposal_time = bank.act_earliest
        return
    position = _choose(s, bank, queue, trace)
    request = queue[at(position)]
    bank.chosen = request
    bank.chosen_position = position
    bank.order = (request << BANK_BITS) | index
    policy = s.page_policy
    if policy in (OPEN, OPEN_ADAPTIVE):
        if trace[at(request)].row != bank.open_row:
            bank.proposal = PRE
            bank.proposal_time = bank.precharge_earliest
            return
        auto_precharge = policy == OPEN_ADAPTIVE and length > 1 and not _further_hit(s, bank, queue, trace)
    else:
        auto_precharge = policy == CLOSED or not _further_hit(s, bank, queue, trace)
    if trace[at(request)].is_write:
        bank.proposal = WRA if auto_precharge else WR
        bank.proposal_time = bank.access_earliest
    elif auto_precharge:
        bank.proposal = RDA
        bank.proposal_time = bank.rda_earliest
    else:
        bank.proposal = RD
        bank.proposal_time = bank.access_earliest


@inlined
def may_change_proposal(s: Record, bank: Record, trace: Array, request: int) -> bool:
    """Return whether a request that was just put into the buffer of a bank can change what the bank proposes."""
    if bank.queue_length == 1 or s.blocked:
        return True
    if bank.open_row < 0:
        return False
    if s.page_policy in (OPEN_ADAPTIVE, CLOSED_ADAPTIVE):
        return True
    if s.scheduler == FIFO:
        return False
    # Only a hit is preferred to older requests: to misses, or to hits of the other direction.
    is_hit = trace[at(request)].row == bank.open_row
    return is_hit and (s.scheduler == FR_FCFS_GRP or trace[at(bank.chosen)].row != bank.open_row)


@inlined
def choose_bank(s: Record, banks: Array) -> None:
    """Find the bank whose proposal is legal first, that of the oldest request among equals, and when that is.

    The result holds as long as no bank proposes anew, no command is issued, and its time has not passed.
    """
    if not s.choice_stale and s.choice_time >= s.now:
        return
    s.choice_stale = 0
    now = s.now
    floor = max(now, s.last_command_tick + 1)
    first = UNSET
    remaining = s.proposing
    # Ticks from now, request and bank are compared as one integer: a branch per bank would be mispredicted half of the time.
    while remaining:
        bank = banks[at(trailing_zeros(remaining))]
        remaining &= remaining - 1
        time = max(max(bank.proposal_time, floor), s.rank_earliest[at(bank.proposal >> 1)])
        first = min(first, ((time - now) << ORDER_BITS) | bank.order)
    s.choice = first & BANK_MASK
    s.choice_time = now + (first >> ORDER_BITS) if first < UNSET else NEVER
