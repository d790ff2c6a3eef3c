"""An objective that asks for less of what is declared better when there is more is legal, and never goes unsaid."""

import itertools
import logging
from collections.abc import Mapping
from typing import Any

import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.objectives import ArchGymReward, Objective
from designgym.envs import BUILT_IN

METRICS = (dg.metric("cost_ns", goal="min"), dg.metric("accuracy", goal="max"), dg.metric("width_bit"))
REFERENCE = {"cost_ns": 9.0, "accuracy": 0.1}
WRONG = {
    "maximize('accuracy')": dg.minimize("accuracy"),
    "minimize('cost_ns')": dg.maximize("cost_ns"),
    "maximize=['accuracy']": dg.pareto("cost_ns", "accuracy", reference=REFERENCE),
    "leave it out of maximize=": dg.pareto("cost_ns", "accuracy", reference=REFERENCE, maximize=["cost_ns", "accuracy"]),
    "weight 2": dg.weighted({"cost_ns": 1, "accuracy": 2}, scales=REFERENCE),
    "weight -1": dg.weighted({"cost_ns": -1, "accuracy": -2}, scales=REFERENCE),
    "subject_to={'accuracy': '>= ...'}": dg.target({"cost_ns": 1, "accuracy": 0.9}),
}
RIGHT = [
    dg.maximize("accuracy"), dg.minimize("width_bit"), dg.maximize("width_bit"), dg.minimize("1 - accuracy"),
    dg.minimize("cost_ns", subject_to={"accuracy": ">= 0.9"}), dg.pareto("cost_ns", "accuracy", reference=REFERENCE, maximize=["accuracy"]),
    dg.weighted({"cost_ns": 1, "accuracy": -2}, scales=REFERENCE), dg.target({"cost_ns": 1}),
    ArchGymReward({"accuracy": 0.9}, {"accuracy": 1.0}),
]  # fmt: skip
numbers = itertools.count()


@dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 3)), metrics=METRICS, version="1")
def three(design: Mapping[str, Any], workload: Any, *, seed: int) -> dict[str, float]:
    """Three metrics."""
    return {"cost_ns": design["a"] + 1, "accuracy": design["a"] / 3, "width_bit": 1}


def registered(objective: Objective) -> registry.EnvironmentSpec:
    return dg.register(f"test/Contradiction{next(numbers)}-v0", three, workloads={"w": 1}, objective=objective)


@pytest.mark.parametrize("remedy", WRONG)
def test_a_direction_against_the_declared_one_is_warned_of_once_with_the_remedy(remedy: str, caplog: pytest.LogCaptureFixture) -> None:
    env = registered(WRONG[remedy])
    env.objective()
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert remedy in said and env.id in said and "'default'" in said and "declared with goal=" in said


@pytest.mark.parametrize("objective", RIGHT, ids=Objective.describe)
def test_a_direction_that_nothing_contradicts_is_not_warned_of(objective: Objective, caplog: pytest.LogCaptureFixture) -> None:
    registered(objective)
    assert not caplog.records


def test_an_objective_given_to_a_study_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    env = registered(dg.maximize("accuracy"))
    for _ in range(2):
        dg.Study("s", env, objective=dg.minimize("accuracy"))
    assert len(caplog.records) == 1 and "minimise accuracy" in caplog.text


def test_environments_of_ours_contradict_nothing() -> None:
    for name in BUILT_IN:
        spec = registry.spec(name)
        for objective in spec.objectives.values():
            assert not objective.contradictions(spec.simulator().metrics), name
