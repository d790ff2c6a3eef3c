"""Any Optuna sampler as a searcher: by name with its options, or as an object.

The study lives in memory. A state holds no pickles: samplers whose decisions follow from the trials and a seed are made anew for each
proposal, with a seed derived from the run's seed and the proposal's number, so that their state is the trials as plain data. Others
(CMA-ES keeps its optimiser, a user's own sampler keeps who knows what) are restored by replaying what was asked and told.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.searchers import optuna_bridge as bridge
from designgym.searchers.base import BaseSearcher
from designgym.searchers.observations import Observation, model_targets
from designgym.searchers.options import Option, read_options

ATTEMPTS = 12  # proposals that are illegal or known before a mutant of the last legal one is asked instead
COSTLY_ATTEMPTS = 2  # the same for a sampler that takes seconds per proposal
_STATES = {"C": TrialState.COMPLETE, "R": TrialState.RUNNING, "F": TrialState.FAIL}
_LETTERS = {state: letter for letter, state in _STATES.items()}


class OptunaSearcher(BaseSearcher):
    """An Optuna sampler.

    A score is maximised; a Pareto objective makes a study with a direction per term. Bounds of the objective and legality are passed as
    Optuna constraints to samplers that support them; for the others, and for failures, a finite value below the worst feasible
    result is told. Proposals that are known already are not asked: samplers that count trials by generation are told the known result
    again, others are told that the trial failed.
    """

    name = "optuna"
    fixed_sampler = ""  # for subclasses that are one sampler

    @classmethod
    def declared_options(cls, given: Mapping[str, Any]) -> tuple[Option, ...]:
        """Return ``sampler`` and the options of the sampler that ``given`` names."""
        chosen = cls.fixed_sampler or given.get("sampler", "TPESampler")
        own = () if cls.fixed_sampler else (Option("sampler", str, "TPESampler", f"one of {', '.join(bridge.SAMPLERS)}, or an object"),)
        if isinstance(chosen, optuna.samplers.BaseSampler):
            return (Option("sampler", object, None, "an Optuna sampler"),)
        if not isinstance(chosen, str):
            raise InputError(
                f"option 'sampler' of searcher {cls.name!r} is {shorten(chosen)}, expected a sampler's name or an Optuna sampler"
            )
        return own + bridge.sampler_options(bridge.sampler_name(chosen))

    def _read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return read_options(self.declared_options(given), given, self.name)

    def _setup(self) -> None:
        values = {key: value for key, value in self.options.items() if key in self.given and key != "sampler"}
        chosen = self.fixed_sampler or self.options["sampler"]
        self._sampler_name = bridge.sampler_name(chosen) if isinstance(chosen, str) else type(chosen).__name__
        if (
            self._sampler_name == "TPESampler"
            and not self.multi
            and self.space.conditions
            and not values.keys() & {"group", "multivariate"}
        ):
            values["group"] = True  # the joint model then covers parameters that are not always active
        self._sampler_options = values
        self._stateless = isinstance(chosen, str) and self._sampler_name in bridge.STATELESS
        self._constrained = self._sampler_name in bridge.CONSTRAINED and bool(self.objective.bounds or self.space.constraints)
        if self.multi and self._sampler_name in bridge.SINGLE:
            raise InputError(
                f"Optuna's {self._sampler_name} searches for one objective, not for a Pareto front: use nsgaii, tpe or botorch"
            )
        if self._sampler_name == "BruteForceSampler" and not all(column.cells for column in self.space.columns):
            raise InputError("Optuna's BruteForceSampler cannot enumerate continuous parameters, log integers or permutations: use grid")
        self._turn = 0
        self._numbers: dict[str, int] = {}
        self._log: list[list[Any]] = []
        with bridge.quiet():
            if isinstance(chosen, str):
                sampler = bridge.make_sampler(self._sampler_name, values, self.seed, 0)
            else:
                sampler = copy.deepcopy(chosen)
                bridge.reseed(sampler, self.seed % 2**32)
            directions = [StudyDirection.MAXIMIZE] * (len(self.objective.terms) if self.multi else 1)
            self._study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), sampler=sampler, directions=directions)

    # ---- asking --------------------------------------------------------------------------------------------------------

    def _propose(self) -> Design | None:
        with bridge.quiet():
            design = self._from_sampler()
        if not self._stateless:
            self._log.append(["ask", None if design is None else self._key(design)])
        return design

    def _from_sampler(self) -> Design | None:
        legal: Design | None = None
        for _ in range(COSTLY_ATTEMPTS if self._sampler_name == "GPSampler" else ATTEMPTS):
            trial = self._ask_study()
            design = self.space.to_optuna(trial)
            if self.space.violations(design):
                self._close(trial.number, Observation(design, None, None, illegal=True))
                continue
            legal = design
            key = self._key(design)
            if key not in self.pending and key not in self.observations:
                self._numbers[key] = trial.number
                return design
            repeat = key in self.observations and self._sampler_name not in ("TPESampler", "GPSampler", "RandomSampler", "QMCSampler")
            if repeat:
                self._close(trial.number, self.observations[key])
            else:
                self._study.tell(trial.number, state=TrialState.FAIL)
        design_or_none = self._mutant(legal) if legal is not None else self._random()
        if design_or_none is not None:
            self._add(design_or_none, None)
        return design_or_none

    def _ask_study(self) -> optuna.Trial:
        self._turn += 1
        if self._stateless:
            self._study.sampler = bridge.make_sampler(self._sampler_name, self._sampler_options, self.seed, self._turn)
        return self._study.ask()

    # ---- telling -------------------------------------------------------------------------------------------------------

    def _take(self, key: str, observation: Observation) -> None:
        if not self._stateless:
            self._log.append(["tell", observation.to_json()])
        super()._take(key, observation)

    def _learn(self, key: str, observation: Observation) -> None:
        number = self._numbers.pop(key, None)
        with bridge.quiet():
            if number is not None:
                self._close(number, observation)
            else:
                self._add(observation.design, observation)

    def _close(self, number: int, observation: Observation) -> None:
        """Give a running trial its result."""
        storage, study = self._study._storage, self._study
        trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
        for name, value in self._constraints(observation).items():
            storage.set_trial_system_attr(trial_id, name, value)
        try:
            study.tell(number, self._values(observation))
        except RuntimeError:  # BruteForceSampler stops the study when nothing is left, which only optimize() allows; the trial is kept
            if self._sampler_name != "BruteForceSampler":
                raise
            storage.set_trial_state_values(trial_id, TrialState.COMPLETE, self._values(observation))

    def _add(self, design: Design, observation: Observation | None) -> None:
        """Add a trial that the sampler did not propose; without a result it runs."""
        _, recorded = bridge.record(self.space, bridge.parameters_of(self.space, design))
        if self._sampler_name in bridge.GENERATIONS:
            self._study.enqueue_trial(recorded.params)
            trial = self._ask_study()
            self.space.to_optuna(trial)
            number = trial.number
        else:
            self._study.add_trial(create_trial(state=TrialState.RUNNING, params=recorded.params, distributions=recorded.distributions))
            number = len(self._study.get_trials(deepcopy=False)) - 1
        if observation is None:
            self._numbers[self._key(design)] = number
        else:
            self._close(number, observation)

    def _values(self, observation: Observation) -> list[float]:
        if observation.feasible or (self._constrained and not observation.failed):
            return list(observation.vector or ()) if self.multi else [observation.value or 0.0]
        others = list(self.observations.values()) or [observation]
        targets = model_targets([*others, observation], self.multi)[-1].tolist()
        return targets if len(targets) == len(self._study.directions) else [targets[0]] * len(self._study.directions)

    def _constraints(self, observation: Observation) -> dict[str, float]:
        """Return the trial attributes that Optuna reads as constraints (those of ``Trial.set_constraint``): above 0 means broken."""
        if not self._constrained:
            return {}
        slacks = observation.slacks if not observation.failed else (1.0,) * len(self.objective.bounds)
        named = {f"constraints:{bound}": slack for bound, slack in zip(self.objective.bounds, slacks, strict=True)}
        return named | {"constraints:has a result": 1.0 if observation.failed else -1.0}

    # ---- state ---------------------------------------------------------------------------------------------------------

    def _own_state(self) -> dict[str, Any]:
        if not self._stateless:
            return {"log": copy.deepcopy(self._log)}
        rows: list[Any] = []
        for trial in self._study.get_trials(deepcopy=False):
            finished = trial.state == TrialState.FAIL
            rows.append(["F"] if finished else [_LETTERS[trial.state], dict(trial.params), trial.values, dict(trial.system_attrs)])
        attributes = self._study._storage.get_study_system_attrs(self._study._study_id)
        return {"turn": self._turn, "trials": copy.deepcopy(rows), "study": copy.deepcopy(attributes)}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        with bridge.quiet():
            if self._stateless:
                self._rebuild_study(own)
            else:
                self._replay(own["log"])

    def _rebuild_study(self, own: Mapping[str, Any]) -> None:
        self._turn = int(own["turn"])
        for number, (letter, *rest) in enumerate(own["trials"]):
            if not rest:
                self._study.add_trial(create_trial(state=TrialState.FAIL))
                continue
            params, values, attributes = rest
            design, recorded = bridge.record(self.space, params)
            self._study.add_trial(
                create_trial(
                    state=_STATES[letter],
                    values=values,
                    params=recorded.params,
                    distributions=recorded.distributions,
                    system_attrs=attributes,
                )
            )
            if letter == "R":
                self._numbers[self._key(design)] = number
        for name, value in own["study"].items():
            self._study._storage.set_study_system_attr(self._study._study_id, name, value)

    def _replay(self, log: list[list[Any]]) -> None:
        """Ask and tell a twin what was asked and told, check that it proposes the same, and take over its study."""
        twin = type(self)(self.space, self.objective, seed=self.seed, **self.given)
        for what, content in log:
            if what == "tell":
                observation = Observation.from_json(content, self.space)
                twin._take(twin._key(observation.design), observation)
                continue
            design = twin._propose()
            if (None if design is None else twin._key(design)) != content:
                raise InputError(
                    f"state cannot be replayed: Optuna's {self._sampler_name} proposes other designs than when the state was taken; "
                    "use the Optuna version and the sampler of that time, or start afresh"
                )
            if design is not None:
                twin._note(design)
        self._study, self._numbers, self._log, self._turn = twin._study, twin._numbers, twin._log, twin._turn


class TPE(OptunaSearcher):
    """Tree-structured Parzen estimator; running trials count as bad ones, so that a batch spreads (constant liar)."""

    name = "tpe"
    fixed_sampler = "TPESampler"


class CMAES(OptunaSearcher):
    """CMA-ES on the ordered and continuous parameters; unordered ones are drawn at random. One objective."""

    name = "cmaes"
    fixed_sampler = "CmaEsSampler"


class NSGAII(OptunaSearcher):
    """Optuna's NSGA-II."""

    name = "nsgaii"
    fixed_sampler = "NSGAIISampler"
