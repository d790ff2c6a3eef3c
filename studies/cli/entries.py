"""What the commands ``envs`` and ``describe`` say about an environment, as JSON data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from designgym.core.errors import NotInstalledError

if TYPE_CHECKING:
    from designgym.core.objectives import Objective
    from designgym.core.parameters import Parameter
    from designgym.core.protocols import Simulator
    from designgym.core.registry import EnvironmentSpec
    from designgym.core.rules import Symmetry
    from designgym.core.space import DesignSpace

MAX_VALUES = 1024  # values of an integer that are listed one by one; beyond, the bounds say it all


def environment_entry(spec: EnvironmentSpec) -> dict[str, Any]:
    """Return an environment's entry in the list of ``designgym envs --json``.

    What only the simulator knows is null for one that cannot even be described where it is not installed.
    """
    installed, remedy = spec.installed()
    simulator = _simulator(spec, installed)
    space = simulator.space if simulator else None
    return {
        "id": spec.id,
        "description": spec.description,
        "installed": installed,
        "how_to_install": None if installed else remedy,
        "size": _size(space) if space else None,
        "parameters": parameter_entries(space) if space else None,
        "metrics": [spec.to_json() for spec in simulator.metrics] if simulator else None,
        "workloads": spec.workloads.names(),
        "default_workload": spec.default_workload,
        "simulator": simulator.name if simulator else None,
        "simulator_version": simulator.version if simulator else None,
        "deterministic": simulator.deterministic if simulator else None,
        "objectives": {name: _objective_in_words(objective) for name, objective in spec.objectives.items()},
        "default_objective": spec.default_objective,
        "contradictions": [
            f"{name}: {text}"
            for name, objective in spec.objectives.items()
            for text in objective.contradictions(simulator.metrics if simulator else ())
        ],
    }


def environment_details(spec: EnvironmentSpec) -> dict[str, Any]:
    """Return the entry of `environment_entry` with everything else that there is to know."""
    entry = environment_entry(spec)
    simulator = _simulator(spec, entry["installed"])
    space = simulator.space if simulator else None
    return entry | {
        "space_version": space.version if space else None,
        "conditions": condition_entries(space) if space else None,
        "constraints": constraint_entries(space) if space else None,
        "symmetries": symmetry_entries(space) if space else None,
        "options": dict(spec.options),
        "budget": spec.budget,
        "resources": vars(simulator.resources) if simulator else None,
        "validated_against_references": spec.validator is not None,
    }


def parameter_entries(space: DesignSpace) -> list[dict[str, Any]]:
    """Return one entry per parameter: name, kind, values or bounds, unit, default; those of a repeated group are inside its entry."""
    return [_parameter_entry(name, parameter) for name, parameter in space.parameters.items()]


def condition_entries(space: DesignSpace, prefix: str = "") -> list[dict[str, str]]:
    """Return when parameters have an effect, those of repeated groups under ``group[].name``."""
    entries = [{"parameter": prefix + rule.parameter, "when": rule.when.text} for rule in space.conditions]
    return entries + [entry for name, inner in _groups(space) for entry in condition_entries(inner, f"{prefix}{name}[].")]


def constraint_entries(space: DesignSpace, prefix: str = "") -> list[dict[str, str]]:
    """Return what must hold and why, that of repeated groups with the group's name."""
    entries = [{"holds": rule.holds.text, "reason": rule.reason, "group": prefix} for rule in space.constraints]
    return entries + [entry for name, inner in _groups(space) for entry in constraint_entries(inner, f"{prefix}{name}[]")]


def symmetry_entries(space: DesignSpace, prefix: str = "") -> list[dict[str, str]]:
    """Return which designs are equivalent, in words."""
    entries = [{"kind": rule.kind, "words": _symmetry_in_words(rule, prefix)} for rule in space.symmetries]
    return entries + [entry for name, inner in _groups(space) for entry in symmetry_entries(inner, f"{prefix}{name}[].")]


def _parameter_entry(name: str, parameter: Parameter) -> dict[str, Any]:
    from designgym.core.groups import Permutation, Repeated
    from designgym.core.parameters import DiscreteParameter

    entry: dict[str, Any] = {"name": name, "kind": parameter.kind}
    match parameter:
        case Repeated():
            entry |= {"low": parameter.low, "high": parameter.high, "parameters": parameter_entries(parameter.space)}
        case Permutation():
            entry["items"] = list(parameter.items)
        case DiscreteParameter() if len(parameter.values()) <= MAX_VALUES:
            entry["values"] = list(parameter.values())
    for bound in ("low", "high", "step", "log"):
        if hasattr(parameter, bound):
            entry[bound] = getattr(parameter, bound)
    default = parameter.to_json()["default"]
    return entry | {
        "unit": parameter.unit,
        "default": list(default) if isinstance(default, tuple) else default,
        "words": parameter.describe(),
    }


def _objective_in_words(objective: Objective) -> str:
    """Return the direction and the terms, with the expressions behind names that were given to terms."""
    named = [f"{term.name} = {term.expression.text}" for term in objective.terms if term.name]
    return objective.describe() + (f"; {', '.join(named)}" if named else "")


def _symmetry_in_words(rule: Symmetry, prefix: str) -> str:
    from designgym.core.canonical_form import CanonicalForm
    from designgym.core.rules import Interchangeable, Rewrite

    if isinstance(rule, Rewrite):
        always = rule.when.text == "True"
        return f"{prefix}{rule.parameter} acts as {rule.to.text}" + ("" if always else f" when {rule.when.text}")
    if isinstance(rule, Interchangeable):
        slots = [f"({', '.join(prefix + name for name in slot)})" for slot in rule.slots]
        return f"{' and '.join(slots)} may change places"
    if isinstance(rule, CanonicalForm):
        return f"{', '.join(prefix + name for name in rule.parameters)} act as their canonical form by {rule.name}"
    return f"the order of {prefix}{rule.parameter} has no effect"


def _groups(space: DesignSpace) -> list[tuple[str, DesignSpace]]:
    from designgym.core.groups import Repeated

    return [(name, parameter.space) for name, parameter in space.parameters.items() if isinstance(parameter, Repeated)]


def _size(space: DesignSpace) -> int | None:
    """Return the number of designs, None for a continuum: JSON has no infinity."""
    size = space.size()
    return None if size == math.inf else int(size)  # math.isfinite would refuse what no floating-point number can hold


def _simulator(spec: EnvironmentSpec, installed: bool) -> Simulator | None:
    if installed:
        return spec.simulator()
    try:
        return spec.simulator()  # an adapter knows its space without the program that it runs
    except NotInstalledError:
        return None
