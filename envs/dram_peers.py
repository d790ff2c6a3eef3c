"""Configurations of DRAMSys, DRAMsim3 and Ramulator 2, and the memory systems of ours that come closest to them.

DRAMSys is what our controller is modelled on, so its times are met exactly. DRAMsim3 and Ramulator are models of their own, with other
queues, schedulers and write buffers: nothing is fitted to them, and a difference is a check of sanity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from designgym.simulators.dram.system.standard import MemoryStandard, standard

__all__ = ["DRAMSYS", "PEERS", "WITHOUT_COUNTERPART", "Peer"]

DRAMSYS = "DRAMSys 4.0"


@dataclass(frozen=True)
class Peer:
    """A configuration of another simulator, and the memory and design of ours that come closest.

    Attributes:
        memory: The memory.
        design: The parameters of `MemorySystemConfig` other than the memory.
        same_latency: Whether its latencies are from when a request is first offered, as ours are, rather than from its own queue.
    """

    memory: Callable[[], MemoryStandard]
    design: Mapping[str, object]
    same_latency: bool = True


def _ddr3_1600k() -> MemoryStandard:
    """Return two ranks of DDR3-1600K (11-11-11), refreshed every 7,800 clocks: the file's own interval has a name that is not read."""
    ours = standard("DDR3-1600")
    t = replace(ours.timings, rl=11, rcd_rd=11, rcd_wr=11, rp=11, rp_ab=11, rc=39, refi=7800)
    return replace(ours, name="DDR3-1600K, two ranks", timings=t, organisation=replace(ours.organisation, ranks=2))


def _ddr4_2400r() -> MemoryStandard:
    """Return one rank of DDR4-2400R (16-16-16)."""
    ours = standard("DDR4-2400")
    t = replace(ours.timings, rl=16, rcd_rd=16, rcd_wr=16, rp=16, rp_ab=16, rc=55, rfc=433)
    return replace(ours, name="DDR4-2400R, one rank", timings=t, organisation=replace(ours.organisation, ranks=1))


def _ddr5_3200an() -> MemoryStandard:
    """Return one channel of DDR5-3200AN (24-24-24)."""
    ours = standard("DDR5-4800")
    t = replace(
        ours.timings, rl=24, wl=22, rcd_rd=24, rcd_wr=24, rp=24, rp_ab=24, ras=52, rc=76, rtp=12, wr=48, wtr_s=6, wtr_l=16, ccd_l=8,
        ccd_l_wr=32, rrd_l=8, faw=32, refi=6240, rfc=472,
    )  # fmt: skip
    return replace(ours, name="DDR5-3200AN", clock_ns=0.625, timings=t, organisation=replace(ours.organisation, channels=1))


_BANKWISE: dict[str, object] = dict(
    Scheduler="FrFcfs", SchedulerBuffer="Bankwise", RequestBufferSize=8, RefreshMaxPostponed=0, RefreshMaxPulledin=0
)
_SHARED: dict[str, object] = dict(_BANKWISE, SchedulerBuffer="Shared", RequestBufferSize=32)
_READ_WRITE: dict[str, object] = dict(_BANKWISE, SchedulerBuffer="ReadWrite", RequestBufferSize=32)
_RAMULATOR: dict[str, object] = dict(_READ_WRITE, WriteDrain="Batch", WriteHighWatermark=26, WriteLowWatermark=6)
_PRESET: dict[str, object] = dict(
    _READ_WRITE, WriteDrain="Batch", WriteHighWatermark=32, WriteLowWatermark=0, RankBits="WithBank", BankGroupBits="BelowBank"
)
_FREE: dict[str, object] = dict(RefreshPolicy="NoRefresh")

_DDR3 = partial(standard, "DDR3-1600")

