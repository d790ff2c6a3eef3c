"""PlanSearch: observations about a problem, small sets of them, an idea from each set, and an answer from each idea."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import combinations

from designgym.simulators.archon.components.base import Candidate, Component, Context, Kind, Setting, State, Work
from designgym.simulators.archon.components.prompts import asking, listed, statements

__all__ = ["PLAN_SEARCH", "subsets"]

Path = tuple[int, ...]
"""Which set of observations was taken on each level, from the first."""
Observed = dict[Path, asyncio.Future[tuple[str, ...]]]
"""The observations made after each path, all of its own included."""

_ROLE = "You find ways to solve problems."
_PLAN = "You plan solutions before they are written."


def subsets(observations: int) -> list[tuple[int, ...]]:
    """Return the sets of at most two observations by index: those of one, those of two, and at last the empty one."""
    return [*combinations(range(observations), 1), *combinations(range(observations), 2), ()]


def _path(leaf: int, sets: int, depth: int) -> Path:
    """Return the path of a leaf: neighbours differ on the first level, so that a few leaves are as different as can be."""
    return tuple(leaf // sets**level % sets for level in range(depth))


def _window(component: Component, offset: int) -> range:
    """Return the leaves that a component answers from: two equal ones share one tree, so that they are one with both their samples."""
    leaves = len(subsets(component["observations"])) ** component["depth"]
    return range(min(offset, leaves), min(offset + component["samples"], leaves))


async def _observations(component: Component, state: State, known: Sequence[str], level: int, context: Context) -> tuple[str, ...]:
    """Return new observations, fewer than wanted if the model names no more."""
    wanted = component["observations"]
    so_far = f"Observations so far:\n{listed(known)}\n\n" if known else ""
    new = "new observations that follow from these or go further" if known else "observations about it"
    answer = await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"Question:\n{state.question.text}\n\n{so_far}Do not solve it yet. Write {wanted} different {new}: facts that are not stated, "
            "hints, or tricks that a good solution could use. Write one a line, each after its number, such as [1], and nothing else.",
        ),
        sample=level,  # what follows from no observation is not once more what came first
    )
    found = statements(answer.text)[:wanted] if answer else []
    if answer and len(found) < wanted:
        context.note(component, f"plan_search made {len(found)} of {wanted} observations")
    return tuple(found)


async def _after(path: Path, observed: Observed, sets: Sequence[tuple[int, ...]]) -> list[str]:
    """Return the observations that were taken along a path; those that were never made are left out."""
    taken: list[str] = []
    for level, chosen in enumerate(path):
        made = await observed[path[:level]]
        taken += [made[i] for i in sets[chosen] if i < len(made)]
    return taken


async def _answered(component: Component, state: State, path: Path, leaf: int, observed: Observed, context: Context) -> Candidate | None:
    taken = await _after(path, observed, subsets(component["observations"]))
    question = f"Question:\n{state.question.text}\n\n"
    hints = f"Observations that may help:\n{listed(taken)}\n\n" if taken else ""
    idea = await context.ask(
        component,
        asking(
            _PLAN,
            state.question,
            f"{question}{hints}Describe in words, step by step, a way to solve it{' that makes use of the observations' if taken else ''}. "
            "Do not write the solution itself.",
        ),
        sample=leaf,
    )
    if idea is None:
        return None
    answer = await context.ask(
        component,
        asking(
            "",
            state.question,
            f"{question}A plan of the solution:\n{idea.text}\n\nAnswer the question by this plan, in the form that the question asks for. "
            "If that is a program, write it complete, in one code block.",
        ),
        sample=leaf,
    )
    return None if answer is None else Candidate(answer.text)


def _start(component: Component, state: State, context: Context) -> State:
    sets = subsets(component["observations"])
    window = _window(component, context.offset(component))
    paths = {leaf: _path(leaf, len(sets), component["depth"]) for leaf in window}
    observed: Observed = {}

    async def observe(path: Path) -> tuple[str, ...]:
        return await _observations(component, state, await _after(path, observed, sets), len(path), context)

    for level in range(component["depth"]):
        for path in dict.fromkeys(path[:level] for path in paths.values()):
            observed[path] = context.spawn(observe(path))
    answered = partial(_answered, component, state, observed=observed, context=context)
    return state.with_candidates([context.spawn(answered(path=path, leaf=leaf)) for leaf, path in paths.items()])


def _work(component: Component, before: int) -> Work:
    sets, depth = len(subsets(component["observations"])), component["depth"]
    answers = min(component["samples"], sets**depth)
    return Work(sum(min(answers, sets**level) for level in range(depth)) + 2 * answers, answers)


PLAN_SEARCH = Kind(
    "plan_search",
    "Wang et al. 2024, PlanSearch (arXiv 2409.03733); without its second, criticised idea of each set and its pseudocode",
    "answers from ideas, each from another set of observations about the question", _start, _work,
    {
        "observations": Setting(3, "observations made at a time", low=1, high=10),
        "depth": Setting(1, "levels: on the second, new observations follow from each set of first ones", low=1, high=3),
        "samples": Setting(7, "answers at most; there are no more than sets of observations", low=1),
    },
    role="source",
)  # fmt: skip
