"""Critics annotate, rankers order and keep the best; what they leave out or say in another form does no harm."""

from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.components.base import Candidate
from tests.simulators.archon.scripted import Scripted, kept, one, result, texts


def test_a_critic_annotates_every_candidate_in_one_call() -> None:
    context = Scripted(lambda ask: "[1] right\n[2] too long")
    left = kept(result(one("critic"), context, ["a", "b"]))
    assert [(c.text, c.critique) for c in left] == [("a", "right"), ("b", "too long")] and len(context.asked) == 1


def test_a_second_critic_adds_to_the_first_and_does_not_see_it() -> None:
    context = Scripted(lambda ask: "[1] wrong")
    left = kept(result(one("critic"), context, [Candidate("a", critique="right")]))
    assert left[0].critique == "right\nwrong" and "right" not in context.asked[0].text


def test_a_critic_that_leaves_some_out_or_fails_keeps_all() -> None:
    context = Scripted(lambda ask: "[2] too long")
    assert [c.critique for c in kept(result(one("critic"), context, ["a", "b", "c"]))] == ["", "too long", ""]
    assert context.notes == ["critic left out 2 of 3 candidates"]
    assert texts(result(one("critic"), Scripted(lambda ask: None), ["a", "b"])) == ["a", "b"]


def test_failures_are_noted_once_where_they_were_seen_and_drops_never() -> None:
    context = Scripted(lambda ask: "[1] right\n[2] long")
    left = result(one("critic"), context, ["a", None, Candidate("b", dropped=True), "c"])
    assert texts(left) == ["a", "c"] and context.notes == ["critic with 3 of 4 candidates"]
    following = Scripted(lambda ask: "fused")
    result(one("fuser"), following, left)
    assert following.notes == []


@given(st.integers(1, 8), st.integers(1, 8), st.permutations(range(8)))
def test_a_ranker_keeps_the_best(count: int, top_k: int, order: list[int]) -> None:
    places = [i for i in order if i < count]
    context = Scripted(lambda ask: " > ".join(f"[{i + 1}]" for i in places))
    left = result(one("ranker", top_k=top_k), context, [f"c{i}" for i in range(count)])
    assert texts(left) == [f"c{i}" for i in places][:top_k]
    assert len(context.asked) == (count > 1)


def test_a_ranker_ranks_what_came_and_survives_a_failed_call() -> None:
    context = Scripted(lambda ask: "[2] > [1]")
    assert texts(result(one("ranker", top_k=3), context, [None, "b", "c"])) == ["c", "b"]
    assert context.notes == ["ranker with 2 of 3 candidates"]
    assert texts(result(one("ranker", top_k=2), Scripted(lambda ask: None), ["a", "b", "c"])) == ["a", "b"]


def test_a_ranker_that_is_not_answered_in_full_says_so() -> None:
    context = Scripted(lambda ask: "I like all of them.")
    assert texts(result(one("ranker", top_k=2), context, ["a", "b", "c"])) == ["a", "b"]
    assert context.notes == ["ranker: no order in the answer, the candidates stay as they came"]


def test_a_ranker_shows_critiques_if_it_may() -> None:
    criticised = [Candidate("a", critique="short"), Candidate("b", critique="long")]
    for use, shown in ((True, True), (False, False)):
        context = Scripted(lambda ask: "[1] > [2]")
        left = result(one("ranker", use_critiques=use), context, criticised)
        assert ("Critique of [2]: long" in context.asked[0].text) is shown
        assert [c.critique for c in kept(left)] == ["short", "long"]  # for a fuser that follows
