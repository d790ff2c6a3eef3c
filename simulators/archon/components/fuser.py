"""Fuser: one answer out of all candidates."""

from __future__ import annotations

from collections.abc import Sequence

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import (
    ARCHON,
    Component,
    Context,
    Kind,
    Pending,
    Question,
    Setting,
    State,
    Work,
    drawn,
    keep_answered,
)
from designgym.simulators.archon.components.prompts import asking, texts

__all__ = ["FUSER"]

_ROLE = "You combine several answers to a question into one that is better than each."


async def _messages(component: Component, question: Question, candidates: Sequence[Pending], context: Context) -> list[Message]:
    found = await keep_answered(component, candidates, context)
    if not found:
        return []
    length = "\nIt may not be longer than the longest of them." if component["length_control"] else ""
    critiques = " Each may have a critique, which may be wrong as well." if any(c.critique for c in found) else ""
    return list(
        asking(
            _ROLE,
            question,
            f"Question:\n{question.text}\n\nAnswers of several models, some of which may be wrong or incomplete:{critiques}\n\n"
            f"{texts(found, critiques=True)}\n\n"
            f"Write the best answer to the question: check what the answers say, keep what is right, correct what is not, and do not "
            f"mention them.{length}",
        )
    )


def _start(component: Component, state: State, context: Context) -> State:
    messages = context.spawn(_messages(component, state.question, state.candidates, context))
    return state.with_candidates(drawn(component, messages, context))


def _work(component: Component, before: int) -> Work:
    return Work(component.samples, component.samples)


FUSER = Kind(
    "fuser", f"{ARCHON}; Wang et al. 2024, Mixture-of-Agents (arXiv 2406.04692)",
    "one answer out of all candidates", _start, _work,
    {
        "samples": Setting(1, "fused answers drawn", low=1),
        "length_control": Setting(False, "ask for an answer no longer than the longest candidate"),
    },
    role="mixer",
)  # fmt: skip
