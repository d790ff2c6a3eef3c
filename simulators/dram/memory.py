"""The memory behind the controller: organisation, timings, currents and address mapping, read from a JSON file."""

import json
import math
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, shorten

__all__ = ["AddressBits", "Currents", "MemorySpec", "Organisation", "Timings"]

# Idle cycles on the data bus between a read and a following write.
_BUS_TURNAROUND = 2

_LARGEST_INTEGER = (1 << 30) - 1  # of counts and timings: sums of a few of them stay far within 64 bits

_T = TypeVar("_T")


@dataclass(frozen=True)
class Organisation:
    """How many of what. `banks` counts per rank, `columns` per row; one device has `device_width_bits` data pins."""

    channels: int
    ranks: int
    bank_groups: int
    banks: int
    rows: int
    columns: int
    device_width_bits: int
    devices: int
    burst_length: int
    data_rate: int


@dataclass(frozen=True)
class Timings:
    """The data sheet's minimum times, in cycles; names as in the data sheet, without the leading t."""

    rl: int
    wl: int
    rcd: int
    rp: int
    ras: int
    rc: int
    rtp: int
    wr: int
    wtr: int
    ccd: int
    rrd: int
    faw: int
    refi: int
    rfc: int


@dataclass(frozen=True)
class Currents:
    """The data sheet's supply currents of one device, in mA."""

    idd0: float
    idd2n: float
    idd3n: float
    idd4r: float
    idd4w: float
    idd5: float


@dataclass(frozen=True)
class AddressBits:
    """Which bits of a byte address make up each coordinate, least significant first."""

    byte: tuple[int, ...]
    column: tuple[int, ...]
    bank: tuple[int, ...]
    row: tuple[int, ...]
    bank_group: tuple[int, ...] = ()
    rank: tuple[int, ...] = ()
    channel: tuple[int, ...] = ()


