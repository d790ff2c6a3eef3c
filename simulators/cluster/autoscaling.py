"""Machines are switched on and off: at every decision each pool is compared with what it should have to do (see `ScalingPolicy`)."""

from __future__ import annotations

import math

from designgym.simulators.cluster.event_queue import push_event
from designgym.simulators.cluster.iteration_time import duration_s
from designgym.simulators.cluster.placement import join_list
from designgym.simulators.cluster.state import (
    DECISION,
    DRAINING,
    OFF,
    ON,
    OUT_OF_SERVICE,
    PROMPT,
    QUEUED,
    STARTING,
    Cluster,
)
from designgym.simulators.compiling import Record, compiled, inlined


@inlined
def _busy_so_far_s(m: Record, now_s: float) -> float:
    """Return how long a machine has computed, the run under way included."""
    running_s = now_s - (m.end_s - duration_s(m, m.iterations)) if m.iterations > 0 else 0.0
    return float(m.busy_s + running_s)


@inlined
def _switch_off(m: Record, now_s: float) -> None:
    m.power = OFF
    m.on_s += now_s - m.on_since_s


@compiled
def _take_stock(c: Cluster, p: Record) -> tuple[int, float]:
    """Let machines of a pool that are ready serve, and those that are done end; return how many are on, and what all have to do."""
    s = c.state[0]
    there, load = 0, 0.0
    for machine in range(p.first, p.first + p.count):
        m = c.machines[machine]
        if m.power == STARTING and m.ready_s <= s.now_s:
            m.power = ON
            join_list(c, machine, m.role)
        elif m.power == DRAINING and m.loads[QUEUED] == 0 and m.used == 0:
            _switch_off(m, s.now_s)
        there += m.power == ON or m.power == STARTING
        if m.role == PROMPT:
            busy_s = _busy_so_far_s(m, s.now_s)
            load += (busy_s - m.busy_before_s) / s.interval_s
            m.busy_before_s = busy_s
        else:
            load += m.n_requests
    return there, load


@compiled
def _switch_on(c: Cluster, p: Record, wanted: int) -> None:
    """Switch on so many machines more: those that still drain serve again at once."""
    s = c.state[0]
    for power in (DRAINING, OFF):
        for machine in range(p.first, p.first + p.count):
            m = c.machines[machine]
            if wanted > 0 and m.power == power:
                wanted -= 1
                if power == DRAINING:
                    m.power = ON
                    join_list(c, machine, m.role)
                else:
                    m.power = STARTING
                    m.ready_s = s.now_s + s.start_up_s
                    m.on_since_s = s.now_s
                    m.starts += 1


@compiled
def _release(c: Cluster, p: Record, unwanted: int) -> None:
    """Switch off so many machines: those that start, then those with the fewest requests, of equals the last, when they are done."""
    s = c.state[0]
    for machine in range(p.first + p.count - 1, p.first - 1, -1):
        if unwanted > 0 and c.machines[machine].power == STARTING:
            _switch_off(c.machines[machine], s.now_s)
            unwanted -= 1
    while unwanted > 0:
        least = -1
        for machine in range(p.first + p.count - 1, p.first - 1, -1):
            m = c.machines[machine]
            if m.power == ON and (least < 0 or m.n_requests < c.machines[least].n_requests):
                least = machine
        m = c.machines[least]
        m.power = DRAINING
        join_list(c, least, OUT_OF_SERVICE)
        if m.loads[QUEUED] == 0 and m.used == 0:
            _switch_off(m, s.now_s)
        unwanted -= 1


@compiled
def _scale(c: Cluster, p: Record) -> None:
    s = c.state[0]
    there, load = _take_stock(c, p)
    wanted = there
    if abs(load / p.target - there) > s.tolerance * there:
        wanted = min(max(math.ceil(load / p.target), p.least), p.count)
    if wanted >= there:
        p.fewer_since_s = math.inf
        _switch_on(c, p, wanted - there)
        return
    if p.fewer_since_s > s.now_s:
        p.fewer_since_s = s.now_s
        p.most_wanted = 0
    p.most_wanted = max(p.most_wanted, wanted)
    if s.now_s - p.fewer_since_s >= s.scale_down_delay_s:
        p.fewer_since_s = math.inf
        _release(c, p, there - p.most_wanted)


@compiled
def decide(c: Cluster) -> None:
    """Scale all pools, and come back for the next decision, unless nothing can happen any more."""
    s = c.state[0]
    if s.n_busy + s.n_flying + s.n_arrivals_left == 0:
        return
    for i in range(c.pools.size):
        _scale(c, c.pools[i])
    push_event(s, c.events, s.now_s + s.interval_s, 0, DECISION)
