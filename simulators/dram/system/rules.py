"""The rules of memory devices with bank groups and ranks, as the checker knows them. Distances are in clocks.

Written from the standards' descriptions, apart from `distances.py`, so that a mistake in one is not repeated in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from designgym.simulators.dram.system.standard import MemoryStandard

COMMANDS: tuple[str, ...] = ("ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REFA", "REFB", "PDE", "PDX")
"""Commands that the checker knows: those of `protocol_rules`, the refresh of some banks, and start and end of power-down."""

READS, WRITES = ("RD", "RDA"), ("WR", "WRA")
COLUMN = READS + WRITES
PRECHARGES = ("PRE", "PREA")
OF_RANK = ("PREA", "REFA", "PDE", "PDX")
"""Commands that concern a whole rank."""

Scope = Literal["bank", "group", "rank", "other rank"]


@dataclass(frozen=True)
class Spacing:
    """A command comes `clocks` or more after the last of `after` on the same bank, bank group, rank, or on another rank."""

    rule: str
    after: tuple[str, ...]
    clocks: int
    scope: Scope


def spacings(memory: MemoryStandard) -> Mapping[str, tuple[Spacing, ...]]:
    """Return the distances that each command keeps."""
    t, burst = memory.timings, memory.burst_cycles
    read_data, write_data = t.rl + t.dqsck + burst, t.wl + t.dqss + burst  # from the command to the end of its data
    read_to_idle, write_to_idle = t.rtp + t.rp, write_data + t.wr + t.rp  # from a command with auto-precharge
    write_in_group = t.wl + t.dqss + t.burst_same_group
    awake = (Spacing("tXP", ("PDX",), t.xp, "rank"),)
    read = (
        Spacing("tRCD", ("ACT",), t.rcd_rd, "bank"),
        Spacing("tCCD_L", READS, t.ccd_l, "group"),
        Spacing("tCCD_S", READS, t.ccd_s, "rank"),
        Spacing("tWTR_L", WRITES, write_in_group + t.wtr_l, "group"),
        Spacing("tWTR_S", WRITES, write_data + t.wtr_s, "rank"),
        *awake,
    )
    write = (
        Spacing("tRCD", ("ACT",), t.rcd_wr, "bank"),
        Spacing("tCCD_L_WR", WRITES, t.ccd_l_wr, "group"),
        Spacing("tCCD_S", WRITES, t.ccd_s, "rank"),
        Spacing("tRTW", READS, read_data + t.turnaround - t.wl, "rank"),
        *awake,
    )
    idle_bank = (  # what a bank's ACT and its refresh have in common
        Spacing("tRC", ("ACT",), t.rc, "bank"),
        Spacing("tRP", ("PRE",), t.rp, "bank"),
        Spacing("tRP_AB", ("PREA",), t.rp_ab, "rank"),
        Spacing("tRTP+tRP", ("RDA",), read_to_idle, "bank"),
        Spacing("tWR+tRP", ("WRA",), write_to_idle, "bank"),
        Spacing("tRFC_BANK", ("REFB",), t.rfc_bank, "bank"),
        Spacing("tRFC", ("REFA",), t.rfc, "rank"),
        *awake,
    )
    precharge = (
        Spacing("tRAS", ("ACT",), t.ras, "bank"),
        Spacing("tRTP", ("RD",), t.rtp, "bank"),
        Spacing("tWR", ("WR",), write_data + t.wr, "bank"),
        Spacing("tPPD", PRECHARGES, t.ppd, "rank"),
        *awake,
    )
    return {
        "ACT": (
            *idle_bank,
            Spacing("tRRD_L", ("ACT",), t.rrd_l, "group"),
            Spacing("tRRD_S", ("ACT",), t.rrd_s, "rank"),
            Spacing("REFB-ACT", ("REFB",), t.refb_to_act, "rank"),
        ),
        "RD": read,
        "RDA": (*read, Spacing("tWR-RDA", ("WR",), write_data + t.wr - t.rtp, "bank")),
        "WR": write,
        "WRA": write,
        "PRE": precharge,
        "PREA": tuple(Spacing(s.rule, s.after, s.clocks, "rank") for s in precharge),
        "REFB": (
            *idle_bank,
            Spacing("tRRD_S", ("ACT",), t.rrd_s, "rank"),
            Spacing("REFB-REFB", ("REFB",), t.refb_to_refb, "rank"),
        ),
        "REFA": (
            *(Spacing(s.rule, s.after, s.clocks, "rank") for s in idle_bank),
            Spacing("tRFC_BANK", ("REFB",), t.rfc_bank, "rank"),
        ),
        "PDE": (
            Spacing("tACTPDEN", ("ACT",), t.act_pden, "rank"),
            Spacing("tPRPDEN", PRECHARGES, t.pre_pden, "rank"),
            Spacing("tREFPDEN", ("REFA", "REFB"), t.ref_pden, "rank"),
            Spacing("tRDPDEN", READS, read_data + 1, "rank"),
            Spacing("tWRPDEN", ("WR",), write_data + t.wr, "rank"),
            Spacing("tWRAPDEN", ("WRA",), write_data + t.wr + 1, "rank"),
            Spacing("tCKE", ("PDX",), t.cke, "rank"),
        ),
        "PDX": (Spacing("tCKE", ("PDE",), t.cke, "rank"),),
    }


def command_clocks(memory: MemoryStandard) -> Mapping[str, int]:
    """Return the clocks that each command takes on the command bus, the last of which is its tick."""
    c = memory.command_cycles
    return {
        "ACT": c.act, "PRE": c.pre, "PREA": c.pre, "RD": c.rd, "RDA": c.rd, "WR": c.wr, "WRA": c.wr, "REFA": c.ref, "REFB": c.ref,
        "PDE": c.pd, "PDX": c.pd,
    }  # fmt: skip


def refreshed_with(memory: MemoryStandard, bank: int) -> tuple[int, ...]:
    """Return the banks that a bank refresh naming `bank` covers."""
    n, per_group = memory.banks_per_rank, memory.organisation.banks_per_group
    first = bank - bank % n
    if memory.bank_refresh == "pair":
        half = (bank - first) % (n // 2)
        return first + half, first + half + n // 2
    if memory.bank_refresh == "same-bank":
        return tuple(b for b in range(first, first + n) if b % per_group == bank % per_group)
    return (bank,)
