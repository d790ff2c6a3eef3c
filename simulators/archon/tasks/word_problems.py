"""Problems of several sentences with exact answers, some of which say more than is needed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from designgym.simulators.archon.calls import conversation
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.grading import Exact
from designgym.simulators.archon.tasks.item import Item
from designgym.simulators.archon.tasks.word_templates import NAMES, TEMPLATES

__all__ = ["word_problem"]

_ASIDES = {
    "{name}'s sister is {n} years old.": (5, 40),
    "The shop around the corner opens at {n} in the morning.": (6, 11),
    "It is {n} degrees warm that day.": (8, 33),
    "The book that {name} reads has {n} pages.": (80, 700),
    "{name} lives at number {n} of the street.": (1, 120),
    "Last year {name} visited {n} towns.": (2, 15),
    "{n} people come by while this happens.": (2, 60),
    "The radio plays {n} songs.": (2, 20),
    "{name}'s train has {n} seats to a carriage.": (40, 90),
}
"""Sentences with a number that does not matter, and its least and largest value."""


def word_problem(name: str, number: int, difficulty: int, rng: np.random.Generator) -> Item:
    """Return a problem; the kinds of problems take turns.

    Steps and numbers grow with difficulty, and from 2 there are difficulty - 1 sentences with numbers that do not matter.
    """
    who = str(rng.choice(NAMES))
    template = list(TEMPLATES.values())[number % len(TEMPLATES)]
    problem = template(who, difficulty, rng)
    told = list(problem.told)
    for aside in rng.choice(list(_ASIDES), difficulty - 1, replace=False).tolist():
        low, high = _ASIDES[aside]
        told.insert(int(rng.integers(1, len(told) + 1)), aside.format(name=who, n=int(rng.integers(low, high + 1))))
    text = " ".join([*told, problem.asked])
    question = f"{text}\nThink step by step, and end with a line that has the number alone after four signs, such as: #### 12"
    answer = _written(problem.answer)
    exact = Exact(answer)
    return Item(name, Question(conversation(question), extract=exact.extract), exact, f"{problem.reason}\n#### {answer}")


def _written(number: Fraction) -> str:
    """Return a number as people write it: whole, or with decimals if they end after two, or as a fraction."""
    return str(number) if number.denominator == 1 or 100 % number.denominator else f"{float(number):.2f}"
