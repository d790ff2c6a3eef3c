"""Minimum distances between commands, derived from a memory's timings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.dram.system.standard import MemoryStandard
from designgym.simulators.dram.system.state import (
    KIND_ACT,
    KIND_PD,
    KIND_PRE,
    KIND_RD,
    KIND_REF,
    KIND_WR,
    N_BANK_KINDS,
    N_KINDS,
    OTHER_RANK,
    SAME_GROUP,
    SAME_RANK,
)

__all__ = ["Distances", "distances"]


class Distances(NamedTuple):
    """Distances in clocks.

    Attributes:
        single: Those on one bank or rank, by the names in `state.DISTANCES`.
        paired: Those that differ between reads and writes, by the names in `state.PAIRED_DISTANCES`.
        between: From a command of one kind to one of another on other banks, by where these lie; shape ``(3, kinds, bank kinds)``. The
            command bus is in it.
        bus: From a command of one kind to the next of another on the command bus; shape ``(kinds, kinds)``.
    """

    single: dict[str, int]
    paired: dict[str, tuple[int, int]]
    between: NDArray[np.int64]
    bus: NDArray[np.int64]


def distances(memory: MemoryStandard) -> Distances:
    """Return a memory's distances."""
    t, burst = memory.timings, memory.burst_cycles
    read_end, write_end = t.rl + t.dqsck + burst, t.wl + t.dqss + burst
    single = {
        "act_to_read": t.rcd_rd,
        "act_to_write": t.rcd_wr,
        "act_to_precharge": t.ras,
        "act_to_act": t.rc,
        "act_to_refresh_bank": t.rrd_s,
        "four_act_window": t.faw,
        "write_to_rda": write_end + t.wr - t.rtp,
        "precharge_to_act": t.rp,
        "precharge_all_to_act": t.rp_ab,
        "refresh_to_any": t.rfc,
        "refresh_bank_to_act": t.rfc_bank,
        "refresh_bank_to_refresh_bank": t.refb_to_refb,
        "act_to_power_down": t.act_pden,
        "precharge_to_power_down": t.pre_pden,
        "refresh_to_power_down": t.ref_pden,
        "power_down_to_any": t.xp,
        "shortest_power_down": t.cke,
    }
    paired = {
        "access_to_precharge": (t.rtp, write_end + t.wr),
        "auto_precharge_to_act": (t.rtp + t.rp, write_end + t.wr + t.rp),
        "auto_precharge_to_implicit": (max(t.rtp, burst), write_end + t.wr),
        "access_to_power_down": (read_end + 1, write_end + t.wr),
        "auto_precharge_to_power_down": (read_end + 1, write_end + t.wr + 1),
        "data_end": (read_end, write_end),
    }
    bus = _bus(memory)
    between = np.tile(bus[:, :N_BANK_KINDS], (3, 1, 1))
    read_to_write = read_end + t.turnaround - t.wl
    rules = {
        (KIND_ACT, KIND_ACT): (t.rrd_l, t.rrd_s, 0),
        (KIND_PRE, KIND_PRE): (t.ppd, t.ppd, 0),
        (KIND_RD, KIND_RD): (t.ccd_l, t.ccd_s, burst + t.rtrs),
        (KIND_RD, KIND_WR): (read_to_write, read_to_write, read_end + t.rtrs - t.wl - t.dqss),
        (KIND_WR, KIND_RD): (
            write_end - burst + t.burst_same_group + t.wtr_l,
            write_end + t.wtr_s,
            write_end + t.rtrs - t.rl - t.dqsck,
        ),
        (KIND_WR, KIND_WR): (t.ccd_l_wr, t.ccd_s, burst + t.rtrs),
        (KIND_REF, KIND_ACT): (t.refb_to_act, t.refb_to_act, 0),
    }
    for (earlier, later), clocks in rules.items():
        for scope in (SAME_GROUP, SAME_RANK, OTHER_RANK):
            between[scope, earlier, later] = max(between[scope, earlier, later], clocks[scope])
    return Distances(single, paired, between, bus)


def _bus(memory: MemoryStandard) -> NDArray[np.int64]:
    """Return the distances that the command bus demands: a command ends as many clocks after the last one as it takes.

    A controller begins one command a clock, also where reads and writes have a bus of their own.
    """
    c = memory.command_cycles
    length = {KIND_ACT: c.act, KIND_PRE: c.pre, KIND_RD: c.rd, KIND_WR: c.wr, KIND_REF: c.ref, KIND_PD: c.pd}
    bus = np.zeros((N_KINDS, N_KINDS), dtype=np.int64)
    columns = (KIND_RD, KIND_WR)
    for earlier in range(N_KINDS):
        for later in range(N_KINDS):
            apart = memory.split_command_bus and (earlier in columns) != (later in columns)
            bus[earlier, later] = 1 if apart else length[later]
    return bus
