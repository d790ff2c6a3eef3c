"""The cache of calls: each is made once, whoever asks and however processes end."""

import asyncio
import json
import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from designgym.core.errors import InputError
from designgym.simulators.archon import call_store
from designgym.simulators.archon.budget import Budget, Limits
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Answer, BudgetExhaustedError, Call, CallError, Decoding, Message
from tests.simulators.archon.backends import Echo


def call(text: str = "why", sample: int = 0, model: str = "m", temperature: float = 0.7, seed: int = 0) -> Call:
    return Call(model, (Message("user", text),), Decoding(temperature, max_tokens=100), sample, seed)


class PerToken:
    def cost_usd(self, model: str, input_tokens: int, output_tokens: int) -> float:
        return (input_tokens + 2 * output_tokens) * 1e-3


def test_equal_calls_are_made_once_at_the_same_time_and_later() -> None:
    backend, store = Echo(latency_s=lambda call: 0.01), CallStore()

    async def many() -> list[tuple[Answer, bool, str]]:
        calls = CachedCalls(backend, store)
        return list(await asyncio.gather(*(calls.ask(call(sample=i % 3)) for i in range(30))))

    first = asyncio.run(many())
    assert len(backend.calls) == 3 == len(store) and sum(not saved for _, saved, _ in first) == 3
    again = asyncio.run(many())
    assert len(backend.calls) == 3 and all(saved for _, saved, _ in again)
    assert [answer for answer, _, _ in again] == [answer for answer, _, _ in first]


def test_more_samples_reuse_those_that_were_drawn() -> None:
    backend, store = Echo(), CallStore()

    async def draw(n: int) -> list[str]:
        calls = CachedCalls(backend, store)
        return [(await calls.ask(call(sample=i))).answer.text for i in range(n)]

    three, five = asyncio.run(draw(3)), asyncio.run(draw(5))
    assert five[:3] == three and len(backend.calls) == 5


@pytest.mark.parametrize(
    "other",
    [
        call("why not"),
        call(model="n"),
        call(sample=1),
        call(seed=1),
        call(temperature=0.8),
        Call("m", (Message("system", "why"),), Decoding(0.7, max_tokens=100)),
        Call("m", (Message("user", "why"),), Decoding(0.7, max_tokens=101)),
        Call("m", (Message("user", "why"),), Decoding(0.7, top_p=0.9, max_tokens=100)),
        Call("m", (Message("user", "why"),), Decoding(0.7, mirostat_tau=3.0, max_tokens=100)),
    ],
)
def test_whatever_changes_the_answer_changes_the_key(other: Call) -> None:
    assert other.key("a") != call().key("a") and call().key("a") != call().key("b")
    assert call().key("a") == call().key("a")


def test_without_chance_all_samples_are_one() -> None:
    assert call(sample=0, temperature=0.0).key("a") == call(sample=7, temperature=0.0).key("a")


def test_a_failed_call_is_not_kept_and_may_be_made_again() -> None:
    backend, store = Echo(fails=lambda call: True), CallStore()
    with pytest.raises(CallError, match="status 500"):
        asyncio.run(CachedCalls(backend, store).ask(call()))
    backend.fails = lambda call: False
    assert asyncio.run(CachedCalls(backend, store).ask(call())).saved is False
    assert len(store) == 1


def test_who_is_stopped_leaves_the_call_to_end_and_its_answer_to_be_kept() -> None:
    backend, store = Echo(latency_s=lambda call: 0.05), CallStore()

    async def stopped() -> None:
        calls = CachedCalls(backend, store)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await calls.ask(call())
        await calls.drain()

    asyncio.run(stopped())
    assert len(store) == 1


def test_known_answers_cost_nothing_of_the_budget() -> None:
    backend, store = Echo(lambda call: "one two"), CallStore()

    async def run(limit: float) -> Budget:
        budget = Budget(Limits(usd=limit), store)
        calls = CachedCalls(backend, store, prices=PerToken(), budget=budget)
        for _ in range(5):
            await calls.ask(call())
        return budget

    worst = (call().most_input_tokens() + 2 * 100) * 1e-3
    assert asyncio.run(run(worst)).spent().usd == pytest.approx(0.005)  # one token in, two out
    with pytest.raises(BudgetExhaustedError):
        asyncio.run(CachedCalls(backend, store, prices=PerToken(), budget=Budget(Limits(usd=worst), store)).ask(call("another")))
    assert len(backend.calls) == 1


