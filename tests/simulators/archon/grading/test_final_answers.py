from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.grading import final_answer
from designgym.simulators.archon.grading.final_answers import choice_in, final_words, number_of


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("#### 5", "5"),
        ("It is $1,234.50.", "2469/2"),
        ("He pays \\$30.", "30"),
        ("\\boxed{\\frac{3}{4}}", "3/4"),
        ("$\\boxed{\\dfrac{-3}{6}}$", "-1/2"),
        ("\\boxed{1{,}234}", "1234"),
        ("\\boxed{12} apples, and 7 pears", "12"),
        ("first \\boxed{1}, no: \\boxed{x = 2}", "2"),
        ("so x = -3", "-3"),
        ("10 - 3 = 7", "7"),
        ("5 - 3", "3"),
        ("6-3", "3"),
        ("costs $-5", "-5"),
        ("costs -$5", "-5"),
        ("\u22127", "-7"),
        ("1e3", "1000"),
        ("50%", "50"),
        ("0.50", "1/2"),
        ("4/8", "1/2"),
        ("2 1/2 cups", "5/2"),
        ("2\\frac{1}{2}", "5/2"),
        ("#### 7\nI hope that helps with all 3 questions", "7"),
        ("The answer is 5 because 3+2=5", "5"),
        ("The answer is 3 + 4 = 7.", "7"),
        ("**Answer:** 12 apples in 4 boxes", "12"),
        ("The final answer is:\n\n**7**", "7"),
        ("Let me answer with 2 steps.\nIt is 10", "10"),
        ("The answer is Paris.", "paris"),
        ("\\boxed{\\text{Yes}}", "yes"),
        ("I think\nit is red!\n\n", "it is red"),
        ("x2", "x2"),
        ("1/0", "1 0"),
        ("", ""),
    ],
)
def test_answers_are_read_however_they_are_written(text: str, answer: str) -> None:
    assert final_answer(text) == answer


@given(
    st.integers(-(10**9), 10**9), st.sampled_from(["{}", "#### {}", "so it is {}.", "\\boxed{{{}}}", "The answer is: **{}**", "x = {} km"])
)
def test_every_whole_number_is_read_in_every_form(number: int, form: str) -> None:
    for written in (str(number), f"{number:,}", f"{number}.0", f"{number:,}.00"):
        assert final_answer(f"First 3 and then 4.\n{form.format(written)}") == str(number)


@given(st.integers(-999, 999), st.integers(1, 999))
def test_every_fraction_is_read(top: int, bottom: int) -> None:
    sign = "-" if top < 0 else ""
    for written in (f"{top}/{bottom}", f"{top} / {bottom}", f"{sign}\\frac{{{abs(top)}}}{{{bottom}}}"):
        assert number_of(final_answer(f"I get {written}")) == Fraction(top, bottom)


@given(st.text(max_size=200))
def test_a_normal_form_is_its_own(text: str) -> None:
    found = final_answer(text)
    assert final_answer(found) == found or number_of(found) is None
    assert isinstance(final_words(text), str) and isinstance(choice_in(text), str)


def test_endless_texts_are_read_soon() -> None:
    for text in (
        "9" * 10_000,
        "1," * 5_000,
        "\\boxed{" * 2_000,
        "\\frac{1}{" * 2_000,
        "answer is " * 2_000,
        "1 1/" * 3_000,
        "(-" * 5_000,
        "#### " * 5_000,
    ):
        assert isinstance(final_answer(text), str)


@pytest.mark.parametrize(
    ("text", "letter"),
    [("The answer is (B) Paris", "B"), ("answer: B) 42", "B"), ("I think it is C.", "C"), ("I'm sure: D", "D"), ("none", "")],
)
def test_a_choice_is_the_letter_that_is_stated(text: str, letter: str) -> None:
    assert choice_in(text) == letter


@pytest.mark.parametrize(
    ("text", "number"), [("5", 5), (" $1,000. ", 1000), ("7 %", 7), ("five", None), ("5 apples", None), ("1 2", None), ("1/0", None)]
)
def test_what_is_a_number(text: str, number: int | None) -> None:
    assert number_of(text) == number
