"""Critic: strengths and weaknesses of every candidate, for a ranker or fuser that follows."""

from __future__ import annotations

from dataclasses import replace

from designgym.simulators.archon.components.base import ARCHON, Candidate, Component, Context, Kind, State, Work, keep_answered, spread
from designgym.simulators.archon.components.prompts import asking, numbered_parts, texts

__all__ = ["CRITIC"]

_ROLE = "You judge answers: fair, exact and brief."


async def _criticised(component: Component, state: State, context: Context) -> list[Candidate]:
    found = await keep_answered(component, state.candidates, context)
    if not found:
        return []
    answer = await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"Question:\n{state.question.text}\n\nAnswers:\n\n{texts(found, critiques=False)}\n\nName strengths and weaknesses of each "
            f"of the {len(found)} answers. Begin each critique on a new line with its number, such as [1], and write nothing else.",
        ),
        sample=context.offset(component),
    )
    parts = numbered_parts(answer.text if answer else "", len(found))
    if answer and (missing := parts.count("")):
        context.note(component, f"critic left out {missing} of {len(found)} candidates")
    return [
        replace(candidate, critique="\n".join(filter(None, (candidate.critique, part))))
        for candidate, part in zip(found, parts, strict=True)
    ]


def _start(component: Component, state: State, context: Context) -> State:
    return state.with_candidates(spread(context.spawn(_criticised(component, state, context)), len(state.candidates), context))


def _work(component: Component, before: int) -> Work:
    return Work(1, before)


CRITIC = Kind(
    "critic",
    ARCHON,
    "strengths and weaknesses of every candidate",
    _start,
    _work,
)
