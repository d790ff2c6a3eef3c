"""`Budget`: limits in money, calls, tokens and seconds that no number of workers together exceeds."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.call_store import LEASE_S, CallStore
from designgym.simulators.archon.calls import BudgetExhaustedError

__all__ = ["Budget", "Limits", "Spent"]

POLL_S, LONGEST_POLL_S = 0.02, 0.25


@dataclass(frozen=True)
class Limits:
    """What may be spent at most; infinite unless said.

    Attributes:
        usd: Money, by the price table.
        calls: Calls of models.
        tokens: Tokens, read and written.
        seconds: Seconds while the search runs; pauses between its runs do not count.
    """

    usd: float = math.inf
    calls: float = math.inf
    tokens: float = math.inf
    seconds: float = math.inf

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise InputError(f"the budget's {name} is {shorten(value)}, expected a number of 0 or more, or leave it out for no limit")


@dataclass(frozen=True)
class Spent:
    """What was spent."""

    usd: float = 0.0
    calls: float = 0.0
    tokens: float = 0.0
    seconds: float = 0.0


class Budget:
    """Limits that hold for everybody who shares the store.

    Before a call, the most that it can cost is set aside; after it, what it did cost is booked and the rest is free again. A call that
    does not fit beside what others have set aside waits for them; one that does not fit into what is left is refused. So the limits are
    never exceeded, at the price that the last bit of a budget may stay unspent: how many tokens a message has is only bounded before an
    endpoint counts them. What a killed process had set aside counts as spent, since its calls may have been served.

    Args:
        limits: What may be spent.
        store: Where it is booked.
        name: Budgets of other names in the same store are other budgets.
        clock: Seconds, for tests.
    """

    def __init__(self, limits: Limits, store: CallStore, *, name: str = "search", clock: Callable[[], float] = time.time) -> None:
        self.limits, self.name = limits, name
        self._store, self._clock = store, clock
        self._began = clock() - self.spent().seconds

    def spent(self) -> Spent:
        """Return what was spent so far, by everybody."""
        row = self._store.connection().execute(
            "SELECT usd, calls, tokens, seconds FROM spending WHERE budget = ?", (self.name,)
        ).fetchone()  # fmt: skip
        return Spent(*row) if row else Spent()

    def exhausted(self) -> str:
        """Return why a call was refused, to anybody, since these limits hold; empty if none was."""
        row = self._store.connection().execute(
            "SELECT refused FROM spending WHERE budget = ? AND limits = ?", (self.name, repr(self.limits))
        ).fetchone()  # fmt: skip
        return row[0] if row else ""

    def left_s(self) -> float:
        """Return the seconds that are left."""
        return self._began + self.limits.seconds - self._clock()

    async def reserve(self, usd: float, tokens: float) -> str:
        """Set aside the most that one call can cost and return the reservation; wait if it fits only once others are done.

        Raises:
            BudgetExhaustedError: If it does not fit into what is left, or the time is over.
        """
        pause_s = POLL_S
        try:
            while (taken := self._try(usd, tokens)) is None:
                await asyncio.sleep(pause_s)
                pause_s = min(1.5 * pause_s, LONGEST_POLL_S)
        except BudgetExhaustedError as error:
            with self._store.transaction() as connection:
                self._book(0.0, 0.0, 0.0)
                connection.execute(
                    "UPDATE spending SET refused = ?, limits = ? WHERE budget = ?", (str(error), repr(self.limits), self.name)
                )
            raise
        return taken

    def settle(self, reservation: str, usd: float, tokens: float) -> None:
        """Book what a call did cost."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM reserved WHERE id = ?", (reservation,))
            self._book(usd, 1.0, tokens)

    def renew(self, reservation: str) -> None:
        """Keep what is set aside for longer."""
        self._store.connection().execute("UPDATE reserved SET until = ? WHERE id = ?", (time.time() + 2 * LEASE_S, reservation))

    def _book(self, usd: float, calls: float, tokens: float) -> None:
        connection = self._store.connection()
        connection.execute("INSERT OR IGNORE INTO spending (budget, calls, tokens, usd, seconds) VALUES (?, 0, 0, 0, 0)", (self.name,))
        connection.execute(
            "UPDATE spending SET usd = usd + ?, calls = calls + ?, tokens = tokens + ?, seconds = MAX(seconds, ?) WHERE budget = ?",
            (usd, calls, tokens, self._clock() - self._began, self.name),
        )

    def _try(self, usd: float, tokens: float) -> str | None:
        limits = self.limits
        if self.left_s() <= 0:
            raise BudgetExhaustedError(f"the budget of {limits.seconds:g} s is spent")
        with self._store.transaction() as connection:
            for row in connection.execute(
                "DELETE FROM reserved WHERE budget = ? AND until < ? RETURNING usd, calls, tokens", (self.name, time.time())
            ).fetchall():
                self._book(*row)  # of a process that is gone
            spent = self.spent()
            others = connection.execute(
                "SELECT COALESCE(SUM(usd), 0), COALESCE(SUM(calls), 0), COALESCE(SUM(tokens), 0) FROM reserved WHERE budget = ?",
                (self.name,),
            ).fetchone()
            wanted = (("usd", usd, limits.usd), ("calls", 1.0, limits.calls), ("tokens", tokens, limits.tokens))
            fits = True
            for (name, amount, limit), aside in zip(wanted, others, strict=True):
                if getattr(spent, name) + amount > limit:
                    raise BudgetExhaustedError(
                        f"the budget of {limit:g} {name} has {max(limit - getattr(spent, name), 0.0):g} left, too little for a call that "
                        f"may take {amount:.6g}"
                    )
                fits = fits and getattr(spent, name) + aside + amount <= limit
            if not fits:
                return None
            reservation = uuid.uuid4().hex
            connection.execute(
                "INSERT INTO reserved VALUES (?, ?, ?, ?, ?, ?)", (reservation, self.name, 1.0, tokens, usd, time.time() + 2 * LEASE_S)
            )
        return reservation
