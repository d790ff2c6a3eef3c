"""The rules of a DDR3-like memory device, as the protocol checker knows them. Distances are in clock ticks."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

COMMANDS: tuple[str, ...] = ("ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REFA")
"""Names of the commands that the checker knows; A at the end means auto-precharge (RDA, WRA) or all banks."""

DDR3_1600_TIMINGS: Mapping[str, int] = MappingProxyType(
    {
        "RL": 10,
        "WL": 8,
        "RCD": 10,
        "RP": 10,
        "RAS": 28,
        "RC": 38,
        "RTP": 6,
        "WR": 12,
        "WTR": 6,
        "CCD": 4,
        "RRD": 5,
        "FAW": 24,
        "REFI": 6240,
        "RFC": 88,
        "BURST": 4,
    }
)
"""Timings in ticks of 1.25 ns: the figures of Micron's data sheet for the 1 Gb x8 DDR3-1600 part, speed grade -125."""

READS = ("RD", "RDA")
"""Commands that read a burst."""
WRITES = ("WR", "WRA")
"""Commands that write a burst."""
COLUMN = READS + WRITES
"""Commands that move data."""
ALL_BANKS = ("PREA", "REFA")
"""Commands that concern every bank of the rank."""
_READ_TO_WRITE_GAP = 2  # ticks the data bus stays idle when it turns from read to write (JEDEC JESD79-3: tCCD + 2 - WL)


@dataclass(frozen=True)
class Violation:
    """One broken rule.

    Attributes:
        index: position of the offending command in the stream; its length if a command is missing at the end.
        tick: tick at which the command was issued (or the end of the stream).
        command: name of the command.
        rule: short name of the rule, e.g. ``tRCD``.
        required_tick: earliest legal tick (latest for refreshes that are overdue), or None where no tick would do.
        message: the rule in words with the values seen.
    """

    index: int
    tick: int
    command: str
    rule: str
    required_tick: int | None
    message: str


@dataclass(frozen=True)
class RefreshRule:
    """How far all-bank refreshes may move from one per tREFI.

    Attributes:
        max_postponed: refreshes that may be owed (P).
        max_pulled_in: refreshes that may be done ahead of their time (Q), or None for no limit.
        slack_ticks: time after the P-th postponed one within which a due refresh must be issued; None means tREFI, so
            that never more than P + 1 are owed.
    """

    max_postponed: int = 8
    max_pulled_in: int | None = None
    slack_ticks: int | None = None


@dataclass(frozen=True)
class ServedRequests:
    """What the column commands should do, one entry per request of the workload.

    Attributes:
        banks: bank of each request, shape (requests,).
        rows: row of each request, shape (requests,).
        is_write: direction of each request, shape (requests,).
    """

    banks: NDArray[np.int64]
    rows: NDArray[np.int64]
    is_write: NDArray[np.bool_]


@dataclass(frozen=True)
class Spacing:
    """A command must come ``ticks`` or more after the last of ``after`` on the same bank (or on the rank)."""

    rule: str
    after: tuple[str, ...]
    ticks: int
    rank: bool = False


def spacings(t: Mapping[str, int]) -> dict[str, tuple[Spacing, ...]]:
    """Return the distances that each command has to keep, for timings in ticks by name."""
    write_end = t["WL"] + t["BURST"]  # ticks from a write command to the end of its data
    read_auto, write_auto = t["RTP"] + t["RP"], write_end + t["WR"] + t["RP"]  # until an auto-precharged bank is idle
    read_write = t["RL"] + t["BURST"] + _READ_TO_WRITE_GAP - t["WL"]
    read = (
        Spacing("tRCD", ("ACT",), t["RCD"]),
        Spacing("tCCD", READS, t["CCD"], rank=True),
        Spacing("tWTR", WRITES, write_end + t["WTR"], rank=True),
    )
    # The precharge inside RDA starts tRTP after it and must respect the write recovery of an earlier write.
    read_auto_recovery = Spacing("tWR-RDA", ("WR",), write_end + t["WR"] - t["RTP"])
    write = (
        Spacing("tRCD", ("ACT",), t["RCD"]),
        Spacing("tRTW", READS, read_write, rank=True),
        Spacing("tCCD", WRITES, t["CCD"], rank=True),
    )
    activate = (
        Spacing("tRC", ("ACT",), t["RC"]),
        Spacing("tRRD", ("ACT",), t["RRD"], rank=True),
        Spacing("tRTP+tRP", ("RDA",), read_auto),
        Spacing("tWR+tRP", ("WRA",), write_auto),
        Spacing("tRP", ("PRE",), t["RP"]),
        Spacing("tRP-PREA", ("PREA",), t["RP"], rank=True),
        Spacing("tRFC", ("REFA",), t["RFC"], rank=True),
    )
    precharge = (
        Spacing("tRAS", ("ACT",), t["RAS"]),
        Spacing("tRTP", ("RD",), t["RTP"]),
        Spacing("tWR", ("WR",), write_end + t["WR"]),
    )
    precharge_all = (
        Spacing("tRAS", ("ACT",), t["RAS"], rank=True),
        Spacing("tRTP", READS, t["RTP"], rank=True),
        Spacing("tWR", WRITES, write_end + t["WR"], rank=True),
    )
    refresh = (
        Spacing("tRC", ("ACT",), t["RC"], rank=True),
        Spacing("tRTP+tRP", ("RDA",), read_auto, rank=True),
        Spacing("tWR+tRP", ("WRA",), write_auto, rank=True),
        Spacing("tRP", ("PRE",), t["RP"], rank=True),
        Spacing("tRP-PREA", ("PREA",), t["RP"], rank=True),
        Spacing("tRFC", ("REFA",), t["RFC"], rank=True),
    )
    return {
        "RD": read,
        "RDA": (*read, read_auto_recovery),
        "WR": write,
        "WRA": write,
        "ACT": activate,
        "PRE": precharge,
        "PREA": precharge_all,
        "REFA": refresh,
    }
