"""Generators draw at once, each sample for itself; fusers read all candidates that came, and say so if some did not."""

import pytest

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Candidate, Question
from tests.simulators.archon.scripted import QUESTION, Ask, Scripted, kept, one, result, texts


def numbered(ask: Ask) -> str:
    return f"answer {ask.sample}"


def test_a_generator_draws_all_samples_at_once_from_the_conversation_as_it_is() -> None:
    conversation = (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Why?"))
    context = Scripted(numbered, first=10)
    left = result(one("generator", samples=5, temperature=0.3), context, question=Question(conversation))
    assert texts(left) == [f"answer {i}" for i in range(10, 15)]
    assert {ask.messages for ask in context.asked} == {conversation} and {ask.decoding.temperature for ask in context.asked} == {0.3}
    assert context.most_at_once == 5 and context.ended_s == 1.0


def test_a_generator_that_fails_in_part_leaves_the_others() -> None:
    left = result(one("generator", samples=3), Scripted(lambda ask: None if ask.sample == 1 else numbered(ask)))
    assert left[1] is None and texts(left) == ["answer 0", "answer 2"]


def test_a_generator_is_shown_tests_that_were_written_before_it() -> None:
    context = Scripted(numbered)
    result(one("generator", samples=2), context, unit_tests=["It says four.", "It is short."])
    assert all(ask.text.startswith(QUESTION.text) and "[2] It is short." in ask.text for ask in context.asked)
    without = Scripted(numbered)
    result(one("generator"), without, unit_tests=[])
    assert without.asked[0].messages == QUESTION.messages


def test_a_fuser_with_four_of_five_candidates_says_so() -> None:
    context = Scripted(numbered)
    left = result(one("fuser", samples=2), context, ["a", None, "c", "d", "e"])
    assert texts(left) == ["answer 0", "answer 1"] and context.notes == ["fuser with 4 of 5 candidates"]
    assert all("[4] e" in ask.text and "[5]" not in ask.text and QUESTION.text in ask.text for ask in context.asked)


def test_a_fuser_leaves_out_what_a_filter_dropped_without_calling_it_a_failure() -> None:
    context = Scripted(numbered)
    result(one("fuser"), context, ["a", Candidate("b", dropped=True), "c"])
    assert "[2] c" in context.asked[0].text and not context.notes


def test_a_fuser_shows_critiques_and_the_bound_on_length_only_if_there_are() -> None:
    plain, full = Scripted(numbered), Scripted(numbered)
    result(one("fuser"), plain, ["a", "b"])
    result(one("fuser", length_control=True), full, [Candidate("a", critique="too short"), "b"])
    assert "ritique" not in plain.asked[0].text and "longer than the longest" not in plain.asked[0].text
    assert "Critique of [1]: too short" in full.asked[0].text and "longer than the longest" in full.asked[0].text


@pytest.mark.parametrize("candidates", [[], [None, None], [Candidate("a", dropped=True)]])
def test_a_fuser_is_not_asked_to_fuse_nothing(candidates: list[Candidate | None]) -> None:
    context = Scripted(numbered)
    assert kept(result(one("fuser"), context, candidates)) == [] and not context.asked
