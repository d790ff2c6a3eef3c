"""Runs an architecture on a benchmark's questions: the pool after each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.responder.pool import Pool
from designgym.simulators.archon.responder.sources import SOURCES, Group, source
from designgym.simulators.archon.responder.stages import FILTERS, fused, pooled, tested
from designgym.simulators.archon.responder.world import World

__all__ = ["Step", "final", "run"]

Array = NDArray[np.float64]
KNOWN = (*SOURCES, *FILTERS, "fuser", "unit_test_generator", "unit_test_evaluator")


@dataclass(frozen=True, eq=False)
class Step:
    """A layer that ran.

    Attributes:
        layer: Its components, in an order of their own.
        before: The pool before it; None if there was none.
        groups: What sources drew, one for each component.
        after: The pool after it; None if there is none yet.
    """

    layer: tuple[Component, ...]
    before: Pool | None
    groups: tuple[Group, ...]
    after: Pool | None


def run(architecture: Architecture, world: World) -> list[Step]:
    """Return what each layer did.

    Raises:
        InputError: If it cannot run, or a component or model is unknown.
    """
    architecture.require_legal(runnable=True)
    steps: list[Step] = []
    pool: Pool | None = None
    tests: Component | None = None
    for component in (component for layer in architecture.layers for component in layer):
        if component.type not in KNOWN:
            raise UnknownNameError("type of component of the simulated responder", component.type, KNOWN)
    for given in architecture.layers:
        layer = given if len(given) == 1 else tuple(sorted(given, key=_place))
        groups: tuple[Group, ...] = ()
        before = pool
        kind = layer[0].type
        if all(component.type in SOURCES for component in layer):
            groups = tuple(source(component, world) for component in layer)
            pool = pooled([group[:4] for group in groups])
        elif kind == "unit_test_generator":
            tests = layer[0]
            world.ability(tests.model)
        elif pool is None:
            raise InputError(f"a {kind} comes before any candidates; put a generator first")
        elif kind == "unit_test_evaluator" and tests is not None:
            pool, tests = tested(layer[0], pool, world, tests), None
        elif kind == "fuser":
            pool = fused(layer, pool, world)
        else:
            pool = FILTERS[kind](layer[0], pool, world)
        for component in layer:
            if component.model:
                world.ability(component.model)  # judges too need a profile
        steps.append(Step(layer, before, groups, pool))
    return steps


def _place(component: Component) -> tuple[str, str, tuple[object, ...]]:
    # components of one type have the same settings in the same order
    return component.type, component.model, tuple(component.settings.values())


def final(steps: Sequence[Step]) -> Array:
    """Return the probability that the answer is right or wins, for each question."""
    pool = steps[-1].after
    if pool is None:
        raise InputError("the architecture leaves no candidates; put a generator first")
    return np.clip(pool.first_right(), 0.0, 1.0)
