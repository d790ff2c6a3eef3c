"""`CachedCalls`: every call is made and paid for once, whoever asks: other architectures, other workers, later searches."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple, Protocol

from designgym.simulators.archon.budget import Budget
from designgym.simulators.archon.call_store import LEASE_S, CallStore, Found
from designgym.simulators.archon.calls import Answer, Backend, BudgetExhaustedError, Call

__all__ = ["CachedCalls", "Known", "Prices"]

POLL_S, LONGEST_POLL_S = 0.02, 0.5


class Prices(Protocol):
    """What calls cost."""

    def cost_usd(self, model: str, input_tokens: int, output_tokens: int) -> float:
        """Return the price of a call."""
        ...


class Known(NamedTuple):
    """An answer, and whether it was known: then nothing was paid.

    Attributes:
        answer: The answer.
        saved: Whether it cost no call now.
        key: What it is known by.
    """

    answer: Answer
    saved: bool
    key: str


class CachedCalls:
    """Answers calls from the store, and those that are not there from the backend, within the budget.

    Use it from one event loop.

    Args:
        backend: What answers.
        store: Where answers are kept.
        prices: What calls cost; nothing if None.
        budget: What may be spent; without limits if None.
    """

    def __init__(self, backend: Backend, store: CallStore, *, prices: Prices | None = None, budget: Budget | None = None) -> None:
        self.backend, self.store, self.prices, self.budget = backend, store, prices, budget
        self._under_way: dict[str, asyncio.Task[Known]] = {}

    def key(self, call: Call) -> str:
        """Return what a call's answer is known by."""
        return call.key(self.backend.identity(call.model))

    def cost_usd(self, model: str, input_tokens: int, output_tokens: int) -> float:
        """Return the price of a call."""
        return self.prices.cost_usd(model, input_tokens, output_tokens) if self.prices is not None else 0.0

    async def ask(self, call: Call) -> Known:
        """Return the answer to a call.

        Raises:
            CallError: If there is none after all attempts.
            BudgetExhaustedError: If it is not known, and asking could exceed a limit.
        """
        key = self.key(call)
        if (running := self._under_way.get(key)) is not None:
            return (await asyncio.shield(running))._replace(saved=True)
        found = self.store.find(key)
        if found.answer is not None:
            return Known(found.answer, True, key)
        # the call goes on if who asks is stopped: it is paid for, so its answer is kept
        task = asyncio.ensure_future(self._answered(call, key, found))
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for calls that are under way though nobody waits for them."""
        while self._under_way:
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _answered(self, call: Call, key: str, found: Found) -> Known:
        pause_s = POLL_S
        while not found.reserved:  # another process makes the call
            await asyncio.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LONGEST_POLL_S)
            found = self.store.find(key)
            if found.answer is not None:
                return Known(found.answer, True, key)  # and has paid for it
        try:
            return Known(self.store.fill(key, call, await self._paid(call, key)), False, key)
        except BaseException:
            self.store.release(key)
            raise

    async def _paid(self, call: Call, key: str) -> Answer:
        if self.budget is None:
            async with self._renewing(key, None):
                return await self.backend.answer(call)
        most_input = call.most_input_tokens()
        most_usd = self.cost_usd(call.model, most_input, call.decoding.max_tokens)
        reservation = await self.budget.reserve(most_usd, most_input + call.decoding.max_tokens)
        # until it is known what was used: the call may have been served and billed all the same
        usd, tokens = most_usd, most_input + call.decoding.max_tokens
        try:
            async with self._renewing(key, reservation), asyncio.timeout(max(self.budget.left_s(), 0.0) if self._timed else None):
                answer = await self.backend.answer(call)
            usd = self.cost_usd(call.model, answer.input_tokens, answer.output_tokens)
            tokens = answer.input_tokens + answer.output_tokens
        except TimeoutError:
            raise BudgetExhaustedError(f"the budget of {self.budget.limits.seconds:g} s was over before the answer came") from None
        finally:
            self.budget.settle(reservation, usd, tokens)
        return answer

    @property
    def _timed(self) -> bool:
        return self.budget is not None and self.budget.limits.seconds != float("inf")

    @contextlib.asynccontextmanager
    async def _renewing(self, key: str, reservation: str | None):  # type: ignore[no-untyped-def]
        """Hold the reservations while a call is under way."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE_S / 3)
                self.store.renew(key)
                if self.budget is not None and reservation is not None:
                    self.budget.renew(reservation)

        task = asyncio.ensure_future(renew())
        try:
            yield
        finally:
            task.cancel()