def test_an_answer_that_comes_after_the_time_is_none() -> None:
    store = CallStore()
    budget = Budget(Limits(seconds=0.05), store)
    with pytest.raises(BudgetExhaustedError, match="over before the answer came"):
        asyncio.run(CachedCalls(Echo(latency_s=lambda call: 5.0), store, budget=budget).ask(call()))
    assert budget.spent().calls == 1  # it may have been billed


def test_a_failed_call_counts_as_spent_since_it_may_have_been_billed() -> None:
    store = CallStore()
    budget = Budget(Limits(calls=1), store)
    calls = CachedCalls(Echo(fails=lambda call: True), store, budget=budget)
    with pytest.raises(CallError):
        asyncio.run(calls.ask(call()))
    with pytest.raises(BudgetExhaustedError):
        asyncio.run(calls.ask(call("another")))


def _asker(path: str, log: str, n: int) -> None:
    """Ask n questions in order, noting in a file each call that is made (its answer was delivered) before going on."""

    class Logging(Echo):
        async def answer(self, call: Call) -> Answer:
            answer = await super().answer(call)
            with open(log, "a") as file:
                file.write(call.messages[0].content + "\n")
            return answer

    async def ask() -> None:
        calls = CachedCalls(Logging(latency_s=lambda call: 0.004), CallStore(path))
        found = await asyncio.gather(*(calls.ask(call(f"question {i}")) for i in range(n)))
        with open(f"{log}-paid", "a") as file:
            file.write("".join(f"{known.key}\n" for known in found if not known.saved))

    asyncio.run(ask())


def test_processes_side_by_side_make_each_call_once(tmp_path: Path) -> None:
    path, log = str(tmp_path / "calls.db"), str(tmp_path / "log")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_asker, args=(path, log, 60)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    made = Path(log).read_text().split("\n")[:-1]
    assert len(made) == len(set(made)) == 60 == len(CallStore(path))
    paid = Path(f"{log}-paid").read_text().split()
    assert len(paid) == len(set(paid)) == 60  # each counts as paid by the one who made it


def test_no_call_whose_answer_was_stored_is_repeated_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, log = str(tmp_path / "calls.db"), str(tmp_path / "log")
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_sequential, args=(path, log, 10_000))
    worker.start()
    deadline = time.monotonic() + 60
    while (not Path(log).exists() or len(Path(log).read_text().split("\n")) < 20) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    kept = {json.loads(text)["messages"][0][1] for (text,) in sqlite3.connect(path).execute("SELECT call FROM calls")}
    before = Path(log).read_text().split("\n")[:-1]
    assert len(kept) >= 18 and len(set(before) - kept) <= 1  # at most the one that was under way
    monkeypatch.setattr(call_store, "LEASE_S", 0.2)
    again = context.Process(target=_sequential, args=(path, log, len(before) + 5, 0.2))
    again.start()
    again.join(60)
    repeated = [line for line in Path(log).read_text().split("\n")[:-1][len(before) :] if line in kept]
    assert again.exitcode == 0 and not repeated


def _sequential(path: str, log: str, n: int, lease_s: float = 0.2) -> None:
    call_store.LEASE_S = lease_s  # what the killed one had reserved is free again soon

    class Logging(Echo):
        async def answer(self, call: Call) -> Answer:
            with open(log, "a") as file:
                file.write(call.messages[0].content + "\n")
            return await super().answer(call)

    async def ask() -> None:
        calls = CachedCalls(Logging(latency_s=lambda call: 0.001), CallStore(path))
        for i in range(n):
            await calls.ask(call(f"question {i}"))

    asyncio.run(ask())


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database at all, but long enough to be looked at by SQLite" * 20)
    with pytest.raises(InputError, match=r"the store of calls .*notes.txt' cannot be used: .*give another path"):
        CallStore(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="cannot be used"):
        CallStore(tmp_path)


def test_answers_are_json_and_nothing_else_is_read() -> None:
    answer = Answer("text\ud800 with a lone surrogate".replace("\ud800", "?"), 3, 4, 0.25, "length")
    assert Answer.from_json(answer.to_json()) == answer
    for bad in ("", "[]", '{"text": "x"}', "null"):
        with pytest.raises(InputError, match="not a recorded answer"):
            Answer.from_json(bad)
