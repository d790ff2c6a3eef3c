"""A design space in the words of Gymnasium, Optuna and Ray Tune, and designs back from theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.groups import Permutation, Repeated
from designgym.core.parameters import DiscreteParameter, Float, Integer, Parameter, PowerOfTwo

if TYPE_CHECKING:
    import gymnasium
    import optuna

    from designgym.core.space import DesignSpace


def to_gym(space: DesignSpace) -> gymnasium.Space[Any]:
    """Return ``MultiDiscrete`` over the columns' cells, or ``Box`` in [0, 1] if a column is continuous."""
    from gymnasium import spaces

    cells = space.cells
    if cells.all():
        return spaces.MultiDiscrete(cells)
    return spaces.Box(0.0, 1.0, shape=(len(cells),), dtype=np.float32)


def from_gym(space: DesignSpace, action: Any) -> Design:
    """Return the design of an action of `to_gym`."""
    cells, choices = space.cells, space.choices
    if choices is not None and isinstance(action, np.ndarray) and action.shape == cells.shape and action.dtype.kind in "iu":
        indices: list[Any] = action.tolist()  # the usual case, in plain Python: an array's worth of checks costs more than the lookups
        if all(0 <= i < len(values) for (_, values), i in zip(choices, indices, strict=True)):
            return Design({name: values[i] for (name, values), i in zip(choices, indices, strict=True)})
    discrete = bool(cells.all())
    try:
        array = np.asarray(action)
    except ValueError:  # ragged lists
        array = np.empty(0)
    legal = array.shape == cells.shape and array.dtype.kind in ("iu" if discrete else "iuf")
    if not legal or not ((array >= 0) & (array < cells if discrete else array <= 1)).all():
        kind = "whole numbers, each below its bound in action_space.nvec" if discrete else "numbers in [0, 1]"
        raise InputError(
            f"action {shorten(action)} is not in {shorten(to_gym(space))}: expected {cells.size} {kind}, as action_space.sample() gives"
        )
    return space.decode(((array + 0.5) / cells if discrete else array)[None, :])[0]


def to_optuna(space: DesignSpace, trial: optuna.trial.BaseTrial, prefix: str = "") -> Design:
    """Return the suggested design; parameters whose conditions fail hold their defaults and are not suggested."""
    values: dict[str, Any] = {name: parameter.default for name, parameter in space.parameters.items()}
    waiting = {condition.parameter: condition for condition in space.conditions}
    order = sorted(space.parameters, key=lambda name: _depth(name, space))
    for name in order:
        if name not in waiting or name in space.active(values):
            values[name] = _suggest(space.parameters[name], trial, prefix + name)
    return Design(values)


def _depth(name: str, space: DesignSpace) -> int:
    """Return how many conditions stand between ``name`` and a parameter that is always active."""
    parents = {parent for condition in space.conditions if condition.parameter == name for parent in condition.when.names}
    return 1 + max(_depth(parent, space) for parent in parents) if parents else 0


def _suggest(parameter: Parameter, trial: optuna.trial.BaseTrial, name: str) -> Any:
    match parameter:
        case Integer():
            return trial.suggest_int(name, parameter.low, parameter.high, step=parameter.step, log=parameter.log)
        case PowerOfTwo():
            exponents = [bound.bit_length() - 1 for bound in (parameter.low, parameter.high)]
            return 1 << trial.suggest_int(f"log2({name})", *exponents)
        case Float():
            return parameter.validate(trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log))
        case DiscreteParameter(ordered=True):
            return parameter.values()[trial.suggest_int(f"index({name})", 0, len(parameter.values()) - 1)]
        case DiscreteParameter():
            return trial.suggest_categorical(name, list(parameter.values()))
        case Permutation():
            keys = [trial.suggest_float(column.name, 0.0, 1.0) for column in parameter.columns(name)]
            return parameter.decode(keys)
        case Repeated():
            length = trial.suggest_int(f"{name}.length", parameter.low, parameter.high)
            return tuple(to_optuna(parameter.space, trial, f"{name}[{i}].") for i in range(length))
    raise InputError(f"parameter {name!r} of kind {parameter.kind} has no Optuna form")


def to_tune(space: DesignSpace) -> dict[str, Any]:
    """Return a Ray Tune search space."""
    from ray import tune

    config: dict[str, Any] = {}
    for name, parameter in space.parameters.items():
        match parameter:
            case Integer(log=False):
                # Tune's quantised integers are multiples of the step, whatever the lower bound: spell other grids out
                plain = parameter.step == 1
                config[name] = tune.randint(parameter.low, parameter.high + 1) if plain else tune.choice(list(parameter.values()))
            case Float():
                config[name] = (tune.loguniform if parameter.log else tune.uniform)(parameter.low, parameter.high)
            case DiscreteParameter() if not isinstance(parameter, Integer):
                config[name] = tune.choice(list(parameter.values()))
            case _:
                config |= {column.name: tune.uniform(0.0, 1.0) for column in parameter.columns(name)}
    return config


def from_tune(space: DesignSpace, config: Mapping[str, Any]) -> Design:
    """Return the design of a configuration drawn from `to_tune`; keys of other things are ignored."""
    values: dict[str, Any] = {}
    for name, parameter in space.parameters.items():
        structured = isinstance(parameter, Permutation | Repeated) or (isinstance(parameter, Integer) and parameter.log)
        keys = [column.name for column in parameter.columns(name)] if structured else [name]
        if missing := [key for key in keys if key not in config]:
            raise InputError(f"configuration lacks {missing[0]!r}: draw it from DesignSpace.to_tune()")
        values[name] = parameter.decode([config[key] for key in keys]) if structured else config[name]
    return space.validate(values)
