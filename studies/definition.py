"""What a study is: checked, immutable, and as JSON data that says all that its results depend on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.core.errors import InputError, shorten
from designgym.core.evaluator import AGREEMENT
from designgym.core.objectives import Objective
from designgym.core.protocols import Searcher, Simulator
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.studies.differences import differences
from designgym.studies.objective_json import objective_to_json
from designgym.studies.records import RunContext, RunPlan

if TYPE_CHECKING:
    from designgym.searchers import SearcherRecipe

FIXED = (  # a study may get more budget, searchers and seeds, and goes on; with another of these it is another study
    "env", "env_options", "workloads", "objective", "batch", "duplicate_cap", "functional", "fidelity", "simulator_seed", "simulator",
    "space", "metrics", "scheduler", "measurements", "agreement",
)  # fmt: skip
LABEL_LENGTH = 60  # longer labels of searchers are cut and end in a digest of their options


@dataclass(frozen=True)
class SearcherChoice:
    """A searcher with its options.

    Attributes:
        recipe: Registered name and options.
        maker: The class itself where another process could not find it by name; None for our own.
    """

    recipe: SearcherRecipe
    maker: Any = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """The name, with the options that differ from the defaults: the same whatever else is in the study."""
        label = self.recipe.label
        if len(label) <= LABEL_LENGTH:
            return label
        return f"{self.recipe.name}({hashlib.blake2b(label.encode(), digest_size=4).hexdigest()})"

    def make(self, space: DesignSpace, objective: Objective, seed: int) -> Searcher:
        """Return the searcher in its first state."""
        from designgym.searchers import make_searcher

        if self.maker is None:
            return make_searcher(self.recipe, space, objective, seed=seed)
        return make_searcher(self.maker, space, objective, seed=seed, **self.recipe.options)


@dataclass(frozen=True)
class Definition:
    """A study's definition, complete.

    Attributes:
        name: Name of the study.
        env: Environment id.
        env_options: Options of the environment's simulator.
        simulator: The simulator; with several measurements, what averages them.
        workloads: What is searched on.
        objective: What for.
        searchers: By what.
        budget: Behaviours per run.
        seeds: One run per searcher, workload and seed.
        batch: Designs asked for at once.
        duplicate_cap: Consecutive duplicates that end a run.
        functional: ``auto``, ``on``, ``off`` or ``shared``.
        fidelity: Fraction of full fidelity.
        simulator_seed: Seed handed to the simulator.
        scheduler: Name of the Tune scheduler, empty without one.
        reuse: Whether results of other runs and studies are used; without effect on any trial.
        measurements: How often each behaviour is measured; its result is the mean.
        agreement: Relative difference up to which results of one behaviour may differ.
    """

    name: str
    env: str
    env_options: Mapping[str, Any]
    simulator: Simulator
    workloads: tuple[Workload, ...]
    objective: Objective
    searchers: tuple[SearcherChoice, ...]
    budget: int
    seeds: tuple[int, ...]
    batch: int
    duplicate_cap: int
    functional: str
    fidelity: float
    simulator_seed: int
    scheduler: str
    reuse: bool
    measurements: int = 1
    agreement: float = AGREEMENT

    @property
    def context(self) -> RunContext:
        """What all results share."""
        simulator = self.simulator
        seed = 0 if simulator.deterministic else self.simulator_seed
        return RunContext(simulator.name, simulator.version, simulator.space.version, self.fidelity, seed)

    def plans(self) -> list[RunPlan]:
        """Return the runs: searchers by workloads by seeds."""
        several = len(self.workloads) > 1
        return [
            RunPlan(
                f"{choice.label}-{workload.name}-s{seed}" if several else f"{choice.label}-s{seed}",
                workload.name, workload.digest, choice.recipe.name, choice.recipe.to_json()["options"], seed,
            )
            for choice in self.searchers
            for workload in self.workloads
            for seed in self.seeds
        ]  # fmt: skip

    def choice(self, plan: RunPlan) -> SearcherChoice:
        """Return the searcher of a run."""
        return next(c for c in self.searchers if c.recipe.name == plan.searcher and c.recipe.to_json()["options"] == dict(plan.options))

    def to_json(self) -> dict[str, Any]:
        """Return the definition as JSON data."""
        simulator = self.simulator
        return {
            "name": self.name, "env": self.env, "env_options": dict(self.env_options),
            "workloads": [[workload.name, workload.digest] for workload in self.workloads],
            "objective": objective_to_json(self.objective), "searchers": [choice.recipe.to_json() for choice in self.searchers],
            "budget": self.budget, "seeds": list(self.seeds), "batch": self.batch, "duplicate_cap": self.duplicate_cap,
            "functional": self.functional, "fidelity": self.fidelity, "simulator_seed": self.simulator_seed, "scheduler": self.scheduler,
            "simulator": [simulator.name, simulator.version], "space": simulator.space.to_json(),
            "metrics": [spec.to_json() for spec in simulator.metrics],
            # absent where they are as usual, so that studies stored by earlier versions go on
            **({"gpus": simulator.resources.gpus} if simulator.resources.gpus else {}),
            **({"measurements": self.measurements} if self.measurements > 1 else {}),
            **({"agreement": self.agreement} if self.agreement != AGREEMENT else {}),
        }  # fmt: skip


def extend(old: Mapping[str, Any], new: Mapping[str, Any], shown: str) -> dict[str, Any]:
    """Return the definition under which a stored study goes on: the new one, with searchers and seeds that were there before.

    Raises:
        InputError: If the study in the store is another one, saying in what.
    """
    reasons = differences(_comparable(old), _comparable(new), FIXED)
    if new["budget"] < old["budget"]:
        reasons += differences(old, new, ("budget",))
    for name in ("searchers", "seeds"):
        if gone := [item for item in old[name] if item not in new[name]]:
            reasons.append(f"{name} lack {shorten(gone)}")
    if reasons:
        raise InputError(
            f"study {new['name']!r} in store {shown} has another definition: {'; '.join(reasons)}. "
            "Give the new one another name, or replace the old one with fresh=True (--fresh); "
            "more searchers, more seeds or a larger budget would extend it"
        )
    # runs keep their order: what was there first stays first
    return dict(new) | {name: [*old[name], *(i for i in new[name] if i not in old[name])] for name in ("searchers", "seeds")}


def _comparable(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition without what is only for people: a later version may word it otherwise, and the study goes on."""
    objective = {key: value for key, value in definition["objective"].items() if key != "words"}
    objective["subject_to"] = {expression: f"{sign} {limit!r}" for expression, sign, limit in objective["subject_to"]}
    metrics = [{key: value for key, value in spec.items() if key != "doc"} for spec in definition["metrics"]]
    return {**definition, "objective": objective, "metrics": metrics}


