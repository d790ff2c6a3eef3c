"""The two ways to act in the same environment: a whole design per action, or one column of it per action."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.groups import Repeated
from designgym.core.parameters import Column, DiscreteParameter
from designgym.core.rules import Constraint
from designgym.core.space import DesignSpace

Form = Literal["design", "sequential"]
LOOK_AHEAD = 1024  # combinations tried per constraint and step to see whether a choice can still become legal
MOST_CELLS = 4096  # of an ordered column that keeps one choice per value: masks are as long, in every step
MOST_MASKED = 1 << 16  # choices of all columns of a whole design that are masked together: agents need an output for each
UNCHOSEN = -1.0


class ActionForm(Protocol):
    """How actions become designs. One instance belongs to one environment and holds what was chosen so far."""

    action_space: Any
    choices: list[float]

    def reset(self) -> None:
        """Forget what was chosen."""
        ...

    def take(self, action: Any) -> Design | None:
        """Return the design that this action completes, or None; raises `InputError` for an action outside the space."""
        ...

    def masks(self) -> NDArray[np.bool_]:
        """Return which actions can lead to a legal design that differs from those of the other actions."""
        ...


def make_form(form: str, space: DesignSpace, levels: int) -> ActionForm:
    """Return the form of that name."""
    if form == "design":
        return WholeDesign(space)
    if form == "sequential":
        return ColumnByColumn(space, levels)
    raise InputError(f"form {form!r} does not exist: expected 'design' (one action is a whole design) or 'sequential' (one column a step)")


class WholeDesign:
    """One action is a whole design: `DesignSpace.to_gym`."""

    def __init__(self, space: DesignSpace) -> None:
        self.action_space = space.to_gym()
        self.choices: list[float] = []
        self._space = space

    def reset(self) -> None:
        """Nothing is remembered between actions."""

    def take(self, action: Any) -> Design:
        """Return the action's design."""
        return self._space.from_gym(action)

    def masks(self) -> NDArray[np.bool_]:
        """Return the masks of all columns, one after the other: what a constraint on that column alone excludes.

        Raises:
            InputError: If a column is continuous, or the columns have more than `MOST_MASKED` choices.
        """
        if not isinstance(self.action_space, spaces.MultiDiscrete):
            raise InputError("a space with continuous columns has no masks in the design form: use form='sequential'")
        if (total := int(self._space.cells.sum())) > MOST_MASKED:
            widest = max(self._space.columns, key=lambda column: column.cells)
            raise InputError(
                f"a mask of this space would have {total:,} entries ({widest.cells:,} for {widest.name!r}), at most {MOST_MASKED:,} make "
                "sense: use form='sequential', which cuts large ranges into levels, or declare them as Float(...) or "
                "Integer(..., log=True), so that the action is a Box and needs no mask"
            )
        look = _LookAhead(self._space)
        parts = []
        for name, parameter in self._space.parameters.items():
            for column in parameter.columns(name):
                if isinstance(parameter, DiscreteParameter):
                    parts.append(look.allowed(name, list(parameter.values()), {}))
                else:
                    parts.append(np.ones(column.cells, np.bool_))
        return np.concatenate(parts)


