"""Energy of a memory, from the currents and voltages of its rails.

As in Micron's power calculator: a background current by state of a rank, and for each command what it draws beyond that; I/O and
termination are not in it. Standby currents with open banks are measured with all banks open, so that a rank with some open takes its
share: DDR5 draws more in that standby (IDD3N) than in activating one bank after the other (IDD0), and the energy of an ACT would be
negative otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from designgym.simulators.dram.system.standard import MemoryStandard, Rail

__all__ = ["Activity", "Energy", "energy"]


@dataclass(frozen=True)
class Activity:
    """What the ranks of a memory did, summed over ranks and channels.

    Attributes:
        awake_clocks: Clocks of ranks, power-down not counted.
        awake_open_clocks: Clocks of open banks in these.
        asleep_clocks: Clocks of ranks in power-down.
        asleep_open_clocks: Clocks of open banks in these.
        activations: ACT commands.
        reads: Bursts read.
        writes: Bursts written.
        refreshes: Refreshes of all banks of a rank.
        bank_refreshes: Refreshes of some banks.
    """

    awake_clocks: float = 0.0
    awake_open_clocks: float = 0.0
    asleep_clocks: float = 0.0
    asleep_open_clocks: float = 0.0
    activations: float = 0.0
    reads: float = 0.0
    writes: float = 0.0
    refreshes: float = 0.0
    bank_refreshes: float = 0.0

    def __add__(self, other: Activity) -> Activity:
        return Activity(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Activity)))


@dataclass(frozen=True)
class Energy:
    """Energy in pJ by cause."""

    background_pj: float
    activation_pj: float
    read_pj: float
    write_pj: float
    refresh_pj: float

    @property
    def total_pj(self) -> float:
        """All of it."""
        return sum(getattr(self, f.name) for f in fields(Energy))


def energy(memory: MemoryStandard, activity: Activity) -> Energy:
    """Return the energy of all devices of a memory."""
    parts = [_of_rail(memory, activity, rail) for rail in memory.rails]
    return Energy(*(sum(values) for values in zip(*parts, strict=True)))


def _of_rail(memory: MemoryStandard, a: Activity, rail: Rail) -> tuple[float, float, float, float, float]:
    """Return background, activation (with its precharge), read, write and refresh energy on one rail in pJ."""
    i, t, burst = rail.currents, memory.timings, memory.burst_cycles
    to_pj = memory.organisation.devices * rail.voltage_v * memory.clock_ns  # of mA x clocks
    open_n, open_p = ((i.idd3n - i.idd2n) / memory.banks_per_rank, (i.idd3p - i.idd2p) / memory.banks_per_rank)
    background = i.idd2n * a.awake_clocks + open_n * a.awake_open_clocks + i.idd2p * a.asleep_clocks + open_p * a.asleep_open_clocks
    # IDD0 is measured with an ACT every tRC and the bank open for tRAS of it.
    activation = a.activations * ((i.idd0 - i.idd2n) * t.rc - open_n * t.ras)
    refresh = a.refreshes * t.rfc * (i.idd5 - i.idd2n) + a.bank_refreshes * t.idd5_bank_period * (i.idd5_bank - i.idd2n)
    charges = (background, activation, a.reads * burst * (i.idd4r - i.idd3n), a.writes * burst * (i.idd4w - i.idd3n), refresh)
    background_pj, activation_pj, read_pj, write_pj, refresh_pj = (charge * to_pj for charge in charges)
    return background_pj, activation_pj, read_pj, write_pj, refresh_pj
