"""What a right answer is: an exact one, a program that passes tests, a text that keeps to instructions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.components.prompts import code_in
from designgym.simulators.archon.grading.constraints import Constraint
from designgym.simulators.archon.grading.final_answers import choice_in, final_answer, final_words, number_of
from designgym.simulators.archon.sandbox import run_python

__all__ = ["Criterion", "Exact", "Executable", "Instructed", "program_in"]

ROUNDED_PLACES = 3  # decimals at least of a rounded number that is right for one that has no end, such as 1/3


class Criterion(Protocol):
    """What a right answer is. Plain data, so that tasks have a digest."""

    async def grade(self, text: str) -> float:
        """Return what a text is worth, from 0 to 1."""
        ...


@dataclass(frozen=True)
class Exact:
    """An exact answer: the final one of the text must be it.

    Numbers are equal however they are written; a fraction without end may be rounded to three decimals or more. Other answers are compared
    by their words, whatever their case, or, if the right one is a single capital letter, by the letter that is chosen.

    Attributes:
        answer: The right one.
    """

    answer: str

    def __post_init__(self) -> None:
        """Check that there is one; raises `InputError`."""
        if not isinstance(self.answer, str) or not final_answer(self.answer):
            raise InputError(f"the answer is {shorten(self.answer)}, expected a number or words as text")

    async def grade(self, text: str) -> float:
        """Return 1 if the text's final answer is the right one, else 0."""
        if (right := number_of(self.answer)) is not None:
            given = number_of(final_answer(text))
            return float(given is not None and (given == right or _rounded(given, right)))
        if choice_in(self.answer) == self.answer.strip():
            return float(choice_in(text) == self.answer.strip())
        return float(final_words(text) == final_words(self.answer))

    @property
    def extract(self) -> Callable[[str], str]:
        """How answers are compared in a vote: by their numbers, letters or words."""
        if number_of(self.answer) is not None:
            return final_answer
        return choice_in if choice_in(self.answer) == self.answer.strip() else final_words


@dataclass(frozen=True)
class Executable:
    """A program that must pass tests that its author does not see.

    Attributes:
        tests: Python statements, such as ``assert f(2) == 4``.
        timeout_s: Seconds that all of them may take together.
    """

    tests: tuple[str, ...]
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Check that there are tests that are Python; raises `InputError`."""
        if not self.tests:
            raise InputError("there are no tests, expected one Python statement at least, such as 'assert f(2) == 4'")
        for test in self.tests:
            try:
                ast.parse(test)
            except (SyntaxError, ValueError, TypeError):
                raise InputError(f"a test is {shorten(test)}, expected a Python statement, such as 'assert f(2) == 4'") from None

    async def grade(self, text: str) -> float:
        """Return 1 if the program in the text passes all tests in the sandbox, else 0."""
        program = "\n\n".join([code_in(text), *self.tests])
        return float(not await run_python(program, timeout_s=self.timeout_s))


@dataclass(frozen=True)
class Instructed:
    """A text that must keep to instructions.

    Attributes:
        constraints: Each instruction.
    """

    constraints: tuple[Constraint, ...]

    def __post_init__(self) -> None:
        """Check that there are some; raises `InputError`."""
        if not self.constraints:
            raise InputError("there are no constraints, expected one at least")

    async def grade(self, text: str) -> float:
        """Return the share of the constraints that hold."""
        return sum(constraint.holds(text) for constraint in self.constraints) / len(self.constraints)


def program_in(text: str) -> str:
    """Return the program in an answer in a normal form, without its comments and layout, for votes."""
    program = code_in(text)
    try:
        return ast.unparse(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program


def _rounded(given: Fraction, right: Fraction) -> bool:
    """Return whether a number is another one, which has no finite decimal, rounded to enough places."""
    if _places(right) is not None:
        return False
    places = _places(given)
    return places is not None and places >= ROUNDED_PLACES and abs(given - right) <= Fraction(1, 10**places)


def _places(number: Fraction) -> int | None:
    """Return how many decimals a number has; None if they have no end."""
    rest, twos, fives = number.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None
