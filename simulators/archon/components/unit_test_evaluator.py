"""Unit-test evaluator: keeps the candidates that pass most tests, judged by a model, or run in a sandbox if the tests are code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from designgym.simulators.archon.components.base import ARCHON, Candidate, Component, Context, Kind, Pending, Setting, State, Work
from designgym.simulators.archon.components.prompts import asking, code_in, listed
from designgym.simulators.archon.components.verifier import best_of

__all__ = ["UNIT_TEST_EVALUATOR"]

_ROLE = "You check whether an answer passes tests."


async def _evaluated(component: Component, state: State, candidate: Pending, context: Context) -> Candidate | None:
    """Return the candidate with the share of tests that it passes as its score."""
    found = await candidate
    if found is None or found.dropped:
        return found
    tests = await state.unit_tests if state.unit_tests is not None else ()
    if not tests:
        return replace(found, score=None)  # a score that it had from elsewhere must not decide here
    if state.python_tests:
        errors = await errors_of(found.text, tests, context, timeout_s=component["timeout_s"])
        return replace(found, score=errors.count("") / len(tests))
    return replace(found, score=await _judged(component, state, found.text, tests, context))


async def errors_of(text: str, tests: Sequence[str], context: Context, *, timeout_s: float) -> list[str]:
    """Return what went wrong in each test of the program in an answer, empty if it passed.

    Each is run for itself: one that does not end must not fail the others.
    """
    program = code_in(text)
    return [await context.run_python(f"{program}\n\n{test}\n", timeout_s=timeout_s) for test in tests]


async def _judged(component: Component, state: State, text: str, tests: tuple[str, ...], context: Context) -> float | None:
    answer = await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"Question:\n{state.question.text}\n\nAnswer:\n{text}\n\nTests:\n{listed(tests)}\n\nDecide for each test whether the answer "
            "passes it. Write a line for each, its number and PASSED or FAILED, such as: [1] PASSED",
        ),
        sample=context.offset(component),
    )
    if answer is None:
        return None
    passed = verdicts(answer.text, len(tests))
    if missing := passed.count(None):
        context.note(component, f"unit_test_evaluator left out {missing} of {len(tests)} tests, which count as failed")
    return passed.count(True) / len(tests)


def verdicts(text: str, count: int) -> list[bool | None]:
    """Return whether each test is said to pass, by the last word of its line; None for those without a line."""
    found: list[bool | None] = [None] * count
    for line in text.splitlines():
        number = re.match(r"[\W_]*(?:test[ \t]*)?\W{0,3}(\d{1,3})\b", line, flags=re.IGNORECASE | re.ASCII)
        words = re.findall(r"\b(not[ \t]+)?(pass|fail)(?:ed|es|s)?\b", line, flags=re.IGNORECASE)
        if number and words and 1 <= int(number[1]) <= count:
            negated, word = words[-1]
            found[int(number[1]) - 1] = (word.lower() == "pass") != bool(negated)
    return found


def _start(component: Component, state: State, context: Context) -> State:
    evaluated = [context.spawn(_evaluated(component, state, candidate, context)) for candidate in state.candidates]
    return replace(state, candidates=tuple(best_of(component, evaluated, context)), unit_tests=None, python_tests=False)


def _work(component: Component, before: int) -> Work:
    return Work(before, before)


UNIT_TEST_EVALUATOR = Kind(
    "unit_test_evaluator", ARCHON, "keeps the candidates that pass most tests",
    _start, _work, {"timeout_s": Setting(10.0, "seconds that a test of code may take", low=0.1, high=600.0)},
)  # fmt: skip
