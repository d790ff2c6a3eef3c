"""Small programming problems with a test that the question shows and others that it does not."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from designgym.simulators.archon.calls import conversation
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.grading import Executable, program_in
from designgym.simulators.archon.tasks.code_families import FAMILIES, Family
from designgym.simulators.archon.tasks.item import Item

__all__ = ["CodeProblem", "code_item", "code_problem"]

HIDDEN = 6  # tests that are drawn, beside those of the family's edges
GROWTH = 0.5  # of the range of a problem's numbers with each step of difficulty


class CodeProblem:
    """A problem of a family with its numbers.

    Attributes:
        family: Its family.
        numbers: The numbers.
        text: The question.
        right: A program that solves it.
        wrong: One that does not, by a common mistake.
        visible_test: The test that the question shows.
        hidden_tests: The others.
    """

    def __init__(self, family: Family, difficulty: int, rng: np.random.Generator) -> None:
        self.family = family
        growth = 1 + GROWTH * (difficulty - 1) * family.grows
        self.numbers = {name: int(rng.integers(low, low + int(growth * (high - low)) + 1)) for name, (low, high) in family.numbers.items()}
        self.right, self.wrong = (_filled(program, self.numbers) for program in (family.right, family.wrong))
        solution = _function(self.right, family.function)
        seen = family.inputs(rng, difficulty)
        hidden = [*family.edges, *(family.inputs(rng, difficulty) for _ in range(HIDDEN))]
        self.visible_test = _test(family.function, solution, seen)
        self.hidden_tests = tuple(dict.fromkeys(_test(family.function, solution, arguments) for arguments in hidden))
        self.text = (
            f"Write a Python function `{family.function}` that {family.text.format(**self.numbers)}. For example, this holds:\n\n"
            f"```python\n{self.visible_test}\n```\n\nAnswer with the whole program in one code block."
        )


def code_problem(family: str, difficulty: int, rng: np.random.Generator) -> CodeProblem:
    """Return a problem of a family by its name."""
    return CodeProblem(FAMILIES[family], difficulty, rng)


def code_item(name: str, number: int, difficulty: int, rng: np.random.Generator) -> Item:
    """Return a problem; the families take turns, and inputs and numbers grow with difficulty."""
    problem = code_problem(list(FAMILIES)[number % len(FAMILIES)], difficulty, rng)
    question = Question(conversation(problem.text), extract=program_in, visible_tests=(problem.visible_test,))
    return Item(name, question, Executable((*problem.hidden_tests, problem.visible_test)), f"```python\n{problem.right}\n```")


def _filled(program: str, numbers: dict[str, int]) -> str:
    return re.sub(r"@(\w+)", lambda found: str(numbers[found[1]]), program)


def _function(program: str, name: str) -> Any:
    """Return a function of a program, which is one of ours: what models write runs in the sandbox only."""
    module: dict[str, Any] = {}
    exec(program, module)
    return module[name]


def _test(name: str, solution: Any, arguments: tuple[Any, ...]) -> str:
    return f"assert {name}({', '.join(map(repr, arguments))}) == {solution(*arguments)!r}"
