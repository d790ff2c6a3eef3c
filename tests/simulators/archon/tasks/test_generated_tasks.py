from __future__ import annotations

import ast
import asyncio
import pickle
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.core.workload import Workload
from designgym.simulators.archon.grading import Exact, Executable, Instructed, grade
from designgym.simulators.archon.tasks import GENERATED, Item, TaskSet, find_tasks, generate_tasks
from designgym.simulators.archon.tasks.code import code_problem
from designgym.simulators.archon.tasks.code_families import FAMILIES


def every(tasks: TaskSet) -> tuple[Item, ...]:
    return (*tasks.dev, *tasks.test)


@pytest.mark.parametrize("kind", list(GENERATED))
@settings(max_examples=6, deadline=None)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 10**6), st.floats(0.01, 1))
def test_tasks_repeat_by_seed_and_never_mix_their_parts(kind: str, items: int, difficulty: int, seed: int, dev: float) -> None:
    tasks = generate_tasks(kind, items=items, difficulty=difficulty, seed=seed, dev=dev)
    assert len(tasks.dev) == max(round(dev * items), 1) and len(every(tasks)) == items
    assert len({item.question.messages for item in every(tasks)}) == items
    again = generate_tasks(kind, items=items, difficulty=difficulty, seed=seed, dev=dev)
    assert again.digest == tasks.digest and [item.digest for item in again.dev] == [item.digest for item in tasks.dev]
    assert generate_tasks(kind, items=items, difficulty=difficulty, seed=seed + 1, dev=dev).digest != tasks.digest


def test_the_same_items_come_however_many_are_wanted() -> None:
    few, many = ({item.name: item.digest for item in every(generate_tasks("word-problems", items=n))} for n in (7, 20))
    assert few.items() <= many.items()


@pytest.mark.parametrize("kind", ["arithmetic", "word-problems", "instructions"])
@pytest.mark.parametrize("difficulty", [1, 3, 5])
def test_references_are_right_and_nonsense_is_not(kind: str, difficulty: int) -> None:
    items = every(generate_tasks(kind, items=40, difficulty=difficulty, seed=1))

    async def grades(text: str = "") -> list[float]:
        return [await grade(item, text or item.reference) for item in items]

    assert asyncio.run(grades()) == [1.0] * len(items)
    assert np.mean(asyncio.run(grades("Well, I am not sure, there is much to say, and 3 is a number!"))) < 0.5
    assert all(item.criterion not in item.question.messages for item in items)


@given(st.integers(1, 5), st.integers(0, 10**6))
def test_terms_have_the_value_that_python_gives_them(difficulty: int, seed: int) -> None:
    item = generate_tasks("arithmetic", items=1, difficulty=difficulty, seed=seed).dev[0]
    term = re.match(r"Compute (.*?)\. Work", item.question.text)
    assert term and isinstance(item.criterion, Exact)
    assert eval(term[1]) == int(item.criterion.answer)
    assert sum(isinstance(node, ast.BinOp) for node in ast.walk(ast.parse(term[1]))) <= 2 * difficulty


def test_difficulty_makes_more_of_everything() -> None:
    for kind in ("arithmetic", "word-problems"):
        lengths = [np.mean([len(item.question.text) for item in every(generate_tasks(kind, difficulty=d))]) for d in (1, 3, 5)]
        assert lengths == sorted(lengths), kind
    counts = [
        len(i.criterion.constraints)
        for d in (1, 5)
        for i in generate_tasks("instructions", difficulty=d).dev
        if isinstance(i.criterion, Instructed)
    ]
    assert np.mean(counts[:30]) < np.mean(counts[30:])


def passes(program: str, tests: tuple[str, ...]) -> bool:
    """Return whether one of our own programs passes tests, without the sandbox, since there are many."""
    module: dict[str, Any] = {}
    exec(program, module)
    try:
        for test in tests:
            exec(test, module)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("family", list(FAMILIES))
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_hidden_tests_tell_right_from_wrong(family: str, difficulty: int, seed: int) -> None:
    problem = code_problem(family, difficulty, np.random.default_rng(seed))
    assert passes(problem.right, (*problem.hidden_tests, problem.visible_test))
    assert not passes(problem.wrong, problem.hidden_tests)
    assert (
        problem.family.function in problem.text
        and "{" not in problem.text.split("For example")[0]
        and "@" not in problem.right + problem.wrong
    )
    assert all(str(number) in problem.text for number in problem.numbers.values())
    assert len(problem.hidden_tests) >= 6


