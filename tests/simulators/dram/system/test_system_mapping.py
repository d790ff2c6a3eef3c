"""Every mapping gives each line of a memory a place of its own, and places every line."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.system.mapping import MAPPING_CHOICES, AddressMapping
from designgym.simulators.dram.system.standard import LINE_BYTES, STANDARDS, standard

MAPPINGS = st.builds(AddressMapping, **{name: st.sampled_from(choices) for name, choices in MAPPING_CHOICES.items()})


@given(name=st.sampled_from(STANDARDS), mapping=MAPPINGS)
def test_every_line_has_a_place_of_its_own(name: str, mapping: AddressMapping) -> None:
    memory = standard(name)
    org = replace(memory.organisation, rows=64, columns=memory.organisation.columns // 16, channels=min(memory.organisation.channels, 2))
    small = replace(memory, organisation=org)
    lines = np.arange(small.capacity_bytes // LINE_BYTES) * LINE_BYTES
    where = mapping.decode(lines, small)
    seen = Counter(zip(where.channel.tolist(), where.bank.tolist(), where.row.tolist(), where.column.tolist(), strict=True))
    assert len(seen) == lines.size
    assert len({(c, b) for c, b, _, _ in seen}) == org.channels * small.banks
    assert max(row for _, _, row, _ in seen) == org.rows - 1
    inside = mapping.decode(lines + 63, small)
    assert all(np.array_equal(a, b) for a, b in zip(where, inside, strict=True))


def test_the_first_choices_are_the_controllers_mapping() -> None:
    addresses = np.random.default_rng(1).integers(0, 1 << 30, 10_000)
    bank, row = MemorySpec.load().decode(addresses)
    where = AddressMapping().decode(addresses, standard("DDR3-1600"))
    assert np.array_equal(where.bank, bank) and np.array_equal(where.row, row) and not where.channel.any()


def field_of(mapping: AddressMapping, address: int, memory: str = "DDR4-2400") -> tuple[int, int, int, int]:
    """Return channel, rank, bank group and row of an address."""
    m = standard(memory)
    where = mapping.decode(np.array([address]), m)
    bank = int(where.bank[0])
    return int(where.channel[0]), bank // m.banks_per_rank, bank % m.banks_per_rank // m.organisation.banks_per_group, int(where.row[0])


def test_what_is_low_changes_with_the_next_line() -> None:
    assert field_of(AddressMapping(BankGroupBits="Low"), 64) == (0, 0, 1, 0)
    assert field_of(AddressMapping(BankGroupBits="BelowBank"), 8 << 10) == (0, 0, 1, 0)
    assert field_of(AddressMapping(), 8 << 10) == (0, 0, 0, 0)
    assert field_of(AddressMapping(), 32 << 10) == (0, 0, 1, 0)
    assert field_of(AddressMapping(RankBits="Low"), 64) == (0, 1, 0, 0)
    assert field_of(AddressMapping(ChannelBits="Low"), 64, "HBM2") == (1, 0, 0, 0)
    assert field_of(AddressMapping(), 64) == (0, 0, 0, 0)
    assert field_of(AddressMapping(RankBits="High"), 8 << 30) == (0, 1, 0, 0)
    assert field_of(AddressMapping(AddressOrder="BankRowColumn"), 8 << 10) == (0, 0, 0, 1)


def test_xor_spreads_rows_of_a_bank_over_banks() -> None:
    rows = np.arange(16) << 17  # one row after the other of one bank, without XOR
    plain = AddressMapping().decode(rows, standard("DDR4-2400"))
    mixed = AddressMapping(BankXor="Row").decode(rows, standard("DDR4-2400"))
    assert len(set(plain.bank.tolist())) == 1 and sorted(mixed.bank.tolist()) == list(range(16))
    assert np.array_equal(plain.row, mixed.row)


def test_wrong_mappings_and_addresses_are_refused() -> None:
    with pytest.raises(InputError, match="BankXor must be one of None, Row, but is 'Column'"):
        AddressMapping(BankXor="Column")
    with pytest.raises(InputError, match="lies beyond the 1073741824 bytes of DDR3-1600"):
        AddressMapping().decode(np.array([1 << 30]), standard("DDR3-1600"))
