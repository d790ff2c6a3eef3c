"""What an architecture costs: calls, tokens, money and time of each layer, for each question.

Lengths of answers and prices are published (``models.csv``); how long judgements are is a guess, made so that a whole architecture takes
about the tokens of Archon's table 1. The time is that of the critical path if everything runs at once that waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.responder.profiles import models
from designgym.simulators.archon.responder.running import Step
from designgym.simulators.archon.responder.world import LENGTH_DEVIATION, World

__all__ = ["Bill", "billed"]

Array = NDArray[np.float64]

READING_S = 8e-5  # seconds a token read takes: 4.4e-5 with GPT-4o, 1.2e-4 with Claude 3.5 Sonnet (minusx.ai, 2024-08)
LENGTHS_OF_QUESTIONS = 0.5  # deviation of the logarithm: a guess
INSTRUCTIONS = 60.0  # tokens of a prompt beside the question and what it shows: a guess
CRITIQUE, REASONING, VERDICT, GRADE, PLACE, TEST, RESULT = 110.0, 350.0, 150.0, 100.0, 15.0, 40.0, 25.0  # tokens of each: guesses
IDEAS = 5.85  # output tokens of a program by PlanSearch, in those of a plain one (constants of its notebooks)
DETECTED = 0.75  # wrong programs that visible tests find (arXiv 2411.17501, notebook)


class Calls(NamedTuple):
    """Calls of one sort.

    Attributes:
        model: The model.
        number: How many, for each question.
        input_tokens: Tokens that one reads.
        output_tokens: Tokens that one writes.
        after: How many wait for each other, 1 if none does.
        at_once: How many run side by side.
    """

    model: str
    number: Array | float
    input_tokens: Array | float
    output_tokens: Array | float
    after: Array | float = 1.0
    at_once: float = 1.0


@dataclass(frozen=True, eq=False)
class Bill:
    """What was spent, for each question.

    Attributes:
        calls: Calls of models.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        cost_usd: Money.
        ready_s: Seconds after which the layer is done.
    """

    calls: Array
    input_tokens: Array
    output_tokens: Array
    cost_usd: Array
    ready_s: Array


class Written(NamedTuple):
    """What the samples of a component take.

    Attributes:
        one: Tokens of one answer, for each question.
        tokens: Tokens of all.
        cost_usd: Of writing them.
        seconds: Until the longest is written, without reading.
        usd_per_token_read: Of reading, for all samples together.
    """

    one: Array
    tokens: Array
    cost_usd: Array
    seconds: Array
    usd_per_token_read: float


class Sizes:
    """Tokens of questions and answers, for each question.

    Args:
        world: The questions.
    """

    def __init__(self, world: World) -> None:
        count = world.questions.count
        places = (np.arange(count) + 0.5) / count
        asked = world.questions.generator("lengths of questions").permutation(np.exp(LENGTHS_OF_QUESTIONS * ndtri(places)))
        written = world.questions.generator("lengths of answers").permutation(np.exp(LENGTH_DEVIATION * ndtri(places)))
        self.question: Array = world.benchmark.question_tokens * asked / asked.mean()
        self.factor: Array = written / written.mean()
        self._world = world

        self._written: dict[tuple[str, int, int], Written] = {}

    def answer(self, component: Component) -> Array:
        """Return the tokens of an answer of a component; do not change it."""
        return self.written(component).one

    def written(self, component: Component) -> Written:
        """Return what the samples of a component take beside reading."""
        samples = component.samples
        key = (component.model, component["max_tokens"], samples)
        if key not in self._written:
            profile = models()[component.model]
            one = np.minimum(self._world.answer_tokens(component.model) * self.factor, component["max_tokens"])
            seconds = profile.first_token_s + _longest(samples) * one / profile.tokens_per_s
            cost = samples * one * profile.price.usd_per_million_output / 1e6
            self._written[key] = Written(one, samples * one, cost, seconds, samples * profile.price.usd_per_million_input / 1e6)
        return self._written[key]


def billed(steps: Sequence[Step], sizes: Sizes) -> list[Bill]:
    """Return what each layer spends."""
    bills: list[Bill] = []
    zero = np.zeros_like(sizes.question)
    ready, tests_ready, shown = zero, zero, zero
    tests: Component | None = None
    for step in steps:
        kind = step.layer[0].type
        candidates = zero if step.before is None else step.before.count
        critiques = CRITIQUE if step.before is not None and step.before.criticised else 0.0
        if step.groups and all(component.type == "generator" for component in step.layer):
            begins = np.maximum(ready, tests_ready) if tests is not None else ready
            bill, shown = _answering(step.layer, sizes.question, sizes, begins)
            ready = bill.ready_s
            bills.append(bill)
            continue
        if step.groups:
            groups = [_SOURCES[c.type](c, sizes, g.drawn, g.chance) for c, g in zip(step.layer, step.groups, strict=True)]
            calls = [item for group in groups for item in group]
            begins = np.maximum(ready, tests_ready) if tests is not None else ready
            ready = begins + np.max([np.sum([_seconds(item) for item in group], axis=0) for group in groups], axis=0)
            shown = np.mean([sizes.answer(component) for component in step.layer], axis=0)
            done = ready
        elif kind == "unit_test_generator":
            tests = step.layer[0]
            calls = [Calls(tests.model, 1.0, sizes.question + INSTRUCTIONS, TEST * tests["unit_test_cap"])]
            done = tests_ready = zero + _seconds(calls[0])  # it needs the question only
        elif kind == "fuser":
            read = sizes.question + INSTRUCTIONS + candidates * (shown + critiques)
            bill, shown = _answering(step.layer, read, sizes, ready)
            ready = bill.ready_s
            bills.append(bill)
            continue
        else:
            calls = _judging(step.layer[0], tests, candidates, sizes.question + INSTRUCTIONS, shown, critiques)
            begins = np.maximum(ready, tests_ready) if kind == "unit_test_evaluator" else ready
            done = ready = begins + np.sum([_seconds(item) for item in calls], axis=0) if calls else begins
            tests = None if kind == "unit_test_evaluator" else tests
        bills.append(_sum(calls, done, zero))
    return bills


def _answering(layer: Sequence[Component], read: Array, sizes: Sizes, begins: Array) -> tuple[Bill, Array]:
    """Return what answers of a layer to the same prompt spend, and the mean tokens of one."""
    parts = [sizes.written(component) for component in layer]
    number = float(sum(component.samples for component in layer))
    cost = sum(part.cost_usd for part in parts) + read * sum(part.usd_per_token_read for part in parts)
    seconds = parts[0].seconds
    for part in parts[1:]:
        seconds = np.maximum(seconds, part.seconds)
    tokens = np.asarray(sum(part.tokens for part in parts))
    bill = Bill(np.full_like(read, number), number * read, tokens, np.asarray(cost), begins + READING_S * read + seconds)
    return bill, tokens / number


def _judging(component: Component, tests: Component | None, n: Array, question: Array, shown: Array, critiques: float) -> list[Calls]:
    model, most = component.model, float(n.max())
    match component.type:
        case "critic":
            return [Calls(model, 1.0, question + n * shown, n * CRITIQUE)]
        case "ranker":
            asked = (n > 1).astype(np.float64)
            return [Calls(model, asked, question + n * (shown + critiques), n * PLACE, after=asked)]
        case "verifier":
            reasons = Calls(model, n, question + shown, REASONING, at_once=most)
            return [reasons, Calls(model, n, question + shown + REASONING, VERDICT, at_once=most)]
        case "unit_test_evaluator" if tests is not None and tests["tests"] == "words":
            count = tests["unit_test_cap"]
            return [Calls(model, n, question + shown + count * TEST, count * RESULT, at_once=most)]
        case "best_of_n":
            return [Calls(model, n, question + shown, GRADE, at_once=most)]
        case _:
            return []


def _generator(c: Component, sizes: Sizes, drawn: float, chance: Array) -> list[Calls]:
    return [Calls(c.model, drawn, sizes.question, sizes.answer(c), at_once=drawn)]


def _plan_search(c: Component, sizes: Sizes, drawn: float, chance: Array) -> list[Calls]:
    answer, planning = sizes.answer(c), c.kind.work(c, 0).calls - drawn
    words = (IDEAS - 1) * answer * drawn / planning
    plans = Calls(c.model, planning, sizes.question + INSTRUCTIONS + words, words, after=c["depth"] + 1, at_once=drawn)
    return [plans, Calls(c.model, drawn, sizes.question + INSTRUCTIONS + words, answer, at_once=drawn)]


def _plan_verify_code(c: Component, sizes: Sizes, drawn: float, chance: Array) -> list[Calls]:
    answer = sizes.answer(c)
    again = 0.5 * c["rounds"] * DETECTED * (1 - chance)  # wrong ones take half of the rounds: a guess
    one = sizes.question + INSTRUCTIONS + answer
    return [Calls(c.model, 3 + 3 * again, one, answer, after=3 + 3 * again)]


def _particle_filter(c: Component, sizes: Sizes, drawn: float, chance: Array) -> list[Calls]:
    answer, steps = sizes.answer(c), c["steps"]
    read = sizes.question + INSTRUCTIONS + answer / 2
    move = Calls(c.model, drawn * steps, read, answer / steps, after=steps, at_once=drawn)
    return [move, Calls(c.model, drawn * steps, read, GRADE, after=steps, at_once=drawn)]


def _adaptive_stopping(c: Component, sizes: Sizes, drawn: float, chance: Array) -> list[Calls]:
    answer = sizes.answer(c)
    judged = drawn if c["samples"] > 1 else 0.0
    answers = Calls(c.model, drawn, sizes.question, answer, after=drawn)
    return [answers, Calls(c.model, judged, sizes.question + INSTRUCTIONS + answer, GRADE, after=judged)]


def _iterative_deepening(c: Component, sizes: Sizes, drawn: float, chance: Array) -> list[Calls]:
    from designgym.simulators.archon.components.iterative_deepening import budgets

    answer, found, before = sizes.answer(c), [], np.zeros_like(sizes.question)
    for tokens in budgets(c["rounds"], c["factor"], c["max_tokens"]):
        written = np.minimum(answer, tokens)
        found.append(Calls(c.model, 1.0, sizes.question + before, written))
        before = before + written + INSTRUCTIONS
    return found


_SOURCES: dict[str, Callable[[Component, Sizes, float, Array], list[Calls]]] = {
    "generator": _generator, "plan_search": _plan_search, "plan_verify_code": _plan_verify_code, "particle_filter": _particle_filter,
    "adaptive_stopping": _adaptive_stopping, "iterative_deepening": _iterative_deepening,
}  # fmt: skip


def _seconds(calls: Calls) -> Array:
    """Return the seconds of calls of one sort: the longest of those that run side by side, as often as they wait for each other."""
    profile = models()[calls.model]
    one = profile.first_token_s + READING_S * calls.input_tokens + _longest(calls.at_once) * calls.output_tokens / profile.tokens_per_s
    return np.asarray(calls.after * one, dtype=np.float64)


@lru_cache(maxsize=4096)
def _longest(n: float) -> float:
    """Return how much longer than one the longest of n answers is (Blom's expectation of the largest of n)."""
    n = max(n, 1.0)
    return float(np.exp(LENGTH_DEVIATION * max(float(ndtri((n - 0.375) / (n + 0.25))), 0.0)))


def _sum(calls: Sequence[Calls], done: Array, zero: Array) -> Bill:
    number, read, written, cost = zero.copy(), zero.copy(), zero.copy(), zero.copy()
    for item in calls:
        price = models()[item.model].price
        number += item.number
        read += item.number * item.input_tokens
        written += item.number * item.output_tokens
        per_call = item.input_tokens * price.usd_per_million_input + item.output_tokens * price.usd_per_million_output
        cost += item.number * per_call / 1e6
    return Bill(number, read, written, cost, done)