class ColumnByColumn:
    """One action chooses one column of the encoded design; parameters come after those that their conditions read.

    All steps share one ``Discrete`` space, as large as the column with the most cells; in a smaller column actions count
    modulo its cells, and the mask offers each cell once. Continuous columns, and ordered ones of more than `MOST_CELLS` values, are cut
    into ``levels`` equal cells. Columns
    without effect (inactive parameters, absent elements of a repeated group) offer one choice.
    """

    def __init__(self, space: DesignSpace, levels: int) -> None:
        if levels < 2:
            raise InputError(f"levels must be at least 2, got {levels}")
        self._space = space
        self._order = _parents_first(space)
        self._steps = [(name, i) for name in self._order for i in range(len(space.parameters[name].columns(name)))]
        columns = {name: space.parameters[name].columns(name) for name in self._order}
        self._cells = [_choices(columns[name][i], levels) for name, i in self._steps]
        self.action_space: spaces.Discrete = spaces.Discrete(max(self._cells))
        self.choices = [UNCHOSEN] * len(self._steps)
        self._chosen: dict[str, Any] = {}
        self._look = _LookAhead(space)
        self.reset()

    def reset(self) -> None:
        """Start a new design."""
        self.choices = [UNCHOSEN] * len(self._steps)
        self._chosen = {}
        self._position = 0
        self._part: list[float] = []

    def take(self, action: Any) -> Design | None:
        """Choose the next column's cell; the last one completes the design."""
        cells = self._cells[self._position]
        if not _is_whole(action) or not 0 <= int(action) < self.action_space.n:
            raise InputError(
                f"action {shorten(action)} is not in {self.action_space}: expected a whole number, as action_space.sample() gives"
            )
        cell = int(action) % cells  # agents without masks may act anywhere in the space
        name, _ = self._steps[self._position]
        parameter = self._space.parameters[name]
        self.choices[self._position] = (cell + 0.5) / cells
        self._part.append(self.choices[self._position])
        self._position += 1
        if len(self._part) == len(parameter.columns(name)):
            active = name in self._active()
            # an inactive parameter has no effect: it keeps its default, whichever cell was named
            self._chosen[name] = parameter.decode(self._part) if active else parameter.default
            self._part = []
        if self._position < len(self._steps):
            return None
        return Design({name: self._chosen[name] for name in self._space.parameters})

    def masks(self) -> NDArray[np.bool_]:
        """Return the mask of the next column's choices; never empty, so that an agent in a dead end can finish the episode."""
        mask = np.zeros(self.action_space.n, np.bool_)
        if self._position >= len(self._steps):  # the episode is over: any action resets or is refused
            mask[0] = True
            return mask
        name, index = self._steps[self._position]
        cells, parameter = self._cells[self._position], self._space.parameters[name]
        if name not in self._active() or self._absent(name, index):
            mask[0] = True
            return mask
        if isinstance(parameter, DiscreteParameter) and cells == parameter.size():
            mask[:cells] = self._look.allowed(name, list(parameter.values()), self._chosen)
        if not mask.any():
            mask[:cells] = True
        return mask

    def _active(self) -> frozenset[str]:
        defaults = {name: parameter.default for name, parameter in self._space.parameters.items()}
        return self._space.active(defaults | self._chosen)

    def _absent(self, name: str, index: int) -> bool:
        """Return whether the column belongs to an element that the chosen length leaves out."""
        parameter = self._space.parameters[name]
        if not isinstance(parameter, Repeated) or index == 0:
            return False
        lengths = parameter.high - parameter.low + 1
        count = parameter.low + int(self._part[0] * lengths)
        return (index - 1) // len(parameter.space.columns) >= count


class _LookAhead:
    """Decides which values of a parameter a constraint rules out, given those chosen before.

    Each constraint is looked at alone, and only if the discrete parameters that it still waits for have few combinations:
    cheap and never wrong, but not complete.
    """

    def __init__(self, space: DesignSpace) -> None:
        self._space = space

    def allowed(self, name: str, values: Sequence[Any], chosen: Mapping[str, Any]) -> NDArray[np.bool_]:
        mask = np.ones(len(values), np.bool_)
        for constraint in self._space.constraints:
            if name in constraint.holds.names and (open_values := self._open(constraint, name, len(values), chosen)) is not None:
                for i, value in enumerate(values):
                    mask[i] &= _satisfiable(constraint, {**chosen, name: value}, open_values)
        return mask

    def _open(self, constraint: Constraint, name: str, count: int, chosen: Mapping[str, Any]) -> dict[str, list[Any]] | None:
        waiting = sorted(constraint.holds.names - {name} - chosen.keys())
        parameters = [self._space.parameters[other] for other in waiting]
        if not all(isinstance(parameter, DiscreteParameter) for parameter in parameters):
            return None
        if count * math.prod(parameter.size() for parameter in parameters) > LOOK_AHEAD:
            return None
        return {other: list(p.values()) for other, p in zip(waiting, parameters, strict=True) if isinstance(p, DiscreteParameter)}


def _satisfiable(constraint: Constraint, fixed: Mapping[str, Any], open_values: Mapping[str, Sequence[Any]]) -> bool:
    combinations = itertools.product(*open_values.values())
    return any(constraint.holds({**fixed, **dict(zip(open_values, combination, strict=True))}) for combination in combinations)


def _parents_first(space: DesignSpace) -> list[str]:
    """Return the parameters in declaration order, except that each comes after those that its conditions read."""
    parents: dict[str, set[str]] = {name: set() for name in space.parameters}
    for condition in space.conditions:
        parents[condition.parameter] |= condition.when.names
    order: list[str] = []
    while len(order) < len(parents):
        order.append(next(name for name in parents if name not in order and parents[name] <= set(order)))
    return order


def _choices(column: Column, levels: int) -> int:
    fine = column.cells == 0 or (column.kind == "ordinal" and column.cells > MOST_CELLS)
    return levels if fine else column.cells


def _is_whole(action: Any) -> bool:
    return isinstance(action, int | np.integer) or (isinstance(action, np.ndarray) and action.shape == () and action.dtype.kind in "iu")
