"""What an answer is worth: exact answers, programs that are run, checks of instructions, and judges that compare two answers."""

from __future__ import annotations

from typing import Protocol

from designgym.simulators.archon.grading.constraints import Constraint
from designgym.simulators.archon.grading.criteria import Criterion, Exact, Executable, Instructed, program_in
from designgym.simulators.archon.grading.final_answers import final_answer
from designgym.simulators.archon.grading.pairwise import Comparison, PairwiseJudge, Verdicts

__all__ = [
    "Comparison", "Constraint", "Criterion", "Exact", "Executable", "Instructed", "PairwiseJudge", "Verdicts", "final_answer", "grade",
    "program_in",
]  # fmt: skip


class Graded(Protocol):
    """What has a criterion, such as an item of tasks."""

    @property
    def criterion(self) -> Criterion:
        """What a right answer is."""
        ...


async def grade(item: Graded, text: str) -> float:
    """Return what a text is worth as an item's answer, from 0, wrong, to 1, right; an empty one is wrong."""
    return await item.criterion.grade(text) if text.strip() else 0.0
