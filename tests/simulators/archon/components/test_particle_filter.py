"""The particle filter: steps, scores, resampling by a generator that depends on the question and the settings alone."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.components.particle_filter import resampled
from tests.simulators.archon.scripted import Ask, Scripted, kept, one, result, texts


def so_far(ask: Ask) -> str:
    return ask.text.split("Solution so far:\n")[1].split("\n\n")[0].replace("(nothing yet)", "")


def is_score(ask: Ask) -> bool:
    return "Score:" in ask.text


def walk(ask: Ask) -> str:
    """Steps are letters by sample; a solution is as promising as it has letters ``a``."""
    if is_score(ask):
        return f"Score: {min(10, 3 * so_far(ask).count('a'))}"
    return "abcdefgh"[ask.sample % 8] + ("\nEND" if "all that remains" in ask.text else "")


def test_solutions_grow_by_steps_and_the_best_comes_first() -> None:
    context = Scripted(walk)
    left = kept(result(one("particle_filter", particles=8, steps=3), context))
    assert all(len(c.text.split("\n")) == 3 for c in left) and len(left) == 8
    scores = [c.score or 0.0 for c in left]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0
    assert all(c.score == min(10, 3 * c.text.count("a")) for c in left) and "END" not in "".join(c.text for c in left)
    assert len(context.asked) == 2 * 8 * 3 and context.most_at_once == 8 and context.ended_s == 6.0


def test_promising_solutions_are_multiplied() -> None:
    """With sharp resampling all go on from the one that has an a; without, from where they were on average."""
    sharp = texts(result(one("particle_filter", particles=8, steps=2, resampling_temperature=0.01), Scripted(walk)))
    assert {text[0] for text in sharp} == {"a"} and len(set(sharp)) == 8  # each copy goes on in its own way
    flat = texts(result(one("particle_filter", particles=8, steps=2, resampling_temperature=1000.0), Scripted(walk)))
    assert len({text[0] for text in flat}) > 2


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.randoms(use_true_random=False))
def test_what_comes_out_does_not_depend_on_who_is_quick(particles: int, steps: int, rng: random.Random) -> None:
    component = one("particle_filter", particles=particles, steps=steps)
    even, uneven = Scripted(walk), Scripted(walk, lambda ask: rng.random())
    assert result(component, even) == result(component, uneven)
    assert {ask.identity for ask in even.asked} == {ask.identity for ask in uneven.asked}


def test_another_question_or_component_is_resampled_in_another_way() -> None:
    component = one("particle_filter", particles=8, steps=4, resampling_temperature=1000.0)
    other = Question((Message("user", "What is three and three?"),))
    one_way = texts(result(component, Scripted(walk)))
    assert texts(result(component, Scripted(walk))) == one_way
    assert texts(result(component, Scripted(walk), question=other)) != one_way
    assert texts(result(component, Scripted(walk, first=1))) != one_way


def test_equal_components_draw_distinct_samples() -> None:
    def drawn(first: int) -> set[int]:
        context = Scripted(walk, first=first)
        result(one("particle_filter", particles=4, steps=2), context)
        return {ask.sample for ask in context.asked}

    assert drawn(0) == {0, 1, 2, 3} and drawn(1) == {4, 5, 6, 7}


def test_a_solution_that_has_ended_costs_no_more_calls() -> None:
    context = Scripted(lambda ask: "Score: 5" if is_score(ask) else "four\n**END**" if ask.sample == 0 else "so")
    left = texts(result(one("particle_filter", particles=2, steps=4, resampling_temperature=1000.0), context))
    assert any(text.endswith("four") for text in left) and all(text.count("four") <= 1 for text in left)
    assert len(context.asked) < 2 * 2 * 4
    at_once = Scripted(lambda ask: "Score: 5" if is_score(ask) else "four\nEND")
    assert texts(result(one("particle_filter", particles=3, steps=4), at_once)) == ["four"] * 3 and len(at_once.asked) == 6


def test_when_all_have_ended_none_is_given_up() -> None:
    context = Scripted(lambda ask: f"Score: {so_far(ask)[-1]}" if is_score(ask) else f"result {ask.sample}\nEND")
    left = texts(result(one("particle_filter", particles=4, steps=3, resampling_temperature=0.01), context))
    assert left == ["result 3", "result 2", "result 1", "result 0"]


def test_lost_particles_are_replaced_by_copies_of_others() -> None:
    def reply(ask: Ask) -> str | None:
        return None if ask.sample == 1 and not so_far(ask) and not is_score(ask) else walk(ask)

    context = Scripted(reply)
    left = texts(result(one("particle_filter", particles=4, steps=3), context))
    assert len(left) == 4 and all(text[0] != "b" for text in left)
    assert "particle_filter lost 1 of 4 particles in step 1" in context.notes


def test_nothing_comes_of_nothing() -> None:
    context = Scripted(lambda ask: None)
    assert texts(result(one("particle_filter", particles=3), context)) == [] and len(context.asked) == 3


def test_without_scores_all_go_on_alike() -> None:
    context = Scripted(lambda ask: "hm" if is_score(ask) else walk(ask))
    left = kept(result(one("particle_filter", particles=4, steps=2), context))
    assert len(left) == 4 and {c.score for c in left} == {None}


def test_resampling_is_by_the_softmax_of_the_scores() -> None:
    rng = np.random.default_rng(3)
    drawn = np.array(resampled([2.0, 4.0, None], 60_000, 2.0, rng))
    weights = np.exp(np.array([2.0, 4.0, 3.0]) / 2.0)  # one without a score weighs as their mean
    assert np.bincount(drawn) / len(drawn) == pytest.approx(weights / weights.sum(), abs=0.01)
    assert list(drawn) == sorted(drawn)
