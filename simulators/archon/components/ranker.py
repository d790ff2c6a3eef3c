"""Ranker: orders the candidates by a model's judgement and keeps the best."""

from __future__ import annotations

from designgym.simulators.archon.components.base import (
    ARCHON,
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
from designgym.simulators.archon.components.prompts import asking, ranking, stated_order, texts

__all__ = ["RANKER"]

_ROLE = "You order answers by how well they answer a question."


async def _ranked(component: Component, state: State, context: Context) -> list[Candidate]:
    found = await keep_answered(component, state.candidates, context)
    if len(found) < 2:
        return found
    critiques = component["use_critiques"] and any(candidate.critique for candidate in found)
    answer = await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"Question:\n{state.question.text}\n\nAnswers:\n\n{texts(found, critiques=critiques)}\n\nOrder all {len(found)} answers, best "
            f"first, by correctness and use to who asked{', with the critiques as help' if critiques else ''}. Write the order alone on "
            "the first line, such as [2] > [1].",
        ),
        sample=context.offset(component),
    )
    order = ranking(answer.text if answer else "", len(found))
    if answer and not stated_order(answer.text, len(found)):
        context.note(component, "ranker: no order in the answer, the candidates stay as they came")
    return [found[i] for i in order][: component["top_k"]]


def _start(component: Component, state: State, context: Context) -> State:
    kept = min(component["top_k"], len(state.candidates))
    return state.with_candidates(spread(context.spawn(_ranked(component, state, context)), kept, context))


def _work(component: Component, before: int) -> Work:
    return Work(int(before > 1), min(component["top_k"], before))


RANKER = Kind(
    "ranker", ARCHON, "orders the candidates and keeps the best", _start, _work,
    {
        "top_k": Setting(5, "candidates that are kept", low=1),
        "use_critiques": Setting(True, "show what a critic said of each"),
    },
)  # fmt: skip
