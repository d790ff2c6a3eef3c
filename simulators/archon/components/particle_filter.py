"""Particle filter: solutions grow step by step, and after each step the promising ones are multiplied and the others given up."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from blake3 import blake3
from scipy.special import softmax

from designgym.simulators.archon.components.base import Candidate, Component, Context, Kind, Question, Setting, State, Work, spread
from designgym.simulators.archon.components.prompts import asking, score_in

__all__ = ["PARTICLE_FILTER", "resampled"]

_ROLE = "You judge unfinished solutions."
_NEXT = (
    "Write the next step of the solution and nothing after it: a few sentences that go on exactly where it ends. If the solution is "
    "complete with this step, state the final answer in it and end with a line that says END."
)
_REST = "Write all that remains of the solution, going on exactly where it ends, and state the final answer. End with a line that says END."
_END = re.compile(r"\n?^[ \t*_#]*END[ \t*_.#]*$\s*\Z", re.MULTILINE)


class Particle(NamedTuple):
    """A solution under way.

    Attributes:
        text: The steps so far.
        score: How promising the model finds it, from 0 to 10; None if it did not say.
        ended: Whether it is complete.
    """

    text: str = ""
    score: float | None = None
    ended: bool = False


async def _filtered(component: Component, state: State, context: Context) -> list[Candidate]:
    count, steps, offset = component["particles"], component["steps"], context.offset(component)
    particles = [Particle()] * count
    for step in range(steps):
        last = step == steps - 1
        moving = [
            # where the same text stands in two places, it goes on in two ways: each place has samples of its own
            context.spawn(_moved(component, state, particle, offset * count + place, last, context))
            for place, particle in enumerate(particles)
        ]
        alive = [moved for future in moving if (moved := await future) is not None]
        if len(alive) < count:
            context.note(component, f"particle_filter lost {count - len(alive)} of {count} particles in step {step + 1}")
        if not alive:
            return []
        particles = alive
        if last or all(particle.ended for particle in particles):
            break
        random = np.random.default_rng(_seed(component, state.question, offset, step))
        scores = [particle.score for particle in particles]
        particles = [particles[i] for i in resampled(scores, count, component["resampling_temperature"], random)]
    best_first = sorted(particles, key=lambda particle: -1.0 if particle.score is None else particle.score, reverse=True)
    return [Candidate(particle.text, score=particle.score) for particle in best_first]


def resampled(scores: Sequence[float | None], count: int, temperature: float, random: np.random.Generator) -> list[int]:
    """Return which particles go on, in ascending order: ``count`` draws by the softmax of their scores.

    Those without a score weigh as the mean of the others.
    """
    known = [score for score in scores if score is not None]
    mean = sum(known) / len(known) if known else 0.0
    weights = softmax(np.array([mean if score is None else score for score in scores]) / temperature)
    return sorted(int(i) for i in random.choice(len(scores), size=count, p=weights))


async def _moved(component: Component, state: State, particle: Particle, sample: int, last: bool, context: Context) -> Particle | None:
    if particle.ended:
        return particle
    about = f"Question:\n{state.question.text}\n\nSolution so far:\n{particle.text or '(nothing yet)'}\n\n"
    answer = await context.ask(component, asking("", state.question, about + (_REST if last else _NEXT)), sample=sample)
    if answer is None:
        return None
    step = answer.text.strip()
    text = "\n".join(filter(None, (particle.text, _END.sub("", step))))
    judged = await context.ask(
        component,
        asking(
            _ROLE,
            state.question,
            f"Question:\n{state.question.text}\n\nSolution so far:\n{text}\n\nIs all of it right, and will it lead to the right answer? "
            "Give your reasons in a few sentences, then end with a line such as: Score: 6, where 0 is certainly not and 10 certainly.",
        ),
        sample=sample,
    )
    return Particle(text, score_in(judged.text) if judged else None, last or bool(_END.search(step)))


def _seed(component: Component, question: Question, offset: int, step: int) -> int:
    data = [[list(message) for message in question.messages], component.key(), offset, step]
    return int.from_bytes(blake3(json.dumps(data).encode()).digest(length=16))


def _start(component: Component, state: State, context: Context) -> State:
    return state.with_candidates(spread(context.spawn(_filtered(component, state, context)), component["particles"], context))


def _work(component: Component, before: int) -> Work:
    return Work(2 * component["particles"] * component["steps"], component["particles"])


PARTICLE_FILTER = Kind(
    "particle_filter",
    "Puri et al. 2025, Particle-Based Monte Carlo (arXiv 2502.01618); the model grades steps in place of a trained process reward model",
    "solutions that grow in steps, resampled by how promising each is", _start, _work,
    {
        "particles": Setting(4, "solutions side by side", low=1),
        "steps": Setting(4, "steps of a solution at most; the last writes all that remains", low=1),
        "resampling_temperature": Setting(1.0, "points of 10 that make a solution e times as likely to go on", low=0.01, high=1000.0),
    },
    role="source",
)  # fmt: skip
