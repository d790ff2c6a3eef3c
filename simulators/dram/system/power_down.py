"""Power-down: a rank that nobody needs sleeps, and is woken for requests and refreshes."""

from designgym.simulators.dram.compiled import Array, Record, at, compiled, inlined
from designgym.simulators.dram.state import NEVER, NONE
from designgym.simulators.dram.system.state import KIND_PD, PDE, PDX


@inlined
def update_power(s: Record, ranks: Array) -> None:
    """Decide what power-down logic proposes now."""
    if s.power_down:
        _decide(s, ranks)


@compiled
def _decide(s: Record, ranks: Array) -> None:
    s.power_time = NEVER
    s.power_command = NONE
    for i in range(s.n_ranks):
        rank = ranks[at(i)]
        needed = (s.occupied & rank.bank_mask) != 0 or (s.refreshing_ranks >> i) & 1 != 0
        if bool(rank.asleep) != needed:
            continue
        if needed:
            command = PDX
            time = rank.asleep_since + s.shortest_power_down
        else:
            command = PDE
            time = max(rank.last_command_tick + s.power_down_idle, max(rank.power_down_earliest, rank.awake_since + s.shortest_power_down))
        time = max(max(time, s.now), s.bus_earliest[KIND_PD])
        # Whoever is needed wakes first.
        if time < s.power_time or (time == s.power_time and command == PDX):
            s.power_time = time
            s.power_command = command
            s.power_rank = i
