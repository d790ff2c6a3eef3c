"""The simulation of one channel: passes of its controller, and the loop that wakes the workers as in the DRAM controller's simulation.

Player, arbiter, events, buffers and responses are that simulation's own. With one rank and bank group, refreshes of all banks, mixed reads
and writes, and no power-down, each command comes at the same tick as there.
"""

from collections.abc import Callable

from designgym.simulators.dram.arbiter import run_arbiter, run_player, send_to_arbiter
from designgym.simulators.dram.bank_machine import enqueue, has_space
from designgym.simulators.dram.compiled import Array, Record, at, entry_point, inlined, source_digest
from designgym.simulators.dram.event_heap import advance, clear_heap, set_alarm
from designgym.simulators.dram.responses import handle_responses, queue_response
from designgym.simulators.dram.state import (
    ACCEPTED,
    ALARM_SELF,
    ARBITER,
    CONTROLLER,
    DEADLOCK,
    EVENT_LIMIT,
    NEVER,
    PLAYER,
    RUNNING,
    WORKER_BITS,
    WORKER_MASK,
)
from designgym.simulators.dram.system.banks import choose_bank, propose, propose_stale, update_mode
from designgym.simulators.dram.system.commands import issue, issue_power, issue_refresh
from designgym.simulators.dram.system.power_down import update_power
from designgym.simulators.dram.system.refresh import update_refresh
from designgym.simulators.dram.system.state import PDX


@inlined
def _take_request(s: Record, banks: Array, queues: Array, trace: Array) -> int:
    """Take the waiting request into the buffer if its time has come and there is space; return its bank, otherwise -1."""
    if s.waiting_from > s.now:
        return -1
    if not has_space(s, banks):
        s.n_input_stalls += 1
        return -1
    s.waiting_from = NEVER
    enqueue(s, banks, queues, trace, s.waiting)
    if s.in_controller == 0:
        s.busy_since = s.now
    s.in_controller += 1
    send_to_arbiter(s, ACCEPTED)
    bank: int = s.last_bank
    return bank


@inlined
def _controller_pass(
    s: Record,
    banks: Array,
    queues: Array,
    groups: Array,
    ranks: Array,
    units: Array,
    heap: Array,
    trace: Array,
    requests: Array,
    record: Array,
) -> None:
    handle_responses(s, heap, requests)
    bank = _take_request(s, banks, queues, trace)
    if bank >= 0:
        propose(s, banks, queues, bank)
        if s.write_drain and update_mode(s):
            propose_stale(s, banks, queues)
    update_refresh(s, banks, groups, ranks, units)
    update_power(s, ranks)
    if s.refresh_command_time <= s.now:
        issue_refresh(s, banks, groups, ranks, units, record)
    elif s.power_time <= s.now and s.power_command == PDX:
        issue_power(s, groups, ranks, record)
    else:
        choose_bank(s, banks, groups)
        if s.choice_time <= s.now:
            served = issue(s, banks, queues, groups, ranks, trace, requests, record)
            s.stale_banks |= 1 << s.choice
            if served:
                bank = _take_request(s, banks, queues, trace)
                if bank >= 0:
                    s.stale_banks |= 1 << bank
                queue_response(s, heap, requests, s.choice_request)
                if s.write_drain:
                    update_mode(s)
        elif s.power_time <= s.now:
            issue_power(s, groups, ranks, record)
    if s.stale_banks != 0:
        propose_stale(s, banks, queues)
    update_refresh(s, banks, groups, ranks, units)
    update_power(s, ranks)
    choose_bank(s, banks, groups)
    set_alarm(s, heap, ALARM_SELF, min(min(s.choice_time, s.refresh_time), s.power_time))


@inlined
def _simulate(
    s: Record,
    banks: Array,
    queues: Array,
    groups: Array,
    ranks: Array,
    units: Array,
    heap: Array,
    trace: Array,
    requests: Array,
    record: Array,
) -> None:
    # At time 0 the controller makes a pass, then the player offers the first request as if one before it had been accepted.
    queue = CONTROLLER | PLAYER << WORKER_BITS
    to_arbiter, to_player = 0, ACCEPTED
    while True:
        worker = queue & WORKER_MASK
        queue >>= WORKER_BITS
        if worker == CONTROLLER:
            _controller_pass(s, banks, queues, groups, ranks, units, heap, trace, requests, record)
        elif worker == ARBITER:
            run_arbiter(s, heap, requests, to_arbiter)
        else:
            run_player(s, heap, trace, requests, to_player)
        if queue != 0:
            continue
        s.rounds_left -= 1
        if s.rounds_left <= 0:
            if s.status == RUNNING:
                s.status = EVENT_LIMIT
            return
        queue = s.next_workers
        to_arbiter, to_player = s.next_to_arbiter, s.next_to_player
        if queue != 0:
            # The alarms set during the round go off.
            s.next_workers = s.next_alarms = s.next_to_arbiter = s.next_to_player = 0
            continue
        queue = advance(s, heap)
        if queue == 0:
            s.status = DEADLOCK
            return


def _compile_run(sources: int) -> Callable[..., None]:
    """Return `run_channel`; see `designgym.simulators.dram.kernel` for what `sources` is good for."""

    @entry_point
    def run_channel(
        state: Array,
        banks: Array,
        queues: Array,
        groups: Array,
        ranks: Array,
        units: Array,
        heap: Array,
        trace: Array,
        requests: Array,
        record: Array,
    ) -> None:
        """Simulate one channel from time 0 until the last response, or until `stop_commands` or a guard ends the run; sets `status`.

        Args:
            state: Shape ``(1,)``, `CHANNEL`, prepared by `ChannelWorkspace.configure`.
            banks: Shape ``(banks,)``, `BANK`.
            queues: Requests buffered per bank, oldest first; `QUEUED`, shape ``(banks, capacity)``.
            groups: Shape ``(groups,)``, `GROUP`.
            ranks: Shape ``(ranks,)``, `RANK`.
            units: Shape ``(units,)``, `UNIT`; none without refreshes.
            heap: Timed settings of alarms; int64, shape ``(capacity,)``, index 0 unused.
            trace: One entry per burst; shape ``(n,)``, `TRACE`.
            requests: Shape ``(n,)``, `REQUEST_STATE`.
            record: Commands as they are issued, as far as they fit; shape ``(capacity,)``, `COMMAND_RECORD`.
        """
        s = state[0]
        if sources == 0:
            return
        for i in range(requests.size):
            request = requests[at(i)]
            request.presented = -1
            request.accepted = -1
            request.response = -1
            request.activated = 0
            request.data_end = NEVER
            request.stored = -1
        clear_heap(heap)
        _simulate(s, banks, queues, groups, ranks, units, heap, trace, requests, record)

    return run_channel


SOURCES = tuple(f"system/{name}" for name in ("banks", "commands", "config", "kernel", "power_down", "refresh", "state"))
run_channel = _compile_run(source_digest(*SOURCES))
