"""Verifier: keeps the candidates that a model finds correct, each judged for itself in two steps."""

from __future__ import annotations

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
    """Return candidates of which those are dropped that did not reach the best score; if none has one, none is dropped."""

    async def best() -> float:
        scores = [candidate.score for pending in judged if (candidate := await pending) is not None and not candidate.dropped]
        known = [score for score in scores if score is not None]
        if scores and not known:
            context.note(component, f"{component.type} judged none of {len(scores)} candidates, all are kept")
        elif known and max(known) < 1.0:
            context.note(component, f"{component.type}: none of {len(scores)} candidates passed, the best are kept")
        return max(known, default=0.0)

    threshold = context.spawn(best())

    async def one(pending: Pending) -> Candidate | None:
        least = await threshold
        candidate = await pending
        return candidate and replace(candidate, dropped=candidate.dropped or (candidate.score or 0.0) < least)

    return [context.spawn(one(pending)) for pending in judged]


def _work(component: Component, before: int) -> Work:
    return Work(2 * before, before)


VERIFIER = Kind(
    "verifier", ARCHON, "keeps the candidates that a model finds correct", _start,
    _work,
)  # fmt: skip
