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
from designgym.simulators.dram.bank_machine import enqueue, has_space, propose
from designgym.simulators.dram.commands import is_access, issue
from designgym.simulators.dram.compiled import Array, Record, compiled, entry_point, inlined, source_digest
from designgym.simulators.dram.controller import RESPONSES_FIFO
from designgym.simulators.dram.event_heap import next_alarm, next_time, set_alarm
from designgym.simulators.dram.latency import summarise
from designgym.simulators.dram.refresh import update_refresh
from designgym.simulators.dram.state import (
    ACCEPTED,
    ALARM_ARBITER,
    ALARM_DATA,
    ALARM_PLAYER,
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
)


@inlined
def _next_response(s: Record, requests: Array) -> int:
    """Return the request whose response leaves the controller next, -1 if it is not known or has no command yet."""
    if s.response_queue == RESPONSES_FIFO:
        return requests[s.response_head].issued if s.response_head < s.response_tail else -1
    head = s.response_head
    return head if head < s.n_requests and requests[head].data_end >= 0 else -1


@compiled
def _send_next_response(s: Record, heap: Array, requests: Array, delay: int) -> None:
    request = _next_response(s, requests)
    if request < 0:
        return
    data_end = requests[request].data_end
    if data_end > s.now:
        set_alarm(s, heap, ALARM_DATA, data_end)
        return
    s.response_head += 1
    s.response_under_way = 1
    s.response_end = -1
    send_response_to_arbiter(s, heap, request, delay)


@inlined
def _handle_responses(s: Record, heap: Array, requests: Array) -> None:
    if s.response_under_way:
        if s.response_end == s.now:
            s.response_under_way = 0
            s.in_controller -= 1
            s.n_completed += 1
            if s.in_controller == 0:
                s.busy_ticks += s.now - s.busy_since
            else:
                _send_next_response(s, heap, requests, 1)
    else:
        _send_next_response(s, heap, requests, 1 if s.response_end == s.now else 0)


@inlined
def _take_request(s: Record, banks: Array, queues: Array, heap: Array, trace: Array) -> None:
    """Take the waiting request into the buffer if its time has come and there is space."""
    if s.waiting < 0 or s.waiting_from > s.now:
        return
    if not has_space(s, banks):
        s.n_input_stalls += 1
        return
    request = s.waiting
    s.waiting = -1
    enqueue(s, banks, queues, trace, request)
    if s.in_controller == 0:
        s.busy_since = s.now
    s.in_controller += 1
    propose(s, banks, queues, trace, trace[request].bank)
    send_to_arbiter(s, heap, ACCEPTED, request)


@inlined
def _queue_response(s: Record, heap: Array, requests: Array, request: int) -> None:
    requests[s.response_tail].issued = request
    s.response_tail += 1
    following = _next_response(s, requests)
    if following >= 0 and requests[following].data_end > s.now:
        set_alarm(s, heap, ALARM_DATA, requests[following].data_end)


@inlined
def _earliest_proposal(s: Record, banks: Array) -> int:
    if s.bank_time_stale:
        earliest = NEVER
        for i in range(s.n_banks):
            bank = banks[i]
            earliest = min(earliest, max(bank.proposal_time, s.rank_earliest[bank.proposal]))
        s.bank_time = earliest if earliest >= NEVER else max(earliest, s.last_command_tick + 1)
        s.bank_time_stale = 0
    return s.bank_time


@inlined
def _ready_bank(s: Record, banks: Array) -> int:
    """Return the bank whose proposal is legal now and whose request is the oldest, -1 if there is none."""
    if s.last_command_tick >= s.now or _earliest_proposal(s, banks) > s.now:
        return -1
    best = -1
    oldest = NEVER
    for i in range(s.n_banks):
        bank = banks[i]
        if bank.proposal_time <= s.now and s.rank_earliest[bank.proposal] <= s.now and bank.chosen < oldest:
            best = i
            oldest = bank.chosen
    return best


@inlined
def _propose_stale(s: Record, banks: Array, queues: Array, trace: Array) -> None:
    """Let those banks propose again whose queue, row or permission changed; the others would repeat themselves."""
    stale = s.stale_banks & ((1 << s.n_banks) - 1)
    if stale == 0:
        return
    s.stale_banks = 0
    index = 0
    while stale:
        if stale & 1:
            propose(s, banks, queues, trace, index)
        stale >>= 1
        index += 1


