from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from designgym.core.errors import InputError
from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.grading import Comparison, PairwiseJudge, Verdicts

QUESTION = Question((Message("system", "be kind"), Message("user", "Why is the sky blue?")))


class Judge:
    """Says what a function makes of the two answers that it reads."""

    def __init__(self, says: object) -> None:
        self.says, self.asked = says, list[str]()

    async def __call__(self, messages: Sequence[Message]) -> str | None:
        text = messages[-1].content
        self.asked.append(text)
        assert messages[-1].role == "user" and "Why is the sky blue?" in text
        first, second = text.split("Answer A:\n")[1].split("\n\nAnswer B:\n")
        second = second.split("\n\nWhich answer")[0]
        await asyncio.sleep(0)
        return self.says(first, second)  # type: ignore[operator]


def compared(judge: Judge, text: str = "long answer", reference: str = "short") -> Comparison:
    return asyncio.run(PairwiseJudge(judge).compare(QUESTION, text, reference))


def longer(first: str, second: str) -> str:
    return f"Hm, [[C]]? No.\n[[{'A' if len(first) > len(second) else 'B' if len(second) > len(first) else 'C'}]]"


def test_it_asks_in_both_orders_and_takes_what_agrees() -> None:
    judge = Judge(longer)
    assert compared(judge) == Comparison(1.0, 1.0, 1.0, 11, 5)
    assert len(judge.asked) == 2 and judge.asked[0] != judge.asked[1]
    assert compared(judge, "short", "long answer").outcome == 0.0
    assert compared(judge, "same!", "short").outcome == 0.5


@pytest.mark.parametrize(
    ("verdict", "as_first", "as_second"), [("[[A]]", 1.0, 0.0), ("[[B]]", 0.0, 1.0), ("no idea", None, None), (None, None, None)]
)
def test_a_judge_that_goes_by_place_or_says_nothing_makes_a_tie(
    verdict: str | None, as_first: float | None, as_second: float | None
) -> None:
    found = compared(Judge(lambda first, second: verdict))
    assert (found.outcome, found.as_first, found.as_second) == (0.5, as_first, as_second)


def test_many_answers_give_a_win_rate() -> None:
    judge = PairwiseJudge(Judge(longer))
    texts = ["a much longer answer", "x", "another long answer", "equal"]
    found = asyncio.run(judge.compare_all([QUESTION] * 4, texts, ["equal"] * 4))
    assert [comparison.outcome for comparison in found.comparisons] == [1.0, 0.0, 1.0, 0.5]
    rate = found.win_rate()
    assert rate.value == 0.625 and 0.1 < rate.low < 0.625 < rate.high < 1
    assert found.contradictions == 0 and found.unread == 0
    assert found.length_controlled().length_effect > 0 and found.length_controlled().value < rate.value
    with pytest.raises(InputError, match="1 questions, 2 answers"):
        asyncio.run(judge.compare_all([QUESTION], ["a", "b"], ["c"]))


def test_how_much_a_judge_goes_by_place_is_told() -> None:
    kinds = [("A", 1.0, 0.0), ("A", 1.0, 1.0), ("C", 0.5, 0.5), ("-", None, 1.0)]
    found = Verdicts(tuple(Comparison(0.5, first, second, 1, 1) for _, first, second in kinds))
    assert found.contradictions == 0.25 and found.unread == 1
    with pytest.raises(InputError, match="expected a list"):
        Verdicts(()).win_rate()