@dataclass(frozen=True)
class MemorySpec:
    """A memory, checked at construction.

    Attributes:
        name: What people call it.
        source: Where the figures come from.
        organisation: Counts of channels, ranks, banks, rows, ...
        clock_ns: Length of a cycle in ns.
        timings: In cycles.
        currents: In mA, of one device.
        voltage_v: Supply voltage in V.
        address_bits: The address mapping.
    """

    name: str
    organisation: Organisation
    clock_ns: float
    timings: Timings
    currents: Currents
    voltage_v: float
    address_bits: AddressBits
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse figures that contradict each other, naming all of them at once."""
        problems = list(_problems(self))
        if problems:
            raise InputError(f"Memory {self.name!r} cannot be used: {'; '.join(problems)}.")

    @classmethod
    def load(cls, path: str | Path | None = None) -> "MemorySpec":
        """Read a memory from a JSON file, by default the DDR3-1600 module that ships with the package.

        Raises:
            InputError: If the file does not describe a memory, with its path, what is wrong, and how `ddr3_1600.json` does it.
        """
        source = files("designgym.simulators.dram") / "data" / "ddr3_1600.json" if path is None else Path(path)
        try:
            data = json.loads(source.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read the memory file {source}: {error.strerror}. Check the path.") from None
        except (ValueError, RecursionError) as error:  # a ValueError for what is not JSON, or not even UTF-8
            raise InputError(f"The memory file {source} cannot be read as JSON: {error}.") from error
        try:
            return cls.from_dict(data)
        except InputError as error:
            raise InputError(f"memory file {source}: {error}") from None

    @classmethod
    def from_dict(cls, data: Any) -> "MemorySpec":
        """Return the memory of the JSON form.

        Raises:
            InputError: If an entry is missing, unknown or not usable.
        """
        expected = ("name", "organisation", "clock_ns", "timings_cycles", "currents_ma", "voltage_v", "address_bits")
        _check_object("a memory", data)
        missing = [key for key in expected if key not in data]
        unknown = [key for key in data if key not in (*expected, "source")]
        if missing or unknown:
            raise InputError(
                f"A memory needs the entries {', '.join(expected)}; missing: {', '.join(missing) or 'none'}, "
                f"unknown: {', '.join(unknown) or 'none'}. See data/ddr3_1600.json for an example."
            )
        _check_object("address_bits of a memory", data["address_bits"])
        bits = {name: tuple(bits) if isinstance(bits, list) else bits for name, bits in data["address_bits"].items()}
        return cls(
            name=data["name"],
            organisation=_section(Organisation, "organisation", data["organisation"]),
            clock_ns=_as_float(data["clock_ns"]),
            timings=_section(Timings, "timings_cycles", data["timings_cycles"]),
            currents=_section(Currents, "currents_ma", data["currents_ma"]),
            voltage_v=_as_float(data["voltage_v"]),
            address_bits=_section(AddressBits, "address_bits", bits),
            source=data.get("source", ""),
        )

    @property
    def burst_cycles(self) -> int:
        """Cycles that one burst occupies the data bus."""
        return self.organisation.burst_length // self.organisation.data_rate

    @property
    def burst_bytes(self) -> int:
        """Bytes moved by one burst, that is by one request."""
        org = self.organisation
        return org.device_width_bits * org.devices * org.burst_length // 8

    @property
    def peak_bandwidth_gbps(self) -> float:
        """Bandwidth of a data bus that never idles, in Gb/s (10^9 bit per second)."""
        return self.burst_bytes * 8 / (self.burst_cycles * self.clock_ns)

    @property
    def capacity_bytes(self) -> int:
        """Bytes that the address mapping covers."""
        return 1 << sum(len(getattr(self.address_bits, f.name)) for f in fields(AddressBits))

    @cached_property
    def constraints(self) -> dict[str, int]:
        """Minimum distances between commands in cycles, by the names in `state.CONSTRAINT_FIELDS`."""
        t, burst = self.timings, self.burst_cycles
        write_recovery = t.wl + burst + t.wr
        return {
            "act_to_access_bank": t.rcd,
            "act_to_precharge": t.ras,
            "act_to_act_bank": t.rc,
            "act_to_act": t.rrd,
            "four_act_window": t.faw,
            "read_to_read": t.ccd,
            "write_to_read": t.wl + burst + t.wtr,
            "read_to_write": t.rl + burst + _BUS_TURNAROUND - t.wl,
            "write_to_write": t.ccd,
            "write_to_rda_bank": write_recovery - t.rtp,
            "read_to_precharge": t.rtp,
            "write_to_precharge": write_recovery,
            "rda_to_act": t.rtp + t.rp,
            "wra_to_act": write_recovery + t.rp,
            "precharge_to_act": t.rp,
            "refresh_to_any": t.rfc,
            "refresh_interval": t.refi,
            "read_data_end": t.rl + burst,
            "write_data_end": t.wl + burst,
            "rda_to_implicit_precharge": max(t.rtp, burst),
            "wra_to_implicit_precharge": write_recovery,
        }

    @cached_property
    def completion_cycles(self) -> dict[str, int]:
        """Cycles for which the energy model keeps counting after the last command of a run, by command."""
        t, burst = self.timings, self.burst_cycles
        return {
            "ACT": t.rcd,
            "PRE": t.rp,
            "PREA": t.rp,
            "RD": t.rl + burst + 1,
            "WR": t.wl + burst + t.wr,
            "REFA": 0,
        }

    def energy_pj(
        self, cycles: int, powered_cycles: int, activations: int, precharges: int, reads: int, writes: int, refreshes: int
    ) -> float:
        """Return the energy of all devices in pJ, without I/O and termination.

        Args:
            cycles: Length of the run.
            powered_cycles: Cycles of it with at least one bank open; a refresh counts as its recovery time less a precharge.
            activations: ACT commands.
            precharges: Banks closed, by whatever command.
            reads: RD and RDA commands.
            writes: WR and WRA commands.
            refreshes: REFA commands.
        """
        i, t, burst = self.currents, self.timings, self.burst_cycles
        charge = (  # mA x cycles, of one device
            i.idd3n * powered_cycles
            + i.idd2n * (cycles - powered_cycles)
            + activations * t.ras * (i.idd0 - i.idd3n)
            + precharges * (t.rc - t.ras) * (i.idd0 - i.idd2n)
            + reads * burst * (i.idd4r - i.idd3n)
            + writes * burst * (i.idd4w - i.idd3n)
            + refreshes * t.rfc * (i.idd5 - i.idd3n)
        )
        return self.organisation.devices * self.voltage_v * self.clock_ns * charge

    def decode(self, addresses: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the bank and the row of each address.

        Raises:
            InputError: If an address lies beyond the memory.
        """
        if addresses.size and int(addresses.max()) >= self.capacity_bytes:
            raise InputError(
                f"Address {int(addresses.max()):#x} lies beyond the {self.capacity_bytes} bytes of {self.name!r}. "
                "Use a larger memory or wrap the addresses."
            )
        return _gather(addresses, self.address_bits.bank), _gather(addresses, self.address_bits.row)


