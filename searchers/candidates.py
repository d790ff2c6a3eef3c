"""Real, legal, new designs to choose from by a model: a random pool, mutants of the best, and a climb through neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.core.design import Design

if TYPE_CHECKING:
    from designgym.searchers.base import BaseSearcher

CLIMBERS = 4  # candidates from which neighbours are tried
ROUNDS = 5  # steps of the climb
WIDTH = 160  # neighbours looked at per step, drawn at random if there are more
MUTANTS_PER_STEP = 4  # per climber: small steps of continuous parameters are neighbours, larger ones are not

Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def model_columns(searcher: BaseSearcher, designs: Iterable[Design]) -> NDArray[np.float64]:
    """Return the encoding of the canonical forms, shape ``(n, columns)``: equivalent designs look the same to a model."""
    return searcher.space.encode([searcher.space.canonical(design) for design in designs])


def best_candidate(searcher: BaseSearcher, score: Score, parents: Sequence[Design], *, random: int, mutants: int) -> Design | None:
    """Return the new design with the highest score that was found, or None if no new design was.

    Args:
        searcher: Whose space and generator are used, and whose known designs are left out.
        score: Maps encoded designs, shape ``(n, columns)``, to ``n`` numbers, higher is better.
        parents: Good known designs, whose mutants and neighbours are looked at.
        random: Size of the random pool.
        mutants: Number of mutants of the parents.
    """
    space, rng = searcher.space, searcher.rng
    found: dict[str, tuple[float, Design]] = {}

    def look(designs: Iterable[Design]) -> None:
        fresh: dict[str, Design] = {}
        for design in designs:
            key = searcher._key(design)
            if key not in found and key not in searcher.observations and key not in searcher.pending:
                fresh.setdefault(key, design)
        if fresh:
            values = score(model_columns(searcher, fresh.values()))
            found.update({key: (float(value), design) for (key, design), value in zip(fresh.items(), values, strict=True)})

    def near(designs: Sequence[Design]) -> list[Design]:
        steps = [step for design in designs for step in space.neighbours(design)]
        if len(steps) > WIDTH:
            steps = [steps[int(i)] for i in rng.choice(len(steps), size=WIDTH, replace=False)]
        return steps + [space.mutate(design, rng) for design in designs for _ in range(MUTANTS_PER_STEP)]

    moves = [space.mutate(parents[int(i)], rng) for i in rng.integers(len(parents), size=mutants)] if parents else []
    look([*space.sample(rng, random), *moves, *near(parents[:1])])
    climbed: set[str] = set()
    for _ in range(ROUNDS):
        top = sorted(found, key=lambda key: -found[key][0])[:CLIMBERS]
        if not (new := [key for key in top if key not in climbed]):
            break
        climbed.update(new)
        look(near([found[key][1] for key in new]))
    if not found:
        return searcher._random()
    return max(found.values(), key=lambda pair: pair[0])[1]


def same_sign_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers of one sign on a log scale, order kept; others unchanged. Products of costs are then sums to a model."""
    if (values > 0).all():
        return np.log(values)
    return -np.log(-values) if (values < 0).all() else values
