"""What is read out of models' answers, however messy they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.components.prompts import (
    asking,
    code_in,
    listed,
    numbered_parts,
    ranking,
    score_in,
    statements,
    yes,
)
from designgym.simulators.archon.components.unit_test_evaluator import verdicts
from designgym.simulators.archon.components.unit_test_generator import assertions

PIECES = st.sampled_from(
    ["[1]", "[2]", "[03]", "[99]", "1.", "2)", " > ", "\n", "\r\n", "- ", "**", "```", "```python\n", "assert f(1) == 2", "assert (", "x",
     "Score: ", "7", "-3", "/10", "/0", " out of ", "1e9", "9" * 5000, "CORRECT", "INCORRECT", "not ", "PASSED", "failed", "²", "٣", "\x00",
     "\ud800", " "]
)  # fmt: skip
MESSY = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=200)


@given(MESSY, st.integers(0, 12))
def test_any_text_is_read_as_a_ranking_of_all(text: str, count: int) -> None:
    assert sorted(ranking(text, count)) == list(range(count))


@given(st.permutations(range(8)), st.text(alphabet="abc :.\n", max_size=30), st.text(alphabet="abc :.\n", max_size=30))
def test_a_stated_ranking_is_read_in_every_form(order: list[int], before: str, after: str) -> None:
    numbers = [i + 1 for i in order]
    for form in (
        " > ".join(f"[{n}]" for n in numbers),
        ", ".join(f"**[{n}]**" for n in numbers),
        "\n".join(f"{place + 1}. [{n}]" for place, n in enumerate(numbers)),
        ">".join(map(str, numbers)),
    ):
        assert ranking(f"{before}\n{form}\n{after}", 8) == order


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("[2] > [1] > [3]\nSince [2] is complete.", [1, 0, 2]),
        ("[1] and [3] look alike.\n\n[3] > [2] > [1]", [2, 1, 0]),
        ("[3] is best", [2, 0, 1]),
        ("[2] > [2] > [7] > [0] > [3]", [1, 2, 0]),
        ("none of them", [0, 1, 2]),
        ("", [0, 1, 2]),
    ],
)
def test_rankings_of_models(text: str, order: list[int]) -> None:
    assert ranking(text, 3) == order


@given(MESSY, st.integers(0, 12))
def test_any_text_has_as_many_parts_as_were_asked_for(text: str, count: int) -> None:
    assert len(numbered_parts(text, count)) == len(verdicts(text, count)) == count


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[1] Good.\nShort.\n[2] Bad.", ["Good.\nShort.", "Bad.", ""]),
        ("Here they are:\n\n**[1]** Good.\n**[3]:** Fine.", ["Good.", "", "Fine."]),
        ("### [2]\n1. wrong\n2. long\n[1] right", ["right", "1. wrong\n2. long", ""]),
        ("1. Good\n2. Bad\n3. Fine", ["Good", "Bad", "Fine"]),
        ("[1] first\n[1] again\n[4] no such", ["first", "", ""]),
        ("Everything is fine.", ["", "", ""]),
    ],
)
def test_critiques_of_models(text: str, parts: list[str]) -> None:
    assert numbered_parts(text, 3) == parts


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("CORRECT", True),
        ("It is **incorrect**.", False),
        ("At first it looks incorrect, but the sum is right.\nCORRECT", True),
        ("Not correct.", False),
        ("It is not incorrect.", True),
        ("correctly", None),
        ("I cannot tell.", None),
    ],
)
def test_verdicts_of_models(text: str, verdict: bool | None) -> None:
    assert yes(text, "correct", "incorrect") is verdict


@given(MESSY)
def test_any_text_has_a_verdict_or_none_and_a_score_within_bounds_or_none(text: str) -> None:
    assert yes(text, "correct", "incorrect") in (True, False, None)
    score = score_in(text)
    assert score is None or 0 <= score <= 10


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Clear and right.\nScore: 8", 8.0),
        ("**Score:** 7.5/10", 7.5),
        ("My score is 85/100.", 8.5),
        ("Score: 3. After a second look, Score: 4", 4.0),
        ("I give it 6 out of 10.", 6.0),
        (" 9 ", 9.0),
        ("It makes 3 mistakes in 10 lines.", None),
        ("Score: 11", None),
        ("Score: -1", None),
        ("Score: 1/0", 1.0),
        ("", None),
    ],
)
def test_scores_of_models(text: str, score: float | None) -> None:
    assert score_in(text) == score


def test_passed_tests_are_read_line_by_line() -> None:
    text = "[1] PASSED\n2. The answer fails here: FAILED\n**Test 3:** passes\n[4] not passed\n[9] PASSED\n[6] unclear\nAll in all: PASSED"
    assert verdicts(text, 6) == [True, False, True, False, None, None]


@given(MESSY)
def test_any_text_holds_statements_and_assertions_or_none(text: str) -> None:
    for found in (statements(text), assertions(text)):
        assert all(found) and len(set(found)) == len(found)
    for line in assertions(text):
        compile(line, "test", "exec")


def test_statements_lose_their_marks() -> None:
    text = "Here are tests:\n[1] It says four.\n2. 'It is short'\n- It is polite\n**3.** It ends\n1.5 is no item\n---\n\n[1] It says four."
    assert statements(text) == ["It says four.", "It is short", "It is polite", "It ends"]


def test_assertions_are_lines_that_python_can_read() -> None:
    text = "Sure:\n```python\nassert f(1) == 2\nassert f( == 2\nprint(1)\nassert(f(2)) == 4\nassert f(1) == 2\n```\nThat is all."
    assert assertions(text) == ["assert f(1) == 2", "assert(f(2)) == 4"]
    assert assertions("1. assert f(1) == 2\n2. `assert f(2) == 3`\nassertive") == ["assert f(1) == 2", "assert f(2) == 3"]


@given(MESSY)
def test_code_is_found_in_any_text(text: str) -> None:
    assert code_in(text) in text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("Run:\n```\nx\n```\nand\n```python\nx = 1\ny = 2\n```", "x = 1\ny = 2"),
        ("```py\r\nx = 1\r\n```", "x = 1"),
        ("```python\nx = 1", "x = 1"),  # cut off
        ("```python\n    x = 1\n```", "    x = 1"),
    ],
)
def test_programs_of_models(text: str, code: str) -> None:
    assert code_in(text) == code


def test_a_request_takes_the_place_of_the_last_message() -> None:
    question = Question((Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Why?")))
    assert asking("", question) == question.messages
    assert asking("Judge.", question, "Is it right?") == (
        Message("system", "Judge."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Is it right?"),
    )  # fmt: skip
    assert asking("", question, "Is it right?")[0] == Message("system", "Be kind.")


def test_a_list_has_numbers_and_the_critiques_that_there_are() -> None:
    assert listed(["a", "b"], ["", "short"]) == "[1] a\n\n[2] b\nCritique of [2]: short"
