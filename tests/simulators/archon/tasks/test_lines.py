from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.grading import Constraint, Exact, Executable, Instructed, grade
from designgym.simulators.archon.tasks import TaskSet, find_tasks, read_tasks
from designgym.simulators.archon.tasks.item import Item, parted
from designgym.simulators.archon.tasks.library import generate_tasks

ITEMS = generate_tasks("arithmetic", items=12, dev=1.0).dev


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), encoding="utf-8")
    return path


def only(folder: Path, line: dict[str, Any]) -> Item:
    return read_tasks(written(folder, {**line, "split": "dev"})).dev[0]


def test_every_form_of_a_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"question": "2 + 3?", "answer": 5, "split": "dev", "level": "easy"},
        "",
        {"question": "Capital of France?", "answer": "Paris", "split": "test", "name": "france", "reference": "It is Paris."},
        {"messages": [{"role": "system", "content": "Hi"}, {"role": "user", "content": "f?"}], "tests": ["assert f() == 1"],
         "visible_tests": ["assert f()"], "timeout_s": 3, "split": "dev"},
        {"question": "Write.", "constraints": [{"kind": "words", "least": 1, "most": 3}], "split": "dev"},
    )  # fmt: skip
    tasks = find_tasks(str(path))
    assert [item.name for item in tasks.dev] == ["line-1", "line-4", "line-5"] and [item.name for item in tasks.test] == ["france"]
    assert [item.criterion for item in tasks.dev] == [
        Exact("5"), Executable(("assert f() == 1",), 3.0), Instructed((Constraint("words", 1, 3),)),
    ]  # fmt: skip
    assert tasks.dev[1].question.visible_tests == ("assert f()",) and tasks.dev[1].question.messages[0] == ("system", "Hi")
    assert tasks.test[0].reference == "It is Paris." and tasks.name == str(path)


def test_answers_of_known_data_sets(tmp_path: Path) -> None:
    assert only(tmp_path, {"question": "q", "answer": "She has 4 * 18 = 72 left.\n#### 1,072"}).criterion == Exact("1072")
    assert only(tmp_path, {"question": "q", "answer": "so $x = \\boxed{\\frac{1}{2}}$"}).criterion == Exact("1/2")
    item = only(tmp_path, {"question": "Which? (A) 3 (B) 4", "answer": "B"})
    assert asyncio.run(grade(item, "The answer is (B).")) == 1 and item.question.extract("It must be B) 4") == "B"


def test_lines_without_a_part_go_to_one_by_their_questions_alone(tmp_path: Path) -> None:
    lines = [{"question": f"What is {i} + 1?", "answer": i + 1} for i in range(200)]
    there, back = (read_tasks(written(tmp_path, *some)) for some in (lines, [*lines[100:][::-1], *lines[:50]]))
    dev, fewer = ({item.question.text for item in tasks.dev} for tasks in (there, back))
    assert 70 < len(there.dev) < 130 and len(there.dev) + len(there.test) == 200
    assert fewer == {text for text in dev if int(text.split()[2]) not in range(50, 100)}
    assert there.digest != back.digest


@given(st.integers(1, 12), st.floats(0, 1))
def test_there_is_always_something_to_search_on(items: int, dev: float) -> None:
    given_items = ITEMS[:items]
    first, second = parted(given_items, dev)
    assert first and {*first, *second} == set(given_items) and len(first) + len(second) == items


def test_a_text_may_hold_any_sign(tmp_path: Path) -> None:
    line = '{"question": "a\u2028b\x85c?", "answer": 1}\r'
    assert read_tasks(written(tmp_path, line)).dev[0].question.text == "a\u2028b\x85c?"


def test_one_question_is_enough(tmp_path: Path) -> None:
    found = read_tasks(written(tmp_path, {"question": "1?", "answer": 1}))
    assert isinstance(found, TaskSet) and len(found.dev) == 1 and found.test == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ({"answer": 1}, "either 'question' or 'messages'"),
        ({}, "expected one of 'answer', 'tests' and 'constraints'"),
        ({"question": "q"}, "expected one of 'answer', 'tests' and 'constraints'"),
        ({"question": "q", "messages": [], "answer": 1}, "either 'question' or 'messages'"),
        ({"question": "q", "answer": 1, "tests": ["x"]}, "expected one of"),
        ({"question": 3, "answer": 1}, "question is 3, expected a text"),
        ({"question": " ", "answer": 1}, "not empty"),
        ({"question": "q", "answer": None}, "answer is None"),
        ({"question": "q", "answer": True}, "answer is True"),
        ({"question": "q", "answer": ""}, "expected a number or words"),
        ({"question": "q", "answer": float("inf")}, "answer is inf"),
        ({"question": "q", "tests": []}, "there are no tests"),
        ({"question": "q", "tests": ["assert ("]}, "expected a Python statement"),
        ({"question": "q", "tests": "assert 1"}, "expected a list of Python statements"),
        ({"question": "q", "tests": ["x"], "timeout_s": -1}, "timeout_s is -1"),
        ({"question": "q", "tests": ["x"], "visible_tests": [")"]}, "expected a Python statement"),
        ({"question": "q", "answer": 1, "visible_tests": ["x"]}, "beside tests alone"),
        ({"question": "q", "answer": 1, "split": "train"}, "expected 'dev' or 'test'"),
        ({"question": "q", "answer": 1, "split": None}, "expected 'dev' or 'test'"),
        ({"question": "q", "answer": 1, "name": 3}, "expected texts"),
        ({"question": "q", "answer": 1, "anwser": 2}, "do you mean 'answer'"),
        ({"messages": [{"role": "user"}], "answer": 1}, "expected a list of objects"),
        ({"messages": [{"role": "assistant", "content": "Hi"}], "answer": 1}, "last is the user's"),
        ({"question": "q", "constraints": [{"kind": "words"}]}, "whole numbers"),
        ({"question": "q", "constraints": {}}, "expected a list of objects"),
        ({"question": "ok?", "answer": 2}, "asks the same as line 1"),
        ({"question": "other", "answer": 2, "name": "line-1"}, "the same name as line 1"),
    ],
)
def test_bad_lines_are_errors_with_their_numbers(tmp_path: Path, line: Any, message: str) -> None:
    path = written(tmp_path, {"question": "ok?", "answer": 1}, "", line)
    with pytest.raises(InputError, match=message) as error:
        read_tasks(path)
    assert str(error.value).startswith(f"{path}, line 3: ")


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        find_tasks(str(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="there are no tasks"):
        read_tasks(written(tmp_path, ""))
    with pytest.raises(InputError, match="no dev queries"):
        read_tasks(written(tmp_path, {"question": "q", "answer": 1, "split": "test"}))
    (tmp_path / "raw.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as UTF-8"):
        read_tasks(tmp_path / "raw.jsonl")
