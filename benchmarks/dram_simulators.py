"""Memory systems beside published runs of DRAMsim3 and Ramulator 2: total times of the same traces, and how far apart they are.

Run: python benchmarks/dram_simulators.py --oracle DIR

DIR holds ``dram_cross_simulators.csv`` and ``dramsys/traces``. The simulators are independent models with other queues, schedulers and
write buffers: the table is a check of sanity, and nothing here is fitted to it. In all of them a request is offered per clock of the memory
from its time stamp on, so that time stamps count clocks of the memory at hand.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from designgym.simulators.dram.system.config import MemorySystemConfig
from designgym.simulators.dram.system.simulate import simulate_system
from designgym.simulators.dram.system.standard import MemoryStandard, standard
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import find_workload

_DRAMSIM_CASE = dict(Scheduler="FrFcfs", SchedulerBuffer="Bankwise", RequestBufferSize=8, RefreshMaxPostponed=0, RefreshMaxPulledin=0)
_RAMULATOR_CASE = dict(
    Scheduler="FrFcfs", SchedulerBuffer="ReadWrite", RequestBufferSize=32, RefreshMaxPostponed=0, RefreshMaxPulledin=0,
    WriteDrain="Batch", WriteHighWatermark=26, WriteLowWatermark=6,
)  # fmt: skip
_DRAMSIM_PRESET = dict(
    _RAMULATOR_CASE, RankBits="WithBank", BankGroupBits="BelowBank", WriteHighWatermark=32, WriteLowWatermark=0,
)  # fmt: skip


def _ddr4_2400r() -> MemoryStandard:
    """Return DDR4-2400R (16-16-16), which Ramulator's preset is."""
    ours = standard("DDR4-2400")
    t = replace(ours.timings, rl=16, rcd_rd=16, rcd_wr=16, rp=16, rp_ab=16, rc=55, rfc=433)
    return replace(ours, name="DDR4-2400R, one rank", timings=t, organisation=replace(ours.organisation, ranks=1))


def _ddr5_3200an() -> MemoryStandard:
    """Return one channel of DDR5-3200AN (24-24-24), which Ramulator's preset is."""
    ours = standard("DDR5-4800")
    t = replace(
        ours.timings, rl=24, wl=22, rcd_rd=24, rcd_wr=24, rp=24, rp_ab=24, ras=52, rc=76, rtp=12, wr=48, wtr_s=6, wtr_l=16, ccd_l=8,
        ccd_l_wr=32, rrd_l=8, faw=32, refi=6240, rfc=472,
    )  # fmt: skip
    return replace(ours, name="DDR5-3200AN", clock_ns=0.625, timings=t, organisation=replace(ours.organisation, channels=1))


@dataclass(frozen=True)
class Case:
    """A configuration of another simulator, the memory and design of ours that comes closest, and what still differs."""

    simulator: str
    config: str
    memory: Callable[[], MemoryStandard]
    design: dict[str, object]
    differs: str


CASES = (
    Case(
        "DRAMsim3", "matched DDR3-1600 timings, open page, 8 per bank + 1-entry queue", lambda: standard("DDR3-1600"),
        dict(_DRAMSIM_CASE), "it has a write buffer of its own, and caps row hits",
    ),
    Case(
        "DRAMsim3", "matched DDR3-1600 timings, closed page, 8 per bank + 1-entry queue", lambda: standard("DDR3-1600"),
        dict(_DRAMSIM_CASE, PagePolicy="Closed"), "as above",
    ),
    Case(
        "DRAMsim3", "preset DDR4_8Gb_x8_2400 as shipped", lambda: standard("DDR4-2400"),
        dict(_DRAMSIM_PRESET), "it has queues of 8 per bank behind one of 32, caps row hits; tCK 0.83 ns",
    ),
    Case(
        "DRAMsim3", "preset DDR4_8Gb_x8_3200 as shipped", lambda: standard("DDR4-3200"),
        dict(_DRAMSIM_PRESET), "as above, tCK 0.63 ns",
    ),
    Case(
        "Ramulator 2.1", "matched DDR3-1600 timings (1600J), open page, 32-entry read + 32-entry write queue",
        lambda: standard("DDR3-1600"),
        dict(_RAMULATOR_CASE), "its scheduler looks at all banks at once",
    ),
    Case(
        "Ramulator 2.1", "preset DDR4_8Gb_x8 DDR4_2400R, open page", _ddr4_2400r, dict(_RAMULATOR_CASE, BankGroupBits="BelowBank"),
        "its scheduler looks at all banks at once",
    ),
    Case(
        "Ramulator 2.1", "preset DDR5_16Gb_x8 DDR5_3200AN, open page", _ddr5_3200an, dict(_RAMULATOR_CASE, BankGroupBits="BelowBank"),
        "its scheduler looks at all banks at once",
    ),
)  # fmt: skip


def compare(oracle: Path) -> pd.DataFrame:
    """Return a row per case and trace: clocks there and here, and the difference in percent."""
    published = pd.read_csv(oracle / "dram_cross_simulators.csv")
    rows = []
    for case in CASES:
        memory = case.memory()
        config = MemorySystemConfig.from_mapping({"Memory": "DDR3-1600", **case.design})
        theirs = published[(published["simulator"] == case.simulator) & (published["config"] == case.config)]
        if theirs.empty:
            raise SystemExit(f"{oracle} has no run of {case.simulator} with {case.config!r}")
        for row in theirs.itertuples():
            trace = find_workload(row.trace, directories=[oracle / "dramsys" / "traces"])
            in_clocks = Trace(trace.name, trace.arrival_ticks, trace.is_write, trace.addresses, memory.clock_ns)
            run = simulate_system(config, in_clocks, memory)
            clocks = round(run.total_time_ns / memory.clock_ns)
            rows.append((f"{case.simulator}: {case.config}", row.trace, row.total_cycles, clocks, 100 * (clocks / row.total_cycles - 1)))
    return pd.DataFrame(rows, columns=["simulator", "trace", "clocks there", "clocks here", "difference in %"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--oracle", type=Path, required=True, help="folder of reference outputs")
    table = compare(parser.parse_args().oracle)
    wide = table.pivot(index="simulator", columns="trace", values="difference in %")
    order = [trace for trace in ("stream", "random", "cloud-1", "cloud-2", "mix-b2b-pub", "mix-gap-pub") if trace in wide.columns]
    print(f"Total time here against there, in %\n{wide[order].round(1).to_string()}\n\nWhat differs")
    for case in CASES:
        print(f"  {case.simulator}, {case.config}: {case.differs}")


if __name__ == "__main__":
    main()
