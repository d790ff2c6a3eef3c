"""Planning-driven programming: the plan is checked, the program repaired by what fails, and the best program kept."""

import asyncio
from dataclasses import replace

import pytest

from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Call
from designgym.simulators.archon.executor import Executor
from tests.simulators.archon.backends import Echo
from tests.simulators.archon.scripted import QUESTION, Ask, Scripted, kept, one, result, texts

TESTS = ("assert f(1) == 2", "assert f(2) == 4", "assert f(3) == 6")
SHOWING = replace(QUESTION, visible_tests=TESTS)


class Programmer:
    """Writes plans that fail the first ``bad_plans`` checks and, in turn, programs that pass as many tests as ``passing`` says."""

    def __init__(self, bad_plans: int = 0, passing: tuple[int, ...] = (3,), fails: str = "") -> None:
        self.bad_plans, self.passing, self.fails = bad_plans, passing, fails

    def __call__(self, ask: Ask) -> str | None:
        kind = self.kind(ask)
        if kind == self.fails:
            return None
        if kind == "check":
            version = int(ask.text.split("Plan:\nplan ")[1].split()[0])
            return "at step 2 it FAILS" if version < self.bad_plans else "it HOLDS"
        if kind == "correction":
            return f"plan {int(ask.text.split('Plan:' + chr(10) + 'plan ')[1].split()[0]) + 1} "
        if kind == "repair":
            version = int(ask.text.split("program ")[1].split()[0]) + 1
            return f"```python\n# program {version} passes {self.passing[min(version, len(self.passing) - 1)]}\n```"
        return "plan 0 " if kind == "plan" else f"```python\n# program 0 passes {self.passing[0]}\n```"

    @staticmethod
    def kind(ask: Ask) -> str:
        marks = {"HOLDS": "check", "A check of this plan": "correction", "It was run on": "repair", "Write a plan": "plan"}
        return next((kind for mark, kind in marks.items() if mark in ask.text), "program")


def python(code: str) -> str:
    passes = int(code.split("passes ")[1].split()[0])
    number = TESTS.index(code.strip().splitlines()[-1])
    return "" if number < passes else f"AssertionError in test {number + 1}"


def kinds(context: Scripted) -> list[str]:
    return [Programmer.kind(ask) for ask in context.asked]


def run(programmer: Programmer, **settings: float) -> tuple[list[str], Scripted]:
    context = Scripted(programmer, python=python, first=4)
    return texts(result(one("plan_verify_code", **settings), context, question=SHOWING)), context


def test_a_good_plan_and_program_take_three_calls() -> None:
    left, context = run(Programmer())
    assert kinds(context) == ["plan", "check", "program"] and "passes 3" in left[0] and len(context.programs) == 3
    assert all(test in ask.text for ask in context.asked for test in TESTS) and {ask.sample for ask in context.asked} == {4}
    assert "Plan:\nplan 0" in context.asked[-1].text and context.notes == []


def test_a_plan_is_corrected_until_it_holds() -> None:
    _, context = run(Programmer(bad_plans=2), rounds=5)
    assert kinds(context) == ["plan", "check", "correction", "check", "correction", "check", "program"]
    assert "at step 2 it FAILS" in context.asked[2].text and "Plan:\nplan 2" in context.asked[-1].text


def test_a_check_without_a_verdict_is_no_reason_to_change_a_plan() -> None:
    context = Scripted(lambda ask: "hm" if Programmer.kind(ask) == "check" else Programmer()(ask), python=python)
    result(one("plan_verify_code"), context, question=SHOWING)
    assert kinds(context) == ["plan", "check", "program"]


def test_a_program_is_repaired_by_the_tests_that_it_fails() -> None:
    left, context = run(Programmer(passing=(1, 2, 3)))
    assert kinds(context)[2:] == ["program", "repair", "repair"] and "passes 3" in left[0]
    assert "AssertionError in test 2" in context.asked[3].text and "AssertionError in test 1" not in context.asked[3].text
    assert "[1] assert f(3) == 6\nfails: AssertionError in test 3" in context.asked[4].text


def test_all_rounds_are_the_most_work_and_the_best_program_is_kept() -> None:
    context = Scripted(Programmer(bad_plans=99, passing=(1, 2, 0, 2)), python=python)
    component = one("plan_verify_code", rounds=3)
    left = kept(result(component, context, question=SHOWING))
    assert len(context.asked) == component.kind.work(component, 0).calls == 2 + 3 * 3
    assert "program 1" in left[0].text and left[0].score == pytest.approx(2 / 3)  # the first of the two that pass two tests


def test_a_question_without_tests_gets_a_checked_plan_and_says_that_nothing_was_run() -> None:
    context = Scripted(Programmer(bad_plans=1), python=python)
    left = kept(result(one("plan_verify_code"), context))
    assert kinds(context) == ["plan", "check", "correction", "check", "program"] and left[0].score is None and not context.programs
    assert context.notes == ["plan_verify_code: the question shows no tests, so the program was not run"]


@pytest.mark.parametrize(
    ("fails", "made", "passes"),
    [
        ("plan", ["plan", "program", "repair"], 3),
        ("check", ["plan", "check", "program", "repair"], 3),
        ("correction", ["plan", "check", "correction", "program", "repair"], 3),
        ("repair", ["plan", "check", "correction", "check", "program", "repair"], 1),
    ],
)
def test_a_call_that_fails_leaves_what_there_was(fails: str, made: list[str], passes: int) -> None:
    left, context = run(Programmer(bad_plans=1, passing=(1, 3), fails=fails))
    assert kinds(context) == made and f"passes {passes}" in left[0]


def test_without_a_program_there_is_no_candidate() -> None:
    left, context = run(Programmer(fails="program"))
    assert left == [] and not context.programs and context.notes == ["a call of plan_verify_code failed: on demand"]


def test_programs_are_really_run() -> None:
    def write(call: Call) -> str:
        asked = call.messages[-1].content
        if "It was run on" in asked:
            assert "assert f(3) == 6" in asked.split("went wrong:")[1] and "assert f(1) == 2" not in asked.split("went wrong:")[1]
            return "```python\ndef f(x):\n    return 2 * x\n```"
        if "HOLDS" in asked:
            return "HOLDS"
        return "a plan" if "Write a plan" in asked else "```python\ndef f(x):\n    return x + x % 3 or 2\n```"

    backend = Echo(write)
    architecture = Architecture.of(one("plan_verify_code", rounds=2))
    run = asyncio.run(Executor(CachedCalls(backend, CallStore())).run(architecture, SHOWING))
    assert run.text == "```python\ndef f(x):\n    return 2 * x\n```" and len(backend.calls) == 4 and run.notes == ()