@inlined
def _controller_pass(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array) -> None:
    _handle_responses(s, heap, requests)
    _take_request(s, banks, queues, heap, trace)
    update_refresh(s)
    index = -1
    command = NONE
    request = -1
    if s.refresh_command != NONE and s.refresh_time <= s.now:
        command = s.refresh_command
    else:
        index = _ready_bank(s, banks)
        if index >= 0:
            command = banks[index].proposal
            request = banks[index].chosen
    if command != NONE:
        issue(s, banks, queues, trace, requests, record, command, index, request)
        if is_access(command):
            _take_request(s, banks, queues, heap, trace)
            _queue_response(s, heap, requests, request)
    _propose_stale(s, banks, queues, trace)
    update_refresh(s)
    earliest = min(_earliest_proposal(s, banks), s.refresh_time)
    if earliest < NEVER:
        set_alarm(s, heap, ALARM_SELF, earliest)


@compiled
def _worker(alarm: int) -> int:
    if alarm < ALARM_ARBITER:
        return CONTROLLER
    return ARBITER if alarm == ALARM_ARBITER else PLAYER


@compiled
def _append_worker(queue: int, alarm: int) -> int:
    """Append the worker of `alarm` to a queue of up to three distinct workers, packed two bits each, first in the low bits."""
    worker = _worker(alarm) + 1
    shift = 0
    while True:
        waiting = (queue >> shift) & 3
        if waiting == worker:
            return queue
        if waiting == 0:
            return queue | (worker << shift)
        shift += 2


@inlined
def _end_round(s: Record) -> int:
    """Let the alarms set during the round go off in reverse order of setting; return the queue of woken workers."""
    queue = 0
    for i in range(s.n_next_round - 1, -1, -1):
        alarm = s.next_round[i]
        s.in_next_round[alarm] = 0
        queue = _append_worker(queue, alarm)
    s.n_next_round = 0
    s.round_parity = 1 - s.round_parity
    return queue


@inlined
def _run_rounds(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array, queue: int) -> None:
    while queue != 0:
        while queue != 0:
            worker = (queue & 3) - 1
            queue >>= 2
            if worker == CONTROLLER:
                _controller_pass(s, banks, queues, heap, trace, requests, record)
            elif worker == ARBITER:
                run_arbiter(s, heap, requests)
            else:
                run_player(s, heap, trace, requests)
        s.n_rounds += 1
        if s.status != RUNNING:
            return
        if s.n_commands >= s.stop_commands:
            s.status = STOPPED_AT_LIMIT
            return
        if s.n_rounds >= s.max_rounds:
            s.status = EVENT_LIMIT
            return
        queue = _end_round(s)


@inlined
def _simulate(s: Record, banks: Array, queues: Array, heap: Array, trace: Array, requests: Array, record: Array) -> None:
    # At time 0 the controller makes a pass, then the player offers the first request.
    queue = _append_worker(_append_worker(0, ALARM_SELF), ALARM_PLAYER)
    while True:
        _run_rounds(s, banks, queues, heap, trace, requests, record, queue)
        if s.status != RUNNING:
            return
        time = next_time(s, heap)
        if time < 0:
            s.status = DEADLOCK
            return
        s.now = time
        queue = 0
        while True:
            alarm = next_alarm(s, heap, time)
            if alarm < 0:
                break
            queue = _append_worker(queue, alarm)


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
        scratch: Array,
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
            scratch: Made by `latency.make_scratch`.
            latencies: Filled with latency statistics; see `latency.summarise`.
        """
        s = state[0]
        if sources == 0:
            return
        for i in range(requests.size):
            request = requests[i]
            request.presented = -1
            request.accepted = -1
            request.response = -1
            request.activated = 0
            request.data_end = -1
            request.stored = -1
        _simulate(s, banks, queues, heap, trace, requests, record)
        for i in range(requests.size):
            if requests[i].response >= 0:
                s.n_activated_answered += requests[i].activated
        summarise(trace, requests, scratch, latencies)

    return run


run = _compile_run(source_digest())
