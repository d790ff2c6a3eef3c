"""Best of n: one grade for each candidate, given as soon as it is there."""

from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.components.base import Candidate
from tests.simulators.archon.scripted import Ask, Scripted, kept, one, result, texts


def grade(ask: Ask) -> str | None:
    word = ask.text.split("Answer:\n")[1].split()[0]
    return None if word == "unheard" else "hm" if word == "unclear" else f"Because.\nScore: {word}"


@given(st.lists(st.integers(0, 10), max_size=8), st.integers(1, 9))
def test_the_best_are_kept_with_their_scores(scores: list[int], top_k: int) -> None:
    context = Scripted(grade)
    left = kept(result(one("best_of_n", top_k=top_k), context, [f"{score} {i}" for i, score in enumerate(scores)]))
    places = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:top_k]
    assert [(c.text, c.score) for c in left] == [(f"{scores[i]} {i}", scores[i]) for i in places]
    assert len(context.asked) == len(scores)


def test_no_candidate_waits_for_another() -> None:
    context = Scripted(grade)
    result(one("best_of_n"), context, ["1", "2", "3"], come_s=lambda i: 10.0 * i)
    assert sorted(context.times) == [(0, 1), (10, 11), (20, 21)]


def test_those_without_a_score_come_last() -> None:
    context = Scripted(grade)
    left = kept(result(one("best_of_n", top_k=4), context, ["unclear", "unheard", None, Candidate("9 x", dropped=True), "0", "3"]))
    assert [(c.text, c.score) for c in left] == [("3", 3.0), ("0", 0.0), ("unclear", None), ("unheard", None)]
    assert "best_of_n gave a candidate no score, it comes last" in context.notes and "best_of_n with 5 of 6 candidates" in context.notes


def test_if_none_has_a_score_the_first_are_kept() -> None:
    assert texts(result(one("best_of_n", top_k=2), Scripted(lambda ask: None), ["7", "8", "9"])) == ["7", "8"]
