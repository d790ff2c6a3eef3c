"""Drawing legal designs of a space with constraints, without drawing a whole design anew for each constraint that is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.parameters import Parameter
from designgym.core.rules import Constraint

Draw = Callable[[np.random.Generator, dict[str, Any]], None]


class NoLegalDesignError(Exception):
    """No legal values turned up; the argument is the reason of the constraint that was broken last."""


@dataclass
class _Block:
    """Parameters that constraints tie together, how to draw them, and where the first of them stands."""

    names: frozenset[str]
    draw: Draw
    place: int


class LegalSampler:
    """Draws values of all parameters that keep all constraints, uniformly over those that do.

    Parameters that no constraint ties together are drawn apart. Each constraint joins the parameters that it reads into one block, which
    is drawn again until the constraint holds; constraints that read few parameters come first. By induction a block's values are uniform
    over the legal ones: drawing uniform parts until they fit leaves every fit equally likely.

    Args:
        parameters: The parameters.
        constraints: The constraints, all of which must read parameters that are always active.
        attempts: Draws of one block until it counts as (almost) empty.
    """

    def __init__(self, parameters: Mapping[str, Parameter], constraints: Iterable[Constraint], attempts: int) -> None:
        self._attempts, self._names = attempts, tuple(parameters)
        blocks = [_Block(frozenset({name}), _one(name, parameter), i) for i, (name, parameter) in enumerate(parameters.items())]
        for constraint in sorted(constraints, key=lambda constraint: len(constraint.holds.names)):
            joined = [block for block in blocks if not block.names.isdisjoint(constraint.holds.names)]
            blocks = [block for block in blocks if block not in joined] + [self._joined(joined, constraint)]
        self._blocks = sorted(blocks, key=lambda block: block.place)

    def __call__(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return values by parameter.

        Raises:
            NoLegalDesignError: If none turn up.
            ExpressionError: If a constraint has no value for what was drawn.
        """
        values: dict[str, Any] = {}
        for block in self._blocks:
            block.draw(rng, values)
        return {name: values[name] for name in self._names}

    def _joined(self, parts: list[_Block], constraint: Constraint) -> _Block:
        parts = sorted(parts, key=lambda block: block.place)

        def draw(rng: np.random.Generator, values: dict[str, Any]) -> None:
            for _ in range(self._attempts):
                for part in parts:
                    part.draw(rng, values)
                if constraint.holds(values):
                    return
            raise NoLegalDesignError(constraint.reason)

        return _Block(frozenset().union(*(part.names for part in parts)), draw, min((part.place for part in parts), default=0))


def _one(name: str, parameter: Parameter) -> Draw:
    def draw(rng: np.random.Generator, values: dict[str, Any]) -> None:
        values[name] = parameter.sample(rng)

    return draw
