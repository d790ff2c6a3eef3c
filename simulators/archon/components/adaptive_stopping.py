"""Adaptive stopping: answers are drawn one after the other until the model no longer expects a new start to be better."""

from __future__ import annotations

from designgym.simulators.archon.components.base import Candidate, Component, Context, Kind, Setting, State, Work, spread
from designgym.simulators.archon.components.prompts import asking, yes

__all__ = ["ADAPTIVE_STOPPING"]

_ROLE = "You judge whether work is worth doing again."


async def _restart(component: Component, state: State, text: str, sample: int, context: Context) -> bool:
    """Return whether the model expects that an answer from a new start would be better; also if it does not say."""
    answer = await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"Question:\n{state.question.text}\n\nAnswer:\n{text}\n\nSuppose the question is answered once more, from the beginning and "
            "without sight of this answer. Is it likely that the new answer would be better than this one? Weigh how sure this answer is, "
            "then end with the word AGAIN if a new start is likely to be better, or the word KEEP if not.",
        ),
        sample=sample,
    )
    return (yes(answer.text, "again", "keep") if answer else None) is not False


async def _drawn(component: Component, state: State, context: Context) -> list[Candidate]:
    """Return the answer that was kept, then those drawn before it; in the order drawn if none was."""
    first, last = context.offset(component), component["samples"] - 1
    messages = asking("", state.question)
    found: list[Candidate] = []
    for i in range(component["samples"]):
        answer = await context.ask(component, messages, sample=first + i)
        if answer is None:
            continue
        if i < last and not await _restart(component, state, answer.text, first + i, context):
            return [Candidate(answer.text), *found]
        found.append(Candidate(answer.text))
    if len(found) < component["samples"]:
        context.note(component, f"adaptive_stopping drew {len(found)} of {component['samples']} answers")
    return found


def _start(component: Component, state: State, context: Context) -> State:
    return state.with_candidates(spread(context.spawn(_drawn(component, state, context)), component["samples"], context))


def _work(component: Component, before: int) -> Work:
    return Work(2 * component["samples"] - 1, component["samples"])


ADAPTIVE_STOPPING = Kind(
    "adaptive_stopping",
    "Manvi et al. 2024, Adaptive Inference-Time Compute (arXiv 2410.02725); there a model tuned to it says so with one token, here any "
    "model is asked in words",
    "draws answers until the model expects no better one", _start, _work,
    {"samples": Setting(4, "answers drawn at most", low=1)},
    role="source",
)  # fmt: skip
