"""Refresh logic: when all banks are refreshed, put off or ahead of time within the limits of the design."""

from designgym.simulators.dram.compiled import Record, compiled, inlined
from designgym.simulators.dram.state import ALL_BANKS, NONE, PREA, REFA


@inlined
def update_refresh(s: Record) -> None:
    """Decide what the refresh logic proposes now: a command and its earliest tick, or none and its next trigger.

    Before the trigger that is what it was. Without refreshes the trigger is never reached.
    """
    if s.now >= s.refresh_trigger:
        _refresh_due(s)


@compiled
def _refresh_due(s: Record) -> None:
    if s.now >= s.refresh_trigger + s.refresh_interval:
        s.refresh_trigger += s.refresh_interval
        s.refresh_pulled_in = 0
    if s.refresh_pulled_in == 0 and s.refresh_counter == s.max_postponed:
        s.n_forced_refreshes += 1
        if not s.blocked:
            s.blocked = 1
            s.stale_banks = ALL_BANKS
    elif s.buffered > 0:
        if s.refresh_pulled_in:
            s.refresh_pulled_in = 0
        else:
            s.refresh_counter += 1
        _wait_one_interval(s)
        return
    s.refresh_command = PREA if s.open_banks > 0 else REFA
    earliest = s.prea_earliest if s.open_banks > 0 else s.refa_earliest
    s.refresh_time = max(earliest, s.last_command_tick + 1)


@compiled
def note_refresh(s: Record) -> None:
    """Account for a REFA that was just issued."""
    s.blocked = 0
    s.stale_banks = ALL_BANKS
    if s.refresh_pulled_in:
        s.refresh_counter -= 1
    else:
        s.refresh_pulled_in = 1
    if s.refresh_counter == -s.max_pulled_in:
        s.n_pull_in_decisions += 1
        s.refresh_pulled_in = 0
        _wait_one_interval(s)


@inlined
def _wait_one_interval(s: Record) -> None:
    s.refresh_trigger += s.refresh_interval
    s.refresh_command = NONE
    s.refresh_time = s.refresh_trigger
