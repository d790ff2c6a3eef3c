"""`DesignSpace`: the named parameters of a design, what is legal, what is active, and what is equivalent."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.core import bridges
from designgym.core.canonical import Canonicaliser
from designgym.core.canonical_form import CanonicalForm
from designgym.core.design import Design
from designgym.core.errors import ExpressionError, InputError, InvalidDesignError, UnknownNameError, shorten
from designgym.core.groups import Permutation, Repeated
from designgym.core.membership import Membership
from designgym.core.parameters import Categorical, Column, DiscreteParameter, Float, Integer, Ordinal, Parameter, PowerOfTwo, Scalar
from designgym.core.rule_checks import check_rules
from designgym.core.rules import Condition, Constraint, Interchangeable, Rewrite, Symmetry, Unordered, rule_from_json, unevaluable
from designgym.core.sampling import LegalSampler, NoLegalDesignError

if TYPE_CHECKING:
    import gymnasium
    import optuna

FORMS_KEPT = 1 << 12  # canonical forms of the latest designs that are kept instead of made again
SAMPLE_ATTEMPTS = 10_000  # draws per legal design before a space counts as (almost) empty
WHOLE_DRAWS = 16  # of these, whole designs: the quickest where many are legal. From then on constraint by constraint
MOVE_ATTEMPTS = 200  # tries of a mutation or crossover before the parent is returned unchanged


class DesignSpace:
    """An immutable, versioned design space. Two spaces are equal if their JSON is.

    Args:
        parameters: Named parameters; use this form for names that are not Python identifiers.
        version: Raise it with any change that could alter results; it is part of every cache key.
        conditions: When a parameter has an effect (`Condition`).
        constraints: Which designs are legal, with the reason (`Constraint`).
        symmetries: Which designs are equivalent (`Rewrite`, `Interchangeable`, `Unordered`, `CanonicalForm`).
        **named: Named parameters, the usual form: ``DesignSpace(ways=Integer(1, 16))``.

    Raises:
        InputError: For an empty space, a rule about a parameter that does not exist, a condition on a value that its parent never has, or
            conditions that depend on each other.
    """

    parameters: Mapping[str, Parameter]
    version: str
    conditions: tuple[Condition, ...]
    constraints: tuple[Constraint, ...]
    symmetries: tuple[Symmetry, ...]
    _canonicaliser: Canonicaliser
    _forms: dict[tuple[str, frozenset[str]], Design]

    def __init__(
        self,
        parameters: Mapping[str, Parameter] | None = None,
        /,
        *,
        version: str = "1",
        conditions: Iterable[Condition] = (),
        constraints: Iterable[Constraint] = (),
        symmetries: Iterable[Symmetry] = (),
        **named: Parameter,
    ) -> None:
        merged = dict(parameters or {}) | named
        if not merged:
            raise InputError("a design space needs at least one parameter")
        for name, parameter in merged.items():
            if not isinstance(name, str) or not name or name == "traits":
                raise InputError(f"parameter name {name!r} must be a non-empty string other than 'traits'")
            if not isinstance(parameter, Parameter):
                raise InputError(f"parameter {name!r} is {shorten(parameter)}, expected Integer, Float, Categorical or another parameter")
        vars(self).update(
            parameters=MappingProxyType(merged),
            version=str(version),
            conditions=_rules("conditions", conditions, Condition),
            constraints=_rules("constraints", constraints, Constraint),
            symmetries=_rules("symmetries", symmetries, Rewrite, Interchangeable, Unordered, CanonicalForm),
        )
        check_rules(self)
        vars(self).update(_canonicaliser=Canonicaliser(self), _forms={})

    def __setattr__(self, name: str, value: object) -> None:
        # keys, hashes and tables of rules were made from what the space is: it cannot become another one
        raise AttributeError(f"a design space cannot be changed: {name!r} stays as it is; make another DesignSpace(...) instead")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a design space cannot be changed: {name!r} stays; make another DesignSpace(...) instead")

    # ---- designs -------------------------------------------------------------------------------------------------------

    def default(self) -> Design:
        """Return the design in which every parameter has its default."""
        return Design({name: parameter.default for name, parameter in self.parameters.items()})

    def validate(self, mapping: Mapping[str, Any]) -> Design:
        """Return ``mapping`` as a design; inactive parameters may be left out and then hold their defaults.

        Legality is a separate question: see `violations`.

        Raises:
            InvalidDesignError: Listing every unknown, missing or illegal value.
        """
        if isinstance(mapping, str) or not isinstance(mapping, Mapping):
            raise InvalidDesignError([f"got {shorten(mapping)}, expected a mapping of {', '.join(self.parameters)}"])
        problems = [str(UnknownNameError("parameter", name, self.parameters)) for name in mapping if name not in self.parameters]
        values: dict[str, Any] = {}
        missing: list[str] = []
        for name, parameter in self.parameters.items():
            if name not in mapping:
                missing.append(name)
                values[name] = parameter.default
                continue
            try:
                values[name] = parameter.validate(mapping[name])
            except InputError as error:
                problems.append(f"{name}: {error}")
                values[name] = parameter.default
        if missing and not problems:
            active = self._canonicaliser.active(values)
            problems = [f"{name}: missing, expected {self.parameters[name].describe()}" for name in missing if name in active]
        elif missing:
            problems += [f"{name}: missing" for name in missing]
        if problems:
            raise InvalidDesignError(problems)
        return Design(values)

    def holds(self, design: Mapping[str, Any]) -> bool:
        """Return whether the design has exactly this space's parameters, each with one of its values; quicker than `validate`."""
        return self._membership(design)

    def active(self, design: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the parameters that have an effect in this design."""
        return self._canonicaliser.active(design)

    def violations(self, design: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the reasons why the design is illegal, those of repeated groups included; empty if it is legal.

        Raises:
            ExpressionError: If a constraint has no value for the design, such as ``6 / a >= b`` for ``a=0``.
        """
        reasons: list[str] = []
        if self.constraints:
            # what an inactive parameter holds has no effect, so it cannot make a design illegal either
            effective = self._effective(design) if self.conditions else design
            for constraint in self.constraints:
                try:
                    if not constraint.holds(effective):
                        reasons.append(constraint.reason)
                except ExpressionError as error:
                    raise unevaluable("constraint", constraint.holds, effective, error) from None
        for name, group in self._groups.items():
            for i, element in enumerate(design[name]):
                reasons += [f"{name}[{i}]: {reason}" for reason in group.space.violations(element)]
        return tuple(reasons)

    def canonical(self, design: Mapping[str, Any], traits: frozenset[str] = frozenset()) -> Design:
        """Return the representative of all designs declared equivalent to this one.

        Args:
            design: A design of this space.
            traits: The workload's declared traits, which rewrites may use.
        """
        if not isinstance(design, Design):
            return self._canonicaliser(design, traits)
        # a searcher and an evaluator each ask for it more than once within a batch
        form = self._forms.get(key := (design.literal, traits))
        if form is None:
            form = self._canonicaliser(design, traits)
            if len(self._forms) >= FORMS_KEPT:
                self._forms.clear()  # any thread may do so at any moment
            self._forms[key] = form
        return form

    def sample(self, rng: np.random.Generator, n: int = 1) -> list[Design]:
        """Return ``n`` independent, legal designs, uniform over the legal ones.

        Raises:
            InputError: If no legal design turns up in `SAMPLE_ATTEMPTS` draws.
        """
        return [self._sample_one(rng) for _ in range(n)]

    def mutate(self, design: Mapping[str, Any], rng: np.random.Generator) -> Design:
        """Return a legal design that differs in one active parameter, sometimes more (the count is 1 + Geometric)."""
        active = sorted(self.active(design), key=list(self.parameters).index)
        movable = [name for name in active if self.parameters[name].size() > 1] or active
        for _ in range(MOVE_ATTEMPTS):
            values = dict(design)
            count = min(int(rng.geometric(0.75)), len(movable))
            for i in rng.choice(len(movable), size=count, replace=False):
                name = movable[int(i)]
                values[name] = self.parameters[name].mutate(values[name], rng)
            if not self.violations(child := Design(values)):
                return child
        return Design(design)

    def crossover(self, a: Mapping[str, Any], b: Mapping[str, Any], rng: np.random.Generator) -> Design:
        """Return a legal child that takes each parameter from one of its parents (kinds may blend)."""
        for _ in range(MOVE_ATTEMPTS):
            child = Design({name: parameter.crossover(a[name], b[name], rng) for name, parameter in self.parameters.items()})
            if not self.violations(child):
                return child
        return Design(a)

    def neighbours(self, design: Mapping[str, Any]) -> Iterator[Design]:
        """Yield the legal designs one step away in one active parameter."""
        active = self.active(design)
        for name, parameter in self.parameters.items():
            if name in active:
                for value in parameter.neighbours(design[name]):
                    if not self.violations(candidate := Design({**design, name: value})):
                        yield candidate

    def size(self) -> float:
        """Return the number of value combinations, conditions and constraints aside; ``math.inf`` with a continuum."""
        sizes = [parameter.size() for parameter in self.parameters.values()]
        return math.inf if math.inf in sizes else math.prod(sizes)

    # ---- numbers -------------------------------------------------------------------------------------------------------

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns of an encoded design, in order."""
        return tuple(column for name, parameter in self.parameters.items() for column in parameter.columns(name))

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """The columns' numbers of cells, shape ``(len(columns),)``; 0 for a continuous one."""
        return np.array([column.cells for column in self.columns], dtype=np.int64)

    @cached_property
    def choices(self) -> tuple[tuple[str, Sequence[Scalar]], ...] | None:
        """Each parameter's values in the order of its cells, if all parameters are lists of values, else None."""
        named = [(name, p.values()) for name, p in self.parameters.items() if isinstance(p, DiscreteParameter)]
        return tuple(named) if len(named) == len(self.parameters) and self.cells.all() else None

    @cached_property
    def _slices(self) -> list[tuple[str, Parameter, slice]]:
        """Where each parameter's columns lie."""
        ends = np.cumsum([0, *(len(parameter.columns("")) for parameter in self.parameters.values())]).tolist()
        return [(n, p, slice(a, b)) for (n, p), a, b in zip(self.parameters.items(), ends, ends[1:], strict=False)]

    def encode(self, designs: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return the designs as an array of shape ``(n, len(columns))`` in [0, 1]."""
        rows = [[x for name, parameter in self.parameters.items() for x in parameter.encode(design[name])] for design in designs]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.columns))

    def decode(self, x: NDArray[np.float64]) -> list[Design]:
        """Return the designs of an array of shape ``(n, len(columns))``; they are not checked for legality.

        Raises:
            InputError: If the shape is wrong or a number is not finite.
        """
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.columns) or not np.isfinite(x).all():
            raise InputError(f"expected finite numbers of shape (n, {len(self.columns)}), got shape {x.shape}")
        return [Design({name: parameter.decode(row[part]) for name, parameter, part in self._slices}) for row in x.tolist()]

    # ---- other libraries ------------------------------------------------------------------------------------------------

    def to_gym(self) -> gymnasium.Space[Any]:
        """Return a Gymnasium action space: ``MultiDiscrete`` if all columns have cells, else ``Box`` in [0, 1]."""
        return bridges.to_gym(self)

    def from_gym(self, action: Any) -> Design:
        """Return the design of an action of `to_gym`; raises `InputError` for an action outside it."""
        return bridges.from_gym(self, action)

    def to_optuna(self, trial: optuna.trial.BaseTrial, *, prune_illegal: bool = False) -> Design:
        """Return the design that an Optuna trial suggests; only active parameters are suggested.

        Optuna draws each parameter for itself and knows no constraints, so the design may break some: see `violations`.

        Args:
            trial: The trial, as an objective of ``study.optimize`` gets it.
            prune_illegal: End the trial as pruned if the design breaks constraints, instead of returning it.

        Raises:
            optuna.TrialPruned: With ``prune_illegal``, with the reasons.
        """
        design = bridges.to_optuna(self, trial)
        if prune_illegal and (reasons := self.violations(design)):
            import optuna

            raise optuna.TrialPruned(f"the design is illegal: {'; '.join(reasons)}")
        return design

    def to_tune(self) -> dict[str, Any]:
        """Return a Ray Tune search space; structured parameters appear as one key per column."""
        return bridges.to_tune(self)

    def from_tune(self, config: Mapping[str, Any]) -> Design:
        """Return the design of a Ray Tune configuration drawn from `to_tune`."""
        return bridges.from_tune(self, config)

    # ---- JSON ----------------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, from which `from_json` makes an equal space."""
        return {
            "version": self.version,
            "parameters": {name: parameter.to_json() for name, parameter in self.parameters.items()},
            "conditions": [rule.to_json() for rule in self.conditions],
            "constraints": [rule.to_json() for rule in self.constraints],
            "symmetries": [rule.to_json() for rule in self.symmetries],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DesignSpace:
        """Return the space of its JSON form."""
        try:
            return cls(
                {name: _parameter_from_json(parameter) for name, parameter in data["parameters"].items()},
                version=data["version"],
                conditions=[rule_from_json(rule) for rule in data["conditions"]],  # type: ignore[misc]
                constraints=[rule_from_json(rule) for rule in data["constraints"]],  # type: ignore[misc]
                symmetries=[rule_from_json(rule) for rule in data["symmetries"]],  # type: ignore[misc]
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"not the JSON form of a design space: {error!r}; expected what DesignSpace.to_json writes") from None

    def __eq__(self, other: object) -> bool:
        return self._json_text == other._json_text if isinstance(other, DesignSpace) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._json_text)

    def __repr__(self) -> str:
        return f"DesignSpace({', '.join(f'{n}={p.describe()}' for n, p in self.parameters.items())}, version={self.version!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # the canonical forms go along, since another process may not have loaded the file that defines them
        return _unpickled, (self.to_json(), self._declared_forms())

    # ---- inside --------------------------------------------------------------------------------------------------------

    @cached_property
    def _json_text(self) -> str:
        return json.dumps(self.to_json(), sort_keys=False)

    @cached_property
    def _membership(self) -> Membership:
        return Membership(self)

    @cached_property
    def _groups(self) -> dict[str, Repeated]:
        return {name: parameter for name, parameter in self.parameters.items() if isinstance(parameter, Repeated)}

    def _declared_forms(self) -> list[CanonicalForm]:
        inner = [form for group in self._groups.values() for form in group.space._declared_forms()]
        return inner + [rule for rule in self.symmetries if isinstance(rule, CanonicalForm)]

    def _effective(self, design: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the design's values, with the default in place of each inactive one."""
        active = self.active(design)
        return (
            design
            if len(active) == len(self.parameters)
            else {name: design[name] if name in active else parameter.default for name, parameter in self.parameters.items()}
        )

    def _sample_one(self, rng: np.random.Generator) -> Design:
        reason = ""
        for attempt in range(SAMPLE_ATTEMPTS):
            if attempt == WHOLE_DRAWS and self._legal_sampler is not None:
                try:
                    return Design(self._legal_sampler(rng))
                except NoLegalDesignError as error:
                    reason = str(error)
                    break
                except ExpressionError:
                    pass  # a whole design shows what is wrong
            design = Design({name: parameter.sample(rng) for name, parameter in self.parameters.items()})
            broken = self.violations(design)
            if not broken:
                return design
            reason = broken[0]
        raise InputError(
            f"no legal design in {SAMPLE_ATTEMPTS} draws, the last one failed because {reason!r}: "
            "narrow the parameters' ranges or relax the constraints"
        )

    @cached_property
    def _legal_sampler(self) -> LegalSampler | None:
        """What draws legal designs where few are; None where inactive parameters or groups make legality depend on more."""
        if self.conditions or self._groups or not self.constraints:
            return None
        return LegalSampler(self.parameters, self.constraints, SAMPLE_ATTEMPTS)


_SCALAR_KINDS: dict[str, type[Categorical] | type[Integer] | type[PowerOfTwo] | type[Float]] = {
    kind.kind: kind for kind in (Categorical, Ordinal, Integer, PowerOfTwo, Float)
}


def _unpickled(data: Mapping[str, Any], forms: list[CanonicalForm]) -> DesignSpace:
    return DesignSpace.from_json(data)  # the forms have made themselves known by being unpickled


def _rules(name: str, given: Any, *kinds: type) -> tuple[Any, ...]:
    rules = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    if rules is None or not all(isinstance(rule, kinds) for rule in rules):
        raise InputError(f"{name} is {shorten(given)}, expected a list of {' or '.join(kind.__name__ for kind in kinds)}(...)")
    return rules


def _parameter_from_json(data: Mapping[str, Any]) -> Parameter:
    fields = dict(data)
    kind = fields.pop("kind")
    if kind == Permutation.kind:
        return Permutation(*fields["items"], default=fields["default"])
    if kind == Repeated.kind:
        return Repeated(DesignSpace.from_json(fields.pop("space")), **fields)
    if kind not in _SCALAR_KINDS:
        raise UnknownNameError("kind of parameter", kind, [*_SCALAR_KINDS, Permutation.kind, Repeated.kind])
    choices: Sequence[Any] = fields.pop("choices", ())
    return _SCALAR_KINDS[kind](*choices, **fields)
