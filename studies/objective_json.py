"""Objectives to the store and back, exactly, so that a report needs nothing but the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designgym.core.errors import StoreError
from designgym.core.expressions import Expression
from designgym.core.objectives import ArchGymReward, Objective, ParetoObjective, SingleObjective, TargetObjective, WeightedObjective
from designgym.core.terms import Term


def objective_to_json(objective: Objective) -> dict[str, Any]:
    """Return an objective as JSON data, with its name and its meaning in words."""
    return objective.to_json() | {"name": objective.name, "words": objective.describe()}


def objective_from_json(data: Mapping[str, Any]) -> Objective:
    """Return the objective of its JSON data.

    Raises:
        StoreError: For a kind that is not one of ours.
    """
    terms = [Term(Expression(expression), goal, name) for expression, goal, name in data["terms"]]
    bounds = {expression: f"{sign} {limit!r}" for expression, sign, limit in data["subject_to"]}
    objective: Objective
    match data["kind"]:
        case "SingleObjective":
            objective = SingleObjective(terms, bounds)
        case "WeightedObjective":
            objective = WeightedObjective(data["weights"], data["scales"], bounds)
        case "TargetObjective":
            objective = TargetObjective(data["targets"], data["bonus"], bounds)
        case "ParetoObjective":
            objective = ParetoObjective(terms, data["reference"], bounds)
        case "ArchGymReward":
            objective = ArchGymReward(data["targets"], data["scales"])
        case kind:
            raise StoreError(f"the study's objective is of a kind that this version does not know: {kind!r}; upgrade designgym")
    return objective.named(data["name"])
