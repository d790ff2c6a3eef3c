"""Address mappings: which bits of an address choose channel, rank, bank group, bank and row.

From the top: channel and rank (if `High`), then row, bank and column in the order that the mapping names, with the bank group above or
below the bank and the rank above both (if `WithBank`), then rank, channel and bank group (if `Low`), and the bytes of a line of 64 bytes at
the bottom. What is lower changes more often along a stream of addresses. `BankXor` adds the lowest bits of the row, without carry, to those
of bank group and bank, so that rows of one bank that are used in turn lie in different banks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError
from designgym.simulators.dram.system.standard import LINE_BYTES, MemoryStandard

__all__ = ["MAPPING_CHOICES", "AddressMapping", "Coordinates"]

MAPPING_CHOICES: dict[str, tuple[str, ...]] = {
    "AddressOrder": ("RowBankColumn", "RowColumnBank", "BankRowColumn"),
    "BankGroupBits": ("AboveBank", "BelowBank", "Low"),
    "RankBits": ("High", "WithBank", "Low"),
    "ChannelBits": ("High", "Low"),
    "BankXor": ("None", "Row"),
}
"""The parameters of a mapping and their values; the first ones give the mapping of `designgym/DramController-v0`."""

Int64s = NDArray[np.int64]


class Coordinates(NamedTuple):
    """Where lines lie; int64, shape ``(n,)`` each.

    `bank` counts within the channel: rank, then bank group, then bank; `column` counts the lines of a row.
    """

    channel: Int64s
    bank: Int64s
    row: Int64s
    column: Int64s


@dataclass(frozen=True)
class AddressMapping:
    """A mapping; see the module for what the choices mean."""

    AddressOrder: str = "RowBankColumn"
    BankGroupBits: str = "AboveBank"
    RankBits: str = "High"
    ChannelBits: str = "High"
    BankXor: str = "None"

    def __post_init__(self) -> None:
        """Refuse values that no mapping has."""
        for f in fields(self):
            if getattr(self, f.name) not in MAPPING_CHOICES[f.name]:
                raise InputError(f"{f.name} must be one of {', '.join(MAPPING_CHOICES[f.name])}, but is {getattr(self, f.name)!r}.")

    def layout(self, memory: MemoryStandard) -> tuple[tuple[str, int], ...]:
        """Return the fields of an address and their widths in bits, from the lowest."""
        org = memory.organisation
        line_columns = LINE_BYTES * 8 // (org.device_width_bits * org.devices)
        widths = {
            "line": LINE_BYTES.bit_length() - 1,
            "column": (org.columns // line_columns).bit_length() - 1,
            "bank": org.banks_per_group.bit_length() - 1,
            "bank_group": org.bank_groups.bit_length() - 1,
            "rank": org.ranks.bit_length() - 1,
            "channel": org.channels.bit_length() - 1,
            "row": org.rows.bit_length() - 1,
        }
        return tuple((name, widths[name]) for name in self._names())

    def decode(self, addresses: Int64s, memory: MemoryStandard) -> Coordinates:
        """Return where byte addresses lie.

        Raises:
            InputError: If an address lies beyond the memory.
        """
        if addresses.size and int(addresses.max()) >= memory.capacity_bytes:
            raise InputError(
                f"Address {int(addresses.max()):#x} lies beyond the {memory.capacity_bytes} bytes of {memory.name}. "
                "Use a larger memory or wrap the addresses."
            )
        parts: dict[str, Int64s] = {}
        shift = 0
        for name, bits in self.layout(memory):
            parts[name] = (addresses >> shift) & ((1 << bits) - 1)
            shift += bits
        org = memory.organisation
        of_rank = parts["bank_group"] * org.banks_per_group + parts["bank"]
        if self.BankXor == "Row":
            of_rank = of_rank ^ (parts["row"] & (memory.banks_per_rank - 1))
        return Coordinates(parts["channel"], parts["rank"] * memory.banks_per_rank + of_rank, parts["row"], parts["column"])

    def _names(self) -> Iterator[str]:
        """Yield the fields from the lowest."""
        yield "line"
        for name, choice in (("bank_group", self.BankGroupBits), ("channel", self.ChannelBits), ("rank", self.RankBits)):
            if choice == "Low":
                yield name
        for name in reversed(_ORDERS[self.AddressOrder]):
            if name != "bank":
                yield name
                continue
            yield from {"AboveBank": ("bank", "bank_group"), "BelowBank": ("bank_group", "bank"), "Low": ("bank",)}[self.BankGroupBits]
            if self.RankBits == "WithBank":
                yield "rank"
        for name, choice in (("rank", self.RankBits), ("channel", self.ChannelBits)):
            if choice == "High":
                yield name


_ORDERS = {
    "RowBankColumn": ("row", "bank", "column"),
    "RowColumnBank": ("row", "column", "bank"),
    "BankRowColumn": ("bank", "row", "column"),
}
