"""`PairwiseJudge`: a model that says which of two answers is better, asked in both orders, since judges favour a place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from designgym.core.errors import InputError
from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.components.prompts import asking
from designgym.simulators.archon.statistics import Interval, LengthControlled, length_controlled_win_rate, win_rate

__all__ = ["Comparison", "PairwiseJudge", "Verdicts"]

Ask = Callable[[Sequence[Message]], Awaitable[str | None]]

_ROLE = "You judge answers fairly: not by their length, nor by the order in which you read them."
_REQUEST = (
    "Question:\n{question}\n\nAnswer A:\n{first}\n\nAnswer B:\n{second}\n\nWhich answer is more correct and more useful to who asked? "
    "Say why in a sentence or two. Then write a last line with the verdict alone: [[A]] if A is better, [[B]] if B is, [[C]] if neither is."
)
_VERDICTS = {"[[A]]": 1.0, "[[B]]": 0.0, "[[C]]": 0.5}


@dataclass(frozen=True)
class Comparison:
    """What a judge makes of an answer beside a reference.

    Attributes:
        outcome: 1 for a win, 0.5 for a tie, 0 for a loss; a tie if the judge contradicts itself when the order changes.
        as_first: Its verdict with the answer in the first place; None if it gave none that can be read.
        as_second: Its verdict with the answer in the second place.
        length: Characters of the answer.
        reference_length: Characters of the reference.
    """

    outcome: float
    as_first: float | None
    as_second: float | None
    length: int
    reference_length: int


@dataclass(frozen=True)
class Verdicts:
    """What a judge makes of many answers.

    Attributes:
        comparisons: One for each answer.
    """

    comparisons: tuple[Comparison, ...]

    def win_rate(self, *, confidence: float = 0.95) -> Interval:
        """Return the share of wins, with ties as half a win, and its interval; raises `InputError` if there are no comparisons."""
        return win_rate([comparison.outcome for comparison in self.comparisons], confidence=confidence)

    def length_controlled(self, *, confidence: float = 0.95) -> LengthControlled:
        """Return the win rate as if the answers were as long as the references."""
        return length_controlled_win_rate(
            [comparison.outcome for comparison in self.comparisons], [comparison.length for comparison in self.comparisons],
            [comparison.reference_length for comparison in self.comparisons], confidence=confidence,
        )  # fmt: skip

    @property
    def contradictions(self) -> float:
        """The share of pairs in which the judge preferred the same place twice: how much it goes by place."""
        swapped = [c for c in self.comparisons if {c.as_first, c.as_second} <= {0.0, 1.0}]
        return sum(c.as_first != c.as_second for c in swapped) / max(len(self.comparisons), 1)

    @property
    def unread(self) -> int:
        """How many verdicts were missing or could not be read; each is a tie."""
        return sum((c.as_first is None) + (c.as_second is None) for c in self.comparisons)


class PairwiseJudge:
    """Compares answers with references (as MT-Bench, Zheng et al. 2023, arXiv 2306.05685: both orders, and a tie if they disagree).

    Args:
        ask: Asks the judge, as in ``lambda messages: ...``; returns its answer, or None if there is none.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def compare(self, question: Question, text: str, reference: str) -> Comparison:
        """Return whether a text is a better answer than a reference, which the judge is asked twice, at once."""
        first, second = await asyncio.gather(self._verdict(question, text, reference), self._verdict(question, reference, text))
        turned = None if second is None else 1 - second
        outcome = first if first is not None and first == turned else 0.5
        return Comparison(outcome, first, turned, len(text), len(reference))

    async def compare_all(self, questions: Sequence[Question], texts: Sequence[str], references: Sequence[str]) -> Verdicts:
        """Return what the judge makes of many answers; raises `InputError` unless there are as many of each."""
        if not len(questions) == len(texts) == len(references):
            raise InputError(
                f"there are {len(questions)} questions, {len(texts)} answers and {len(references)} references, expected as many of each"
            )
        return Verdicts(tuple(await asyncio.gather(*(self.compare(*each) for each in zip(questions, texts, references, strict=True)))))

    async def _verdict(self, question: Question, first: str, second: str) -> float | None:
        request = _REQUEST.format(question=question.text, first=first, second=second)
        answer = await self._ask(asking(_ROLE, question, request))
        if answer is None:
            return None
        said = [(answer.rfind(mark), value) for mark, value in _VERDICTS.items() if mark in answer]
        return max(said)[1] if said else None
