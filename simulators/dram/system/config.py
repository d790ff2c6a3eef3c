"""The design of a memory system: the ten parameters of the DRAM controller, and what other memories than DDR3 add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from designgym.core.errors import InputError
from designgym.simulators.dram.controller import CHOICES as CONTROLLER_CHOICES
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.system.mapping import MAPPING_CHOICES, AddressMapping
from designgym.simulators.dram.system.standard import STANDARDS

__all__ = ["CHOICES", "PARAMETER_NAMES", "MemorySystemConfig"]

CHOICES: dict[str, tuple[str, ...]] = {
    **CONTROLLER_CHOICES,
    "RefreshPolicy": (*CONTROLLER_CHOICES["RefreshPolicy"], "Bank"),
    "Memory": STANDARDS,
    **MAPPING_CHOICES,
    "WriteDrain": ("None", "Eager", "Batch"),
    "PowerDown": ("Off", "On"),
}

# Positions of the values above, as the compiled simulation sees them.
DRAIN_NONE, DRAIN_EAGER, DRAIN_BATCH = range(3)


@dataclass(frozen=True)
class MemorySystemConfig(ControllerConfig):
    """One memory system: each channel has a controller of this kind. `ControllerConfig` says what the first ten parameters mean.

    Attributes:
        RefreshPolicy: Besides the controller's two, `Bank`: refreshes of single banks (LPDDR4, HBM2), pairs (LPDDR5) or the same bank of
            every group (DDR5), each at its own time, while the others serve requests. The limits hold for each bank.
        Memory: The memory's name.
        AddressOrder: With the four that follow, the address mapping; see `mapping`.
        BankGroupBits: See `mapping`.
        RankBits: See `mapping`.
        ChannelBits: See `mapping`.
        BankXor: See `mapping`.
        WriteDrain: `None` mixes reads and writes. Otherwise reads go first, and writes while no read is buffered, or from the time that the
            high watermark of buffered writes is reached until the low one is. `Batch` also stays with the writes that it began for want
            of reads until the low watermark is reached, where `Eager` turns to the first read.
        WriteHighWatermark: Buffered writes of a channel from which on they are served first.
        WriteLowWatermark: Buffered writes down to which they are.
        PowerDown: Whether a rank without buffered requests is put into power-down.
        PowerDownIdle: Clocks since its last command after which it is.
    """

    Memory: str = "DDR4-2400"
    AddressOrder: str = "RowBankColumn"
    BankGroupBits: str = "AboveBank"
    RankBits: str = "High"
    ChannelBits: str = "High"
    BankXor: str = "None"
    WriteDrain: str = "None"
    WriteHighWatermark: int = 8
    WriteLowWatermark: int = 4
    PowerDown: str = "Off"
    PowerDownIdle: int = 64

    def __post_init__(self) -> None:
        """Refuse values that a memory system does not know, naming all of them at once."""
        problems = []
        for name in PARAMETER_NAMES:
            value = getattr(self, name)
            if name in CHOICES:
                if value not in CHOICES[name]:
                    problems.append(f"{name} must be one of {', '.join(CHOICES[name])}, but is {value!r}")
            elif not isinstance(value, int) or isinstance(value, bool) or not _LEAST[name] <= value <= _MOST:
                problems.append(f"{name} must be an integer from {_LEAST[name]} to {_MOST}, but is {value!r}")
        if not problems and self.WriteDrain != "None" and self.WriteLowWatermark >= self.WriteHighWatermark:
            problems.append(
                f"WriteLowWatermark must be below WriteHighWatermark = {self.WriteHighWatermark}, but is {self.WriteLowWatermark}"
            )
        if problems:
            raise InputError(f"A memory system cannot be built: {'; '.join(problems)}.")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> MemorySystemConfig:
        """Return the memory system of a design; other keys are ignored, parameters without a value keep their default."""
        return cls(**{name: values[name] for name in PARAMETER_NAMES if name in values})

    def to_dict(self) -> dict[str, str | int]:
        """Return all parameters by name."""
        return asdict(self)

    @property
    def mapping(self) -> AddressMapping:
        """The address mapping."""
        return AddressMapping(**{name: getattr(self, name) for name in MAPPING_CHOICES})

    def encode(self) -> tuple[int, ...]:
        """Return the controller's ten parameters as integers; `Bank` counts as `AllBank`: units of banks do what all banks did."""
        values = {**self.to_dict(), "RefreshPolicy": "NoRefresh" if self.RefreshPolicy == "NoRefresh" else "AllBank"}
        return ControllerConfig.from_mapping(values).encode()


_LEAST = {
    "RequestBufferSize": 1, "RefreshMaxPostponed": 0, "RefreshMaxPulledin": 0, "MaxActiveTransactions": 1,
    "WriteHighWatermark": 1, "WriteLowWatermark": 0, "PowerDownIdle": 1,
}  # fmt: skip
_MOST = 1_000_000
PARAMETER_NAMES = tuple(field.name for field in fields(MemorySystemConfig))