def check_name(name: object) -> str:
    """Return the name of a study; raises `InputError` if it cannot be one."""
    if not isinstance(name, str) or not re.fullmatch(r"[^\s/\x00-\x1f][^/\x00-\x1f]{0,99}", name):
        raise InputError(f"the name of a study must be 1 to 100 characters without / and control characters, got {shorten(name)}")
    return name


def check_seeds(seeds: object) -> tuple[int, ...]:
    """Return seeds given as a count or a list."""
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool) and seeds >= 1:
        return tuple(range(int(seeds)))
    if isinstance(seeds, Sequence) and not isinstance(seeds, str) and seeds:
        good = [int(seed) for seed in seeds if isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0]
        if len(good) == len(seeds) == len(set(good)):
            return tuple(good)
    raise InputError(f"seeds must be a count of at least 1 or a list of different whole numbers from 0, got {shorten(seeds)}")


def check_count(name: str, value: object, least: int = 1) -> int:
    """Return a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {shorten(value)}")
    return int(value)


def check_searchers(searchers: Any) -> tuple[SearcherChoice, ...]:
    """Return the searchers given as one or several names, recipes or registered classes."""
    from designgym.core import registry
    from designgym.searchers import SearcherRecipe, recipe

    several = searchers if isinstance(searchers, list | tuple) else [searchers]
    choices = []
    for searcher in several:
        made: SearcherRecipe = recipe(searcher)
        cls = registry.searcher_class(made.name)
        ours = getattr(cls, "__module__", "").startswith("designgym.")
        choices.append(SearcherChoice(SearcherRecipe.from_json(made.to_json()), None if ours else cls))
    if not choices:
        raise InputError("a study needs at least one searcher: searchers=['random']")
    labels = [choice.label for choice in choices]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise InputError(f"searcher {twice[0]!r} is given twice: use seeds= to repeat it")
    return tuple(choices)
