"""What makes candidates from the question, and with which chance each is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.responder.pool import fixed, of_independent
from designgym.simulators.archon.responder.votes import best_reward_first
from designgym.simulators.archon.responder.world import World, rule

__all__ = ["SOURCES", "Group", "particle_chance", "plan_search_chance", "plan_verify_code_chance", "plan_verify_code_mean", "source"]

Array = NDArray[np.float64]
DEEPEST = 16  # samples of the published adaptive stopping
FULL_STEPS = 12.0  # steps of a solution in the published particle filter: a guess
ROUNDS = 12.0  # of the published plan, verify and code


class Group(NamedTuple):
    """Candidates of one component.

    Attributes:
        chance: That each is right, for each question.
        number: How many.
        same: Probability that all of them are one and the same.
        model: The model they come from.
        drawn: Answers that were drawn on average, which may be more than are left or fewer.
    """

    chance: Array
    number: int
    same: float
    model: str
    drawn: float


def source(component: Component, world: World) -> Group:
    """Return the candidates of a component that needs none before it; raises `InputError` for an unknown model."""
    return SOURCES[component.type](component, world)


def _generator(component: Component, world: World) -> Group:
    count = component.samples
    return Group(world.chance(component), count, world.sameness(component), component.model, count)


def plan_search_chance(p: Array) -> Array:
    """Return the chance of a program after an idea: lower on average, but less sure to fail where plain samples do.

    The chance's probit is drawn towards 0 by a share, since ideas differ more than samples, and lowered.
    """
    return np.asarray(ndtr((1 - rule("plan_search", "mixing")) * np.clip(ndtri(p), -6, 6) - rule("plan_search", "loss")), dtype=np.float64)


def _plan_search(component: Component, world: World) -> Group:
    count = component.kind.work(component, 0).candidates
    return Group(plan_search_chance(world.chance(component)), count, 0.0, component.model, count)


def plan_verify_code_chance(p: Array, rounds: int) -> Array:
    """Return the chance of a program by a verified plan, repaired by visible tests."""
    share = np.log1p(rounds) / np.log1p(ROUNDS)  # a guess: each round helps less than the one before
    return np.asarray(ndtr(ndtri(np.clip(p, 1e-9, 1 - 1e-9)) + rule("plan_verify_code", "check") * share), dtype=np.float64)


def plan_verify_code_mean(skill: float) -> float:
    """Return the share of questions that it answers right in the published number of rounds, by that of plain answers."""
    return float(plan_verify_code_chance(np.array([skill]), int(ROUNDS))[0])


def _plan_verify_code(component: Component, world: World) -> Group:
    return Group(plan_verify_code_chance(world.chance(component), component["rounds"]), 1, 0.0, component.model, 1)


def particle_chance(p: Array, particles: int, stages: float, log_odds: float, doubt: float) -> Array:
    """Return the chance that the best of several particles is right.

    A solution is right if each of its stages is, all with the same chance; in each, the share of right particles that goes on is that of
    right ones among so many, weighed by the odds with which the reward prefers them. These differ between questions.
    """
    stage = p ** (1 / stages)
    table, pmf = of_independent([(stage, particles)])
    nodes, weights = hermegauss(5)
    found = np.zeros_like(p)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        odds = np.exp(log_odds + doubt * node)
        onward = table.right * odds / (table.right * odds + table.wrong)
        found += weight * (onward @ pmf) ** stages
    return found


def _particle_filter(component: Component, world: World) -> Group:
    count, steps = component["particles"], component["steps"]
    stages = 1 + (rule("particles", "stages") - 1) * min(np.log(steps) / np.log(FULL_STEPS), 1.5)
    # far from the temperature 1, resampling either ignores the grades or keeps one particle only: a guess
    sharp = np.exp(-0.1 * np.log(component["resampling_temperature"]) ** 2)
    odds = (rule("particles", "log_odds") + world.mechanisms.role(component.model).judge) * sharp
    # after resampling most particles have one ancestor
    return Group(
        particle_chance(world.chance(component), count, stages, odds, rule("particles", "doubt")), count, 1.0, component.model, count
    )


def _adaptive_stopping(component: Component, world: World) -> Group:
    p, most = world.chance(component), component["samples"]
    _, pmf = of_independent([(p, most)])
    best = best_reward_first(fixed(most), world.reward(component.model)) @ pmf
    drawn = 1 + rule("adaptive_stopping", "extra_samples") * np.log(most) / np.log(DEEPEST)
    kept = rule("adaptive_stopping", "kept_gain") * (best - p)
    return Group(np.clip(p + kept, 0.0, 1.0), 1, 0.0, component.model, float(drawn))


def _iterative_deepening(component: Component, world: World) -> Group:
    rounds = component["rounds"]
    shift = rule("iterative_deepening", "gain") * (1 - 0.5 ** (rounds - 1))
    return Group(world.chance(component, shift), 1, 0.0, component.model, 1)


SOURCES = {
    "generator": _generator,
    "plan_search": _plan_search,
    "plan_verify_code": _plan_verify_code,
    "particle_filter": _particle_filter,
    "adaptive_stopping": _adaptive_stopping,
    "iterative_deepening": _iterative_deepening,
}
"""What each kind of source does."""
