"""Between designs and Optuna: parameters of a design, distributions of parameters, samplers by name, and quiet."""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError, UnknownNameError
from designgym.core.groups import Permutation, Repeated
from designgym.core.parameters import DiscreteParameter, Integer, PowerOfTwo
from designgym.core.space import DesignSpace
from designgym.searchers.options import Option, from_signature

# GridSampler and PartialFixedSampler need a search space at construction; enumerating is what our `grid` does
SAMPLERS = (
    "BruteForceSampler",
    "CmaEsSampler",
    "GPSampler",
    "NSGAIIISampler",
    "NSGAIISampler",
    "QMCSampler",
    "RandomSampler",
    "TPESampler",
)
# what these decide follows from the trials and a seed alone, so that they can be made anew for each proposal
STATELESS = ("GPSampler", "NSGAIIISampler", "NSGAIISampler", "QMCSampler", "RandomSampler", "TPESampler")
CONSTRAINED = ("GPSampler", "NSGAIIISampler", "NSGAIISampler", "TPESampler")
GENERATIONS = ("NSGAIIISampler", "NSGAIISampler")  # only trials that they proposed themselves count
SINGLE = ("CmaEsSampler",)
_OURS = ("self", "seed", "constraints_func", "warn_independent_sampling", "warn_asynchronous_seeding", "independent_sampler")


def sampler_name(text: str) -> str:
    """Return the class name for ``tpe``, ``TPE`` or ``TPESampler``; raises `UnknownNameError` for another."""
    by_short = {name.lower().removesuffix("sampler"): name for name in SAMPLERS}
    short = text.lower().removesuffix("sampler")
    if short not in by_short:
        raise UnknownNameError("Optuna sampler", text, SAMPLERS, "(a sampler of another kind can be passed as an object in Python)")
    return by_short[short]


def sampler_options(name: str) -> tuple[Option, ...]:
    """Return the options of a sampler class, less those that we set."""
    return from_signature(getattr(optuna.samplers, name).__init__, skip=_OURS) or ()


def make_sampler(name: str, options: Mapping[str, Any], seed: int, turn: int) -> BaseSampler:
    """Return a sampler whose randomness depends on the seed and, unless it follows one sequence throughout, on the turn."""
    if name == "CmaEsSampler" and importlib.util.find_spec("cmaes") is None:
        raise NotInstalledError("Optuna's CMA-ES sampler needs the package 'cmaes': pip install cmaes")
    derived = int(np.random.SeedSequence([seed, turn]).generate_state(1)[0])
    quiet = {key: False for key in ("warn_independent_sampling", "warn_asynchronous_seeding") if key in _parameters(name)}
    cls = getattr(optuna.samplers, name)
    try:
        if name == "QMCSampler":
            first = int(np.random.SeedSequence([seed]).generate_state(1)[0])
            return cls(**options, **quiet, seed=first, independent_sampler=optuna.samplers.RandomSampler(derived))
        return cls(**options, **quiet, seed=derived)
    except (TypeError, ValueError) as error:
        raise InputError(f"Optuna's {name} refuses {dict(options)}: {error}") from None


def _parameters(name: str) -> set[str]:
    import inspect

    return set(inspect.signature(getattr(optuna.samplers, name).__init__).parameters)


def reseed(sampler: BaseSampler, seed: int) -> None:
    """Seed every random state inside a sampler, those of samplers inside it included."""
    from optuna.samplers._lazy_random_state import LazyRandomState

    for value in vars(sampler).values():
        if isinstance(value, LazyRandomState):
            value.rng.seed(seed)
        elif isinstance(value, BaseSampler):
            reseed(value, seed)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from logging and warning about what is done on purpose here."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", category=UserWarning)
            warnings.simplefilter("ignore", category=FutureWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


class Recorder:
    """Answers `DesignSpace.to_optuna` with given parameters, and notes the distributions that it asks for."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return the given integer."""
        return int(self._note(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> float:
        """Return the given number."""
        return float(self._note(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the given choice."""
        return self._note(name, CategoricalDistribution(list(choices)))

    def _note(self, name: str, distribution: BaseDistribution) -> Any:
        self.params[name], self.distributions[name] = self._parameters[name], distribution
        return self._parameters[name]


def record(space: DesignSpace, parameters: Mapping[str, Any]) -> tuple[Design, Recorder]:
    """Return the design of Optuna parameters, and the parameters in use with their distributions."""
    recorder = Recorder(parameters)
    return space.to_optuna(recorder), recorder  # type: ignore[arg-type]  # a trial as far as suggestions go


def parameters_of(space: DesignSpace, design: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the Optuna parameters that `DesignSpace.to_optuna` turns into this design; inactive ones are included."""
    found: dict[str, Any] = {}
    for key, parameter in space.parameters.items():
        name, value = prefix + key, design[key]
        match parameter:
            case PowerOfTwo():
                found[f"log2({name})"] = int(value).bit_length() - 1
            case DiscreteParameter(ordered=True) if not isinstance(parameter, Integer):
                found[f"index({name})"] = parameter.index(value)
            case Permutation():
                columns = [column.name for column in parameter.columns(name)]
                found |= dict(zip(columns, parameter.encode(value), strict=True))
            case Repeated():
                found[f"{name}.length"] = len(value)
                for i, element in enumerate(value):
                    found |= parameters_of(parameter.space, element, f"{name}[{i}].")
            case _:
                found[name] = value
    return found
