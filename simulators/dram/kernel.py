"""The simulation: controller passes, and the loop that wakes the workers in the exact order of the real tool.

One pass of the controller sends a response, takes a request, and issues at most one command; the loop advances to the next tick
at which an alarm goes off and runs rounds until no worker is awake. Nothing depends on the trace but the trace.
"""

from collections.abc import Callable

from designgym.simulators.dram.arbiter import (
    run_arbiter,
    run_player,
    send_response_to_arbiter,
    send_to_arbiter,
)
from designgym.simulators.dram.bank_machine import choose_bank, enqueue, has_space, may_change_proposal, propose
from designgym.simulators.dram.commands import is_access, issue
from designgym.simulators.dram.compiled import Array, Record, at, compiled, entry_point, inlined, source_digest, trailing_zeros
from designgym.simulators.dram.controller import RESPONSES_FIFO
from designgym.simulators.dram.event_heap import advance, clear_heap, set_alarm
from designgym.simulators.dram.latency import summarise
from designgym.simulators.dram.refresh import update_refresh
from designgym.simulators.dram.state import (
    ACCEPTED,
    ALARM_DATA,
    ALARM_SELF,
    ARBITER,
    CONTROLLER,
    DEADLOCK,
    EVENT_LIMIT,
    NEVER,
    NONE,
    PLAYER,
    RUNNING,
    STOPPED_AT_LIMIT,
    WORKER_BITS,
    WORKER_MASK,
)


@inlined
def _next_response(s: Record, requests: Array) -> int:
    """Return the request whose response leaves the controller next, -1 if it is not known or has no command yet."""
    if s.response_queue == RESPONSES_FIFO:
        return requests[at(s.response_head)].issued if s.response_head < s.response_tail else -1
    head = s.response_head
    return head if head < s.n_requests and requests[at(head)].data_end >= 0 else -1


@inlined
def _handle_responses(s: Record, heap: Array, requests: Array) -> None:
    """End the response under way if it was taken, and send the next one if none is."""
    if s.response_under_way:
        if s.response_end != s.now:
            return
        s.response_under_way = 0
        s.in_controller -= 1
        s.n_completed += 1
        if s.in_controller == 0:
            s.busy_ticks += s.now - s.busy_since
            return
    request = _next_response(s, requests)
    if request < 0:
        return
    data_end = requests[at(request)].data_end
    if data_end > s.now:
        set_alarm(s, heap, ALARM_DATA, data_end)
        return
    s.response_head += 1
    s.response_under_way = 1
    # One response a tick.
    delay = 1 if s.response_end == s.now else 0
    s.response_end = -1
    send_response_to_arbiter(s, heap, request, delay)


@inlined
def _take_request(s: Record, banks: Array, queues: Array, trace: Array) -> int:
    """Take the waiting request into the buffer if its time has come and there is space; return it, -1 for none."""
    request = s.waiting
    if request < 0 or s.waiting_from > s.now:
        return -1
    if not has_space(s, banks):
        s.n_input_stalls += 1
        return -1
    s.waiting = -1
    enqueue(s, banks, queues, trace, request)
    if s.in_controller == 0:
        s.busy_since = s.now
    s.in_controller += 1
    send_to_arbiter(s, ACCEPTED, request)
    return request


@inlined
def _queue_response(s: Record, heap: Array, requests: Array, request: int) -> None:
    requests[at(s.response_tail)].issued = request
    s.response_tail += 1
    following = _next_response(s, requests)
    if following >= 0 and requests[at(following)].data_end > s.now:
        set_alarm(s, heap, ALARM_DATA, requests[at(following)].data_end)


@inlined
def _propose_for(s: Record, banks: Array, queues: Array, trace: Array, request: int) -> None:
    """Let the bank of a request that was just taken propose again, if that can make a difference."""
    index = trace[at(request)].bank
    if may_change_proposal(s, banks[at(index)], trace, request):
        propose(s, banks, queues, trace, index)
        s.choice_stale = 1


@compiled
def _propose_stale(s: Record, banks: Array, queues: Array, trace: Array) -> None:
    remaining = s.stale_banks & ((1 << s.n_banks) - 1)
    s.stale_banks = 0
    s.choice_stale = 1
    while remaining:
        propose(s, banks, queues, trace, trailing_zeros(remaining))
        remaining &= remaining - 1


@inlined
def _controller_pass(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array) -> None:
    _handle_responses(s, heap, requests)
    taken = _take_request(s, banks, queues, trace)
    if taken >= 0:
        _propose_for(s, banks, queues, trace, taken)
    update_refresh(s)
    index = -1
    request = -1
    command = NONE
    if s.refresh_command != NONE and s.refresh_time <= s.now:
        command = s.refresh_command
    elif s.last_command_tick < s.now:
        choose_bank(s, banks)
        if s.choice_time <= s.now:
            index = s.choice
            request = banks[at(index)].chosen
            command = banks[at(index)].proposal
    if command != NONE:
        issue(s, banks, queues, trace, requests, record, command, index, request)
        if s.n_commands >= s.stop_commands and s.status == RUNNING:
            s.status = STOPPED_AT_LIMIT
        if index >= 0:
            taken = -1
            if is_access(command):
                taken = _take_request(s, banks, queues, trace)
                _queue_response(s, heap, requests, request)
            propose(s, banks, queues, trace, index)
            if taken >= 0:
                _propose_for(s, banks, queues, trace, taken)
    # All banks propose again; those would repeat themselves whose queue, row and permission are as before.
    if s.stale_banks != 0:
        _propose_stale(s, banks, queues, trace)
    update_refresh(s)
    choose_bank(s, banks)
    earliest = min(s.choice_time, s.refresh_time)
    if earliest < NEVER:
        set_alarm(s, heap, ALARM_SELF, earliest)


@inlined
def _run_rounds(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array, queue: int) -> None:
    while queue != 0:
        while queue != 0:
            worker = queue & WORKER_MASK
            queue >>= WORKER_BITS
            if worker == CONTROLLER:
                _controller_pass(s, banks, queues, heap, trace, requests, record)
            elif worker == ARBITER:
                run_arbiter(s, heap, requests)
            else:
                run_player(s, heap, trace, requests)
        s.n_rounds += 1
        if s.status != RUNNING:
            return
        if s.n_rounds >= s.max_rounds:
            s.status = EVENT_LIMIT
            return
        # The alarms set during the round go off.
        queue = s.next_workers
        s.next_workers = 0
        s.next_alarms = 0
        s.round_parity = 1 - s.round_parity


@inlined
def _simulate(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array) -> None:
    # At time 0 the controller makes a pass, then the player offers the first request.
    queue = CONTROLLER | PLAYER << WORKER_BITS
    while True:
        _run_rounds(s, banks, queues, heap, trace, requests, record, queue)
        if s.status != RUNNING:
            return
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
            request.data_end = -1
            request.stored = -1
        clear_heap(heap)
        _simulate(s, banks, queues, heap, trace, requests, record)
        s.n_activated_answered = summarise(trace, requests, s.now, bins, latencies)

    return run


run = _compile_run(source_digest())
