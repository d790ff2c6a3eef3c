"""Unit-test generator: tests that a right answer passes, in words or as Python assertions."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from designgym.simulators.archon.components.base import ARCHON, Component, Context, Kind, Setting, State, Work
from designgym.simulators.archon.components.prompts import asking, code_in, statements

__all__ = ["UNIT_TEST_GENERATOR"]

_ROLE = "You write unit tests."
_WORDS = (
    "Write {count} short statements that a correct and complete answer to the question makes true, such as 'The answer states ...'. Write "
    "one a line, each after its number, such as [1], and nothing else."
)
_PYTHON = (
    "Write {count} tests of a Python program that solves this problem: single lines that begin with `assert`, which call the function "
    "that the problem asks for and compare with the right result. Write one a line in one code block, and nothing else."
)


async def _tests(component: Component, state: State, context: Context) -> tuple[str, ...]:
    python = component["tests"] == "python"
    request = (_PYTHON if python else _WORDS).format(count=component["unit_test_cap"])
    answer = await context.ask(
        component,
        asking(_ROLE, state.question, f"Question:\n{state.question.text}\n\n{request}"),
        sample=context.offset(component),
    )
    found = [] if answer is None else (assertions(answer.text) if python else statements(answer.text))
    if len(found) < component["unit_test_cap"]:
        context.note(component, f"unit_test_generator wrote {len(found)} of {component['unit_test_cap']} tests")
    return tuple(found[: component["unit_test_cap"]])


def assertions(text: str) -> list[str]:
    """Return the different lines of an answer that are Python assertions."""
    lines = (re.sub(r"^[ \t]*(?:\[?\d{1,3}[\].):]+[ \t]*|[-*][ \t]+)?`?", "", line).rstrip(" \t\r`") for line in code_in(text).splitlines())
    return [line for line in dict.fromkeys(lines) if re.match(r"assert\b", line) and _parses(line)]


def _parses(line: str) -> bool:
    try:
        ast.parse(line)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _start(component: Component, state: State, context: Context) -> State:
    tests = context.spawn(_tests(component, state, context))
    return replace(state, unit_tests=tests, python_tests=component["tests"] == "python")


def _work(component: Component, before: int) -> Work:
    return Work(1, before)


UNIT_TEST_GENERATOR = Kind(
    "unit_test_generator", ARCHON, "tests that a right answer passes", _start, _work,
    {
        "unit_test_cap": Setting(5, "tests that are asked for", low=1, high=100),
        "tests": Setting("words", "statements that a model judges, or Python assertions that are run", choices=("words", "python")),
    },
    role="tests",
)  # fmt: skip
