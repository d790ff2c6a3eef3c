"""Budgets: nobody exceeds them, however many workers there are, and what a killed worker had set aside counts as spent."""

import asyncio
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon import budget as module
from designgym.simulators.archon.budget import Budget, Limits
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import BudgetExhaustedError


@pytest.mark.parametrize("bad", [{"usd": -1}, {"calls": True}, {"tokens": "many"}, {"seconds": float("nan")}])
def test_limits_that_cannot_be(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"the budget's {next(iter(bad))} is "):
        Limits(**bad)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=40),
    st.integers(0, 300),
    st.integers(0, 20),
)
def test_no_limit_is_exceeded_by_calls_side_by_side(worst_and_used: list[tuple[int, int]], tokens: int, calls: int) -> None:
    spending = Budget(Limits(tokens=tokens, calls=calls), CallStore())
    most = 0.0

    async def one(worst: int, used: int) -> None:
        nonlocal most
        reservation = await spending.reserve(0.0, worst)
        await asyncio.sleep(0)
        spending.settle(reservation, 0.0, min(used, worst))
        most = max(most, spending.spent().tokens)

    async def everybody() -> list[object]:
        return list(await asyncio.gather(*(one(*pair) for pair in worst_and_used), return_exceptions=True))

    module.POLL_S = 0.0005
    results = asyncio.run(everybody())
    assert all(result is None or isinstance(result, BudgetExhaustedError) for result in results)
    spent = spending.spent()
    assert spent.tokens <= tokens and spent.calls <= calls and most <= tokens
    assert spent.calls == sum(result is None for result in results)
    refused = [worst for (worst, _), result in zip(worst_and_used, results, strict=True) if result is not None]
    assert all(spent.tokens + worst > tokens or spent.calls >= calls for worst in refused)  # none was refused without need
    assert bool(spending.exhausted()) == bool(refused)


def _spender(path: str, tokens: float, queue: "multiprocessing.Queue[int]") -> None:
    spending = Budget(Limits(tokens=tokens), CallStore(path))
    made = 0

    async def one() -> None:
        nonlocal made
        reservation = await spending.reserve(0.0, 7)
        await asyncio.sleep(0.001)
        spending.settle(reservation, 0.0, 5)
        made += 1

    async def everybody() -> None:
        await asyncio.gather(*(one() for _ in range(40)), return_exceptions=True)

    asyncio.run(everybody())
    queue.put(made)


def test_workers_share_one_budget(tmp_path: Path) -> None:
    path, tokens = str(tmp_path / "calls.db"), 300.0
    CallStore(path).close()
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[int] = context.Queue()
    workers = [context.Process(target=_spender, args=(path, tokens, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    made = sum(queue.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    spent = Budget(Limits(), CallStore(path)).spent()
    assert spent.tokens == 5 * made and spent.calls == made
    assert tokens - 7 < spent.tokens <= tokens  # all but what the last call might have taken


def test_a_call_that_can_never_fit_is_refused_at_once_with_what_is_left() -> None:
    spending = Budget(Limits(usd=1.0), CallStore())
    spending.settle(asyncio.run(spending.reserve(0.75, 10)), 0.75, 10)
    with pytest.raises(BudgetExhaustedError, match=r"the budget of 1 usd has 0.25 left, too little for a call that may take 0.5"):
        asyncio.run(spending.reserve(0.5, 10))
    assert spending.exhausted().startswith("the budget of 1 usd has 0.25 left")
    assert Budget(Limits(usd=2.0), spending._store).exhausted() == ""  # with more money it goes on


def test_what_a_killed_worker_set_aside_counts_as_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    store = CallStore()
    monkeypatch.setattr(module, "LEASE_S", 0.0)  # its lease is over at once
    asyncio.run(Budget(Limits(tokens=100), store).reserve(0.0, 60))
    monkeypatch.undo()
    other = Budget(Limits(tokens=100), store)
    with pytest.raises(BudgetExhaustedError, match="has 40 left"):
        asyncio.run(other.reserve(0.0, 50))
    asyncio.run(other.reserve(0.0, 40))
    assert other.spent().tokens == 60


def test_seconds_count_while_it_runs_and_not_between() -> None:
    now = [1000.0]
    store = CallStore()

    def opened() -> Budget:
        return Budget(Limits(seconds=10.0), store, clock=lambda: now[0])

    first = opened()
    reservation = asyncio.run(first.reserve(0.0, 1))
    now[0] += 6
    first.settle(reservation, 0.0, 1)
    now[0] += 86400  # a day later
    second = opened()
    assert second.left_s() == pytest.approx(4.0)
    now[0] += 5
    with pytest.raises(BudgetExhaustedError, match="the budget of 10 s is spent"):
        asyncio.run(second.reserve(0.0, 1))


def test_budgets_of_other_names_are_others() -> None:
    store = CallStore()
    one, two = Budget(Limits(calls=1), store, name="one"), Budget(Limits(calls=1), store, name="two")
    one.settle(asyncio.run(one.reserve(0, 1)), 0, 1)
    two.settle(asyncio.run(two.reserve(0, 1)), 0, 1)
    assert one.spent().calls == two.spent().calls == 1
