"""Majority: the answer that most candidates agree on (self-consistency)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from designgym.simulators.archon.components.base import (
    Candidate,
    Component,
    Context,
    Kind,
    Setting,
    State,
    Work,
    keep_answered,
    spread,
)

__all__ = ["MAJORITY"]


async def _elected(component: Component, state: State, context: Context) -> list[Candidate]:
    found = await keep_answered(component, state.candidates, context)
    if not found:
        return []
    weights = _weights(component, found, context)
    votes: dict[str, float] = {}
    first: dict[str, Candidate] = {}
    for candidate, weight in zip(found, weights, strict=True):
        answer = state.question.extract(candidate.text)
        votes[answer] = votes.get(answer, 0.0) + weight
        first.setdefault(answer, candidate)
    if len(votes) > 1:
        votes.pop("", None)  # candidates in which no answer was found do not agree on one
    winner = max(votes, key=votes.__getitem__)  # the first of those with as many
    return [replace(first[winner], score=votes[winner] / sum(weights))]


def _weights(component: Component, found: Sequence[Candidate], context: Context) -> list[float]:
    known = [candidate.score for candidate in found if candidate.score is not None]
    if not component["weighted"]:
        return [1.0] * len(found)
    if not known:
        context.note(component, f"majority: none of {len(found)} candidates has a score, all votes count the same")
        return [1.0] * len(found)
    mean = sum(known) / len(known)  # of those that could not be judged nothing better is known
    weights = [mean if candidate.score is None else candidate.score for candidate in found]
    return weights if sum(weights) > 0 else [1.0] * len(found)


def _start(component: Component, state: State, context: Context) -> State:
    elected = context.spawn(_elected(component, state, context))
    return state.with_candidates(spread(elected, min(len(state.candidates), 1), context))


def _work(component: Component, before: int) -> Work:
    return Work(0, min(before, 1))


MAJORITY = Kind(
    "majority", "Wang et al. 2022, Self-Consistency (arXiv 2203.11171)", "the answer that most candidates agree on", _start, _work,
    {"weighted": Setting(False, "weight votes by the scores that a check before it left, such as best_of_n")},
    calls_model=False,
)  # fmt: skip
