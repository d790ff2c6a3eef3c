"""Short texts to write under constraints that a program checks."""

from __future__ import annotations

import json

import numpy as np

from designgym.simulators.archon.calls import conversation
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.grading import Constraint, Instructed
from designgym.simulators.archon.tasks.item import Item

__all__ = ["instruction_item"]

_TOPICS = {
    "a lighthouse": ("lamp", "storm", "ships", "rocks", "keeper"),
    "a vegetable garden": ("soil", "seeds", "water", "weeds", "harvest"),
    "a train journey": ("window", "station", "ticket", "tracks", "carriage"),
    "baking bread": ("flour", "oven", "yeast", "crust", "dough"),
    "a night in the mountains": ("tent", "stars", "wind", "fire", "ridge"),
    "a public library": ("shelves", "readers", "quiet", "catalogue", "stories"),
    "repairing a bicycle": ("chain", "wheel", "oil", "brakes", "tools"),
    "a weekly market": ("stalls", "cheese", "voices", "baskets", "coins"),
}
_FILLERS = ("people", "often", "work", "there", "with", "some", "care", "every", "day", "while", "others", "watch", "from", "near")
_FREQUENT = ("the", "and", "very", "is", "a", "in")
_KEYS = ("title", "place", "season", "colour", "mood", "sound", "owner", "year")


def instruction_item(name: str, number: int, difficulty: int, rng: np.random.Generator) -> Item:
    """Return a text to write under 1 + difficulty constraints, every fourth time as JSON; some text keeps to them all: its reference."""
    topic = str(rng.choice(list(_TOPICS)))
    constraints, reference = (_json if number % 4 == 3 else _prose)(topic, difficulty, rng)
    said = "\n".join(f"- {constraint}" for constraint in constraints)
    text = f"Write about {topic}. Keep to all of these instructions:\n{said}"
    return Item(name, Question(conversation(text)), Instructed(tuple(constraints)), reference)


def _prose(topic: str, difficulty: int, rng: np.random.Generator) -> tuple[list[Constraint], str]:
    """Return constraints of a text, and a text that keeps to them: it is written first, and then described."""
    sentences, used = 2 + int(rng.integers(1 + difficulty)), rng.permutation(_TOPICS[topic])[: min(1 + difficulty, 4)].tolist()
    lower = bool(rng.random() < 0.4)
    parts = []
    for index in range(sentences):
        filler = rng.choice(_FILLERS, 4 + int(rng.integers(4)), replace=False).tolist()
        for word in used[index::sentences]:
            filler.insert(int(rng.integers(1, len(filler))), word)
        parts.append(" ".join(filler) + ".")
    reference = " ".join(part if lower else part.capitalize() for part in parts)
    count, slack = len(reference.split()), max(6 - difficulty, 0)
    low, high = max(count - slack - int(rng.integers(3)), 1), count + slack
    avoided = rng.choice(_FREQUENT, 1 + difficulty // 2, replace=False).tolist()
    first, last = reference.split()[0], reference.split()[-1]
    uses = Constraint("contains", texts=tuple(used))  # always: so that the text is about something
    options = [
        Constraint("words", count if difficulty >= 4 else low, count if difficulty >= 4 else high),
        Constraint("sentences", sentences, sentences),
        Constraint("lacks", texts=tuple(avoided)),
        Constraint("starts_with", texts=(first,)),
        Constraint("ends_with", texts=(last,)),
        Constraint("lacks_sign", texts=(",", "!") if rng.random() < 0.5 else (",",)),
        *([Constraint("lower_case")] if lower else []),
    ]
    chosen = rng.choice(len(options), min(difficulty, len(options)), replace=False)
    return [uses, *(options[i] for i in sorted(chosen.tolist()))], reference


def _json(topic: str, difficulty: int, rng: np.random.Generator) -> tuple[list[Constraint], str]:
    keys = rng.permutation(_KEYS)[: 2 + difficulty // 2].tolist()
    used = rng.permutation(_TOPICS[topic])[:difficulty].tolist()
    values = {key: used[i] if i < len(used) else "unknown" for i, key in enumerate(keys)}
    values[keys[-1]] = " ".join([str(values[keys[-1]]), *used[len(keys) :]])
    avoided = tuple(rng.choice(_FREQUENT, difficulty, replace=False).tolist())
    reference = json.dumps(values)
    constraints = [Constraint("json_keys", texts=tuple(keys)), Constraint("contains", texts=tuple(used))]
    if difficulty > 1:
        constraints.append(Constraint("lacks", texts=avoided))
    if difficulty > 2:
        count = len(reference.split())
        constraints.append(Constraint("words", max(count - 4, 1), count + 4))
    return constraints, reference
