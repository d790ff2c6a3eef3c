"""Tasks from a user's file with a JSON object on each line."""

from __future__ import annotations

import difflib
import json
import math
from pathlib import Path
from typing import Any

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.calls import Message, conversation
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.grading import Constraint, Criterion, Exact, Executable, Instructed, final_answer, program_in
from designgym.simulators.archon.tasks.item import Item, TaskSet, parted

__all__ = ["SUFFIX", "read_tasks"]

SUFFIX = ".jsonl"
KEYS = ("question", "messages", "answer", "tests", "visible_tests", "timeout_s", "constraints", "reference", "split", "name")
PARTS = ("dev", "test")


def read_tasks(path: str | Path, *, dev: float = 0.5) -> TaskSet:
    r"""Return the tasks of a file.

    A line has ``question``, a text, or ``messages``, a list of ``{"role": ..., "content": ...}`` that ends with the user's; and one of
    ``answer`` (a number or words; of an answer with ``####`` or ``\boxed{}``, what is stated there), ``tests`` (Python statements; with
    ``timeout_s`` and ``visible_tests`` if wanted) and ``constraints`` (see `Constraint`). Also ``reference``, a right answer in words,
    ``name``, and ``split``, ``dev`` or ``test``: of lines without it the given share is dev, chosen by their questions alone.

    Raises:
        InputError: If the file cannot be read, has no dev lines, or a line cannot be used, with its number.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")  # not at other signs that end lines, which texts may hold
    except FileNotFoundError:
        raise InputError(f"file of tasks {str(path)!r} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"file of tasks {str(path)!r} cannot be read as UTF-8 text: {error}") from None
    parts: dict[str, list[Item]] = {"dev": [], "test": [], "": []}
    seen: dict[Any, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item, part = _item(line, number)
            for what, key in (("asks the same", item.question.messages), ("has the same name", item.name)):
                if key in seen:
                    raise InputError(f"it {what} as line {seen[key]}, expected different ones: leave one out")
                seen[key] = number
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        parts[part].append(item)
    if not any(parts.values()):
        raise InputError(f'{path}: there are no tasks, expected lines such as {{"question": "What is 2 + 3?", "answer": "5"}}')
    for items, more in zip((parts["dev"], parts["test"]), parted(parts[""], dev), strict=True):
        items.extend(more)
    return TaskSet(str(path), tuple(parts["dev"]), tuple(parts["test"]))


def _item(line: str, number: int) -> tuple[Item, str]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"got {shorten(line)}, expected a JSON object ({error})") from None
    if not isinstance(data, dict):
        raise InputError(f"got {shorten(data)}, expected a JSON object")
    for key in data:
        if key not in KEYS and (near := difflib.get_close_matches(key, KEYS, 1, 0.8)):  # other keys are the file's own business
            raise InputError(f"it has {key!r}, which is nothing: do you mean {near[0]!r}?")
    criterion = _criterion(data)
    if not isinstance(criterion, Executable) and (misplaced := [key for key in ("visible_tests", "timeout_s") if key in data]):
        raise InputError(f"it has {' and '.join(misplaced)}, expected them beside tests alone")
    part = data.get("split", "")
    if part not in PARTS and "split" in data:
        raise InputError(f"split is {shorten(part)}, expected 'dev' or 'test', or leave it out")
    name, reference = data.get("name", f"line-{number}"), data.get("reference", "")
    if not isinstance(name, str) or not name or not isinstance(reference, str):
        raise InputError(f"name is {shorten(name)} and reference {shorten(reference)}, expected texts")
    seen = _texts("visible_tests", data["visible_tests"]) if "visible_tests" in data else ()
    if seen:
        Executable(seen)  # that they are Python
    extract = criterion.extract if isinstance(criterion, Exact) else program_in if isinstance(criterion, Executable) else str.strip
    return Item(name, Question(_messages(data), extract=extract, visible_tests=seen), criterion, reference), part


def _messages(data: dict[str, Any]) -> tuple[Message, ...]:
    if ("question" in data) == ("messages" in data):
        raise InputError(f"it has {', '.join(map(repr, data)) or 'nothing'}, expected either 'question' or 'messages'")
    if "question" in data:
        if not isinstance(data["question"], str):
            raise InputError(f"question is {shorten(data['question'])}, expected a text")
        return conversation(data["question"])
    found = data["messages"]
    usable = isinstance(found, list) and all(
        isinstance(message, dict)
        and message.get("role") in ("system", "user", "assistant")
        and isinstance(message.get("content"), str)
        for message in found
    )  # fmt: skip
    if not usable:
        raise InputError(
            f"messages is {shorten(found)}, expected a list of objects such as {{'role': 'user', 'content': 'What is 2 + 3?'}}"
        )
    return conversation([Message(message["role"], message["content"]) for message in found])


def _criterion(data: dict[str, Any]) -> Criterion:
    kinds = [key for key in ("answer", "tests", "constraints") if key in data]
    if len(kinds) != 1:
        raise InputError(f"it has {' and '.join(kinds) or 'no criterion'}, expected one of 'answer', 'tests' and 'constraints'")
    if kinds == ["answer"]:
        answer = data["answer"]
        if (
            isinstance(answer, bool)
            or not isinstance(answer, str | int | float)
            or (isinstance(answer, float) and not math.isfinite(answer))
        ):
            raise InputError(f"answer is {shorten(answer)}, expected a number or a text")
        text = str(answer)
        return Exact(final_answer(text) if "####" in text or "\\boxed" in text else text)
    if kinds == ["constraints"]:
        if not isinstance(data["constraints"], list):
            raise InputError(f"constraints is {shorten(data['constraints'])}, expected a list of objects")
        return Instructed(tuple(Constraint.from_json(part) for part in data["constraints"]))
    timeout_s = data.get("timeout_s", 10.0)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= 3600:
        raise InputError(f"timeout_s is {shorten(timeout_s)}, expected seconds above 0 and up to 3600")
    return Executable(_texts("tests", data["tests"]), float(timeout_s))


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InputError(f"{name} is {shorten(value)}, expected a list of Python statements, such as ['assert f(2) == 4']")
    return tuple(value)
