"""Answers are worked out again, from the words of the problems alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.simulators.archon.grading import Exact
from designgym.simulators.archon.tasks.word_problems import word_problem
from designgym.simulators.archon.tasks.word_templates import TEMPLATES

Solver = Callable[[str], Fraction]


def numbers(pattern: str, text: str) -> list[Fraction]:
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return [Fraction(group) for group in found.groups()]


def store(text: str) -> Fraction:
    have = numbers(r"^\w+ has (\d+) \w+\.", text)[0]
    steps: dict[str, Callable[[re.Match[str], Fraction], Fraction]] = {
        r"buys (\d+) boxes with (\d+)": lambda m, n: n + int(m[1]) * int(m[2]),
        r"gives (\d+)": lambda m, n: n - int(m[1]),
        r"loses (?:one )?(half|third|quarter|fifth)": lambda m, n: n - n / {"half": 2, "third": 3, "quarter": 4, "fifth": 5}[m[1]],
        r"wins as many": lambda m, n: 2 * n,
        r"finds (\d+) more": lambda m, n: n + int(m[1]),
    }  # fmt: skip
    for sentence in re.findall(r"Then [^.]*\.", text):
        for pattern, step in steps.items():
            if found := re.search(pattern, sentence):
                have = step(found, have)
                break
        else:
            raise AssertionError(sentence)
    return have


def change(text: str) -> Fraction:
    pay = sum((int(n) * Fraction(price) for n, price in re.findall(r"takes (\d+) \w+ at \$([\d.]+) each", text)), Fraction())
    off = re.search(r"(\d+) percent off", text)
    back = numbers(r"pays with \$(\d+)\.", text)[0] - pay * (1 - (Fraction(int(off[1]), 100) if off else 0))
    return Fraction(round(back * 100), 100) if "rounded" in text else back


def journey(text: str) -> Fraction:
    legs = [(int(time), int(speed)) for time, speed in re.findall(r"travels for (\d+) minutes at (\d+) kilometres", text)]
    way = sum((Fraction(time * speed, 60) for time, speed in legs), Fraction())
    if "average speed" not in text:
        return way
    return way / Fraction(sum(time for time, _ in legs) + sum(map(int, re.findall(r"rest of (\d+) minutes", text))), 60)


def tank(text: str) -> Fraction:
    full, start = numbers(r"holds (\d+) litres and has (\d+) litres", text)
    pipes = re.search(r"(?:brings|bring) ([^.]*) per minute", text)
    assert pipes
    return (full - start) / (sum(map(int, re.findall(r"\d+", pipes[1]))) - numbers(r"loses (\d+) litres", text)[0])


def tickets(text: str) -> Fraction:
    count, adult, child = numbers(r"tickets, (\d+) in all.* adults is \$(\d+), one for children \$(\d+)", text)
    fee = re.search(r"fee of \$(\d+) for the hall \$(\d+)", text)
    taken = Fraction(int(fee[1]) + int(fee[2])) if fee else numbers(r"together bring \$(\d+)", text)[0]
    return (taken - child * count) / (adult - child)


def ages(text: str) -> Fraction:
    times, years, sum_then = numbers(r"is (\d+) times as old.*In (\d+) years they will be (\d+) together", text)
    age = (sum_then - 2 * years) / (times + 1)
    return age if "old is" in text else times * age - numbers(r"uncle (\d+) years ago", text)[0]


def recipe(text: str) -> Fraction:
    serves, grams, guests = numbers(r"for (\d+) people that takes (\d+) grams.*will be (\d+) guests", text)
    portions = re.search(r"wants (\d+) portions", text)
    need = grams / serves * (guests + 1) * (int(portions[1]) if portions else 1)
    bag = re.search(r"bags of (\d+) grams", text)
    return Fraction(-(-need // int(bag[1]))) if bag else need


def workers(text: str) -> Fraction:
    count, laid, days = numbers(r"(\d+) workers lay (\d+) stones in (\d+) days", text)
    rate = laid / days / count
    if asked := re.search(r"do (\d+) workers lay in (\d+) days", text):
        return rate * int(asked[1]) * int(asked[2])
    more, stones = numbers(r"(\d+) more workers join them, and there are (\d+) more stones", text)
    ill = re.search(r"first (\d+) of the days", text)
    days_needed = (stones + rate * (int(ill[1]) if ill else 0)) / rate / (count + more)
    assert days_needed >= (int(ill[1]) if ill else 0)
    return days_needed


def seats(text: str) -> Fraction:
    rows, first, step = numbers(r"with (\d+) rows.*first row has (\d+) seats, and each row (\d+) more", text)
    count = sum((first + step * row for row in range(int(rows))), Fraction())
    paid = re.search(r"(\d+) seats are taken, and every other one costs \$(\d+)", text)
    return (count - int(paid[1])) * int(paid[2]) if paid else count


def shares(text: str) -> Fraction:
    found = re.search(r"share \$(\d+) in the ratio ([\d:]+),", text)
    assert found
    parts = [int(part) for part in found[2].split(":")]
    aside = re.search(r"puts (\d+) percent of that aside", text)
    return Fraction(int(found[1]) * parts[0], sum(parts)) * (1 - Fraction(int(aside[1]) if aside else 0, 100))


SOLVERS: dict[str, Solver] = {
    "store": store, "change": change, "journey": journey, "tank": tank, "tickets": tickets, "ages": ages, "recipe": recipe,
    "workers": workers, "seats": seats, "shares": shares,
}  # fmt: skip


def test_every_kind_is_solved() -> None:
    assert list(SOLVERS) == list(TEMPLATES)


@pytest.mark.parametrize("kind", list(SOLVERS))
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_the_answer_follows_from_the_words(kind: str, difficulty: int, seed: int) -> None:
    number = list(TEMPLATES).index(kind)
    item = word_problem("x", number, difficulty, np.random.default_rng(seed))
    assert isinstance(item.criterion, Exact)
    found = SOLVERS[kind](item.question.text)
    assert Fraction(item.criterion.answer) == found, item.question.text
    assert found >= 0
    assert item.question.extract(item.reference) == str(found)
