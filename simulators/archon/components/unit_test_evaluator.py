"""Unit-test evaluator: keeps the candidates that pass most tests, judged by a model, or run in a sandbox if the tests are code."""

from __future__ import annotations

import re
from dataclasses import replace

from designgym.simulators.archon.components.base import ARCHON, Candidate, Component, Context, Kind, Pending, Setting, State, Work
from designgym.simulators.archon.components.prompts import asking, code_in, listed
from designgym.simulators.archon.components.verifier import best_of

__all__ = ["UNIT_TEST_EVALUATOR"]

_ROLE = "You check whether an answer passes tests."


async def _evaluated(component: Component, state: State, candidate: Pending, context: Context) -> Candidate | None:
    """Return the candidate with the share of tests that it passes as its score."""
    found = await candidate
    tests = await state.unit_tests if state.unit_tests is not None else ()
    if found is None or found.dropped or not tests:
        return found
    share = await (_run if state.python_tests else _judged)(component, state, found.text, tests, context)
    return replace(found, score=share)


async def _run(component: Component, state: State, text: str, tests: tuple[str, ...], context: Context) -> float | None:
    """Return the share of tests that a program passes, each run for itself: one that does not end must not fail the others."""
    program = code_in(text)
    errors = [await context.run_python(f"{program}\n\n{test}\n", timeout_s=component["timeout_s"]) for test in tests]
    return sum(not error for error in errors) / len(tests)


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
    verdicts = {int(n): word.lower() == "passed" for n, word in re.findall(r"(?i)(\d{1,3})\W+(passed|failed)\b", answer.text)}
    return sum(verdicts.get(i + 1, False) for i in range(len(tests))) / len(tests)


def _start(component: Component, state: State, context: Context) -> State:
    evaluated = [context.spawn(_evaluated(component, state, candidate, context)) for candidate in state.candidates]
    return replace(state, candidates=tuple(best_of(component, evaluated, context)), unit_tests=None, python_tests=False)


def _work(component: Component, before: int) -> Work:
    return Work(before, before)


UNIT_TEST_EVALUATOR = Kind(
    "unit_test_evaluator", ARCHON, "keeps the candidates that pass most tests",
    _start, _work, {"timeout_s": Setting(10.0, "seconds that a test of code may take", low=0.1, high=600.0)},
)  # fmt: skip