# What still differs. DRAMsim3 has a write buffer of its own and caps row hits; with a queue of 32 entries, this stands before those of the
# banks, and waiting in it counts; its DDR4 clocks are 0.83 and 0.63 ns. Ramulator's scheduler looks at all banks at once, and takes a
# request out of its queue when its row is opened.
PEERS: Mapping[tuple[str, str], Peer] = {
    (DRAMSYS, "DDR3-1600, open page, FR-FCFS, 8 per bank, no refresh"): Peer(_DDR3, _BANKWISE | _FREE),
    (DRAMSYS, "DDR3-1600, open page, FR-FCFS, 8 per bank, refresh never postponed"): Peer(_DDR3, _BANKWISE),
    (DRAMSYS, "DDR3-1600, open page, FR-FCFS, 32 shared, no refresh"): Peer(_DDR3, _SHARED | _FREE),
    (DRAMSYS, "DDR3-1600, open page, FR-FCFS, 32 shared, refresh never postponed"): Peer(_DDR3, _SHARED),
    (DRAMSYS, "DDR3-1600, open page, FR-FCFS, 32 reads + 32 writes, refresh never postponed"): Peer(_DDR3, _READ_WRITE),
    (DRAMSYS, "DDR3-1600, closed page, FR-FCFS, 8 per bank, refresh never postponed"): Peer(_DDR3, _BANKWISE | {"PagePolicy": "Closed"}),
    ("DRAMsim3", "matched DDR3-1600 timings, open page, 8 per bank + 1-entry queue"): Peer(_DDR3, _BANKWISE),
    ("DRAMsim3", "matched DDR3-1600 timings, open page, 8 per bank + 1-entry queue, no refresh"): Peer(_DDR3, _BANKWISE | _FREE),
    ("DRAMsim3", "matched DDR3-1600 timings, open page, 8 per bank + 32-entry read queue"): Peer(_DDR3, _READ_WRITE, same_latency=False),
    ("DRAMsim3", "matched DDR3-1600 timings, open page, 8 per bank + 32-entry queue, no refresh"): Peer(
        _DDR3, _READ_WRITE | _FREE, same_latency=False
    ),
    ("DRAMsim3", "matched DDR3-1600 timings, closed page, 8 per bank + 1-entry queue"): Peer(_DDR3, _BANKWISE | {"PagePolicy": "Closed"}),
    ("DRAMsim3", "preset DDR3_4Gb_x8_1600 as shipped (2 ranks, CL11)"): Peer(_ddr3_1600k, _PRESET, same_latency=False),
    ("DRAMsim3", "preset DDR4_8Gb_x8_2400 as shipped"): Peer(partial(standard, "DDR4-2400"), _PRESET, same_latency=False),
    ("DRAMsim3", "preset DDR4_8Gb_x8_3200 as shipped"): Peer(partial(standard, "DDR4-3200"), _PRESET, same_latency=False),
    ("Ramulator 2.1", "matched DDR3-1600 timings (1600J), open page, 32-entry read + 32-entry write queue"): Peer(_DDR3, _RAMULATOR),
    ("Ramulator 2.1", "matched DDR3-1600 timings (1600J), open page, 32+32 queues, no refresh"): Peer(_DDR3, _RAMULATOR | _FREE),
    ("Ramulator 2.1", "preset DDR4_8Gb_x8 DDR4_2400R, open page"): Peer(_ddr4_2400r, _RAMULATOR | {"BankGroupBits": "BelowBank"}),
    ("Ramulator 2.1", "preset DDR5_16Gb_x8 DDR5_3200AN, open page"): Peer(_ddr5_3200an, _RAMULATOR | {"BankGroupBits": "BelowBank"}),
}

WITHOUT_COUNTERPART: Mapping[tuple[str, str], str] = {
    ("Ramulator 2.1", "matched DDR3-1600 timings (1600J), ClosedCAP cap=1, 32+32 queues"): (
        "it closes rows when nothing else is to be done, which none of our page policies does"
    ),
}
"""Configurations that no memory system of ours is close to, and why."""
