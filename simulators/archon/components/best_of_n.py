"""Best of n: a model scores every candidate for itself, and the best are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from designgym.simulators.archon.components.base import (
    Candidate,
    Component,
    Context,
    Kind,
    Pending,
    Setting,
    State,
    Work,
    keep_answered,
    spread,
)
from designgym.simulators.archon.components.prompts import asking, score_in

__all__ = ["BEST_OF_N"]

_ROLE = "You grade answers, strictly and without regard to their style."


async def _scored(component: Component, state: State, candidate: Pending, context: Context) -> Candidate | None:
    """Return the candidate with a score from 0 to 10, or None if the model gave none; it waits for no other candidate."""
    found = await candidate
    if found is None or found.dropped:
        return found
    answer = await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"Question:\n{state.question.text}\n\nAnswer:\n{found.text}\n\nHow good is this answer, from 0 (wrong or useless) to 10 "
            "(right, complete and clear)? Give your reasons in a few sentences, then end with a line such as: Score: 6",
        ),
        sample=context.offset(component),
    )
    score = score_in(answer.text) if answer else None
    if answer and score is None:
        context.note(component, "best_of_n gave a candidate no score, it comes last")
    return replace(found, score=score)


async def _best(component: Component, scored: Sequence[Pending], context: Context) -> list[Candidate]:
    found = await keep_answered(component, scored, context)
    # sorting is stable: of equal scores the first stays first
    return sorted(found, key=lambda candidate: -1.0 if candidate.score is None else candidate.score, reverse=True)[: component["top_k"]]


def _start(component: Component, state: State, context: Context) -> State:
    scored = [context.spawn(_scored(component, state, candidate, context)) for candidate in state.candidates]
    best = context.spawn(_best(component, scored, context))
    return state.with_candidates(spread(best, min(component["top_k"], len(scored)), context))


def _work(component: Component, before: int) -> Work:
    return Work(before, min(component["top_k"], before))


BEST_OF_N = Kind(
    "best_of_n",
    "Brown et al. 2024, Large Language Monkeys (arXiv 2407.21787), section 4.1; a model that grades by instruction in place of a trained "
    "reward model: Zheng et al. 2023, LLM-as-a-Judge (arXiv 2306.05685)",
    "keeps the candidates that a model scores best",
    _start, _work, {"top_k": Setting(1, "candidates that are kept", low=1)},
)  # fmt: skip
