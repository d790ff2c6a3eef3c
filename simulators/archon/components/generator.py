"""Generator: answers to the question, drawn independently (repeated sampling)."""

from __future__ import annotations

from designgym.simulators.archon.components.base import Component, Context, Kind, Setting, State, Work, drawn
from designgym.simulators.archon.components.prompts import asking, with_tests

__all__ = ["GENERATOR"]


def _start(component: Component, state: State, context: Context) -> State:
    messages = asking("", state.question)
    if state.unit_tests is None:
        return state.with_candidates(drawn(component, messages, context))
    return state.with_candidates(drawn(component, context.spawn(with_tests(messages, state.unit_tests)), context))


def _work(component: Component, before: int) -> Work:
    return Work(component.samples, component.samples)


GENERATOR = Kind(
    "generator",
    "Brown et al. 2024, Large Language Monkeys (arXiv 2407.21787); Saad-Falcon et al. 2024, Archon (arXiv 2409.15254)",
    "answers to the question, drawn independently",
    _start, _work, {"samples": Setting(1, "answers drawn", low=1)}, role="source",
)  # fmt: skip
