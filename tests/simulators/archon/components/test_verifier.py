"""The verifier judges each candidate as soon as it is there and keeps those found correct; none passing keeps all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.components.base import Candidate
from tests.simulators.archon.scripted import Ask, Scripted, kept, one, result, texts


def judge(ask: Ask) -> str | None:
    """Find correct what has "right" in it; fail where it says so."""
    if "Judge the answer" not in ask.text:
        return None if "no reasoning" in ask.text else "since it says so"
    if "no verdict" in ask.text:
        return None
    return "CORRECT" if "right" in ask.text.split("Answer:")[1].split("Reasoning")[0] else "INCORRECT"


def test_two_steps_for_each_and_only_the_correct_are_kept() -> None:
    context = Scripted(judge)
    left = kept(result(one("verifier"), context, ["wrong", "right 1", "right 2"]))
    assert [(c.text, c.score) for c in left] == [("right 1", 1.0), ("right 2", 1.0)]
    assert len(context.asked) == 6 and all("since it says so" in ask.text for ask in context.asked if "Judge" in ask.text)
    assert context.notes == []


def test_no_candidate_waits_for_another() -> None:
    context = Scripted(judge)
    result(one("verifier"), context, ["right 1", "right 2", "right 3"], come_s=lambda i: 10.0 * i)
    assert sorted(context.times) == [(0, 1), (1, 2), (10, 11), (11, 12), (20, 21), (21, 22)]


@given(st.lists(st.sampled_from(["right", "wrong", "no verdict", "no reasoning", "failed", "dropped"]), max_size=7))
def test_the_correct_are_kept_or_else_all(fates: list[str]) -> None:
    candidates = [None if f == "failed" else Candidate(f"{f} {i}", dropped=f == "dropped") for i, f in enumerate(fates)]
    left = texts(result(one("verifier"), Scripted(judge), candidates))
    there = [c.text for c in candidates if c and not c.dropped]
    right = [text for text in there if text.startswith("right")]
    assert left == (right or there)


@pytest.mark.parametrize(
    ("candidates", "note"),
    [
        (["wrong 1", "wrong 2"], "verifier: none of 2 candidates passed, the best are kept"),
        (["no verdict"], "verifier judged none of 1 candidates, all are kept"),
    ],
)
def test_what_did_not_go_as_planned_is_noted(candidates: list[str], note: str) -> None:
    context = Scripted(judge)
    assert texts(result(one("verifier"), context, candidates)) == candidates and note in context.notes


def test_a_score_from_before_does_not_decide() -> None:
    left = result(one("verifier"), Scripted(lambda ask: None), [Candidate("a", score=9.0), Candidate("b", score=2.0)])
    assert texts(left) == ["a", "b"]


def test_the_score_of_one_that_was_dropped_before_is_no_bar_to_others() -> None:
    given: list[Candidate | str | None] = [
        Candidate("wrong 1", score=9.0, dropped=True),
        "wrong 2",
        Candidate("right", score=1.0, dropped=True),
    ]
    context = Scripted(judge)
    assert texts(result(one("verifier"), context, given)) == ["wrong 2"]
    assert context.notes == ["verifier: none of 1 candidates passed, the best are kept"]
