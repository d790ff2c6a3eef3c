"""Arithmetic in several steps, with exact answers."""

from __future__ import annotations

import operator

import numpy as np

from designgym.simulators.archon.calls import conversation
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.grading import Exact
from designgym.simulators.archon.tasks.item import Item

__all__ = ["arithmetic_item"]

_PRIORITY = {"+": 1, "-": 1, "*": 2, "/": 2, "": 3}
Term = tuple[str, int, str]
"""A term as text, its value, and its outermost operation."""


def arithmetic_item(name: str, number: int, difficulty: int, rng: np.random.Generator) -> Item:
    """Return a term to compute: 2 operations and numbers up to 20 at difficulty 1, 10 operations and up to 600 at difficulty 5."""
    text, value, _ = _term(2 * difficulty, 20 if difficulty == 1 else 30 * difficulty * (difficulty - 1), rng)
    question = f"Compute {text}. Work it out step by step and end with a line such as: #### 12."
    return Item(
        name, Question(conversation(question), extract=Exact(str(value)).extract), Exact(str(value)), f"{text} = {value}\n#### {value}"
    )


def _term(operations: int, largest: int, rng: np.random.Generator) -> Term:
    """Return a term whose value is whole: what is divided is drawn to be a multiple, and what would grow too large is added instead."""
    if not operations:
        number = int(rng.integers(2, largest + 1))
        return str(number), number, ""
    sign = str(rng.choice(["+", "-", "*", "/"], p=[0.25, 0.25, 0.3, 0.2]))
    split = 0 if sign == "/" else int(rng.integers(operations))
    left, right = _term(split, largest, rng), _term(operations - 1 - split, largest, rng)
    if sign == "/" and 0 < abs(right[1]) <= largest:
        quotient = int(rng.integers(2, max(largest // 2, 12)))
        left = (str(abs(right[1]) * quotient), abs(right[1]) * quotient, "")
    elif sign == "/" or (sign == "*" and abs(left[1] * right[1]) > 100 * largest**2):
        sign = "+"
    compute = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}[sign]
    return f"{_inside(left, sign)} {sign} {_inside(right, sign, right=True)}", compute(left[1], right[1]), sign


def _inside(term: Term, sign: str, *, right: bool = False) -> str:
    """Return a term as a part of another, in brackets where it needs them."""
    text, _, inner = term
    loose = _PRIORITY[inner] < _PRIORITY[sign] or (right and bool(inner) and _PRIORITY[inner] == _PRIORITY[sign])
    return f"({text})" if loose else text
