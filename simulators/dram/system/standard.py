"""Memory standards: organisation, timings, currents and voltages of a device and how many of them make a memory.

Each figure stands in a file under `data/` with its source beside it. Times are given as the data sheet does, in ns, in clocks, or as the
longer of both, and become clocks here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from designgym.core.errors import InputError, UnknownNameError, shorten

__all__ = ["LINE_BYTES", "STANDARDS", "MemoryStandard", "Organisation", "Rail", "Timings", "standard"]

STANDARDS: tuple[str, ...] = ("DDR3-1600", "DDR4-2400", "DDR4-3200", "DDR5-4800", "LPDDR4-3200", "LPDDR5-6400", "HBM2")
"""Names of the memories that ship with the package."""

LINE_BYTES = 64
"""Bytes of a request of a trace; a memory with shorter bursts serves it by several."""

BankRefresh = Literal["none", "single", "pair", "same-bank"]
_BANK_REFRESHES = ("none", "single", "pair", "same-bank")
_ROUNDING = 0.01  # of a clock: what data sheets allow when a time in ns is turned into clocks
_T = TypeVar("_T")


@dataclass(frozen=True)
class Organisation:
    """How many of what: channels that share nothing, ranks of a channel, bank groups of a rank, `devices` side by side in a rank."""

    channels: int
    ranks: int
    bank_groups: int
    banks_per_group: int
    rows: int
    columns: int
    device_width_bits: int
    devices: int
    burst_length: int
    data_rate: int


@dataclass(frozen=True)
class Timings:
    """Minimum times in clocks (`refi`, `refi_bank`: the longest average intervals), named as in data sheets without the leading t.

    `_s` and `_l` stand for different and for the same bank group. Not every standard has all: what it lacks is 0, or as the other.

    Attributes:
        rl: Read latency.
        wl: Write latency.
        dqsck: From the end of the read latency to the data.
        dqss: From the end of the write latency to the data.
        rcd_rd: ACT to read.
        rcd_wr: ACT to write.
        rp: Precharge of one bank.
        rp_ab: Precharge of all banks.
        ras: ACT to precharge.
        rc: ACT to ACT of a bank.
        rtp: Read to precharge.
        wr: Write recovery, from the end of the data to the precharge.
        wtr_s, wtr_l: End of written data to read.
        ccd_s, ccd_l: Read to read, and write to write unless there is `ccd_l_wr`.
        ccd_l_wr: Write to write in one bank group.
        rrd_s, rrd_l: ACT to ACT of another bank.
        faw: Window of four ACTs.
        ppd: Precharge to precharge.
        rtrs: Clocks between bursts of two ranks on the data bus (tRTRS; some call it tCS).
        turnaround: Clocks between the data of a read and those of a write.
        burst_same_group: Clocks that a burst occupies its bank group, if longer than on the bus (LPDDR5's BL/n_max).
        refi, rfc: Interval and length of all-bank refreshes.
        refi_bank, rfc_bank: The same of refreshes of single, paired or same banks; the interval is that of each bank.
        refb_to_refb, refb_to_act: From such a refresh to one of other banks, and to an ACT of another bank.
        idd5_bank_period: Clocks between the refreshes over which the current `idd5_bank` was measured.
        cke: Shortest power-down, and shortest time between two.
        xp: End of power-down to any command.
        act_pden, pre_pden, ref_pden: ACT, precharge and refresh to the start of power-down.
    """

    rl: int
    wl: int
    rcd_rd: int
    rcd_wr: int
    rp: int
    rp_ab: int
    ras: int
    rtp: int
    wr: int
    wtr_s: int
    wtr_l: int
    ccd_s: int
    ccd_l: int
    rrd_s: int
    rrd_l: int
    faw: int
    rtrs: int
    turnaround: int
    refi: int
    rfc: int
    cke: int
    xp: int
    act_pden: int
    pre_pden: int
    ref_pden: int
    rc: int = 0
    ccd_l_wr: int = 0
    dqsck: int = 0
    dqss: int = 0
    ppd: int = 0
    burst_same_group: int = 0
    refi_bank: int = 0
    rfc_bank: int = 0
    refb_to_refb: int = 0
    refb_to_act: int = 0
    idd5_bank_period: int = 0


@dataclass(frozen=True)
class CommandCycles:
    """Clocks that a command occupies the command bus; a command happens in the last of them."""

    act: int
    pre: int
    rd: int
    wr: int
    ref: int
    pd: int


@dataclass(frozen=True)
class Currents:
    """Supply currents of one device on one rail in mA; `idd5_bank` is that of refreshes of single, paired or same banks."""

    idd0: float
    idd2n: float
    idd2p: float
    idd3n: float
    idd3p: float
    idd4r: float
    idd4w: float
    idd5: float
    idd5_bank: float = 0.0


@dataclass(frozen=True)
class Rail:
    """A supply of the device."""

    name: str
    voltage_v: float
    currents: Currents


@dataclass(frozen=True)
class MemoryStandard:
    """A memory, checked at construction.

    Attributes:
        name: What people call it.
        organisation: Counts.
        clock_ns: Length of a clock in ns.
        timings: In clocks.
        command_cycles: In clocks.
        rails: Supplies with their currents.
        max_moved_refreshes: Refreshes that may be postponed, or pulled in.
        bank_refresh: Which banks a refresh other than that of all banks covers: one, a pair, the same one of every bank group, or none.
        split_command_bus: Whether reads and writes have a command bus of their own.
    """

    name: str
    organisation: Organisation
    clock_ns: float
    timings: Timings
    command_cycles: CommandCycles
    rails: tuple[Rail, ...]
    max_moved_refreshes: int = 8
    bank_refresh: BankRefresh = "none"
    split_command_bus: bool = False

    def __post_init__(self) -> None:
        """Refuse figures that contradict each other, naming all of them at once."""
        if problems := list(_problems(self)):
            raise InputError(f"Memory {self.name!r} cannot be used: {'; '.join(problems)}. Correct its file.")

    @classmethod
    def load(cls, path: str | Path) -> MemoryStandard:
        """Read a memory from a JSON file such as those in `data/`.

        Raises:
            InputError: If the file does not describe a memory.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls.from_dict(data)
        except OSError as error:
            raise InputError(f"cannot read the memory file {path}: {error.strerror}. Check the path.") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"memory file {path}: {error}") from None

    @classmethod
    def from_dict(cls, data: Any) -> MemoryStandard:
        """Return the memory of the JSON form.

        Raises:
            InputError: If an entry is missing, unknown, without a source, or not usable.
        """
        _check_entries("a memory", data, _REQUIRED, _OPTIONAL)
        clock_ns = 1000.0 / _number("clock_mhz", data["clock_mhz"], data["sources"])
        org = _section(Organisation, "organisation", data)
        timings = {name: _clocks(name, entry, clock_ns, data["sources"]) for name, entry in _object("timings", data["timings"]).items()}
        made = _build(Timings, "timings", timings)
        burst = org.burst_length // org.data_rate
        defaults = {
            "rc": made.ras + made.rp,
            "ccd_l_wr": made.ccd_l,
            "burst_same_group": burst,
            "idd5_bank_period": made.rfc_bank,
        }
        filled = _build(Timings, "timings", timings | {name: value for name, value in defaults.items() if name not in timings})
        rails = tuple(_rail(rail, data["sources"]) for rail in data["rails"])
        optional = {
            name: _value(name, data[name], data["sources"])
            for name in ("max_moved_refreshes", "bank_refresh", "split_command_bus")
            if name in data
        }
        cycles = _section(CommandCycles, "command_cycles", data)
        return cls(data["name"], org, clock_ns, filled, cycles, rails, **optional)

    @property
    def burst_cycles(self) -> int:
        """Clocks that a burst occupies the data bus."""
        return self.organisation.burst_length // self.organisation.data_rate

    @property
    def burst_bytes(self) -> int:
        """Bytes of a burst."""
        org = self.organisation
        return org.device_width_bits * org.devices * org.burst_length // 8

    @property
    def bursts_per_line(self) -> int:
        """Bursts that serve one request of `LINE_BYTES`."""
        return LINE_BYTES // self.burst_bytes

    @property
    def banks_per_rank(self) -> int:
        """Banks of a rank, in all of its bank groups."""
        return self.organisation.bank_groups * self.organisation.banks_per_group

    @property
    def banks(self) -> int:
        """Banks of a channel."""
        return self.organisation.ranks * self.banks_per_rank

    @property
    def groups(self) -> int:
        """Bank groups of a channel."""
        return self.organisation.ranks * self.organisation.bank_groups

    @property
    def capacity_bytes(self) -> int:
        """Bytes of all channels."""
        org = self.organisation
        return org.channels * self.banks * org.rows * org.columns * org.device_width_bits * org.devices // 8

    @property
    def peak_bandwidth_gbps(self) -> float:
        """Bandwidth of all data buses that never idle, in Gb/s (10^9 bit per second)."""
        return self.organisation.channels * self.burst_bytes * 8 / (self.burst_cycles * self.clock_ns)

    @cached_property
    def refreshed_together(self) -> tuple[tuple[int, ...], ...]:
        """The banks of a channel that one bank refresh covers, for each such refresh; empty if the standard has none."""
        org, n = self.organisation, self.banks_per_rank
        units: list[tuple[int, ...]] = []
        for first in range(0, self.banks, n):
            if self.bank_refresh == "single":
                units += [(first + i,) for i in range(n)]
            elif self.bank_refresh == "pair":
                units += [(first + i, first + i + n // 2) for i in range(n // 2)]
            elif self.bank_refresh == "same-bank":
                units += [tuple(first + g * org.banks_per_group + i for g in range(org.bank_groups)) for i in range(org.banks_per_group)]
        return tuple(units)


@cache
def standard(name: str) -> MemoryStandard:
    """Return a memory that ships with the package.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in STANDARDS:
        raise UnknownNameError("memory standard", name, STANDARDS)
    return MemoryStandard.from_dict(read_standard(name))


def read_standard(name: str) -> dict[str, Any]:
    """Return the file of a memory that ships with the package, figures with their sources."""
    path = files("designgym.simulators.dram.system") / "data" / f"{name.lower().replace('-', '_')}.json"
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


_REQUIRED = ("name", "sources", "clock_mhz", "organisation", "command_cycles", "timings", "rails")
_OPTIONAL = ("about", "notes", "max_moved_refreshes", "bank_refresh", "split_command_bus")


def _object(what: str, data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InputError(f"{what} must be a JSON object, but is {shorten(data)}. See data/ddr4_2400.json for an example.")
    return data


def _check_entries(what: str, data: Any, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    data = _object(what, data)
    missing = [name for name in required if name not in data]
    unknown = [name for name in data if name not in (*required, *optional)]
    if missing or unknown:
        raise InputError(
            f"{what} needs the entries {', '.join(required)}; missing: {', '.join(missing) or 'none'}, "
            f"unknown: {', '.join(unknown) or 'none'}. See data/ddr4_2400.json for an example."
        )


def _check_source(name: str, entry: Mapping[str, Any], sources: Any) -> None:
    if entry.get("source") not in _object("sources", sources):
        raise InputError(f"{name} must name one of the sources {', '.join(sources)}, but names {shorten(entry.get('source'))}.")


def _value(name: str, entry: Any, sources: Any) -> Any:
    _check_entries(name, entry, ("value", "source"))
    _check_source(name, entry, sources)
    return entry["value"]


def _number(name: str, entry: Any, sources: Any) -> float:
    value = _value(name, entry, sources)
    if not _is_number(value) or value <= 0:
        raise InputError(f"{name} must be a number > 0, but is {shorten(value)}.")
    return float(value)


def _clocks(name: str, entry: Any, clock_ns: float, sources: Any) -> int:
    """Return a time in clocks: the larger of `nck` and `ns` rounded up, or rounded down for a longest interval."""
    _check_entries(name, entry, ("source",), ("ns", "nck"))
    _check_source(name, entry, sources)
    given = {unit: entry[unit] for unit in ("ns", "nck") if unit in entry}
    if not given or not all(_is_number(value) and value >= 0 for value in given.values()):
        raise InputError(f"{name} must have a time >= 0 in ns, nck (clocks), or both, but is {shorten(entry)}.")
    clocks = given.get("ns", 0) / clock_ns
    rounded = math.floor(clocks + _ROUNDING) if name in ("refi", "refi_bank") else math.ceil(clocks - _ROUNDING)
    return max(int(given.get("nck", 0)), rounded)


def _section(kind: type[_T], name: str, data: Mapping[str, Any]) -> _T:
    return _build(kind, name, {key: _value(key, entry, data["sources"]) for key, entry in _object(name, data[name]).items()})


def _build(kind: type[_T], name: str, values: Mapping[str, Any]) -> _T:
    try:
        return kind(**values)
    except TypeError:
        expected = {f.name for f in fields(kind)}  # type: ignore[arg-type]
        unknown = sorted(values.keys() - expected)
        raise InputError(
            f"{name} of a memory has the entries {', '.join(sorted(expected))}; unknown: {', '.join(unknown) or 'none'}, "
            f"given: {', '.join(values)}."
        ) from None


def _rail(data: Any, sources: Any) -> Rail:
    _check_entries("a rail", data, ("name", "voltage_v", "currents_ma"))
    currents = {name: _value(name, entry, sources) for name, entry in _object("currents_ma", data["currents_ma"]).items()}
    return Rail(data["name"], _number("voltage_v", data["voltage_v"], sources), _build(Currents, "currents_ma", currents))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _problems(memory: MemoryStandard) -> list[str]:
    """Return what is wrong with a memory, each with the value seen and what was expected."""
    problems: list[str] = []
    for section, least in ((memory.organisation, 1), (memory.command_cycles, 1), (memory.timings, 0)):
        for f in fields(section):
            value = getattr(section, f.name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 20:
                problems.append(f"{f.name} must be an integer >= {least} and below 2^20, but is {shorten(value)}")
    for rail in memory.rails:
        for f in fields(rail.currents):
            value = getattr(rail.currents, f.name)
            if not _is_number(value) or value < 0:
                problems.append(f"{f.name} of {rail.name} must be a current >= 0 mA, but is {shorten(value)}")
    if memory.bank_refresh not in _BANK_REFRESHES:
        problems.append(f"bank_refresh must be one of {', '.join(_BANK_REFRESHES)}, but is {shorten(memory.bank_refresh)}")
    if problems:
        return problems
    org, t = memory.organisation, memory.timings
    for f in fields(org):
        value = getattr(org, f.name)
        if f.name not in ("devices", "device_width_bits") and value & (value - 1):
            problems.append(f"{f.name} must be a power of two, but is {value}")
    if org.burst_length % org.data_rate or memory.burst_bytes not in (32, 64):
        problems.append(f"a burst must have 32 or 64 bytes and take whole clocks, but has {memory.burst_bytes} bytes")
    if t.rc < t.ras + t.rp:
        problems.append(f"rc must be at least ras + rp = {t.ras + t.rp}, but is {t.rc}")
    if t.refi <= t.rfc:
        problems.append(f"refi must exceed rfc = {t.rfc}, but is {t.refi}: no time would be left between refreshes")
    if memory.bank_refresh != "none" and t.refi_bank <= t.rfc_bank:
        problems.append(f"refi_bank must exceed rfc_bank = {t.rfc_bank}, but is {t.refi_bank}")
    return problems
