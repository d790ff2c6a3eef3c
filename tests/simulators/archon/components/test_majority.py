"""The majority vote (self-consistency)."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Candidate, Question
from tests.simulators.archon.scripted import Scripted, kept, one, result

LAST_WORD = Question((Message("user", "?"),), extract=lambda text: text.split()[-1].lower() if text.split() else "")


def elected(candidates: Sequence[Candidate | None], **settings: bool) -> tuple[str | None, Scripted]:
    context = Scripted(lambda ask: None)
    left = kept(result(one("majority", "", **settings), context, candidates, question=LAST_WORD))
    assert not context.asked and len(left) <= 1
    return (left[0].text if left else None), context


def test_answers_that_say_the_same_in_other_words_are_one() -> None:
    text, _ = elected([Candidate("it is 5"), Candidate("four"), Candidate("so FOUR"), Candidate("5 or four")])
    assert text == "four"


@given(st.lists(st.sampled_from(["1", "2", "3", "", None, "dropped"]), max_size=9))
def test_the_first_of_those_with_most_votes(answers: list[str | None]) -> None:
    text, context = elected([None if a is None else Candidate(a, dropped=a == "dropped") for a in answers])
    there = [a for a in answers if a not in (None, "dropped")]
    counts = Counter(a for a in there if a) or Counter(there)
    assert text == max(there, key=lambda a: counts[a], default=None)  # max takes the first of equals
    missing = answers.count(None)
    assert context.notes == ([f"majority with {len(answers) - missing} of {len(answers)} candidates"] if missing else [])


def test_the_score_is_the_share_of_votes() -> None:
    left = result(one("majority", ""), Scripted(lambda ask: None), ["1", "2", "2", "1", "2"])
    assert [(c.text, c.score) for c in kept(left)] == [("2", 0.6)]


def test_votes_weigh_as_the_scores_that_were_left_before() -> None:
    scored = [Candidate("1", score=9.0), Candidate("2", score=4.0), Candidate("2", score=4.0), Candidate("3", score=None)]
    assert elected(scored)[0] == "2" and elected(scored, weighted=True)[0] == "1"
    unjudged = [Candidate("1", score=6.0), Candidate("2", score=4.0), Candidate("2", score=None)]  # the last weighs 5
    assert elected(unjudged, weighted=True)[0] == "2"


def test_without_scores_or_with_nothing_but_zeros_all_votes_are_equal() -> None:
    text, context = elected([Candidate("1"), Candidate("2"), Candidate("2")], weighted=True)
    assert text == "2" and context.notes == ["majority: none of 3 candidates has a score, all votes count the same"]
    assert elected([Candidate(a, score=0.0) for a in "122"], weighted=True)[0] == "2"


@given(st.lists(st.tuples(st.sampled_from("123"), st.integers(1, 10)), min_size=1, max_size=8))
def test_equal_weights_change_nothing(votes: list[tuple[str, int]]) -> None:
    plain = [Candidate(answer, score=3.0) for answer, _ in votes]
    assert elected(plain, weighted=True)[0] == elected(plain)[0]
    # and a vote of whole weight w is as good as w votes
    weighted = [Candidate(answer, score=float(weight)) for answer, weight in votes]
    repeated = [Candidate(answer) for answer, weight in votes for _ in range(weight)]
    assert elected(weighted, weighted=True)[0] == elected(repeated)[0]


@pytest.mark.parametrize("candidates", [[], [None], [Candidate("x", dropped=True)]])
def test_nobody_is_elected_if_there_is_none(candidates: list[Candidate | None]) -> None:
    assert elected(candidates)[0] is None