def test_every_family_is_graded_in_the_sandbox() -> None:
    tasks = generate_tasks("code", items=len(FAMILIES), dev=1.0, difficulty=1, seed=3)
    wrong = [code_problem(family, 1, np.random.default_rng(5)) for family in FAMILIES]

    async def grades() -> list[list[float]]:
        right = [grade(item, item.reference) for item in tasks.dev]
        bad = [Executable(problem.hidden_tests).grade(problem.wrong) for problem in wrong]
        return [await asyncio.gather(*right), await asyncio.gather(*bad)]

    assert asyncio.run(grades()) == [[1.0] * len(FAMILIES), [0.0] * len(FAMILIES)]


def test_hidden_tests_are_not_shown() -> None:
    for item in every(generate_tasks("code", items=30, seed=2)):
        assert isinstance(item.criterion, Executable)
        hidden = set(item.criterion.tests) - set(item.question.visible_tests)
        assert len(item.question.visible_tests) == 1 and len(hidden) >= 5
        assert item.question.visible_tests[0] in item.question.text and not any(test in item.question.text for test in hidden)


def test_kinds_take_turns_in_both_parts() -> None:
    tasks = generate_tasks("code", items=60)
    for part in (tasks.dev, tasks.test):
        kinds = Counter(item.question.text.split("`")[1] for item in part)
        assert len(kinds) == len(FAMILIES) and max(kinds.values()) <= 3


def test_tasks_are_found_by_name_with_settings() -> None:
    tasks = find_tasks("word-problems:items=10,seed=1,difficulty=3,dev=0.2")
    assert (tasks.name, len(tasks.dev), len(tasks.test)) == ("word-problems:items=10,seed=1,difficulty=3,dev=0.2", 2, 8)
    assert tasks.digest == generate_tasks("word-problems", items=10, seed=1, difficulty=3, dev=0.2).digest
    assert find_tasks("code").digest == generate_tasks("code").digest
    assert Workload("code", tasks).digest == Workload("other", find_tasks(tasks.name)).digest


def test_tasks_can_be_sent_to_other_processes() -> None:
    for kind in GENERATED:
        tasks = generate_tasks(kind, items=4)
        there = pickle.loads(pickle.dumps(tasks))
        assert there.digest == tasks.digest and there.dev == tasks.dev


@pytest.mark.parametrize(
    "name", ["word-problems:items=0", "code:difficulty=6", "code:items=1.5", "code:size=3", "code:dev=0", "code:dev=2", "code:seed=-1"]
)
def test_settings_that_cannot_be(name: str) -> None:
    with pytest.raises(InputError, match="expected"):
        find_tasks(name)


def test_names_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    one = generate_tasks("arithmetic", items=1).dev[0]
    monkeypatch.setitem(GENERATED, "one", lambda name, number, difficulty, rng: one)
    for name in ("word-problem", "", "tasks.json"):
        with pytest.raises(UnknownNameError, match="word-problems"):
            find_tasks(name)
    with pytest.raises(InputError, match="expected a whole number"):
        generate_tasks("code", items=True)
    with pytest.raises(InputError, match="there are no 10000 different"):
        generate_tasks("one", items=10_000)


def test_task_sets_that_cannot_be() -> None:
    first, second = generate_tasks("arithmetic", items=2, dev=1.0).dev
    with pytest.raises(InputError, match="no dev queries"):
        TaskSet("x", (), (first,))
    with pytest.raises(InputError, match="the same in dev and test"):
        TaskSet("x", (first, second), (first,))
    with pytest.raises(InputError, match="one name"):
        TaskSet("x", (first,), (Item(first.name, second.question, second.criterion),))
    assert TaskSet("x", (first,), (second,)).digest != TaskSet("x", (second,), (first,)).digest
