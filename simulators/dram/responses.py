"""How the controller returns responses: one at a time, in the order of service or of arrival."""

from designgym.simulators.dram.arbiter import send_response_to_arbiter
from designgym.simulators.dram.compiled import Array, Record, at, inlined
from designgym.simulators.dram.controller import RESPONSES_FIFO
from designgym.simulators.dram.event_heap import set_alarm_later
from designgym.simulators.dram.state import ALARM_DATA, NEVER


@inlined
def handle_responses(s: Record, heap: Array, requests: Array) -> None:
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
    if s.next_data_end > s.now:
        set_alarm_later(s, heap, ALARM_DATA, s.next_data_end)
        return
    head = s.response_head
    in_order_of_service = s.response_queue == RESPONSES_FIFO
    request = requests[at(head)].issued if in_order_of_service else head
    head += 1
    s.response_head = head
    s.next_data_end = NEVER
    if head < (s.response_tail if in_order_of_service else s.n_requests):
        s.next_data_end = requests[at(requests[at(head)].issued if in_order_of_service else head)].data_end
    s.response_under_way = 1
    # One response a tick.
    delay = 1 if s.response_end == s.now else 0
    s.response_end = -1
    send_response_to_arbiter(s, heap, request, delay)


@inlined
def queue_response(s: Record, heap: Array, requests: Array, request: int) -> None:
    """Queue the response to a request whose RD or WR was just issued."""
    tail = s.response_tail
    requests[at(tail)].issued = request
    s.response_tail = tail + 1
    if s.response_head == (tail if s.response_queue == RESPONSES_FIFO else request):
        s.next_data_end = requests[at(request)].data_end
    if s.next_data_end > s.now:
        set_alarm_later(s, heap, ALARM_DATA, s.next_data_end)
