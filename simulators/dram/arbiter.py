"""The trace player and the arbiter between it and the controller.

They talk through inboxes. A message with no delay is read in the next round of the tick; a delayed one at its tick, after those.
There is never more than one delayed request, one delayed response to the arbiter and one to the player, so that each has a place
of its own instead of a list. All requests pass the arbiter in the order of the trace: a request's number is its position.
"""

from designgym.simulators.dram.compiled import Array, Record, at, inlined
from designgym.simulators.dram.controller import ARBITER_FIFO, ARBITER_SIMPLE
from designgym.simulators.dram.event_heap import set_alarm, set_alarm_now
from designgym.simulators.dram.state import (
    ACCEPTED,
    ALARM_ARBITER,
    ALARM_ARRIVAL,
    ALARM_ENDED,
    ALARM_PLAYER,
    ENDED,
    FINISHED,
    INBOX_SIZE,
    REQUEST,
    RESPONSE,
)

_KIND_BITS = 2
_KIND_MASK = (1 << _KIND_BITS) - 1


@inlined
def send_to_arbiter(s: Record, kind: int, request: int) -> None:
    """Put a message without delay into the arbiter's inbox."""
    box = 1 - s.round_parity
    s.arbiter_inbox[at(box * INBOX_SIZE + s.arbiter_messages[at(box)])] = (request << _KIND_BITS) | kind
    s.arbiter_messages[at(box)] += 1
    set_alarm_now(s, ALARM_ARBITER)


@inlined
def send_response_to_arbiter(s: Record, heap: Array, request: int, delay: int) -> None:
    """Put the controller's response into the arbiter's inbox."""
    if delay == 0:
        send_to_arbiter(s, RESPONSE, request)
        return
    s.response_due = s.now + delay
    s.response_request = request
    s.response_put = s.n_puts
    s.n_puts += 1
    set_alarm(s, heap, ALARM_ARBITER, s.response_due)


@inlined
def _present_request(s: Record, heap: Array, trace: Array, requests: Array, request: int, earliest: int) -> None:
    """Let the player offer `request` to the arbiter at its arrival or at `earliest`, whichever is later."""
    due = max(trace[at(request)].arrival, earliest)
    s.presented = request
    requests[at(request)].presented = due
    if due == s.now:
        send_to_arbiter(s, REQUEST, request)
        return
    s.request_due = due
    s.request_put = s.n_puts
    s.n_puts += 1
    set_alarm(s, heap, ALARM_ARBITER, due)


@inlined
def _send_to_player(s: Record, heap: Array, kind: int, request: int, delay: int) -> None:
    if delay == 0:
        box = 1 - s.round_parity
        s.player_inbox[at(box * INBOX_SIZE + s.player_messages[at(box)])] = (request << _KIND_BITS) | kind
        s.player_messages[at(box)] += 1
        set_alarm_now(s, ALARM_PLAYER)
    else:
        s.player_response_due = s.now + delay
        s.player_response = request
        set_alarm(s, heap, ALARM_PLAYER, s.now + delay)


@inlined
def _hand_over(s: Record, heap: Array, request: int, delay: int) -> None:
    """Give a request to the controller; from its tick on any pass sees it, even one later in this round."""
    s.waiting = request
    s.waiting_from = s.now + delay
    set_alarm(s, heap, ALARM_ARRIVAL, s.now + delay)


@inlined
def _end_response(s: Record) -> None:
    s.response_end = s.now
    set_alarm_now(s, ALARM_ENDED)


@inlined
def _accept(s: Record, heap: Array, requests: Array, request: int) -> None:
    requests[at(request)].accepted = s.now
    _send_to_player(s, heap, ACCEPTED, request, 0)


@inlined
def _next_stored(s: Record, requests: Array) -> int:
    """Return the stored response that can go to the player, -1 if none can."""
    if s.arbiter == ARBITER_FIFO:
        return requests[at(s.stored_head)].stored if s.stored_head < s.stored_tail else -1
    head = s.stored_head
    return head if head < s.n_requests and requests[at(head)].stored == head else -1


@inlined
def _store(s: Record, requests: Array, request: int) -> None:
    if s.arbiter == ARBITER_FIFO:
        requests[at(s.stored_tail)].stored = request
        s.stored_tail += 1
    else:
        requests[at(request)].stored = request


@inlined
def _arbiter_simple(s: Record, heap: Array, requests: Array, kind: int, request: int) -> None:
    if kind == REQUEST:
        _hand_over(s, heap, request, 0)
    elif kind == ACCEPTED:
        _accept(s, heap, requests, request)
    elif kind == RESPONSE:
        _send_to_player(s, heap, RESPONSE, request, 0)
    else:
        _end_response(s)


