"""What is handed to Ramulator 2.1 and what it answers: settings, a trace, and statistics."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from designgym.core.errors import InputError, shorten
from designgym.core.program_results import OutputError
from designgym.simulators.dram.system.config import MemorySystemConfig
from designgym.simulators.dram.system.standard import MemoryStandard
from designgym.simulators.dram.system.workspace import ChannelTrace
from designgym.simulators.dram.trace import Trace

__all__ = [
    "PRESETS", "PROGRAM", "SETTINGS_FILE", "TRACE_FILE", "ReportError", "Statistics", "check_saturating", "parse_statistics",
    "settings_text", "trace_text",
]  # fmt: skip

SETTINGS_FILE = "settings.json"
TRACE_FILE = "requests.trace"

PRESETS = {
    "DDR3-1600": ("DDR3", "DDR3_1Gb_x8", "DDR3_1600J"),
    "DDR4-2400": ("DDR4", "DDR4_8Gb_x8", "DDR4_2400U"),
    "DDR4-3200": ("DDR4", "DDR4_8Gb_x8", "DDR4_3200AA"),
    "DDR5-4800": ("DDR5", "DDR5_16Gb_x8", "DDR5_4800BN"),
}
"""Ramulator's class, organisation and timings that a memory's own timings are put on."""

# Run by the user's Python with Ramulator's package on its path. The last line it prints is the statistics.
PROGRAM = f"""\
import json
import ramulator as r

with open({SETTINGS_FILE!r}) as file:
    s = json.load(file)
