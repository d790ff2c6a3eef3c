"""The simulation: controller passes, and the loop that wakes the workers in the exact order of the real tool.

One pass of the controller sends a response, takes a request, and issues at most one command; the loop advances to the next tick
at which an alarm goes off and runs rounds until no worker is awake. Nothing depends on the trace but the trace.
"""

from collections.abc import Callable

from designgym.simulators.dram.arbiter import run_arbiter, run_player, send_to_arbiter
from designgym.simulators.dram.bank_machine import choose_bank, enqueue, has_space, may_change_proposal, propose
from designgym.simulators.dram.commands import issue, issue_to_all
from designgym.simulators.dram.compiled import Array, Record, at, entry_point, inlined, source_digest, trailing_zeros
from designgym.simulators.dram.event_heap import advance, clear_heap, set_alarm
from designgym.simulators.dram.latency import summarise
from designgym.simulators.dram.refresh import update_refresh
from designgym.simulators.dram.responses import handle_responses, queue_response
from designgym.simulators.dram.state import (
    ACCEPTED,
    ALARM_SELF,
    ARBITER,
    CONTROLLER,
    DEADLOCK,
    EVENT_LIMIT,
    NEVER,
    NONE,
    PLAYER,
    RUNNING,
    WORKER_BITS,
    WORKER_MASK,
)


@inlined
def _take_request(s: Record, banks: Array, queues: Array, trace: Array) -> int:
    """Take the waiting request into the buffer if its time has come and there is space.

    Returns the bank that it is for if that may propose something else now, otherwise -1.
    """
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
    bank = s.last_bank
    return bank if may_change_proposal(s, banks[at(bank)], queues[at(bank)]) else -1


@inlined
def _propose_stale(s: Record, banks: Array, queues: Array) -> None:
    """Let those banks propose again that could propose something new; the others would repeat themselves."""
    remaining = s.stale_banks & ((1 << s.n_banks) - 1)
    s.stale_banks = 0
    while remaining:
        propose(s, banks, queues, trailing_zeros(remaining))
        remaining &= remaining - 1


@inlined
def _controller_pass(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array) -> None:
    handle_responses(s, heap, requests)
    bank = _take_request(s, banks, queues, trace)
    if bank >= 0:
        propose(s, banks, queues, bank)
    update_refresh(s)
    if s.refresh_time <= s.now and s.refresh_command != NONE:
        issue_to_all(s, banks, record)
    else:
        choose_bank(s)
        if s.choice_time <= s.now:
            served = issue(s, banks, queues, trace, requests, record)
            s.stale_banks |= 1 << s.choice
            if served:
                bank = _take_request(s, banks, queues, trace)
                if bank >= 0:
                    s.stale_banks |= 1 << bank
                queue_response(s, heap, requests, s.choice_request)
    if s.stale_banks != 0:
        _propose_stale(s, banks, queues)
    update_refresh(s)
    choose_bank(s)
    set_alarm(s, heap, ALARM_SELF, min(s.choice_time, s.refresh_time))


@inlined
def _simulate(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array) -> None:
    # At time 0 the controller makes a pass, then the player offers the first request as if one before it had been accepted.
    queue = CONTROLLER | PLAYER << WORKER_BITS
    to_arbiter, to_player = 0, ACCEPTED
    while True:
        worker = queue & WORKER_MASK
        queue >>= WORKER_BITS
        if worker == CONTROLLER:
            _controller_pass(s, banks, queues, heap, trace, requests, record)
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
    """Return `run`. Numba keeps the compiled code on disk under a key that covers the variables a function closes over.

    Of the source files, however, it only watches the one that a function is defined in: hence `sources`.
    """

    @entry_point
    def run(
        state: Array,
        banks: Array,
        queues: Array,
        heap: Array,
        trace: Array,
        requests: Array,
        record: Array,
        bins: Array,
        latencies: Array,
    ) -> None:
        """Simulate from time 0 until the last response, or until `stop_commands` or a guard ends the run; sets `status`.

        Args:
            state: Shape ``(1,)``, `STATE`, prepared by `Workspace.configure`; everything that is not per bank or request.
            banks: Shape ``(banks,)``, `BANK`.
            queues: Requests buffered per bank, oldest first; int64, shape ``(banks, capacity)``.
            heap: Timed settings of alarms; int64, shape ``(capacity,)``, index 0 unused.
            trace: Shape ``(n,)``, `TRACE`.
            requests: Shape ``(n,)``, `REQUEST_STATE`.
            record: Commands as they are issued, as far as they fit; shape ``(capacity,)``, `COMMAND_RECORD`.
            bins: Made by `latency.make_bins`.
            latencies: Filled with latency statistics; see `latency.summarise`.
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
        _simulate(s, banks, queues, heap, trace, requests, record)
        s.n_activated_answered = summarise(trace, requests, s.now, bins, latencies)

    return run


run = _compile_run(source_digest())
