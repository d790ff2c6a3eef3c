"""Iterative deepening: a budget of tokens that grows by a factor each round, and a request to check the work when it is used up."""

from __future__ import annotations

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Candidate, Component, Context, Kind, Setting, State, Work
from designgym.simulators.archon.components.prompts import asking

__all__ = ["ITERATIVE_DEEPENING", "budgets"]

LEAST_TOKENS = 16
_CHECK = (
    "Wait. Go through what you have so far and look for mistakes: in what was asked, in each step, in the result. Correct what is wrong, "
    "go on where it is unfinished, and end with the complete answer to the question, written so that it stands for itself."
)


def budgets(rounds: int, factor: float, most: int) -> list[int]:
    """Return the tokens of each round: they grow by the factor up to ``most`` in the last; none is below 16, unless ``most`` is."""
    return [min(most, max(LEAST_TOKENS, round(most * factor ** (i + 1 - rounds)))) for i in range(rounds)]


async def _deepened(component: Component, state: State, context: Context) -> Candidate | None:
    sample, extract = context.offset(component), state.question.extract
    messages = list(asking("", state.question))
    last = whole = None  # the last answer, and the last one that was not cut off
    for tokens in budgets(component["rounds"], component["factor"], component["max_tokens"]):
        answer = await context.ask(component, messages, sample=sample, max_tokens=tokens)
        if answer is None:
            break  # what there is stays
        settled = whole is not None and answer.finish != "length" and extract(answer.text) == extract(whole)
        last = answer.text
        whole = whole if answer.finish == "length" else answer.text
        if settled:
            break
        messages += [Message("assistant", answer.text), Message("user", _CHECK)]
    text = last if whole is None else whole
    return None if text is None else Candidate(text)


def _start(component: Component, state: State, context: Context) -> State:
    return state.with_candidates([context.spawn(_deepened(component, state, context))])


def _work(component: Component, before: int) -> Work:
    return Work(component["rounds"], 1)


ITERATIVE_DEEPENING = Kind(
    "iterative_deepening",
    "Chen et al. 2025, Iterative Deepening Sampling (arXiv 2502.05449); the trigger is a message of the user, as endpoints for chats do "
    "not go on with an unfinished answer; it ends early when a check changes nothing",
    "answers in growing budgets of tokens, with a check of the work after each", _start, _work,
    {
        "rounds": Setting(3, "budgets, of which the last is max_tokens", low=1, high=64),
        "factor": Setting(2.0, "by which each budget is larger than the one before", low=1.0, high=16.0),
    },
    role="source",
)  # fmt: skip