dram = getattr(r.dram, s["standard"])(org_preset=s["organisation"], timing_preset=s["preset"], rank=s["ranks"], **s["timings"])
controller = r.controller.GenericDDR(
    dram=dram,
    scheduler=r.scheduler.FRFCFS(),
    refresh_manager=r.refresh_manager.AllBank() if s["refresh"] else r.refresh_manager.NoRefresh(),
    row_policy=r.row_policy.Open(),
    addr_mapper=r.addr_mapper.RoBaRaCoCh(),
    read_buffer_size=s["buffer"],
    write_buffer_size=s["buffer"],
    wr_high_watermark=s["high"],
    wr_low_watermark=s["low"],
)
memory = r.memory_system.GenericDRAM(clock_ratio=1, controllers=[controller], channel_mapper=r.channel_mapper.CacheLineInterleave())
simulation = r.Simulation(r.frontend.LoadStoreTrace(clock_ratio=1, path={TRACE_FILE!r}), memory)
simulation.run()
print("\\n" + json.dumps(simulation.stats["memory_system"]["controller"], default=str))
"""


class ReportError(OutputError):
    """The program ended normally, but what it printed are not its statistics."""


@dataclass(frozen=True)
class Statistics:
    """What Ramulator says of one channel.

    Attributes:
        clocks: Until the last request was accepted.
        read_clocks: Sum over the served reads of the time from being accepted to their data.
        reads: Reads served.
        row_hits: Requests that found their row open.
        row_others: Requests that did not.
        refreshes: Refreshes of a rank.
    """

    clocks: int
    read_clocks: float
    reads: int
    row_hits: int
    row_others: int
    refreshes: int


def settings_text(config: MemorySystemConfig, memory: MemoryStandard) -> str:
    """Return the settings of one channel as JSON."""
    t, n = memory.timings, config.RequestBufferSize
    standard, organisation, preset = PRESETS[memory.name]
    timings: dict[str, int] = {
        "nCL": t.rl, "nCWL": t.wl, "nRCD": t.rcd_rd, "nRP": t.rp, "nRAS": t.ras, "nRC": t.rc, "nWR": t.wr, "nRTP": t.rtp, "nFAW": t.faw,
        "nRFC": t.rfc, "nREFI": t.refi, "nCS": t.rtrs,
    }  # fmt: skip
    if standard == "DDR3":
        timings |= {"nCCD": t.ccd_s, "nRRD": t.rrd_s, "nWTR": t.wtr_s}
    else:
        timings |= {"nCCDS": t.ccd_s, "nCCDL": t.ccd_l, "nRRDS": t.rrd_s, "nRRDL": t.rrd_l, "nWTRS": t.wtr_s, "nWTRL": t.wtr_l}
    if standard == "DDR5":
        timings |= {"nPPD": t.ppd, "nCCDS_WR": t.ccd_s, "nCCDL_WR": t.ccd_l_wr}
    return json.dumps(
        {
            "standard": standard,
            "organisation": organisation,
            "preset": preset,
            "ranks": memory.organisation.ranks,
            "timings": timings,
            "refresh": config.RefreshPolicy != "NoRefresh",
            "buffer": n,
            # Ramulator compares the number of buffered writes with a share of the buffer: half a write on the right side of it.
            "high": (config.WriteHighWatermark - 0.5) / n,
            "low": (config.WriteLowWatermark + 0.5) / n,
        }
    )


def trace_text(part: ChannelTrace, trace: Trace, memory: MemoryStandard, config: MemorySystemConfig) -> str:
    """Return a channel's requests in the program's format, with addresses that its mapping takes to where ours lie."""
    org = memory.organisation
    where = config.mapping.decode(trace.addresses[part.requests], memory)
    of_rank = where.bank % memory.banks_per_rank
    columns = org.columns // org.burst_length
    lines = where.row
    for field, count in (
        (of_rank % org.banks_per_group, org.banks_per_group),
        (of_rank // org.banks_per_group, org.bank_groups),
        (where.bank // memory.banks_per_rank, org.ranks),
        (where.column, columns),
    ):
        lines = lines * count + field
    kinds = ("LD", "ST")
    writes = part.bursts["is_write"].tolist()
    return "".join(f"{kinds[write]} {line * memory.burst_bytes:#x}\n" for write, line in zip(writes, lines.tolist(), strict=True))


def check_saturating(part: ChannelTrace, trace: Trace, memory: MemoryStandard) -> None:
    """Refuse a trace with pauses: the program's format has no times, it offers a request per clock.

    Raises:
        InputError: If the requests of a channel come more slowly than its data bus could serve them.
    """
    latest = (part.bursts["arrival"] - (_LEAD + np.arange(part.bursts.size)) * memory.burst_cycles).max()
    if latest > 0:
        raise InputError(
            f"workload {trace.name!r} offers requests more slowly than {memory.name} can serve them, which the trace format of Ramulator "
            "cannot express: choose one that offers a request per 1.25 ns or faster, such as stream-like or mixed"
        )


_LEAD = 128  # bursts that a channel may be ahead of its requests, if they fall unevenly on channels


_STATISTICS = ("cycles", "read_latency", "num_read_reqs_served", "row_hits", "row_misses", "row_conflicts", "num_maintenance_reqs_served")


def parse_statistics(stdout: str) -> Statistics:
    """Return the statistics that the program printed in its last line.

    Raises:
        ReportError: If they are not there, or not numbers that statistics can be.
    """
    lines = stdout.strip().splitlines()
    try:
        data = json.loads(lines[-1]) if lines else None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise ReportError(f"the last line of the output is not a JSON object with statistics: {shorten(lines[-1] if lines else '', 80)}")
    values = {}
    for name in (
        "cycles",
        "read_latency",
        "num_read_reqs_served",
        "row_hits",
        "row_misses",
        "row_conflicts",
        "num_maintenance_reqs_served",
    ):
        value = data.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
            raise ReportError(f"statistic {name!r} must be a number >= 0, got {shorten(value)}")
        values[name] = value
    if values["cycles"] == 0:
        raise ReportError("statistic 'cycles' is 0: nothing was simulated")
    return Statistics(
        clocks=int(values["cycles"]),
        read_clocks=float(values["read_latency"]),
        reads=int(values["num_read_reqs_served"]),
        row_hits=int(values["row_hits"]),
        row_others=int(values["row_misses"] + values["row_conflicts"]),
        refreshes=int(values["num_maintenance_reqs_served"]),
    )
