"""Tasks by their names, with settings: ``word-problems:items=60,seed=1,difficulty=2``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.name_settings import Setting, read_settings
from designgym.simulators.archon.tasks.arithmetic import arithmetic_item
from designgym.simulators.archon.tasks.code import code_item
from designgym.simulators.archon.tasks.instructions import instruction_item
from designgym.simulators.archon.tasks.item import Item, TaskSet
from designgym.simulators.archon.tasks.lines import SUFFIX, read_tasks
from designgym.simulators.archon.tasks.word_problems import word_problem

__all__ = ["GENERATED", "find_tasks", "generate_tasks"]

Draw = Callable[[str, int, int, np.random.Generator], Item]
"""An item by its name, its number, the difficulty and what it is drawn with."""

GENERATED: dict[str, Draw] = {
    "arithmetic": arithmetic_item,
    "word-problems": word_problem,
    "code": code_item,
    "instructions": instruction_item,
}
"""What can be generated."""
MOST_ITEMS, HARDEST = 10_000, 5
TRIES = 200  # to draw a question that is not there yet


def find_tasks(name: str) -> TaskSet:
    """Return tasks.

    Args:
        name: One of `GENERATED`, with settings after a colon (``items``, ``dev``, the share of them to search on, ``difficulty`` from 1 to
            5 and ``seed``), or the path of a file whose name ends in ``.jsonl``; see `read_tasks`.

    Raises:
        InputError: If there are no such tasks.
    """
    if name.endswith(SUFFIX):
        return read_tasks(name)
    base, _, settings = name.partition(":")
    if base not in GENERATED:
        raise UnknownNameError("tasks", base, [*GENERATED, f"FILE{SUFFIX}"])
    known = {
        "items": Setting("items", "60 queries", int, least=1),
        "dev": Setting("dev", "0.5 of the queries", least=0, positive=True),
        "difficulty": Setting("difficulty", "2 (1 to 5)", int, least=1),
        "seed": Setting("seed", "1", int),
    }
    found: dict[str, Any] = read_settings(name, settings, known)
    return generate_tasks(base, name=name, **found)


def generate_tasks(kind: str, *, items: int = 60, dev: float = 0.5, difficulty: int = 2, seed: int = 0, name: str = "") -> TaskSet:
    """Return generated tasks. The first items are the same however many are wanted.

    Args:
        kind: One of `GENERATED`.
        items: How many, all different.
        dev: The share of them to search on, of which there is one at least; the rest is to confirm with.
        difficulty: From 1 to 5.
        seed: Of all draws.
        name: Of the tasks; said by the settings unless given.

    Raises:
        InputError: If a setting cannot be, or there are not as many different ones.
    """
    if kind not in GENERATED:
        raise UnknownNameError("tasks", kind, GENERATED)
    for what, value, most in (("items", items, MOST_ITEMS), ("difficulty", difficulty, HARDEST)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise InputError(f"{what} of tasks is {shorten(value)}, expected a whole number from 1 to {most}")
    if isinstance(dev, bool) or not isinstance(dev, int | float) or not 0 < dev <= 1:
        raise InputError(f"dev of tasks is {shorten(dev)}, expected the share of the queries to search on, above 0 and up to 1")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed of tasks is {shorten(seed)}, expected a whole number of 0 or more")
    drawn = list(_drawn(kind, items, difficulty, seed))
    count = max(round(dev * items), 1)
    # of every few items some go to either part, so that kinds of questions are alike in both
    is_dev = [int((i + 1) * count / items + 1e-9) > int(i * count / items + 1e-9) for i in range(items)]
    first, second = (tuple(item for item, here in zip(drawn, is_dev, strict=True) if here == part) for part in (True, False))
    return TaskSet(name or f"{kind}:items={items},dev={dev:g},difficulty={difficulty},seed={seed}", first, second)


def _drawn(kind: str, items: int, difficulty: int, seed: int) -> Iterator[Item]:
    seen = set()
    for number in range(items):
        rng = np.random.default_rng([seed, number])
        for _ in range(TRIES):
            item = GENERATED[kind](f"{kind}-{number}", number, difficulty, rng)
            if item.question.messages not in seen:
                break
        else:
            raise InputError(f"there are no {items} different {kind} questions of difficulty {difficulty}, expected {number} at most")
        seen.add(item.question.messages)
        yield item
