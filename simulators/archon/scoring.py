"""Scoring architectures on tasks: paired with a single call, on as many queries as it takes to tell that one is worse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.canonical import canonical
from designgym.simulators.archon.executor import Executor, Run
from designgym.simulators.archon.ledger import Account
from designgym.simulators.archon.statistics import paired_difference
from designgym.simulators.archon.tasks import Item

__all__ = ["Outcome", "Score", "score"]

Grade = Callable[[Item, str], Awaitable[float]]


@dataclass(frozen=True)
class Outcome:
    """An architecture's answer to a query.

    Attributes:
        item: The query.
        grade: From 0, wrong, to 1, right; 0 if there is no answer.
        run: How it came about.
    """

    item: Item
    grade: float
    run: Run


@dataclass(frozen=True)
class Score:
    """What an architecture is worth on queries.

    Attributes:
        outcomes: The queries in order; fewer than there are if it was stopped early.
        stopped: Whether it was stopped early, since it is worse than what it was compared with.
    """

    outcomes: tuple[Outcome, ...]
    stopped: bool = False

    @property
    def grades(self) -> list[float]:
        """The grades in order."""
        return [outcome.grade for outcome in self.outcomes]

    @property
    def mean(self) -> float:
        """The mean grade."""
        return float(np.mean(self.grades))

    @property
    def latency_s(self) -> float:
        """The mean seconds of an answer if nothing is known already."""
        return float(np.mean([outcome.run.latency_s for outcome in self.outcomes]))

    @property
    def account(self) -> Account:
        """The sums over all calls of all queries."""
        return Account.of(entry for outcome in self.outcomes for entry in outcome.run.entries)

    def metrics(self) -> dict[str, float]:
        """Return means by query: score, price, calls, tokens and seconds."""
        account, n = self.account, len(self.outcomes)
        return {
            "score_pct": 100 * self.mean,
            "cost_usd": account.usd / n,
            "latency_s": self.latency_s,
            "calls": account.calls / n,
            "input_tokens": account.input_tokens / n,
            "output_tokens": account.output_tokens / n,
            "queries": float(n),
        }


async def score(
    executor: Executor, architecture: Architecture, items: Sequence[Item], grade: Grade, *, against: Sequence[float] = (), block: int = 8,
    confidence: float = 0.99,
) -> Score:  # fmt: skip
    """Return an architecture's score on queries.

    Args:
        executor: What runs it.
        architecture: It is run in its canonical form.
        items: The queries.
        grade: What an answer is worth.
        against: Grades of something else on the same queries: after each block of queries it is stopped if with this confidence it is
            worse. Always all queries if empty.
        block: Queries that are answered at once before the next look.
        confidence: Of the one-sided paired interval; a look is taken after each block, which is shared out evenly over the looks.

    Raises:
        BudgetExhaustedError: If the budget ends before.
    """
    form = canonical(architecture)
    outcomes: list[Outcome] = []
    looks = max(-(-len(items) // block) - 1, 1)
    for start in range(0, len(items), block):
        found = await asyncio.gather(
            *(_outcome(executor, form, item, grade) for item in items[start : start + block]), return_exceptions=True
        )
        for outcome in found:
            if isinstance(outcome, BaseException):
                raise outcome  # the first one, when all of the block have ended
            outcomes.append(outcome)
        done = len(outcomes)
        if against and done < len(items):
            worse = paired_difference(
                [outcome.grade for outcome in outcomes], against[:done], confidence=1 - 2 * (1 - confidence) / looks
            ).high < 0  # fmt: skip
            if worse:
                return Score(tuple(outcomes), stopped=True)
    return Score(tuple(outcomes))


async def _outcome(executor: Executor, architecture: Architecture, item: Item, grade: Grade) -> Outcome:
    run = await executor.run(architecture, item.question)
    return Outcome(item, 0.0 if run.text is None else await grade(item, run.text), run)
