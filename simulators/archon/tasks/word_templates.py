"""Kinds of word problems: each draws its numbers, tells its story, and works out the answer in exact numbers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

__all__ = ["NAMES", "TEMPLATES", "Problem"]

NAMES = ("Ada", "Ben", "Chidi", "Dana", "Emre", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kofi", "Lena", "Mei", "Noor", "Omar", "Petra")
_GOODS = ("apples", "marbles", "stamps", "pencils", "cards", "shells", "buttons", "beads")


class Problem(NamedTuple):
    """A problem.

    Attributes:
        told: Its sentences, of which the first comes first.
        asked: The question at the end.
        answer: The answer.
        reason: How it comes about, in short.
    """

    told: tuple[str, ...]
    asked: str
    answer: Fraction
    reason: str


Draw = Callable[[str, int, np.random.Generator], Problem]


def _number(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _store(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    goods = str(rng.choice(_GOODS))
    have = _number(rng, 10, 30 * difficulty)
    told, steps = [f"{who} has {have} {goods}."], [str(have)]
    for _ in range(difficulty + 1):
        kind = _number(rng, 0, 4)
        if kind == 0:
            boxes, each = _number(rng, 2, 4 + difficulty), _number(rng, 3, 6 + 4 * difficulty)
            told.append(f"Then {who} buys {boxes} boxes with {each} {goods} in each.")
            have += boxes * each
        elif kind == 1 and have > 4:
            given = _number(rng, 2, have // 2)
            told.append(f"Then {who} gives {given} {goods} to a friend.")
            have -= given
        elif kind == 2 and (parts := [part for part in (2, 3, 4, 5) if have % part == 0 and have > part]):
            part = int(rng.choice(parts))
            told.append(
                f"Then {who} loses one {('half', 'third', 'quarter', 'fifth')[part - 2]} of all {goods}.".replace("one half", "half")
            )
            have -= have // part
        elif kind == 3 and have < 2000:
            told.append(f"Then {who} wins as many {goods} again as there are now.")
            have *= 2
        else:
            found = _number(rng, 2, 9 * difficulty)
            told.append(f"Then {who} finds {found} more {goods}.")
            have += found
        steps.append(str(have))
    return Problem(tuple(told), f"How many {goods} does {who} have at the end?", Fraction(have), " -> ".join(steps))


def _change(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    kinds = rng.choice(["pens", "notebooks", "rulers", "folders", "maps", "brushes"], difficulty + 1, replace=False)
    told, total = [f"{who} goes shopping."], 0
    for kind in kinds.tolist():
        count, cents = _number(rng, 2, 4 + difficulty), 5 * _number(rng, 7, 30 + 20 * difficulty)
        told.append(f"{who} takes {count} {kind} at ${cents / 100:.2f} each.")
        total += count * cents
    reason = f"{total} cents"
    if difficulty > 1:
        percent = int(rng.choice([10, 20, 25, 50]))
        told.append(f"On the whole purchase there are {percent} percent off.")
        total_now = Fraction(total * (100 - percent), 100)
    else:
        total_now = Fraction(total)
    note = int(-(-total_now // 1000) + _number(rng, 0, 2)) * 10
    told.append(f"{who} pays with ${note}.")
    answer = note - total_now / 100
    cents_left = round(answer * 100)
    if answer * 100 != cents_left:  # half a cent cannot be given back
        answer = Fraction(cents_left, 100)
        told.append("The change is rounded to the nearest cent, half a cent to the even one.")
    return Problem(tuple(told), f"How many dollars does {who} get back?", answer, f"{reason}, {float(total_now):g} to pay")


def _journey(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    told, way, minutes = [f"{who} goes on a journey."], Fraction(0), 0
    for leg in range(difficulty + 1):
        speed, time = 4 * _number(rng, 2, 6 + 4 * difficulty), 15 * _number(rng, 1, 4 + difficulty)
        start = "First" if not leg else "Then"
        told.append(f"{start} {who} travels for {time} minutes at {speed} kilometres per hour.")
        way, minutes = way + Fraction(speed * time, 60), minutes + time
        if difficulty > 1 and leg == 0:
            rest = 5 * _number(rng, 1, 6)
            told.append(f"After that there is a rest of {rest} minutes.")
            minutes += rest
    if difficulty > 2:
        return Problem(
            tuple(told), "What is the average speed of the whole journey, with its rest, in kilometres per hour, as a fraction or number?",
            way * 60 / minutes, f"{way} km in {minutes} minutes",
        )  # fmt: skip
    return Problem(tuple(told), f"How many kilometres does {who} travel in all?", way, f"{way} km")


def _tank(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    out = _number(rng, 1, 4 * difficulty)
    pipes = [out + _number(rng, 1, 6), *(_number(rng, 2, 9 + 3 * difficulty) for _ in range(difficulty - 1))]
    minutes, start = _number(rng, 5, 20 * difficulty), _number(rng, 0, 40 * difficulty)
    gain = sum(pipes) - out
    full = start + gain * minutes
    flows = " and ".join(f"{pipe} litres" for pipe in pipes)
    told = (
        f"{who} fills a tank that holds {full} litres and has {start} litres in it.",
        f"{'A pipe brings' if len(pipes) == 1 else f'{len(pipes)} pipes bring'} {flows} per minute.",
        f"A leak loses {out} litres per minute.",
    )
    return Problem(told, "After how many minutes is the tank full?", Fraction(minutes), f"({full} - {start}) / {gain}")


def _tickets(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    adults, children = _number(rng, 5, 40 * difficulty), _number(rng, 5, 40 * difficulty)
    child = _number(rng, 2, 5 + difficulty)
    adult = child + _number(rng, 1, 4 + 2 * difficulty)
    taken = adults * adult + children * child
    told = [f"{who} sells tickets, {adults + children} in all.", f"A ticket for adults is ${adult}, one for children ${child}."]
    if difficulty > 2:
        fee = _number(rng, 20, 90)
        told.append(f"After a fee of ${fee} for the hall ${taken - fee} are left of what was taken.")
    else:
        told.append(f"All tickets together bring ${taken}.")
    return Problem(
        tuple(told),
        "How many tickets for adults were sold?",
        Fraction(adults),
        f"({taken} - {child} * {adults + children}) / {adult - child}",
    )


def _ages(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    age, times, years = _number(rng, 4, 10 + 3 * difficulty), _number(rng, 2, 2 + difficulty), _number(rng, 2, 5 + 2 * difficulty)
    other = times * age
    told = [
        f"{who}'s uncle is {times} times as old as {who}.",
        f"In {years} years they will be {age + other + 2 * years} together.",
    ]
    if difficulty == 1:
        return Problem(tuple(told), f"How old is {who} now?", Fraction(age), f"{age + other} / {times + 1}")
    back = _number(rng, 1, age - 2)
    return Problem(tuple(told), f"How old was the uncle {back} years ago?", Fraction(other - back), f"{other} - {back}")


def _recipe(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    serves, guests = _number(rng, 2, 6), _number(rng, 7, 12 + 6 * difficulty)
    grams = serves * 5 * _number(rng, 4, 20 + 10 * difficulty)
    told = [
        f"{who} has a recipe for {serves} people that takes {grams} grams of flour.",
        f"There will be {guests} guests, {who} not counted.",
    ]
    need, asked = Fraction(grams * (guests + 1), serves), "How many grams of flour are needed for all of them?"
    reason = f"{grams} / {serves} * {guests + 1}"
    if difficulty > 1:
        portions = _number(rng, 2, 3)
        told.append(f"{who} wants {portions} portions for everybody.")
        need, reason = need * portions, f"{reason} * {portions}"
    if difficulty > 2:
        bag = 50 * _number(rng, 3, 20)
        told.append(f"Flour comes in bags of {bag} grams.")
        need, asked = Fraction(-(-need // bag)), "How many bags have to be bought so that there is enough?"
        reason = f"{reason} in bags of {bag}"
    return Problem(tuple(told), asked, need, reason)


def _workers(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    workers, days, rate = _number(rng, 2, 4 + difficulty), _number(rng, 2, 6 + difficulty), _number(rng, 2, 9 + 3 * difficulty)
    more, later = _number(rng, 1, 3 + difficulty), _number(rng, 2, 5 + difficulty)
    laid = workers * days * rate
    told = [f"{workers} workers lay {laid} stones in {days} days for {who}, all at the same pace."]
    if difficulty == 1:
        asked = f"How many stones do {workers + more} workers lay in {later} days?"
        return Problem(tuple(told), asked, Fraction((workers + more) * later * rate), f"{rate} each a day")
    wanted = (workers + more) * later * rate
    told.append(f"Then {more} more workers join them, and there are {wanted} more stones to lay.")
    left, ill = later, 0
    if difficulty > 2:
        ill = _number(rng, 1, later)
        wanted_now = wanted - rate * ill
        told[-1] = f"Then {more} more workers join them, and there are {wanted_now} more stones to lay."
        told.append(f"One of all the workers stays away on the first {ill} of the days to come.")
    return Problem(
        tuple(told), "How many days do the remaining stones take?", Fraction(left), f"{rate} each a day, {workers + more} workers"
    )


def _seats(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    rows, first, step = _number(rng, 4, 6 + 5 * difficulty), _number(rng, 5, 20), _number(rng, 1, 1 + difficulty)
    seats = rows * first + step * rows * (rows - 1) // 2
    told = [
        f"{who} counts the seats of a theatre with {rows} rows.",
        f"The first row has {first} seats, and each row {step} more than the one before.",
    ]
    if difficulty == 1:
        return Problem(
            tuple(told), "How many seats are there in all?", Fraction(seats), f"{rows} * {first} + {step} * {rows * (rows - 1) // 2}"
        )
    taken = _number(rng, 1, seats - 1)
    price = _number(rng, 4, 10 * difficulty)
    told.append(f"{taken} seats are taken, and every other one costs ${price}.")
    return Problem(
        tuple(told),
        "How many dollars do all free seats bring together?",
        Fraction((seats - taken) * price),
        f"({seats} - {taken}) * {price}",
    )


def _shares(who: str, difficulty: int, rng: np.random.Generator) -> Problem:
    parts = [_number(rng, 1, 4 + difficulty) for _ in range(2 + difficulty // 2)]
    unit = _number(rng, 3, 12 * difficulty)
    total = unit * sum(parts)
    friends, ratio = "a friend" if len(parts) == 2 else f"{len(parts) - 1} friends", ":".join(map(str, parts))
    told = [f"{who} and {friends} share ${total} in the ratio {ratio}, where {who}'s part comes first."]
    answer, reason = Fraction(unit * parts[0]), f"{total} / {sum(parts)} * {parts[0]}"
    asked = f"How many dollars does {who} get?"
    if difficulty > 1:
        percent = int(rng.choice([10, 20, 25, 40, 50]))
        told.append(f"{who} puts {percent} percent of that aside and spends the rest.")
        answer, asked, reason = answer * (100 - percent) / 100, f"How many dollars does {who} spend?", f"{reason}, less {percent} percent"
    return Problem(tuple(told), asked, answer, reason)


TEMPLATES: dict[str, Draw] = {
    "store": _store, "change": _change, "journey": _journey, "tank": _tank, "tickets": _tickets, "ages": _ages, "recipe": _recipe,
    "workers": _workers, "seats": _seats, "shares": _shares,
}  # fmt: skip
"""Every kind of problem."""
