"""What components do with the candidates before them: select, criticise, check and fuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.responder.pool import Pool, Table, fixed, of_independent
from designgym.simulators.archon.responder.selection import Kept, accepted, top
from designgym.simulators.archon.responder.votes import best_reward_first, majority
from designgym.simulators.archon.responder.world import CODE, World, rule

__all__ = ["FILTERS", "false_accept", "fused", "pooled", "tested"]

Array = NDArray[np.float64]
READERS = 3.0  # independent candidates of which a fuser gets 63 % of what candidates give it: Archon, figures 3 and 4
ALIKE = 0.5  # exponent: ten samples of one model are worth 3.2 independent candidates
TRUE_ACCEPT = 0.9  # of a verifier that is better than chance: a guess, only the ratio to the false accept rate shows in figures
PYTHON_ACCEPT = 0.95  # of tests that are run: a guess; a quarter of CodeContests' problems reject some right program
USUAL_TESTS = 5
SURE = 1e-6


def variety(counts: dict[str, int]) -> float:
    """Return how many independent candidates so many of each model are worth."""
    return float(sum(count**ALIKE for count in counts.values()))


def pooled(parts: Sequence[tuple[Array, int, float, str]]) -> Pool:
    """Return the pool of parts: chances, count, probability that all are the same, model."""
    counts: dict[str, int] = {}
    for _, count, same, model in parts:
        counts[model] = counts.get(model, 0) + (count if same < 1 else 1)
    table, pmf = of_independent([(chance, count) for chance, count, _, _ in parts], [same for _, _, same, _ in parts])
    return Pool(table, pmf, variety=variety(counts))


def _left(pool: Pool, kept: Kept) -> Pool:
    chance = kept.matrix.T @ pool.chance
    first = None
    if kept.first is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            first = np.where(chance > 0, (kept.first.T @ pool.chance) / chance, 0.0)
    most = float((kept.table.size @ chance).sum()) / chance.shape[1]
    return replace(
        pool,
        table=kept.table,
        chance=chance,
        first=first,
        variety=min(pool.variety, max(most, 1.0)),
        ordered=first is not None or pool.ordered,
    )


def _critic(component: Component, pool: Pool, world: World) -> Pool:
    return replace(pool, criticised=world.mechanisms.role(component.model).read)


def _ranker(component: Component, pool: Pool, world: World) -> Pool:
    m = world.mechanisms
    read = m.rank_read * pool.criticised if component["use_critiques"] else 0.0
    return _left(pool, top(pool.table, component["top_k"], float(np.exp(m.rank + m.role(component.model).judge + read))))


def _checked(pool: Pool, log_odds: float) -> Pool:
    accept = TRUE_ACCEPT * np.exp(-abs(log_odds))
    rates = (TRUE_ACCEPT, accept) if log_odds >= 0 else (accept, TRUE_ACCEPT)
    return _left(pool, accepted(pool.table, *map(float, rates)))


def _verifier(component: Component, pool: Pool, world: World) -> Pool:
    role = world.mechanisms.role(component.model)
    return replace(_checked(pool, world.mechanisms.verify + role.judge), verified=role.read)


def false_accept(skill: float, task: str = "") -> float:
    """Return how often tests accept a wrong program of a model of a skill: a strong model's are wrong more subtly (arXiv 2411.17501).

    Args:
        skill: Share of right programs.
        task: The benchmark whose tests they are; MBPP has its own level, all others are like HumanEval.
    """
    level = rule("tests", "mbpp_level" if task == "mbpp" else "false_accept_level")
    return float(expit(level + rule("tests", "false_accept_slope") * logit(np.clip(skill, 1e-3, 1 - 1e-3))))


def _tests(component: Component, pool: Pool, world: World, python: bool, count: int) -> Pool:
    role = world.mechanisms.role(component.model)
    strength = float(np.clip(np.sqrt(count / USUAL_TESTS), 0.5, 1.5))  # more tests are stricter: a guess
    if not python:
        return replace(_checked(pool, (world.mechanisms.test + role.judge) * strength), tested=role.read)
    if world.benchmark.name not in CODE:
        return pool  # what is no program fails all tests, so that all are kept
    wrong = false_accept(float(pool.mean_right.mean()), world.benchmark.name) ** strength
    return replace(_left(pool, accepted(pool.table, PYTHON_ACCEPT, wrong)), tested=role.read)


def _best_of_n(component: Component, pool: Pool, world: World) -> Pool:
    first = best_reward_first(pool.table, world.reward(component.model))
    with np.errstate(invalid="ignore", divide="ignore"):
        odds = np.where((pool.table.right > 0) & (pool.table.wrong > 0), first / (1 - first) * pool.table.wrong / pool.table.right, 1.0)
    left = top(pool.table, component["top_k"], np.clip(odds, 1e-9, 1e9))
    return replace(_left(pool, left), scored=True)


def _majority(component: Component, pool: Pool, world: World) -> Pool:
    agreement = world.agreement()
    if agreement is None:
        right = pool.first_right()
    else:
        won = majority(pool.table, *agreement)
        if component["weighted"] and pool.scored:
            share = pool.table.share
            weight = world.reward("").vote
            heavier = share * weight / (share * weight + 1 - share)
            moved = Table(pool.table.key, heavier * pool.table.size, (1 - heavier) * pool.table.size)
            won = np.interp(moved.right / moved.size, *_by_share(share, won))
        right = won @ pool.chance
    return replace(pooled([(right, 1, 0.0, "")]), criticised=pool.criticised, verified=pool.verified, tested=pool.tested)


def _by_share(share: Array, won: Array) -> tuple[Array, Array]:
    order = np.argsort(share, kind="stable")
    return share[order], won[order]


FILTERS = {"critic": _critic, "ranker": _ranker, "verifier": _verifier, "best_of_n": _best_of_n, "majority": _majority}
"""What each kind of component does that keeps, orders or annotates candidates, but for unit tests."""


def tested(component: Component, pool: Pool, world: World, tests: Component) -> Pool:
    """Return what an evaluator of unit tests leaves."""
    return _tests(component, pool, world, tests["tests"] == "python", tests["unit_test_cap"])


def fused(layer: Sequence[Component], pool: Pool, world: World) -> Pool:
    """Return the answers of a layer of fusers."""
    m = world.mechanisms
    share, chance = pool.shares()
    odds = np.exp(m.pick)
    follows = (share * odds / (share * odds + 1 - share))[:, None]
    level = ndtri(np.minimum(np.maximum(pool.mean_right, SURE), 1 - SURE))
    filling = 1 - np.exp(-pool.variety / READERS)
    helped = m.critique * pool.criticised + m.verified * pool.verified + m.tested * pool.tested
    if pool.ordered and pool.criticised:
        helped += m.ordered
    roles = [m.role(component.model) for component in layer]
    shifts = np.array([(m.gain + role.fuse) * filling + role.read * helped for role in roles])
    anew = world.chances_among(layer, shifts, level, m.lean)
    right = (1 - m.rework) * follows[None] + m.rework * anew[:, None, :]  # by fuser, share and question
    if len(layer) == 1 and layer[0].samples == 1:
        one = (right[0] * chance).sum(axis=0)
        return Pool(fixed(1), np.stack([1 - one, one]), variety=1.0)
    counts: dict[str, int] = {}
    for component in layer:
        counts[component.model] = counts.get(component.model, 0) + component.samples
    parts = [(row, component.samples) for row, component in zip(right, layer, strict=True)]
    table, pmf = of_independent(parts, [world.sameness(component) for component in layer])
    return Pool(table, np.einsum("nsq,sq->nq", pmf, chance), variety=variety(counts))
