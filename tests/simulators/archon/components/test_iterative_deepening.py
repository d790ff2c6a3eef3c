"""Iterative deepening: budgets that grow by a factor, with a check of the work after each."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.calls import Answer
from designgym.simulators.archon.components.iterative_deepening import budgets
from tests.simulators.archon.scripted import QUESTION, Ask, Scripted, one, result, texts


def cut(text: str) -> Answer:
    return Answer(text, 1, 1, 1.0, "length")


def by_round(*replies: str | Answer | None) -> Scripted:
    return Scripted(lambda ask: replies[(len(ask.messages) - 1) // 2], first=3)


@given(st.integers(1, 64), st.floats(1.0, 16.0), st.integers(1, 100_000))
def test_budgets_grow_by_the_factor_up_to_all_tokens(rounds: int, factor: float, most: int) -> None:
    found = budgets(rounds, factor, most)
    assert len(found) == rounds and found[-1] == most and found == sorted(found) and found[0] >= min(16, most)
    for before, after in pairwise(found):
        assert before == min(16, most) or after == pytest.approx(factor * before, abs=factor)


def test_each_round_goes_on_from_the_last_with_more_tokens() -> None:
    context = by_round(cut("so"), cut("so far"), "four")
    assert texts(result(one("iterative_deepening", max_tokens=1000, factor=4.0), context)) == ["four"]
    assert [ask.decoding.max_tokens for ask in context.asked] == [62, 250, 1000] and {ask.sample for ask in context.asked} == {3}
    first, _, last = context.asked
    assert first.messages == QUESTION.messages and last.messages[: len(first.messages)] == first.messages
    assert [m.role for m in last.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert "Wait." in last.text and last.messages[3].content == "so far"


def test_it_ends_when_a_check_changes_nothing() -> None:
    context = by_round("four", " four ", "five")
    assert texts(result(one("iterative_deepening"), context)) == [" four "] and len(context.asked) == 2
    context = by_round("five", "four", "four", "six")
    assert texts(result(one("iterative_deepening", rounds=4), context)) == ["four"] and len(context.asked) == 3


@pytest.mark.parametrize(
    ("replies", "text"),
    [
        (("four", cut("Wait, is"), cut("it?")), "four"),  # an answer that is whole is better than one that was cut off
        ((cut("a"), cut("b"), cut("c")), "c"),
        (("four", None, "five"), "four"),
        ((cut("a"), None, "five"), "a"),
    ],
)
def test_what_there_is_at_the_end(replies: tuple[str | Answer | None, ...], text: str) -> None:
    assert texts(result(one("iterative_deepening"), by_round(*replies))) == [text]


def test_without_a_first_answer_there_is_none() -> None:
    context = by_round(None)
    assert result(one("iterative_deepening"), context) == [None] and len(context.asked) == 1


def test_one_round_is_a_plain_call() -> None:
    def reply(ask: Ask) -> str:
        return "four"

    context, plain = Scripted(reply), Scripted(reply)
    result(one("iterative_deepening", rounds=1), context)
    result(one("generator"), plain)
    assert context.asked[0].identity == plain.asked[0].identity and len(context.asked) == 1
