"""Limits per minute: never more than they allow, all that they allow, and nobody overtaken."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.rate_limits import BURST, RateLimits
from tests.simulators.archon import virtual_time


def entered(limits_of: tuple[float, float], arrivals: Sequence[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """Return when each request may be sent and how many tokens it took, for arrivals of time, tokens reserved and tokens used."""

    async def all_of_them() -> list[tuple[float, float]]:
        limits, loop = RateLimits(*limits_of), asyncio.get_running_loop()

        async def one(at_s: float, reserved: float, used: float) -> tuple[float, float]:
            await asyncio.sleep(at_s)
            await limits.enter(reserved)
            sent = loop.time()
            await asyncio.sleep(1.0)
            limits.settle(reserved, used)
            return sent, used

        return list(await asyncio.gather(*(one(*arrival) for arrival in arrivals)))

    return virtual_time.run(all_of_them())


TIMES = st.floats(0, 100).map(lambda x: round(x, 2))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.lists(TIMES, min_size=1, max_size=60))
def test_no_window_has_more_requests_than_the_rate_and_the_burst(per_minute: int, times: list[float]) -> None:
    sent = sorted(at for at, _ in entered((per_minute, 0), [(at, 0.0, 0.0) for at in times]))
    burst = max(per_minute * BURST, 1.0)
    for i, start in enumerate(sent):
        for j in range(i, len(sent)):
            assert j - i + 1 <= burst + (sent[j] - start) * per_minute / 60 + 1e-6


@settings(max_examples=60, deadline=None)
@given(st.integers(100, 10_000), st.lists(st.tuples(TIMES, st.floats(1, 500)), min_size=1, max_size=40))
def test_no_window_has_more_tokens_than_the_rate_the_burst_and_one_request(per_minute: int, calls: list[tuple[float, float]]) -> None:
    sent = sorted(entered((0, per_minute), [(at, n, n) for at, n in calls]))
    burst, largest = max(per_minute * BURST, 1.0), max(n for _, n in calls)
    for i, (start, _) in enumerate(sent):
        for j in range(i, len(sent)):
            assert sum(n for _, n in sent[i : j + 1]) <= burst + largest + (sent[j][0] - start) * per_minute / 60 + 1e-6


def test_all_that_is_allowed_is_used() -> None:
    sent = [at for at, _ in entered((120, 0), [(0.0, 0.0, 0.0)] * 132)]
    assert sent[:12] == [0.0] * 12  # the burst
    assert max(sent) == pytest.approx(60.0)  # 120 more in a minute


def test_those_who_came_first_go_first_also_if_they_need_more() -> None:
    sent = entered((0, 600), [(0.0, 60, 60), (0.1, 500, 500), *[(0.2, 1, 1)] * 20])
    assert sorted(range(22), key=lambda i: sent[i][0])[:2] == [0, 1]


def test_tokens_that_were_not_written_are_given_back_at_once() -> None:
    # ten requests that reserve 600 tokens and use 6: with none given back they would take nine minutes
    assert max(at for at, _ in entered((0, 600), [(0.0, 600, 6)] * 10)) < 120
    assert max(at for at, _ in entered((0, 600), [(0.0, 600, 600)] * 10)) == pytest.approx(9 * 60, rel=0.02)


def test_without_limits_nobody_waits() -> None:
    assert {at for at, _ in entered((0, 0), [(0.0, 1e9, 1e9)] * 50)} == {0.0}


def test_a_pause_holds_for_all_and_a_shorter_one_does_not_end_it() -> None:
    async def paused() -> list[float]:
        limits, loop, times = RateLimits(), asyncio.get_running_loop(), list[float]()
        limits.pause(5)
        limits.pause(1)

        async def one() -> None:
            await limits.enter(1)
            times.append(loop.time())

        await asyncio.gather(one(), one())
        return times

    assert virtual_time.run(paused()) == [5.0, 5.0]


def test_who_stops_waiting_holds_nobody_up() -> None:
    async def cancelled() -> float:
        limits, loop = RateLimits(60, 0), asyncio.get_running_loop()
        await asyncio.gather(*(limits.enter(0) for _ in range(6)))
        waiting = asyncio.ensure_future(limits.enter(0))
        await asyncio.sleep(0.5)
        waiting.cancel()
        await limits.enter(0)
        return loop.time()

    assert virtual_time.run(cancelled()) == pytest.approx(1.0)


@pytest.mark.parametrize("wrong", [-1, math.inf, math.nan, "many", None, True])
def test_a_limit_that_cannot_be_is_an_error(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"a limit per minute is .* 0 is no limit"):
        RateLimits(wrong)
