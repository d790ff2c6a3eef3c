"""The loop over events."""

from __future__ import annotations

from collections.abc import Callable

from designgym.simulators.cluster.autoscaling import decide
from designgym.simulators.cluster.compiled import source_digest
from designgym.simulators.cluster.event_queue import drop_event, push_event
from designgym.simulators.cluster.machine import end_run, end_transfer, start_transfer, task_arrives
from designgym.simulators.cluster.placement import join_list, place_request
from designgym.simulators.cluster.state import ARRIVAL, DECISION, RETRY, TRANSFER_END, Cluster
from designgym.simulators.compiling import entry_point, inlined


@inlined
def _prepare(c: Cluster) -> None:
    """Put the machines into their lists, in their order, and all arrivals into the queue, in theirs."""
    s = c.state[0]
    for machine in range(c.machines.size):
        m = c.machines[machine]
        join_list(c, machine, m.role)
    for r in range(c.requests.size):
        push_event(s, c.events, c.requests[r].arrival_s, r, ARRIVAL)
    s.n_arrivals_left = c.requests.size
    if c.pools.size > 0:
        push_event(s, c.events, s.interval_s, 0, DECISION)


@inlined
def _arrive(c: Cluster, r: int) -> None:
    c.state[0].n_arrivals_left -= 1
    place_request(c, r)
    q = c.requests[r]
    task_arrives(c, q.prompt_machine, 2 * r)
    if q.prompt_machine == q.token_machine and q.output_tokens > 1:
        task_arrives(c, q.token_machine, 2 * r + 1)


def _compile_run(sources: int) -> Callable[[Cluster], None]:
    """Return `run`. Numba keeps the compiled code on disk under a key that covers the variables a function closes over.

    Of the source files, however, it only watches the one that a function is defined in: hence `sources`.
    """

    @entry_point
    def run(c: Cluster) -> None:
        """Simulate until no event is left: then all requests are served, or those that are not wait for memory for ever."""
        if sources == 0:
            return
        _prepare(c)
        s = c.state[0]
        while s.n_events > 0:
            e = c.events[0]
            index, tag = e.index, e.tag
            s.now_s = e.time_s
            drop_event(s, c.events)
            if tag >= 0:
                if c.machines[index].run == tag:
                    end_run(c, index)
            elif tag == ARRIVAL:
                _arrive(c, index)
            elif tag == TRANSFER_END:
                end_transfer(c, index)
            elif tag == RETRY:
                start_transfer(c, index)
            elif tag == DECISION:
                decide(c)

    return run


run = _compile_run(source_digest())
"""Simulate a cluster."""
