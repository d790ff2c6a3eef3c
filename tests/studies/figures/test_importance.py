"""Importance: finds what matters, and says how far it may be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import designgym as dg
from designgym.studies.figures import Plots
from designgym.studies.importance import parameter_importance

SPACE = dg.DesignSpace(
    strong=dg.Categorical("a", "b", "c"),
    medium=dg.Integer(0, 9),
    weak=dg.Float(0, 1),
    nothing=dg.Categorical("x", "y"),
    none=dg.Integer(0, 5),
)


@dg.simulator(space=SPACE, metrics=[dg.metric("cost_usd", goal="min"), dg.metric("noise", unit="1")], version="1")
def priced(design: Mapping[str, Any], workload: Any, *, seed: int) -> dict[str, float]:
    """Cost by known parts; a hash-like metric that no parameter explains."""
    base = {"a": 0.0, "b": 40.0, "c": 100.0}[design["strong"]]
    scrambled = np.random.default_rng([ord(design["strong"]), design["medium"], int(1e6 * design["weak"]), design["none"]]).normal()
    return {"cost_usd": base + 4 * design["medium"] + 5 * design["weak"], "noise": float(scrambled)}


def test_ranks_parameters_by_their_true_effect(make_study: Callable[..., Any]) -> None:
    study = make_study({"random": 1.0}, seeds=2, budget=150, objective=dg.minimize("cost_usd"), simulator=priced)
    result = parameter_importance(Plots(study.frame, study.meta).data)
    assert result.parameters[:3] == ("strong", "medium", "weak")
    assert result.r2 > 0.95
    assert "fits well" in result.verdict
    assert result.unit == "USD"  # the cost can be 0, so the model is not of its logarithm
    assert result.effect[3] < 0.05 * result.effect[0]
    assert all(spread >= 0 for spread in result.spread)
    # the mean absolute deviation of the three levels 0, 40, 100, drawn alike
    assert np.isclose(result.effect[0], np.mean(np.abs(np.array([0, 40, 100]) - 140 / 3)), rtol=0.15)


def test_says_when_the_fit_is_poor(make_study: Callable[..., Any]) -> None:
    study = make_study({"random": 1.0}, seeds=1, budget=150, objective=dg.minimize("noise"), simulator=priced)
    plots = Plots(study.frame, study.meta)
    assert plots.importances.r2 < 0.3
    assert "poorly" in plots.importances.verdict
    caption = plots.importance().to_dict()["layout"]["meta"]["caption"]
    assert "Cross-validated fit: R² = " in caption
    assert "do not rely on this ranking" in caption


def test_positive_quantities_are_percentages(study: Any) -> None:
    plots = Plots(study.frame, study.meta)
    assert plots.importances.unit == "%"
    assert plots.importances.parameters[0] == "PagePolicy"
    assert "logarithm" in plots.importance().to_dict()["layout"]["meta"]["caption"]


def test_is_repeatable_and_refuses_too_few_designs(study: Any) -> None:
    data = Plots(study.frame, study.meta).data
    assert parameter_importance(data) == parameter_importance(data)
    few = parameter_importance(Plots(study.frame.head(10), study.meta).data)
    assert "at least 30" in few.verdict
    assert few.parameters == ()
