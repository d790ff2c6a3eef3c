"""The checker stays silent on legal streams and finds exactly each rule that is broken on purpose."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from designgym.core.errors import InputError
from designgym.simulators.dram.protocol_rules import Violation
from designgym.simulators.dram.system.checker import Bursts, Command, RefreshLimits, check_channel
from designgym.simulators.dram.system.standard import standard

DDR4, DDR5, LPDDR4, LPDDR5, HBM2 = (standard(n) for n in ("DDR4-2400", "DDR5-4800", "LPDDR4-3200", "LPDDR5-6400", "HBM2"))
MEMORIES = {"DDR4": DDR4, "DDR5": DDR5, "LPDDR4": LPDDR4, "LPDDR5": LPDDR5, "HBM2": HBM2}
Stream = Sequence[tuple[int, str, int]]  # clock, command, bank; all rows are 5


def check(memory: str, stream: Stream, **options: object) -> list[Violation]:
    commands = [Command(tick, name, bank, 5) for tick, name, bank in stream]
    return check_channel(commands, MEMORIES[memory], **options)  # type: ignore[arg-type]


# Bank 1 lies in bank 0's group; DDR4: 4 in another, 16 on the other rank. The last command comes one clock too early, by the rules named;
# it is legal at the latest of their clocks.
PLANTED: dict[str, tuple[str, Stream, dict[str, int | None]]] = {
    "tRCD": ("DDR4", [(0, "ACT", 0), (16, "RD", 0)], {"tRCD": 17}),
    "tRCD of a write is shorter": ("HBM2", [(1, "ACT", 0), (6, "WR", 0)], {"tRCD": 7}),
    "tRCD of a read": ("HBM2", [(1, "ACT", 0), (12, "RD", 0)], {"tRCD": 13}),
    "tRAS": ("DDR4", [(0, "ACT", 0), (38, "PRE", 0)], {"tRAS": 39}),
    "tRC": ("DDR5", [(1, "ACT", 0), (78, "PRE", 0), (116, "ACT", 0)], {"tRC": 117, "tRP": 117}),
    "tRP": ("DDR4", [(0, "ACT", 0), (50, "PRE", 0), (66, "ACT", 0)], {"tRP": 67}),
    "tRP of all banks": ("LPDDR4", [(3, "ACT", 0), (90, "PREA", 0), (123, "ACT", 0)], {"tRP_AB": 124}),
    "tRRD_L": ("DDR4", [(0, "ACT", 0), (5, "ACT", 1)], {"tRRD_L": 6}),
    "tRRD_S": ("DDR4", [(0, "ACT", 0), (3, "ACT", 4)], {"tRRD_S": 4}),
    "tFAW": ("DDR4", [(0, "ACT", 0), (4, "ACT", 4), (8, "ACT", 8), (12, "ACT", 12), (25, "ACT", 1)], {"tFAW": 26}),
    "tCCD_L": ("DDR4", [(0, "ACT", 0), (17, "RD", 0), (22, "RD", 0)], {"tCCD_L": 23}),
    "tCCD_S": ("DDR4", [(0, "ACT", 0), (4, "ACT", 4), (21, "RD", 0), (24, "RD", 4)], {"tCCD_S": 25, "data-bus": 25}),
    "tCCD_L of writes": ("DDR5", [(1, "ACT", 0), (40, "WR", 0), (87, "WR", 0)], {"tCCD_L_WR": 88}),
    "tWTR_L": ("DDR4", [(0, "ACT", 0), (17, "WR", 0), (41, "RD", 0)], {"tWTR_L": 42}),
    "tWTR_S": ("DDR4", [(0, "ACT", 0), (4, "ACT", 4), (21, "WR", 0), (39, "RD", 4)], {"tWTR_S": 40}),
    "tWTR_L counts the longer burst": ("LPDDR5", [(1, "ACT", 0), (16, "WR", 0), (38, "RD", 0)], {"tWTR_L": 39}),
    "tRTW": ("DDR4", [(0, "ACT", 0), (17, "RD", 0), (27, "WR", 0)], {"tRTW": 28}),
    "tRTW with tDQSCK": ("LPDDR4", [(3, "ACT", 0), (32, "RD", 0), (62, "WR", 0)], {"tRTW": 63}),
    "tRTP": ("DDR4", [(0, "ACT", 0), (35, "RD", 0), (43, "PRE", 0)], {"tRTP": 44}),
    "tWR": ("DDR4", [(0, "ACT", 0), (17, "WR", 0), (50, "PRE", 0)], {"tWR": 51}),
    "tWR with tDQSS": ("LPDDR4", [(3, "ACT", 0), (32, "WR", 0), (83, "PRE", 0)], {"tWR": 84}),
    "tWR before a read with auto-precharge": ("DDR5", [(1, "ACT", 0), (40, "WR", 0), (139, "RDA", 0)], {"tWR-RDA": 140}),
    "auto-precharged read": ("DDR4", [(0, "ACT", 0), (40, "RDA", 0), (65, "ACT", 0)], {"tRTP+tRP": 66}),
    "auto-precharged write": ("DDR4", [(0, "ACT", 0), (17, "WRA", 0), (67, "ACT", 0)], {"tWR+tRP": 68}),
    "tPPD": ("DDR5", [(1, "ACT", 0), (9, "ACT", 4), (100, "PRE", 0), (101, "PRE", 4)], {"tPPD": 102}),
    "ranks: reads": ("DDR4", [(0, "ACT", 0), (1, "ACT", 16), (18, "RD", 0), (23, "RD", 16)], {"tRTRS": 24}),
    "ranks: writes": ("DDR4", [(0, "ACT", 0), (1, "ACT", 16), (18, "WR", 0), (23, "WR", 16)], {"tRTRS": 24}),
    "ranks: read to write": ("DDR4", [(0, "ACT", 0), (1, "ACT", 16), (18, "RD", 0), (28, "WR", 16)], {"tRTRS": 29}),
    "command bus, two clocks": ("DDR5", [(1, "ACT", 0), (2, "ACT", 32 - 1)], {"command-bus": 3, "tRRD_S": 9}),
    "command bus, four clocks": ("LPDDR4", [(3, "ACT", 0), (32, "RD", 0), (35, "ACT", 1)], {"command-bus": 36}),
    "one command a clock": ("HBM2", [(1, "ACT", 0), (13, "RD", 0), (13, "ACT", 5)], {"order": 14}),
    "tRFC": ("DDR4", [(0, "REFA", 0), (419, "ACT", 3)], {"tRFC": 420}),
    "tRFC to refresh": ("DDR4", [(0, "REFA", 0), (419, "REFA", 0)], {"tRFC": 420}),
    "refresh of an open rank": ("DDR4", [(0, "ACT", 0), (100, "REFA", 0)], {"refresh-open-bank": None}),
    "refresh too soon after a precharge": ("DDR4", [(0, "ACT", 3), (50, "PRE", 3), (66, "REFA", 0)], {"tRP": 67}),
    "tRFC of a bank": ("LPDDR4", [(1, "REFB", 2), (224, "ACT", 2)], {"tRFC_BANK": 225}),
    "tRFC of a bank to the next": ("LPDDR4", [(1, "REFB", 2), (144, "REFB", 3)], {"REFB-REFB": 145}),
    "refresh of a bank to an ACT": ("LPDDR4", [(1, "REFB", 2), (16, "ACT", 3)], {"REFB-ACT": 17}),
    "ACT to the refresh of a bank": ("LPDDR4", [(3, "ACT", 2), (18, "REFB", 3)], {"tRRD_S": 19}),
    "refresh of an open bank": ("LPDDR4", [(3, "ACT", 2), (100, "REFB", 2)], {"refresh-open-bank": None}),
    "refresh of an open bank's pair": ("LPDDR5", [(3, "ACT", 9), (100, "REFB", 1)], {"refresh-open-bank": None}),
    "tRFC of a pair": ("LPDDR5", [(1, "REFB", 1), (96, "ACT", 9)], {"tRFC_BANK": 97}),
    "same bank of another group": ("DDR5", [(1, "REFB", 1), (312, "ACT", 29)], {"tRFC_BANK": 313}),
    "another bank of another group": ("DDR5", [(1, "REFB", 1), (72, "ACT", 30)], {"REFB-ACT": 73}),
    "tCKE": ("DDR4", [(0, "PDE", 0), (5, "PDX", 0)], {"tCKE": 6}),
    "tCKE awake": ("DDR4", [(0, "PDE", 0), (6, "PDX", 0), (11, "PDE", 0)], {"tCKE": 12}),
    "tXP": ("DDR4", [(0, "PDE", 0), (6, "PDX", 0), (13, "ACT", 0)], {"tXP": 14}),
    "tXP to refresh": ("DDR4", [(0, "PDE", 0), (6, "PDX", 0), (13, "REFA", 0)], {"tXP": 14}),
    "power-down after a read": ("DDR4", [(0, "ACT", 0), (17, "RD", 0), (38, "PDE", 0)], {"tRDPDEN": 39}),
    "power-down after a write": ("DDR4", [(0, "ACT", 0), (17, "WR", 0), (50, "PDE", 0)], {"tWRPDEN": 51}),
    "power-down after WRA": ("DDR4", [(0, "ACT", 0), (17, "WRA", 0), (51, "PDE", 0)], {"tWRAPDEN": 52}),
    "power-down after ACT": ("DDR4", [(0, "ACT", 0), (1, "PDE", 0)], {"tACTPDEN": 2}),
    "power-down after PRE": ("DDR4", [(0, "ACT", 0), (50, "PRE", 0), (51, "PDE", 0)], {"tPRPDEN": 52}),
    "power-down after refresh": ("DDR4", [(0, "REFA", 0), (1, "PDE", 0)], {"tREFPDEN": 2}),
    "a command in power-down": ("DDR4", [(0, "PDE", 0), (50, "ACT", 0)], {"power-down": None}),
    "power-down twice": ("DDR4", [(0, "PDE", 0), (50, "PDE", 0)], {"power-down": None}),
    "an end without power-down": ("DDR4", [(0, "PDX", 0)], {"power-down": None}),
    "ACT of an open bank": ("DDR4", [(0, "ACT", 0), (80, "ACT", 0)], {"open-bank": None}),
    "read of a closed bank": ("DDR4", [(0, "ACT", 0), (20, "RD", 1)], {"wrong-row": None}),
    "precharge of a closed bank": ("DDR4", [(0, "PRE", 0)], {"precharge-closed": None}),
    "precharge of a closed rank": ("DDR4", [(0, "ACT", 0), (50, "PREA", 16)], {"precharge-closed": None}),
    "no such bank": ("DDR4", [(0, "ACT", 32)], {"bank": None}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_planted_violation_is_found_exactly_and_cured_at_the_clock_it_names(name: str) -> None:
    memory, stream, expected = PLANTED[name]
    found = check(memory, stream)
    assert {violation.rule: violation.required_tick for violation in found} == expected
    assert {violation.index for violation in found} == {len(stream) - 1}
    clocks = [clock for clock in expected.values() if clock is not None]
    if clocks:
        _, command, bank = stream[-1]
        assert check(memory, [*stream[:-1], (max(clocks), command, bank)]) == []


LEGAL: dict[str, tuple[str, Stream]] = {
    "the other rank works while one refreshes": ("DDR4", [(0, "REFA", 0), (1, "ACT", 16), (18, "RD", 16), (60, "PREA", 16)]),
    "the other rank works while one sleeps": ("DDR4", [(0, "PDE", 0), (1, "ACT", 16), (18, "RD", 16)]),
    "power-down keeps rows": ("DDR4", [(0, "ACT", 0), (2, "PDE", 0), (60, "PDX", 0), (68, "RD", 0)]),
    "power-down during a refresh": ("DDR4", [(0, "REFA", 0), (2, "PDE", 0), (60, "PDX", 0), (420, "ACT", 0)]),
    "both command buses": ("HBM2", [(1, "ACT", 0), (13, "RD", 0), (14, "ACT", 5), (16, "RD", 0)]),
    "another bank works while one is refreshed": ("LPDDR4", [(1, "REFB", 0), (17, "ACT", 1), (46, "RD", 1)]),
    "bank groups in turn at full rate": ("DDR4", [(0, "ACT", 0), (4, "ACT", 4), (21, "RD", 0), (25, "RD", 4), (29, "RD", 0)]),
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_streams_pass(name: str) -> None:
    assert check(*LEGAL[name]) == []


def test_a_read_of_the_other_rank_needs_the_gap_after_written_data() -> None:
    slow = replace(DDR4, timings=replace(DDR4.timings, rl=14))  # so that the data would meet on the bus
    stream = [Command(0, "ACT", 0, 5), Command(1, "ACT", 16, 5), Command(18, "WR", 0, 5), Command(21, "RD", 16, 5)]
    assert [(v.rule, v.required_tick) for v in check_channel(stream, slow)] == [("tRTRS", 22)]


def limits(**options: int) -> RefreshLimits:
    return RefreshLimits(**{"banks": False, "max_postponed": 1, "max_pulled_in": 0, "slack_clocks": 100} | options)  # type: ignore[arg-type]


REFI = DDR4.timings.refi


def test_refreshes_on_time_pass_and_late_early_or_missing_ones_are_found() -> None:
    half = REFI // 2
    on_time = sorted((half + k * REFI + rank * half, "REFA", 16 * rank) for k in range(3) for rank in (0, 1))
    assert check("DDR4", on_time, limits=limits(), end_tick=3 * REFI) == []
    late = [(half + REFI + 101, "REFA", 0), (2 * REFI, "REFA", 16)]
    found = check("DDR4", late, limits=limits())
    assert [(v.rule, v.required_tick) for v in found] == [("refresh-overdue", half + REFI + 100)]
    found = check("DDR4", [(half - 1, "REFA", 0)], limits=limits())
    assert [(v.rule, v.required_tick) for v in found] == [("refresh-early", half)]
    found = check("DDR4", [], limits=limits(), end_tick=2 * REFI)
    assert [(v.rule, v.required_tick) for v in found] == [("refresh-overdue", half + REFI + 100)]
    found = check("DDR4", [(half, "REFA", 0), (half + 500, "REFA", 0)], limits=limits(max_pulled_in=1))
    assert found == []


def test_each_unit_of_banks_has_its_own_refreshes() -> None:
    interval = LPDDR4.timings.refi_bank
    stream = [(interval * (bank + 1) // 8, "REFB", bank) for bank in range(8)]
    assert check("LPDDR4", stream, limits=limits(banks=True), end_tick=interval) == []
    swapped = [(tick, name, 7 - bank) for tick, name, bank in stream]
    found = check("LPDDR4", swapped, limits=limits(banks=True))
    assert {v.rule for v in found} == {"refresh-early"} and len(found) == 4
    assert [v.rule for v in check("LPDDR4", [(10 * interval, "REFA", 0)], limits=limits(banks=True, max_postponed=20))] == ["refresh-kind"]


def test_bursts_are_checked() -> None:
    bursts = Bursts(np.array([0, 0, 1]), np.array([5, 5, 5]), np.array([False, True, False]), np.array([0, 0, 64]))
    stream = [
        Command(0, "ACT", 0, 5),
        Command(6, "ACT", 1, 5),
        Command(23, "RD", 0, 5, 0),
        Command(34, "WR", 0, 5, 1),
        Command(59, "RD", 1, 5, 2),
    ]
    assert check_channel(stream, DDR4, bursts=bursts) == []
    rules = [v.rule for v in check_channel([*stream[:3], replace(stream[3], burst=0)], DDR4, bursts=bursts)]
    assert rules == ["burst-twice", "burst", "burst-missing", "burst-missing"]
    assert [v.rule for v in check_channel([*stream[:-1], replace(stream[-1], burst=3)], DDR4, bursts=bursts)] == ["burst", "burst-missing"]


def test_accesses_to_one_address_keep_their_order() -> None:
    bursts = Bursts(np.array([0, 0]), np.array([5, 5]), np.array([True, False]), np.array([0, 0]))
    stream = [Command(0, "ACT", 0, 5), Command(17, "RD", 0, 5, 1), Command(28, "WR", 0, 5, 0)]
    assert [v.rule for v in check_channel(stream, DDR4, bursts=bursts)] == ["address-order"]
    reads = Bursts(bursts.banks, bursts.rows, np.array([False, False]), bursts.addresses)
    assert check_channel([*stream[:2], Command(23, "RD", 0, 5, 0)], DDR4, bursts=reads) == []


def test_unknown_commands_are_refused() -> None:
    with pytest.raises(InputError, match="got NOP"):
        check_channel([Command(0, "NOP", 0)], DDR4)
