"""Verifier: keeps the candidates that a model finds correct, each judged for itself in two steps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from designgym.simulators.archon.components.base import ARCHON, Candidate, Component, Context, Kind, Pending, State, Work
from designgym.simulators.archon.components.prompts import asking, yes

__all__ = ["VERIFIER"]

_ROLE = "You check whether an answer is correct."


async def _judged(component: Component, state: State, candidate: Pending, context: Context) -> Candidate | None:
    """Return the candidate with the score 1 if it is found correct, 0 if not; it waits for no other candidate."""
    found = await candidate
    if found is None or found.dropped:
        return found
    about = f"Question:\n{state.question.text}\n\nAnswer:\n{found.text}\n\n"
    sample = context.offset(component)
    reasoning = await context.ask(
        component,
        asking(_ROLE, state.question, about + "Explain, step by step, why this answer is right and complete, or where it is not."),
        sample=sample,
    )
    verdict = reasoning and await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"{about}Reasoning about it:\n{reasoning.text}\n\nJudge the answer; check the reasoning as well. End with the word CORRECT or "
            "the word INCORRECT.",
        ),
        sample=sample,
    )
    correct = yes(verdict.text, "correct", "incorrect") if verdict else None
    return replace(found, score=None if correct is None else float(correct))


def _start(component: Component, state: State, context: Context) -> State:
    judged = [context.spawn(_judged(component, state, candidate, context)) for candidate in state.candidates]
    return state.with_candidates(best_of(component, judged, context))


def best_of(component: Component, judged: Sequence[Pending], context: Context) -> list[Pending]:
    """Return candidates of which those are dropped that did not reach the best score; if nothing was judged, none is."""

    async def one(i: int) -> Candidate | None:
        came = [await pending for pending in judged]
        found = [candidate for candidate in came if candidate and not candidate.dropped]
        candidate = came[i]
        best = max((other.score or 0.0 for other in found), default=0.0)
        if candidate is found[0] if found else False:
            passed = sum((other.score or 0.0) >= 1.0 for other in found)
            if not passed:
                context.note(component, f"{component.type}: none of {len(found)} candidates passed, the best are kept")
        return candidate and replace(candidate, dropped=candidate.dropped or (candidate.score or 0.0) < best)

    return [context.spawn(one(i)) for i in range(len(judged))]


def _work(component: Component, before: int) -> Work:
    return Work(2 * before, before)


VERIFIER = Kind(
    "verifier", ARCHON, "keeps the candidates that a model finds correct", _start,
    _work,
)  # fmt: skip
