"""The trace player and the arbiter between it and the controller.

They talk through inboxes. A message with no delay is read in the next round of the tick; a delayed one at its tick, after those.
There is never more than one delayed request, one delayed response to the arbiter and one to the player, so that each has a place
of its own instead of a list. All requests pass the arbiter in the order of the trace: a request's number is its position, and what
is presented, or accepted by an arbiter without a queue, is the request that the player presented last.
"""

from designgym.simulators.dram.compiled import Array, Record, at, inlined
from designgym.simulators.dram.controller import ARBITER_FIFO, ARBITER_SIMPLE
from designgym.simulators.dram.event_heap import set_alarm, set_alarm_later, set_alarm_now, stop
from designgym.simulators.dram.state import (
    ACCEPTED,
    ALARM_ARBITER,
    ALARM_ARRIVAL,
    ALARM_ENDED,
    ALARM_PLAYER,
    ENDED,
    FINISHED,
    MESSAGE_BITS,
    MESSAGE_MASK,
    NEVER,
    NONE,
    REQUEST,
    RESPONSE,
)


@inlined
def _append(messages: int, message: int) -> int:
    shift = 0
    while messages >> shift != 0:
        shift += MESSAGE_BITS
    return messages | message << shift


@inlined
def send_to_arbiter(s: Record, message: int) -> None:
    """Put a message without delay into the arbiter's inbox."""
    s.next_to_arbiter = _append(s.next_to_arbiter, message)
    set_alarm_now(s, ALARM_ARBITER)


@inlined
def send_response_to_arbiter(s: Record, heap: Array, request: int, delay: int) -> None:
    """Put the controller's response into the arbiter's inbox."""
    s.response = request
    if delay == 0:
        send_to_arbiter(s, RESPONSE)
        return
    s.response_due = s.now + delay
    s.response_put_first = s.request_due == NEVER
    set_alarm_later(s, heap, ALARM_ARBITER, s.now + delay)


@inlined
def _present_request(s: Record, heap: Array, trace: Array, requests: Array) -> None:
    """Let the player offer the next request to the arbiter at its arrival, and one tick after the last was accepted."""
    request = s.presented + 1
    if request == s.n_requests:
        return
    earliest = s.now + 1 if request > 0 else s.now
    due = max(trace[at(request)].arrival, earliest)
    s.presented = request
    requests[at(request)].presented = due
    if due == s.now:
        send_to_arbiter(s, REQUEST)
        return
    s.request_due = due
    s.response_put_first = 1
    set_alarm_later(s, heap, ALARM_ARBITER, due)


@inlined
def _send_to_player(s: Record, message: int) -> None:
    """Put a message without delay into the player's inbox."""
    s.next_to_player = _append(s.next_to_player, message)
    set_alarm_now(s, ALARM_PLAYER)


@inlined
def _respond(s: Record, heap: Array, request: int, delay: int) -> None:
    """Put a response into the player's inbox."""
    s.player_response = request
    if delay == 0:
        _send_to_player(s, RESPONSE)
    else:
        s.player_response_due = s.now + delay
        set_alarm_later(s, heap, ALARM_PLAYER, s.now + delay)


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
def _accept(s: Record, requests: Array, request: int) -> None:
    requests[at(request)].accepted = s.now
    _send_to_player(s, ACCEPTED)


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
def _arbiter_simple(s: Record, heap: Array, requests: Array, message: int) -> None:
    if message == REQUEST:
        _hand_over(s, heap, s.presented, 0)
    elif message == ACCEPTED:
        _accept(s, requests, s.presented)
    elif message == RESPONSE:
        _respond(s, heap, s.response, 0)
    else:
        _end_response(s)


@inlined
def _arbiter_queued(s: Record, heap: Array, requests: Array, message: int) -> None:
    if message == REQUEST:
        if s.active < s.max_active:
            s.active += 1
            _accept(s, requests, s.presented)
            s.queue_tail += 1
        else:
            s.held = s.presented
            s.n_arbiter_holds += 1
        if not s.channel_busy and s.queue_head < s.queue_tail:
            s.channel_busy = 1
            _hand_over(s, heap, s.queue_head, 1 if s.accepted_tick == s.now else 0)
            s.queue_head += 1
    elif message == ACCEPTED:
        s.accepted_tick = s.now
        if s.queue_head < s.queue_tail:
            _hand_over(s, heap, s.queue_head, 1)
            s.queue_head += 1
        else:
            s.channel_busy = 0
    elif message == RESPONSE:
        _end_response(s)
        _store(s, requests, s.response)
        if not s.way_busy:
            stored = _next_stored(s, requests)
            if stored >= 0:
                s.way_busy = 1
                s.stored_head += 1
                _respond(s, heap, stored, 1 if s.ended_tick == s.now else 0)
    else:
        s.ended_tick = s.now
        if s.held >= 0:
            held = s.held
            s.held = -1
            _accept(s, requests, held)
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
            _respond(s, heap, stored, 1)
        else:
            s.way_busy = 0


@inlined
def _next_delayed(s: Record, heap: Array) -> int:
    """Take the delayed message that is due from the arbiter's inbox, `NONE` if none is; re-arm the alarm if one is left."""
    due = min(s.request_due, s.response_due)
    if due > s.now:
        set_alarm_later(s, heap, ALARM_ARBITER, due)
        return NONE
    if s.response_due < s.request_due or (s.response_due == s.request_due and s.response_put_first):
        s.response_due = NEVER
        return RESPONSE
    s.request_due = NEVER
    return REQUEST


@inlined
def run_arbiter(s: Record, heap: Array, requests: Array, messages: int) -> None:
    """Read the messages of this round, then the delayed ones that are due."""
    while True:
        message = messages & MESSAGE_MASK
        messages >>= MESSAGE_BITS
        if message == NONE:
            message = _next_delayed(s, heap)
            if message == NONE:
                return
        if s.arbiter == ARBITER_SIMPLE:
            _arbiter_simple(s, heap, requests, message)
        else:
            _arbiter_queued(s, heap, requests, message)


@inlined
def _receive_response(s: Record, requests: Array) -> None:
    requests[at(s.player_response)].response = s.now
    s.n_returned += 1
    if s.n_returned == s.n_requests:
        stop(s, FINISHED)
        return
    send_to_arbiter(s, ENDED)


@inlined
def run_player(s: Record, heap: Array, trace: Array, requests: Array, messages: int) -> None:
    """Offer the next request once the last is accepted; acknowledge responses at once."""
    while messages != 0:
        if messages & MESSAGE_MASK == ACCEPTED:
            _present_request(s, heap, trace, requests)
        else:
            _receive_response(s, requests)
        messages >>= MESSAGE_BITS
    if s.player_response_due <= s.now:
        s.player_response_due = NEVER
        _receive_response(s, requests)
    else:
        set_alarm_later(s, heap, ALARM_PLAYER, s.player_response_due)
