"""Bank machines: what each bank proposes to do next, given the requests buffered for it.

A bank proposes one command for one request. `proposal_time` holds what the bank itself demands; the rank's and the command bus's
demands change with every command and are added when the controller chooses.
"""

from designgym.simulators.dram.compiled import Array, Record, compiled, inlined
from designgym.simulators.dram.controller import (
    BANKWISE,
    CLOSED,
    CLOSED_ADAPTIVE,
    FIFO,
    FR_FCFS_GRP,
    OPEN_ADAPTIVE,
    READ_WRITE,
)
from designgym.simulators.dram.state import ACT, NEVER, NONE, PRE, RD, RDA, WR, WRA


@compiled
def has_space(s: Record, banks: Array) -> bool:
    """Whether the buffer takes another request; `Bankwise` looks at the bank of the request accepted last."""
    if s.buffer_kind == BANKWISE:
        return banks[s.last_bank].queue_length < s.buffer_size
    if s.buffer_kind == READ_WRITE:
        return s.buffered - s.buffered_writes < s.buffer_size and s.buffered_writes < s.buffer_size
    return s.buffered < s.buffer_size


@inlined
def enqueue(s: Record, banks: Array, queues: Array, trace: Array, request: int) -> None:
    """Put `request` into the buffer."""
    index = trace[request].bank
    bank = banks[index]
    queues[index, bank.queue_length] = request
    bank.queue_length += 1
    s.buffered += 1
    s.buffered_writes += trace[request].is_write
    s.last_bank = index


@inlined
def dequeue(s: Record, banks: Array, queues: Array, trace: Array, request: int) -> None:
    """Take `request` out of the buffer."""
    index = trace[request].bank
    bank = banks[index]
    position = 0
    while queues[index, position] != request:
        position += 1
    last = bank.queue_length - 1
    for i in range(position, last):
        queues[index, i] = queues[index, i + 1]
    bank.queue_length = last
    s.buffered -= 1
    s.buffered_writes -= trace[request].is_write


@inlined
def _choose(s: Record, bank: Record, queue: Array, trace: Array) -> tuple[int, bool]:
    """Return the request that the scheduler serves next on a bank with an open row, and whether a further one hits the row."""
    length = bank.queue_length
    open_row = bank.open_row
    if s.scheduler == FIFO:
        return queue[0], length > 1 and trace[queue[1]].row == open_row
    grouped = s.scheduler == FR_FCFS_GRP
    oldest_hit = -1
    same_direction = -1
    hits = 0
    for i in range(length):
        request = queue[i]
        if trace[request].row != open_row:
            continue
        hits += 1
        if oldest_hit < 0:
            oldest_hit = request
        if grouped and same_direction < 0 and trace[request].is_write == s.last_is_write:
            hazard = False
            for j in range(i):
                # The same address implies the same row, so that an older request of this address is an older hit.
                if trace[queue[j]].address == trace[request].address:
                    hazard = True
            if not hazard:
                same_direction = request
    if same_direction >= 0:
        return same_direction, hits > 1
    return (oldest_hit if oldest_hit >= 0 else queue[0]), hits > 1


@compiled
def propose(s: Record, banks: Array, queues: Array, trace: Array, index: int) -> None:
    """Let bank `index` decide its next command."""
    bank = banks[index]
    s.bank_time_stale = 1
    if s.blocked or bank.queue_length == 0:
        bank.proposal = NONE
        bank.proposal_time = NEVER
        return
    if bank.open_row < 0:
        bank.proposal = ACT
        bank.chosen = queues[index, 0]
        bank.proposal_time = bank.act_earliest
        return
    request, further_hit = _choose(s, bank, queues[index], trace)
    bank.chosen = request
    policy = s.page_policy
    if policy == CLOSED:
        auto_precharge = True
    elif policy == CLOSED_ADAPTIVE:
        auto_precharge = not further_hit
    else:
        if trace[request].row != bank.open_row:
            bank.proposal = PRE
            bank.proposal_time = bank.precharge_earliest
            return
        auto_precharge = policy == OPEN_ADAPTIVE and bank.queue_length > 1 and not further_hit
    if trace[request].is_write:
        bank.proposal = WRA if auto_precharge else WR
        bank.proposal_time = bank.access_earliest
    elif auto_precharge:
        bank.proposal = RDA
        bank.proposal_time = bank.rda_earliest
    else:
        bank.proposal = RD
        bank.proposal_time = bank.access_earliest
