"""Unit tests are written once, in words or as code; candidates that pass most are kept."""

import asyncio

import pytest

from designgym.simulators.archon.components.base import Candidate, State
from tests.simulators.archon.scripted import QUESTION, Ask, Scripted, kept, one, result, texts

WORDS = ["It says four.", "It is short.", "It is polite."]
CODE = ["assert f(1) == 2", "assert f(2) == 4", "assert f(3) == 6"]


def written(reply: str | None, **settings: object) -> tuple[tuple[str, ...], bool, Scripted]:
    context, component = Scripted(lambda ask: reply, lambda ask: 0.0), one("unit_test_generator", **settings)

    async def run() -> tuple[tuple[str, ...], bool]:
        state = component.kind.start(component, State(QUESTION), context)
        assert state.unit_tests is not None
        return await state.unit_tests, state.python_tests

    return *asyncio.run(run()), context


def test_tests_in_words() -> None:
    tests, python, context = written("[1] It says four.\n[2] It is short.\n[3] It is polite.\n[4] It ends.", unit_test_cap=3)
    assert tests == tuple(WORDS) and not python and context.notes == [] and "3 short statements" in context.asked[0].text


def test_tests_as_code() -> None:
    tests, python, context = written("```python\nassert f(1) == 2\nassert f(2 == 4\n```", unit_test_cap=2, tests="python")
    assert tests == ("assert f(1) == 2",) and python and context.notes == ["unit_test_generator wrote 1 of 2 tests"]


@pytest.mark.parametrize("reply", [None, "", "I would rather not."])
def test_no_tests_are_noted_and_no_error(reply: str | None) -> None:
    tests, _, context = written(reply)
    assert tests == () and "unit_test_generator wrote 0 of 5 tests" in context.notes


def judge(ask: Ask) -> str | None:
    answer = ask.text.split("Answer:\n")[1]
    passed = int(answer[0])
    return None if "unheard" in answer else "\n".join(f"[{i + 1}] {'PASSED' if i < passed else 'FAILED'}" for i in range(3))


def test_those_that_pass_most_tests_are_kept() -> None:
    context = Scripted(judge)
    left = kept(result(one("unit_test_evaluator"), context, ["1 a", "2 b", None, "2 c"], unit_tests=WORDS))
    assert [(c.text, c.score) for c in left] == [("2 b", 2 / 3), ("2 c", 2 / 3)] and len(context.asked) == 3
    assert context.notes == ["unit_test_evaluator: none of 3 candidates passed, the best are kept"]


def test_each_is_judged_as_soon_as_it_is_there() -> None:
    context = Scripted(judge)
    result(one("unit_test_evaluator"), context, ["1", "2"], come_s=lambda i: 5.0 * i, unit_tests=WORDS)
    assert sorted(context.times) == [(0, 1), (5, 6)]


def test_none_passing_or_judged_keeps_all() -> None:
    assert texts(result(one("unit_test_evaluator"), Scripted(judge), ["0 a", "0 b"], unit_tests=WORDS)) == ["0 a", "0 b"]
    assert texts(result(one("unit_test_evaluator"), Scripted(judge), ["1 unheard", "2 unheard"], unit_tests=WORDS)) == [
        "1 unheard", "2 unheard",
    ]  # fmt: skip


def test_tests_that_an_answer_leaves_out_count_as_failed_and_are_noted() -> None:
    context = Scripted(lambda ask: "[2] PASSED")
    left = kept(result(one("unit_test_evaluator"), context, ["a"], unit_tests=WORDS))
    assert left[0].score == pytest.approx(1 / 3) and "unit_test_evaluator left out 2 of 3 tests, which count as failed" in context.notes


def test_without_tests_nothing_is_asked_and_a_score_from_before_does_not_decide() -> None:
    context = Scripted(judge)
    given = [Candidate("1", score=9.0), Candidate("2", score=3.0)]
    assert texts(result(one("unit_test_evaluator"), context, given, unit_tests=[])) == ["1", "2"]
    assert not context.asked and context.notes == ["unit_test_evaluator judged none of 2 candidates, all are kept"]


def test_code_is_run_test_by_test_and_no_model_is_asked() -> None:
    def python(code: str) -> str:
        space: dict[str, object] = {}
        try:
            exec(code, space)
        except Exception as error:
            return repr(error)
        return ""

    context = Scripted(lambda ask: None, python=python)
    candidates = ["```python\ndef f(x):\n    return x + 1\n```", "def f(x):\n    return 2 * x", "def f(x): return 2 ** x", "no code"]
    left = result(one("unit_test_evaluator"), context, candidates, unit_tests=CODE, python_tests=True)
    assert [c and c.score for c in left] == pytest.approx([1 / 3, 1.0, 2 / 3, 0.0])
    assert texts(left) == [candidates[1]] and not context.asked and len(context.programs) == 12
