"""Planning-driven programming: a plan, checked on the visible tests, then a program, repaired where it fails them."""

from __future__ import annotations

from collections.abc import Sequence

from designgym.simulators.archon.components.base import Candidate, Component, Context, Kind, Question, Setting, State, Work
from designgym.simulators.archon.components.prompts import asking, code_in, listed, yes
from designgym.simulators.archon.components.unit_test_evaluator import errors_of

__all__ = ["PLAN_VERIFY_CODE"]

_PLANNER = "You plan programs before they are written."
_CHECKER = "You check plans of programs by working through examples."
FAILURES_SHOWN, ERROR_LENGTH = 3, 1000  # more, or longer ones, cost tokens and say little new


def _about(question: Question, plan: str = "") -> str:
    tests = f"Tests that it must pass:\n{listed(question.visible_tests)}\n\n" if question.visible_tests else ""
    return f"Question:\n{question.text}\n\n{tests}" + (f"Plan:\n{plan}\n\n" if plan else "")


async def _planned(component: Component, question: Question, sample: int, context: Context) -> str:
    """Return a plan that the model found to hold on the tests, or the last one after all rounds; empty if there is none."""
    request = "Write a plan of the solution: short numbered steps in words, no code."
    answer = await context.ask(component, asking(_PLANNER, question, _about(question) + request), sample=sample)
    plan = answer.text if answer else ""
    examples = "each test" if question.visible_tests else "each example in the question, or one of your own if it has none,"
    for _ in range(component["rounds"]):
        if not plan:
            break
        check = (
            f"Follow the plan step by step for {examples} and write down the value after each step. Compare what comes out with what "
            "should. End with the word HOLDS if the plan leads to the right result every time, or the word FAILS."
        )
        checked = await context.ask(component, asking(_CHECKER, question, _about(question, plan) + check), sample=sample)
        if checked is None or yes(checked.text, "holds", "fails") is not False:
            break
        correct = f"A check of this plan:\n{checked.text}\n\nWrite the plan again, corrected: short numbered steps in words, no code."
        better = await context.ask(component, asking(_PLANNER, question, _about(question, plan) + correct), sample=sample)
        if better is None:
            break
        plan = better.text
    return plan


def _failures(tests: Sequence[str], errors: Sequence[str]) -> str:
    failing = [(test, error) for test, error in zip(tests, errors, strict=True) if error]
    return listed([f"{test}\nfails: {error.strip()[-ERROR_LENGTH:]}" for test, error in failing[:FAILURES_SHOWN]])


async def _programmed(component: Component, state: State, context: Context) -> Candidate | None:
    """Return the program that passes the largest share of the visible tests, which is its score."""
    question, sample = state.question, context.offset(component)
    plan = await _planned(component, question, sample, context)
    about, tests = _about(question, plan), question.visible_tests
    request = f"Answer the question{' by this plan' if plan else ''} with a complete program, in one code block."
    answer = await context.ask(component, asking("", question, about + request), sample=sample)
    if answer is None or not tests:
        if answer and not tests:
            context.note(component, "plan_verify_code: the question shows no tests, so the program was not run")
        return Candidate(answer.text) if answer else None
    best: Candidate | None = None
    for round_ in range(component["rounds"] + 1):
        errors = await errors_of(answer.text, tests, context, timeout_s=component["timeout_s"])
        share = errors.count("") / len(tests)
        if best is None or share > (best.score or 0.0):
            best = Candidate(answer.text, score=share)
        if share == 1.0 or round_ == component["rounds"]:
            break
        repair = (
            f"Program:\n```python\n{code_in(answer.text)}\n```\n\nIt was run on the tests, and this went wrong:\n"
            f"{_failures(tests, errors)}\n\nFind where the program departs from the plan, or the plan from the question. Then write the "
            "complete program again, corrected, in one code block."
        )
        repaired = await context.ask(component, asking("", question, about + repair), sample=sample)
        if repaired is None:
            break
        answer = repaired
    return best


def _start(component: Component, state: State, context: Context) -> State:
    return state.with_candidates([context.spawn(_programmed(component, state, context))])


def _work(component: Component, before: int) -> Work:
    return Work(2 + 3 * component["rounds"], 1)  # a plan and a program, checks and corrections of the one, repairs of the other


PLAN_VERIFY_CODE = Kind(
    "plan_verify_code",
    "Lei et al. 2024, Planning-Driven Programming, LPW (arXiv 2411.14503)",
    "a program by a plan that was checked, repaired until it passes the visible tests", _start, _work,
    {
        "rounds": Setting(3, "checks of the plan at most, and repairs of the program at most", low=1, high=64),
        "timeout_s": Setting(10.0, "seconds that a test may take", low=0.1, high=600.0),
    },
    role="source",
)  # fmt: skip