def _gather(addresses: NDArray[np.int64], bits: tuple[int, ...]) -> NDArray[np.int64]:
    value = np.zeros_like(addresses)
    for position, bit in enumerate(bits):
        value |= ((addresses >> bit) & 1) << position
    return value


def _check_object(what: str, data: Any) -> None:
    if not isinstance(data, dict):
        raise InputError(f"{what} must be a JSON object, but is {shorten(data)}. See data/ddr3_1600.json for an example.")


def _section(kind: type[_T], name: str, data: Any) -> _T:
    _check_object(f"{name} of a memory", data)
    try:
        return kind(**data)
    except TypeError as error:
        expected = [f.name for f in fields(kind)]  # type: ignore[arg-type]
        missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in data]  # type: ignore[arg-type]
        unknown = [key for key in data if key not in expected]
        raise InputError(
            f"{name} of a memory must have the entries {', '.join(expected)}; missing: {', '.join(missing) or 'none'}, "
            f"unknown: {', '.join(unknown) or 'none'}."
        ) from error


def _problems(memory: MemorySpec) -> list[str]:
    """Return what is wrong with a memory, each with the value seen and what was expected."""
    problems = [] if isinstance(memory.name, str) else [f"name must be text, but is {memory.name!r}"]
    for section in (memory.organisation, memory.timings):
        for f in fields(section):
            value = getattr(section, f.name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST_INTEGER:
                problems.append(f"{f.name} must be an integer from 1 to {_LARGEST_INTEGER}, but is {shorten(value)}")
    for f in fields(memory.currents):
        value = getattr(memory.currents, f.name)
        if not _is_number(value) or value < 0:
            problems.append(f"{f.name} must be a current >= 0 mA, but is {shorten(value)}")
    for name in ("clock_ns", "voltage_v"):
        if not _is_number(getattr(memory, name)) or getattr(memory, name) <= 0:
            problems.append(f"{name} must be a number > 0, but is {shorten(getattr(memory, name))}")
    for f in fields(AddressBits):
        positions = getattr(memory.address_bits, f.name)
        if not isinstance(positions, tuple) or not all(isinstance(bit, int) for bit in positions):
            problems.append(f"address_bits of {f.name} must be a list of bit numbers, but is {shorten(positions)}")
    if problems:
        return problems
    org, t = memory.organisation, memory.timings
    if org.burst_length % org.data_rate:
        problems.append(f"burst_length {org.burst_length} must be a multiple of data_rate {org.data_rate}")
    if t.rc < t.ras:
        problems.append(f"rc must be at least ras = {t.ras}, but is {t.rc}")
    if t.refi <= t.rfc:
        problems.append(f"refi must exceed rfc = {t.rfc}, but is {t.refi}: no time would be left between refreshes")
    problems += _current_problems(memory.currents)
    counts = {
        "byte": org.device_width_bits * org.devices // 8,
        "column": org.columns,
        "bank": org.banks // org.bank_groups,
        "row": org.rows,
        "bank_group": org.bank_groups,
        "rank": org.ranks,
        "channel": org.channels,
    }
    bits = [bit for f in fields(AddressBits) for bit in getattr(memory.address_bits, f.name)]
    for name, count in counts.items():
        have = len(getattr(memory.address_bits, name))
        if 1 << have != count:
            problems.append(f"address_bits of {name} must number log2({count}), but are {have}")
    if sorted(bits) != list(range(len(bits))):
        problems.append(f"address_bits must use each bit from 0 up once, but use {sorted(bits)}")
    return problems


def _current_problems(currents: Currents) -> list[str]:
    """Return the currents that would make a term of `MemorySpec.energy_pj` negative, which no device does."""
    problems = []
    for name, floors, what in (
        ("idd0", ("idd2n", "idd3n"), "activating and precharging"),
        ("idd4r", ("idd3n",), "a read"),
        ("idd4w", ("idd3n",), "a write"),
        ("idd5", ("idd3n",), "a refresh"),
    ):
        standby = max(floors, key=lambda floor: getattr(currents, floor))
        value, least = getattr(currents, name), getattr(currents, standby)
        if value < least:
            problems.append(f"{name} must be at least {standby} = {least:g} mA, but is {value:g} mA: {what} would take negative energy")
    return problems


def _as_float(value: Any) -> Any:
    """Return a number as a float, anything else unchanged, to be refused by the constructor."""
    return float(value) if _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
