from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.grading import Constraint, Criterion, Exact, Executable, Instructed, grade, program_in


@dataclass(frozen=True)
class Graded:
    criterion: Criterion


def graded(criterion: Criterion, text: str) -> float:
    return asyncio.run(grade(Graded(criterion), text))


@pytest.mark.parametrize(
    ("answer", "right", "wrong"),
    [
        ("18", ["#### 18", "so $18.00", "\\boxed{18}", "36/2"], ["#### 19", "18 of 20", "eighteen", "", "-18"]),
        ("1,234.5", ["1234.50", "$1,234.5"], ["12345", "1234"]),
        ("1/3", ["1/3", "2/6", "0.333", "0.33333", "0.3334"], ["0.33", "0.34", "1/4", "0.335"]),
        ("0.25", ["1/4", ".25", "0.2500"], ["0.2501", "0.24"]),
        ("-2", ["-2", "\u22122"], ["2"]),
        ("B", ["The answer is (B).", "B", "It must be B", "Answer: B) 42"], ["The answer is A", "b", "BB", "The answer is (A), not B"]),
        ("Paris", ["paris", "The answer is Paris.", "Long thoughts.\n**Paris**"], ["London", "Paris or London"]),
        ("New York", ["\\boxed{\\text{new york}}"], ["York"]),
    ],
)
def test_exact_answers(answer: str, right: list[str], wrong: list[str]) -> None:
    assert [graded(Exact(answer), text) for text in right] == [1.0] * len(right)
    assert [graded(Exact(answer), text) for text in wrong] == [0.0] * len(wrong)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_a_number_is_right_exactly_if_it_is_the_one(answer: int, given_number: int) -> None:
    assert graded(Exact(str(answer)), f"It is {given_number:,}.") == float(answer == given_number)


@settings(deadline=None)
@given(st.sampled_from(["12", "B", "Paris", "1/7"]), st.text(max_size=60))
def test_votes_agree_with_grades(answer: str, text: str) -> None:
    """Who has the answer's normal form in a vote is right; only rounded fractions are right besides."""
    exact = Exact(answer)
    if exact.extract(text) == exact.extract(answer):
        assert graded(exact, text) == 1.0


def test_programs_are_run_against_hidden_tests() -> None:
    double = Executable(("assert double(2) == 4", "assert double(-1) == -2"))
    assert graded(double, "Here it is:\n```python\ndef double(x):\n    return 2 * x\n```\nIt doubles.") == 1.0
    assert graded(double, "def double(x): return x + 2") == 0.0
    assert graded(double, "```python\nimport os\nos._exit(0)\n```") == 0.0
    assert graded(double, "I cannot do that.") == 0.0
    assert graded(double, "") == 0.0
    assert graded(Executable(double.tests, timeout_s=0.2), "def double(x):\n    while True: pass") == 0.0


def test_instructions_count_by_the_share_that_holds() -> None:
    both = Instructed((Constraint("words", 1, 2), Constraint("lower_case")))
    assert [graded(both, text) for text in ("two words", "Two words", "Three words here", "  ")] == [1.0, 0.5, 0.0, 0.0]


def test_programs_vote_by_what_they_do_not_by_layout() -> None:
    one, other = "```python\ndef f(x):\n    # doubles\n    return x*2\n```", "def f(x): return x * 2"
    assert program_in(one) == program_in(other) != program_in("def f(x): return x * 3")
    assert program_in("no program (") == "no program ("


def test_criteria_that_cannot_be() -> None:
    for make in (
        lambda: Exact(""),
        lambda: Exact("..."),
        lambda: Executable(()),
        lambda: Executable(("assert (",)),
        lambda: Instructed(()),
    ):
        with pytest.raises(InputError, match="expected"):
            make()
