"""PlanSearch: observations, sets of at most two of them, an idea from each set, an answer from each idea."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.simulators.archon.components.plan_search import subsets
from tests.simulators.archon.scripted import Ask, Scripted, one, result, texts


def reply(ask: Ask) -> str:
    """Observe, plan and answer in texts that tell where they come from."""
    if "Do not solve it yet" in ask.text:
        known = ask.text.split("Observations so far:")[1].split("Do not")[0].split() if "so far" in ask.text else []
        base = "".join(word for word in known if "o" in word[:2])
        return "\n".join(f"[{i + 1}] {'n' * ask.sample}o{base}{i}" for i in range(10))
    if "Do not write the solution itself" in ask.text:
        used = ask.text.split("Observations that may help:")[1].split("Describe")[0].split() if "may help" in ask.text else []
        return "idea of " + "+".join(word for word in used if "o" in word[:2]) + f" #{ask.sample}"
    return "answer by " + ask.text.split("plan of the solution:\n")[1].split("\n")[0]


def test_the_sets_of_observations_are_those_of_the_paper() -> None:
    assert subsets(3) == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), ()]
    assert all(len(set(subsets(n))) == len(subsets(n)) == 1 + n + n * (n - 1) // 2 for n in range(1, 11))


def test_every_set_becomes_an_idea_and_every_idea_an_answer() -> None:
    context = Scripted(reply)
    left = texts(result(one("plan_search"), context))
    assert left == [f"answer by idea of {used} #{i}" for i, used in enumerate(["o0", "o1", "o2", "o0+o1", "o0+o2", "o1+o2", ""])]
    assert len(context.asked) == 1 + 2 * 7 and context.ended_s == 3.0 and context.most_at_once == 7  # three waves


def test_on_the_second_level_new_observations_follow_from_each_set() -> None:
    context = Scripted(reply)
    left = texts(result(one("plan_search", observations=2, depth=2, samples=100), context))
    assert len(left) == 4**2 and len({text.split("#")[0] for text in left}) == 16
    assert left[0].startswith("answer by idea of o0+noo00 ")
    assert len(context.asked) == 1 + 4 + 2 * 16 and context.ended_s == 4.0
    few = Scripted(reply)
    assert len(texts(result(one("plan_search", observations=2, depth=2, samples=3), few))) == 3
    assert len(few.asked) == 1 + 3 + 2 * 3  # a branch that no answer is drawn from is not observed


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 2), st.integers(1, 12), st.integers(1, 12))
def test_two_side_by_side_are_one_with_both_their_samples(observations: int, depth: int, a: int, b: int) -> None:
    def drawn(samples: int, first: int = 0) -> tuple[list[str], set[object]]:
        context = Scripted(reply, first=first)
        left = texts(result(one("plan_search", observations=observations, depth=depth, samples=samples), context))
        return left, {ask.identity for ask in context.asked}

    (first, asked), (second, also), (both, all_asked) = drawn(a), drawn(b, a), drawn(a + b)
    assert first + second == both and all_asked == asked | also


@pytest.mark.parametrize("observed", [None, "", "[1] o0"])
def test_with_fewer_observations_the_ideas_use_what_there_is(observed: str | None) -> None:
    context = Scripted(lambda ask: observed if "Do not solve it yet" in ask.text else reply(ask))
    left = texts(result(one("plan_search", samples=4), context))
    used = "o0" if observed else ""
    assert [text.split(" #")[0] for text in left] == ["answer by idea of " + (used if 0 in s else "") for s in subsets(3)[:4]]
    assert len(set(left)) == 4  # equal requests are drawn anew
    if observed is not None:
        assert f"plan_search made {1 if observed else 0} of 3 observations" in context.notes


@pytest.mark.parametrize("step", ["Do not write the solution itself", "by this plan"])
def test_an_idea_or_answer_that_fails_costs_one_candidate(step: str) -> None:
    left = result(one("plan_search"), Scripted(lambda ask: None if step in ask.text and ask.sample == 2 else reply(ask)))
    assert left[2] is None and len(texts(left)) == 6
