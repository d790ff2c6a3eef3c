"""Designs that a space declares equivalent to a given one: the inverse of the canonical form, for testing its soundness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from designgym.core.canonical_form import CanonicalForm
from designgym.core.design import Design
from designgym.core.groups import Repeated
from designgym.core.rules import Interchangeable, Rewrite, Unordered
from designgym.core.space import DesignSpace


def equivalent_designs(
    space: DesignSpace, design: Design, rng: np.random.Generator, *, traits: frozenset[str] = frozenset(), tries: int = 30
) -> Iterator[Design]:
    """Yield different, legal designs with the same canonical form as ``design``.

    The moves: other values for inactive parameters, slots swapped, unordered groups shuffled, and other values for every
    parameter that a rewrite sets or reads, kept where the canonical form stays.

    Args:
        space: The space.
        design: A legal design.
        rng: Picks the moves.
        traits: The workload's traits, which rewrites may read.
        tries: Moves tried.
    """
    target = space.canonical(design, traits)
    seen = {design}
    for _ in range(tries):
        candidate = Design(_moved(space, dict(design), rng))
        if candidate not in seen and space.canonical(candidate, traits) == target and not space.violations(candidate):
            seen.add(candidate)
            yield candidate


def _moved(space: DesignSpace, values: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return the values after one to three random moves."""
    for _ in range(int(rng.integers(1, 4))):
        inactive = sorted(space.parameters.keys() - space.active(values))
        move = int(rng.integers(3))
        if move == 0 and inactive:
            _redraw(space, values, inactive[int(rng.integers(len(inactive)))], rng)
        elif move == 1 and space.symmetries:
            _inverse(space, values, rng)
        else:
            _redraw_inside_groups(space, values, rng)
    return values


def _inverse(space: DesignSpace, values: dict[str, Any], rng: np.random.Generator) -> None:
    rule = space.symmetries[int(rng.integers(len(space.symmetries)))]
    if isinstance(rule, Rewrite):
        names = sorted({rule.parameter} | (rule.to.names & space.parameters.keys()) | (rule.when.names & space.parameters.keys()))
        # mostly the parameter that the rewrite sets; now and then one of those it reads
        _redraw(space, values, rule.parameter if rng.random() < 0.7 else names[int(rng.integers(len(names)))], rng)
    elif isinstance(rule, Interchangeable):
        order = rng.permutation(len(rule.slots))
        contents = [[values[name] for name in slot] for slot in rule.slots]
        for slot, source in zip(rule.slots, order, strict=True):
            values.update(zip(slot, contents[int(source)], strict=True))
    elif isinstance(rule, Unordered):
        group = values[rule.parameter]
        values[rule.parameter] = tuple(group[int(i)] for i in rng.permutation(len(group)))
    elif isinstance(rule, CanonicalForm):
        name = rule.parameters[int(rng.integers(len(rule.parameters)))]
        values[name] = space.parameters[name].mutate(values[name], rng)


def _redraw(space: DesignSpace, values: dict[str, Any], name: str, rng: np.random.Generator) -> None:
    values[name] = space.parameters[name].sample(rng)


def _redraw_inside_groups(space: DesignSpace, values: dict[str, Any], rng: np.random.Generator) -> None:
    """Replace one element of a repeated group by one that the group's own space declares equivalent."""
    groups = [(name, p.space) for name, p in space.parameters.items() if isinstance(p, Repeated) and values[name]]
    if not groups:
        return
    name, inner = groups[int(rng.integers(len(groups)))]
    elements = list(values[name])
    i = int(rng.integers(len(elements)))
    elements[i] = next(equivalent_designs(inner, elements[i], rng, tries=5), elements[i])
    values[name] = tuple(elements)
