"""The protocol checker must stay silent on legal streams and find exactly each rule that is broken on purpose."""

import numpy as np
import pytest

from designgym.simulators.dram.protocol_checker import (
    COMMANDS,
    DDR3_1600_TIMINGS,
    RefreshRule,
    ServedRequests,
    Violation,
    check_commands,
)

Command = tuple[int, str, int, int]  # tick, command, bank, row


def check(stream: list[Command], **options: object) -> list[Violation]:
    ticks, names, banks, rows = (list(column) for column in zip(*stream, strict=True))
    return check_commands(ticks, names, banks, rows, **options)  # type: ignore[arg-type]


LEGAL: dict[str, list[Command]] = {
    "one read": [(0, "ACT", 0, 5), (10, "RD", 0, 5), (28, "PRE", 0, 0), (38, "ACT", 0, 6)],
    "one write": [(0, "ACT", 0, 5), (10, "WR", 0, 5), (34, "PRE", 0, 0), (44, "ACT", 0, 6)],
    "auto-precharged read": [(0, "ACT", 0, 5), (22, "RDA", 0, 5), (38, "ACT", 0, 6)],
    "auto-precharged write": [(0, "ACT", 0, 5), (10, "WRA", 0, 5), (44, "ACT", 0, 6)],
    "row hits": [(0, "ACT", 0, 5), (10, "RD", 0, 5), (14, "RD", 0, 5), (18, "RD", 0, 5)],
    "read then write": [(0, "ACT", 0, 5), (10, "RD", 0, 5), (18, "WR", 0, 5), (22, "WR", 0, 5)],
    "write then read": [(0, "ACT", 0, 5), (10, "WR", 0, 5), (28, "RD", 0, 5)],
    "write then auto-precharged read": [(0, "ACT", 0, 5), (10, "WR", 0, 5), (28, "RDA", 0, 5)],
    "five banks": [(0, "ACT", 0, 1), (5, "ACT", 1, 1), (10, "ACT", 2, 1), (15, "ACT", 3, 1), (24, "ACT", 4, 1)],
    "refresh": [(0, "ACT", 0, 1), (5, "ACT", 1, 1), (33, "PREA", -1, -1), (43, "REFA", -1, -1), (131, "ACT", 0, 1)],
    "refresh twice": [(0, "REFA", -1, -1), (88, "REFA", -1, -1)],
    "refresh after auto-precharge": [(0, "ACT", 0, 1), (22, "RDA", 0, 1), (38, "REFA", -1, -1)],
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_streams_pass(name: str) -> None:
    assert check(LEGAL[name]) == []


# Each stream breaks the named rules in its LAST command, which would be legal at the given tick.
PLANTED: dict[str, tuple[list[Command], dict[str, int | None]]] = {
    "tRCD read": ([(0, "ACT", 0, 5), (9, "RD", 0, 5)], {"tRCD": 10}),
    "tRCD read auto": ([(0, "ACT", 0, 5), (9, "RDA", 0, 5)], {"tRCD": 10}),
    "tRCD write": ([(0, "ACT", 0, 5), (9, "WR", 0, 5)], {"tRCD": 10}),
    "tRCD write auto": ([(0, "ACT", 0, 5), (9, "WRA", 0, 5)], {"tRCD": 10}),
    "tCCD reads": ([(0, "ACT", 0, 5), (10, "RD", 0, 5), (13, "RD", 0, 5)], {"tCCD": 14, "data-bus": 14}),
    "tCCD writes": ([(0, "ACT", 0, 5), (10, "WR", 0, 5), (13, "WR", 0, 5)], {"tCCD": 14, "data-bus": 14}),
    "tCCD across banks": (
        [(0, "ACT", 0, 5), (5, "ACT", 1, 5), (15, "RDA", 0, 5), (18, "RD", 1, 5)],
        {"tCCD": 19, "data-bus": 19},
    ),
    "tWTR": ([(0, "ACT", 0, 5), (10, "WR", 0, 5), (27, "RD", 0, 5)], {"tWTR": 28}),
    "tWTR across banks": ([(0, "ACT", 0, 5), (5, "ACT", 1, 5), (15, "WRA", 0, 5), (32, "RD", 1, 5)], {"tWTR": 33}),
    "tRTW": ([(0, "ACT", 0, 5), (10, "RD", 0, 5), (17, "WR", 0, 5)], {"tRTW": 18}),
    "tRTW across banks": ([(0, "ACT", 0, 5), (5, "ACT", 1, 5), (15, "RDA", 0, 5), (22, "WRA", 1, 5)], {"tRTW": 23}),
    "tRC": ([(0, "ACT", 0, 5), (10, "RDA", 0, 5), (37, "ACT", 0, 6)], {"tRC": 38}),
    "tRRD": ([(0, "ACT", 0, 5), (4, "ACT", 1, 5)], {"tRRD": 5}),
    "tFAW": (
        [(0, "ACT", 0, 1), (5, "ACT", 1, 1), (10, "ACT", 2, 1), (15, "ACT", 3, 1), (23, "ACT", 4, 1)],
        {"tFAW": 24},
    ),
    "tRTP+tRP": ([(0, "ACT", 0, 5), (30, "RDA", 0, 5), (45, "ACT", 0, 6)], {"tRTP+tRP": 46}),
    "tWR+tRP": ([(0, "ACT", 0, 5), (10, "WRA", 0, 5), (43, "ACT", 0, 6)], {"tWR+tRP": 44}),
    "tRP": ([(0, "ACT", 0, 5), (40, "PRE", 0, 0), (49, "ACT", 0, 6)], {"tRP": 50}),
    "tRP after PREA": ([(0, "ACT", 0, 5), (40, "PREA", -1, -1), (49, "ACT", 1, 6)], {"tRP-PREA": 50}),
    "tRFC then ACT": ([(0, "REFA", -1, -1), (87, "ACT", 0, 1)], {"tRFC": 88}),
    "tRFC then REFA": ([(0, "REFA", -1, -1), (87, "REFA", -1, -1)], {"tRFC": 88}),
    "tRAS": ([(0, "ACT", 0, 5), (27, "PRE", 0, 0)], {"tRAS": 28}),
    "tRAS before PREA": ([(0, "ACT", 0, 5), (5, "ACT", 1, 5), (32, "PREA", -1, -1)], {"tRAS": 33}),
    "tRTP": ([(0, "ACT", 0, 5), (30, "RD", 0, 5), (35, "PRE", 0, 0)], {"tRTP": 36}),
    "tRTP before PREA": ([(0, "ACT", 0, 5), (5, "ACT", 1, 5), (40, "RDA", 0, 5), (45, "PREA", -1, -1)], {"tRTP": 46}),
    "tWR": ([(0, "ACT", 0, 5), (10, "WR", 0, 5), (33, "PRE", 0, 0)], {"tWR": 34}),
    "tWR before PREA": ([(0, "ACT", 0, 5), (5, "ACT", 1, 5), (15, "WRA", 0, 5), (38, "PREA", -1, -1)], {"tWR": 39}),
    "tRC before REFA": ([(0, "ACT", 0, 5), (10, "RDA", 0, 5), (37, "REFA", -1, -1)], {"tRC": 38}),
    "RDA before REFA": ([(0, "ACT", 0, 5), (40, "RDA", 0, 5), (55, "REFA", -1, -1)], {"tRTP+tRP": 56}),
    "WRA before REFA": ([(0, "ACT", 0, 5), (10, "WRA", 0, 5), (43, "REFA", -1, -1)], {"tWR+tRP": 44}),
    "PRE before REFA": ([(0, "ACT", 0, 5), (40, "PRE", 0, 0), (49, "REFA", -1, -1)], {"tRP": 50}),
    "PREA before REFA": ([(0, "ACT", 0, 5), (40, "PREA", -1, -1), (49, "REFA", -1, -1)], {"tRP-PREA": 50}),
    "two on the bus": ([(0, "ACT", 0, 5), (10, "RD", 0, 5), (10, "ACT", 1, 5)], {"bus": 11}),
    "back in time": ([(0, "ACT", 0, 5), (40, "ACT", 1, 5), (39, "PRE", 0, 0)], {"order": 41}),
    "ACT on an open bank": ([(0, "ACT", 0, 5), (50, "ACT", 0, 6)], {"open-bank": None}),
    "read of a closed bank": ([(0, "ACT", 0, 5), (10, "RD", 1, 5)], {"closed-bank": None}),
    "read after auto-precharge": ([(0, "ACT", 0, 5), (10, "RDA", 0, 5), (14, "RD", 0, 5)], {"closed-bank": None}),
    "write of a closed bank": ([(0, "ACT", 0, 5), (40, "PREA", -1, -1), (60, "WR", 0, 5)], {"closed-bank": None}),
    "wrong row": ([(0, "ACT", 0, 5), (10, "RD", 0, 6)], {"wrong-row": None}),
    "precharge twice": ([(0, "ACT", 0, 5), (40, "PRE", 0, 0), (60, "PRE", 0, 0)], {"precharge-closed": None}),
    "PREA of nothing": ([(0, "ACT", 0, 5), (40, "PRE", 0, 0), (60, "PREA", -1, -1)], {"precharge-closed": None}),
    "refresh with an open bank": ([(0, "ACT", 3, 5), (50, "REFA", -1, -1)], {"refresh-open-bank": None}),
    "no such bank": ([(0, "ACT", 8, 5)], {"bank": None}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_violation_is_found_exactly(name: str) -> None:
    stream, expected = PLANTED[name]
    found = check(stream)
    assert {violation.rule: violation.required_tick for violation in found} == expected
    tick, command, *_ = stream[-1]
    assert all((v.index, v.tick, v.command) == (len(stream) - 1, tick, command) for v in found)
    assert all(f"{command} at tick {tick}" in v.message for v in found)


@pytest.mark.parametrize("name", [name for name, (_, rules) in PLANTED.items() if None not in rules.values()])
def test_planted_violation_is_cured_at_the_required_tick(name: str) -> None:
    stream, expected = PLANTED[name]
    _, command, bank, row = stream[-1]
    cured = max(tick for tick in expected.values() if tick is not None)
    assert check([*stream[:-1], (cured, command, bank, row)]) == []


def test_write_recovery_before_auto_precharging_read_is_its_own_rule() -> None:
    # With the DDR3-1600 figures tWTR and tWR - tRTP coincide at 18 ticks; a longer tWR separates them.
    timings = {**DDR3_1600_TIMINGS, "WR": 15}
    stream: list[Command] = [(0, "ACT", 0, 5), (10, "WR", 0, 5), (30, "RDA", 0, 5)]
    assert [(v.rule, v.required_tick) for v in check(stream, timings=timings)] == [("tWR-RDA", 31)]


def test_data_bus_overlap_is_its_own_rule() -> None:
    timings = {**DDR3_1600_TIMINGS, "CCD": 2}
    stream: list[Command] = [(0, "ACT", 0, 5), (10, "RD", 0, 5), (12, "RD", 0, 5)]
    assert [(v.rule, v.required_tick) for v in check(stream, timings=timings)] == [("data-bus", 14)]


REFI = DDR3_1600_TIMINGS["REFI"]


def refreshes(*ticks: int) -> list[Command]:
    return [(tick, "REFA", -1, -1) for tick in ticks]


def test_refreshes_on_time_pass() -> None:
    stream = refreshes(*(REFI * k for k in range(1, 20)))
    assert check(stream, refresh=RefreshRule(max_postponed=1, max_pulled_in=0), end_tick=20 * REFI) == []


def test_postponed_and_pulled_in_refreshes_pass() -> None:
    late = refreshes(*(REFI * (k + 4) + 50 for k in range(1, 10)))
    assert check(late, refresh=RefreshRule(max_postponed=4), end_tick=13 * REFI) == []
    early = refreshes(*(REFI + 88 * k for k in range(4)))
    assert check(early, refresh=RefreshRule(max_postponed=1, max_pulled_in=3), end_tick=5 * REFI) == []


def test_overdue_refresh_is_found() -> None:
    found = check(refreshes(3 * REFI + 1), refresh=RefreshRule(max_postponed=1))
    assert [(v.rule, v.index, v.required_tick) for v in found] == [("refresh-overdue", 0, 3 * REFI)]
    tight = RefreshRule(max_postponed=1, slack_ticks=60)
    assert [v.required_tick for v in check(refreshes(2 * REFI + 61), refresh=tight)] == [2 * REFI + 60]


def test_missing_refreshes_are_found_at_the_end() -> None:
    found = check(refreshes(REFI), refresh=RefreshRule(max_postponed=2), end_tick=6 * REFI + 1)
    assert [(v.rule, v.index, v.required_tick) for v in found] == [
        ("refresh-overdue", 1, 5 * REFI),
        ("refresh-overdue", 1, 6 * REFI),
    ]
    assert len(check_commands([], [], [], [], refresh=RefreshRule(max_postponed=1), end_tick=3 * REFI + 1)) == 1


def test_refresh_pulled_in_too_far_is_found() -> None:
    found = check(refreshes(REFI, REFI + 88, REFI + 176), refresh=RefreshRule(max_postponed=8, max_pulled_in=1))
    assert [(v.rule, v.index, v.required_tick) for v in found] == [("refresh-early", 2, 2 * REFI)]


def test_requests_are_checked() -> None:
    served = ServedRequests(np.array([0, 0, 1]), np.array([5, 5, 7]), np.array([False, True, False]))
    stream: list[Command] = [(0, "ACT", 0, 5), (10, "RD", 0, 5), (18, "WR", 0, 5), (23, "ACT", 1, 7), (36, "RD", 1, 7)]
    assert check(stream, requests=[-1, 0, 1, -1, 2], served=served) == []
    rules = [v.rule for v in check(stream, requests=[-1, 1, 0, -1, 0], served=served)]
    assert rules == ["request", "request", "request-twice", "request", "request-missing"]
    assert "request" in [v.rule for v in check(stream, requests=[-1, 0, 1, -1, 3], served=served)]


def test_numbers_stand_for_commands() -> None:
    stream = LEGAL["one read"]
    numbers = np.array([COMMANDS.index(command) for _, command, _, _ in stream])
    ticks, _, banks, rows = zip(*stream, strict=True)
    assert check_commands(ticks, numbers, banks, rows) == []
    assert check_commands(ticks, numbers[::-1], banks, rows) != []


def test_unusable_input_is_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        check_commands([0, 1], ["ACT"], [0], [0])
    with pytest.raises(ValueError, match="got NOP"):
        check_commands([0], ["NOP"], [0], [0])
    with pytest.raises(ValueError, match="got number -1, number 8"):
        check_commands([0, 1], np.array([-1, 8]), [0, 0], [0, 0])
    with pytest.raises(ValueError, match="missing: RFC"):
        check_commands([0], ["ACT"], [0], [0], timings={k: v for k, v in DDR3_1600_TIMINGS.items() if k != "RFC"})
    with pytest.raises(ValueError, match="needs requests"):
        empty = np.zeros(0, dtype=np.int64)
        check_commands([], [], [], [], served=ServedRequests(empty, empty, empty.astype(bool)))
