"""A benchmark's questions with everything that answers to them depend on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.responder.difficulty import Questions, abilities
from designgym.simulators.archon.responder.mechanisms import Mechanisms
from designgym.simulators.archon.responder.profiles import Benchmark, benchmark_named, models
from designgym.simulators.archon.responder.tables import records, table
from designgym.simulators.archon.responder.votes import Reward

__all__ = ["CODE", "World", "rule"]

Array = NDArray[np.float64]

CODE = ("code-contests", "code-contests-oracle", "swe-bench-lite", "livecodebench", "humaneval", "mbpp")
"""Benchmarks whose answers are programs."""
LENGTH_DEVIATION = 0.4  # of the logarithm of an answer's tokens: a guess
USUAL_TOKENS = 2048  # tokens that answers had room for in the figures: the default
DIVERSE = 0.5  # temperature from which samples are independent: the lowest of published coverage curves
MOST_KEPT = 4096
HOT = 0.1  # probit that a temperature of 2 costs over one of 1: a guess, "at most a few points" (Puri et al. 2025, v1)


@cache
def rule(name: str, parameter: str) -> float:
    """Return a parameter of a rule for components beyond Archon's."""
    rows = table("neighbours")
    return float(records(rows[(rows["rule"] == name) & (rows["parameter"] == parameter)])[0].value)


class World:
    """Questions of a benchmark and how models answer them.

    Args:
        questions: The questions.
        mechanisms: How answers come about.
    """

    def __init__(self, questions: Questions, mechanisms: Mechanisms) -> None:
        self.questions, self.mechanisms = questions, mechanisms
        self.benchmark: Benchmark = benchmark_named(questions.benchmark)
        self._abilities: dict[str, Array] = {}
        self._chances: dict[tuple[str, float, float, int], Array] = {}

    def ability(self, model: str) -> Array:
        """Return the probit of the chance that a sample of a model is right, for each question; raises `InputError` if unknown."""
        if model not in self._abilities:
            m = self.mechanisms
            self._abilities[model] = abilities(self.questions, model, correlation=m.correlation, between=m.between)
        return self._abilities[model]

    def chance(self, component: Component, shift: float = 0.0) -> Array:
        """Return the chance that an answer of a component is right, with a shift of its probit; do not change it."""
        key = (component.model, shift, component["temperature"], component["max_tokens"])
        if key not in self._chances:
            if len(self._chances) > MOST_KEPT:
                self._chances.clear()
            hot = HOT * max(component["temperature"] - 1.0, 0.0)
            self._chances[key] = ndtr(self.ability(component.model) + shift - hot) * self.complete(component)
        return self._chances[key]

    def chances_among(self, layer: Sequence[Component], shifts: Array, level: Array, lean: float) -> Array:
        """Return the same for components whose answers lean on what they read: the probit is in part the level of the candidates.

        Args:
            layer: The components.
            shifts: Of the probit, for each component.
            level: Probit of the candidates' chance, for each question.
            lean: Weight of the level.

        Returns:
            Chances, shape ``(components, questions)``.
        """
        own = np.array([self.ability(component.model) for component in layer])
        hot = np.array([HOT * max(component["temperature"] - 1.0, 0.0) for component in layer])
        complete = np.array([self.complete(component) for component in layer])
        probit = (1 - lean) * own + lean * level[None, :] + (shifts - hot)[:, None]
        return np.asarray(ndtr(probit), dtype=np.float64) * complete[:, None]

    @staticmethod
    def probability(ability: Array) -> Array:
        """Return the chance of a probit."""
        return np.asarray(ndtr(ability), dtype=np.float64)

    def complete(self, component: Component) -> float:
        """Return the share of answers that the limit of tokens does not cut off, in that of answers with the usual limit."""
        if component["max_tokens"] >= USUAL_TOKENS:
            return 1.0
        median = self.answer_tokens(component.model) * np.exp(-(LENGTH_DEVIATION**2) / 2)
        limits = np.log(np.array([component["max_tokens"], USUAL_TOKENS]) / median) / LENGTH_DEVIATION
        within = ndtr(limits)
        return float(within[0] / within[1])

    def answer_tokens(self, model: str) -> float:
        """Return the mean tokens of an answer of a model."""
        return models()[model].answer_tokens * self.benchmark.length_factor

    @staticmethod
    def sameness(component: Component) -> float:
        """Return the probability that all samples of a component are one: 1 at temperature 0, and none at usual temperatures."""
        if component["mirostat_tau"]:
            return 0.0
        return max(0.0, 1 - component["temperature"] / DIVERSE, 1 - component["top_p"] / DIVERSE)

    def reward(self, judge: str) -> Reward:
        """Return how a model grades: as the reward model of the published figures, moved by what sets it apart as a judge."""
        row = self._reward_row()
        return Reward(row[0] + self.mechanisms.role(judge).judge, row[1], row[2], row[3])

    def agreement(self) -> tuple[float, float] | None:
        """Return how much wrong answers agree (see `votes`); None if answers are texts, of which none equal others."""
        return None if self.benchmark.outcome == "win" or self.benchmark.name in CODE else self._reward_row()[4:6]

    def _reward_row(self) -> tuple[float, float, float, float, float, float]:
        return reward_row("gsm8k" if self.benchmark.name == "gsm8k" else "math-oracle")


@cache
def reward_row(task: str) -> tuple[float, float, float, float, float, float]:
    """Return gap, tail, doubt and vote of the reward model, and the agreement of wrong answers with its spread, on a task."""
    rows = table("rewards")
    row = records(rows[rows["task"] == task])[0]
    return row.gap, row.tail, row.doubt, row.vote, row.wrong_agreement, row.agreement_spread