@inlined
def _arbiter_queued(s: Record, heap: Array, requests: Array, kind: int, request: int) -> None:
    if kind == REQUEST:
        if s.active < s.max_active:
            s.active += 1
            _accept(s, heap, requests, request)
            s.queue_tail += 1
        else:
            s.held = request
            s.n_arbiter_holds += 1
        if not s.channel_busy and s.queue_head < s.queue_tail:
            s.channel_busy = 1
            _hand_over(s, heap, s.queue_head, 1 if s.accepted_tick == s.now else 0)
            s.queue_head += 1
    elif kind == ACCEPTED:
        s.accepted_tick = s.now
        if s.queue_head < s.queue_tail:
            _hand_over(s, heap, s.queue_head, 1)
            s.queue_head += 1
        else:
            s.channel_busy = 0
    elif kind == RESPONSE:
        _end_response(s)
        _store(s, requests, request)
        if not s.way_busy:
            stored = _next_stored(s, requests)
            if stored >= 0:
                s.way_busy = 1
                s.stored_head += 1
                _send_to_player(s, heap, RESPONSE, stored, 1 if s.ended_tick == s.now else 0)
    else:
        s.ended_tick = s.now
        if s.held >= 0:
            held = s.held
            s.held = -1
            _accept(s, heap, requests, held)
            s.queue_tail += 1
            if not s.channel_busy:
                s.channel_busy = 1
                _hand_over(s, heap, held, 1 if s.accepted_tick == s.now else 0)
                s.queue_head += 1
        else:
            s.active -= 1
        stored = _next_stored(s, requests)
        if stored >= 0:
            s.stored_head += 1
            _send_to_player(s, heap, RESPONSE, stored, 1)
        else:
            s.way_busy = 0


@inlined
def _arbiter_message(s: Record, heap: Array, requests: Array, kind: int, request: int) -> None:
    if s.arbiter == ARBITER_SIMPLE:
        _arbiter_simple(s, heap, requests, kind, request)
    else:
        _arbiter_queued(s, heap, requests, kind, request)


@inlined
def _next_delayed(s: Record, heap: Array) -> int:
    """Take the delayed message that is due from the arbiter's inbox, -1 if none is; re-arm the alarm if one is left."""
    request_due = s.request_due
    response_due = s.response_due
    response_first = response_due >= 0 and (
        request_due < 0 or response_due < request_due or (response_due == request_due and s.response_put < s.request_put)
    )
    due = response_due if response_first else request_due
    if due < 0:
        return -1
    if due > s.now:
        set_alarm(s, heap, ALARM_ARBITER, due)
        return -1
    if response_first:
        s.response_due = -1
        return (s.response_request << _KIND_BITS) | RESPONSE
    s.request_due = -1
    return (s.presented << _KIND_BITS) | REQUEST


@inlined
def run_arbiter(s: Record, heap: Array, requests: Array) -> None:
    """Read the messages of this round, then the delayed ones that are due."""
    box = s.round_parity
    read = 0
    while True:
        if read < s.arbiter_messages[at(box)]:
            message = s.arbiter_inbox[at(box * INBOX_SIZE + read)]
            read += 1
        else:
            message = _next_delayed(s, heap)
            if message < 0:
                break
        _arbiter_message(s, heap, requests, message & _KIND_MASK, message >> _KIND_BITS)
    s.arbiter_messages[at(box)] = 0


@inlined
def _receive_response(s: Record, heap: Array, requests: Array, request: int) -> None:
    requests[at(request)].response = s.now
    s.n_returned += 1
    if s.n_returned == s.n_requests:
        s.status = FINISHED
        return
    send_to_arbiter(s, ENDED, request)


@inlined
def run_player(s: Record, heap: Array, trace: Array, requests: Array) -> None:
    """Offer the next request once the last is accepted; acknowledge responses at once."""
    if s.presented < 0:
        _present_request(s, heap, trace, requests, 0, 0)
    box = s.round_parity
    for i in range(s.player_messages[at(box)]):
        message = s.player_inbox[at(box * INBOX_SIZE + i)]
        if message & _KIND_MASK == ACCEPTED:
            following = s.presented + 1
            if following < s.n_requests:
                _present_request(s, heap, trace, requests, following, s.now + 1)
        else:
            _receive_response(s, heap, requests, message >> _KIND_BITS)
    s.player_messages[at(box)] = 0
    if s.player_response_due >= 0:
        if s.player_response_due > s.now:
            set_alarm(s, heap, ALARM_PLAYER, s.player_response_due)
        else:
            s.player_response_due = -1
            _receive_response(s, heap, requests, s.player_response)
