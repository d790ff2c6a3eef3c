"""The responder against published figures, and single rules against what was published of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata

from designgym.core.errors import InputError
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.responder import (
    Simulated,
    SimulatedResponder,
    best_of_k,
    coverage,
    fit_table,
    majority_of_k,
    models,
    particle_filter,
    weighted_majority_of_k,
)
from designgym.simulators.archon.responder.curves import question_chances
from designgym.simulators.archon.responder.difficulty import Questions, abilities
from designgym.simulators.archon.responder.fit import main
from designgym.simulators.archon.responder.fit_difficulties import fitted_chances, through_two_points
from designgym.simulators.archon.responder.fit_mechanisms import fit_benchmark
from designgym.simulators.archon.responder.mechanisms import Mechanisms
from designgym.simulators.archon.responder.repeated_sampling import Chances
from designgym.simulators.archon.responder.scenarios import compared
from designgym.simulators.archon.responder.sources import plan_search_chance
from designgym.simulators.archon.responder.world import World


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return fit_table()


def test_the_table_has_every_figure_with_its_difference(rows: pd.DataFrame) -> None:
    columns = ["group", "task", "model", "composition", "figure_pct", "simulated_pct", "difference_pct", "tolerance_pct", "within"]
    assert list(rows.columns) == columns
    np.testing.assert_allclose(rows["difference_pct"], rows["simulated_pct"] - rows["figure_pct"])
    assert (rows["within"] == (rows["difference_pct"].abs() <= rows["tolerance_pct"])).all()
    assert not rows.isna().to_numpy().any()
    counts = rows.groupby("group").size()
    assert counts["coverage"] == 115
    assert counts["compositions"] == 340


def test_coverage_is_within_two_points_everywhere(rows: pd.DataFrame) -> None:
    found = rows[rows["group"] == "coverage"]
    assert found["within"].all(), found[~found["within"]]


@pytest.mark.parametrize(
    ("group", "least"), [("compositions", 0.9), ("selection", 0.9), ("particles", 0.8), ("verifier ceilings", 0.8), ("layers", 0.7)]
)
def test_most_other_figures_are_within_three_points(rows: pd.DataFrame, group: str, least: float) -> None:
    assert rows.loc[rows["group"] == group, "within"].mean() >= least


def test_gains_are_not_those_of_a_constant(rows: pd.DataFrame) -> None:
    """The mechanisms explain most of the differences between compositions: a model that knew nothing would explain none."""
    found = rows[rows["group"] == "compositions"]
    explained = 1 - (found["difference_pct"] ** 2).sum() / ((found["figure_pct"] - found["figure_pct"].mean()) ** 2).sum()
    assert explained > 0.9


@given(st.floats(0.05, 5.0), st.floats(0.05, 50.0), st.floats(0.1, 1.0), st.integers(1, 50))
def test_coverage_is_the_mean_over_questions(alpha: float, beta: float, share: float, k: int) -> None:
    chances = Chances(share, alpha, beta)
    p = chances.quantiles((np.arange(4000) + 0.5) / 4000)
    assert np.mean(1 - (1 - p) ** k) == pytest.approx(float(chances.coverage(k)), abs=2e-3)


def test_two_sorts_of_questions_have_the_coverage_of_both() -> None:
    chances = Chances(0.1, 1.2, 0.6, 0.05, 4.0)
    p = chances.quantiles((np.arange(20_000) + 0.5) / 20_000)
    for k in (1, 10, 100):
        assert np.mean(1 - (1 - p) ** k) == pytest.approx(float(chances.coverage(k)), abs=2e-3)


@given(st.floats(0.1, 0.8), st.floats(0.02, 0.15))
def test_a_spread_is_found_from_two_points_of_coverage(first: float, more: float) -> None:
    found = through_two_points(first, first + more, 200)
    assert float(found.coverage(1)) == pytest.approx(first, abs=1e-6)
    assert float(found.coverage(200)) == pytest.approx(first + more, abs=1e-6)


def test_models_of_one_family_find_the_same_questions_hard() -> None:
    questions = Questions("math", 1000, 0)

    def ability(name: str) -> NDArray[np.float64]:
        return abilities(questions, name, correlation=0.5, between=0.7)

    ranks = [rankdata(ability(name)) for name in ("llama-3.1-70b", "llama-3.1-405b", "gpt-4o")]
    _, family, other = np.corrcoef(ranks)[0]
    assert family == pytest.approx(0.95, abs=0.02)
    assert other == pytest.approx(0.7, abs=0.06)


def test_curves_of_selection_have_the_published_shape() -> None:
    model, task = "llama-3-70b-instruct", "math-oracle"
    assert majority_of_k(model, task, 10_000) - majority_of_k(model, task, 100) < 0.01
    assert best_of_k(model, task, 30) > best_of_k(model, task, 10_000) + 0.02
    assert weighted_majority_of_k(model, task, 100) > majority_of_k(model, task, 100)
    assert coverage(model, task, 100) > weighted_majority_of_k(model, task, 100) + 0.2


def test_a_particle_filter_needs_a_quarter_of_the_samples_of_best_of_n() -> None:
    for model in ("llama-3.2-1b-instruct", "llama-3.1-8b"):
        assert particle_filter(model, 32) > particle_filter(model, 128, stages=1.0)


def test_plan_search_loses_with_one_sample_and_wins_with_many() -> None:
    p = question_chances("claude-3.5-sonnet", "livecodebench")
    planned = plan_search_chance(p)
    assert planned.mean() < p.mean()
    assert (1 - (1 - planned) ** 200).mean() > (1 - (1 - p) ** 200).mean() + 0.1


def test_adaptive_stopping_gets_most_of_the_gain_of_sixteen_samples_from_a_fifth_more() -> None:
    responder = SimulatedResponder("math")

    def run(kind: str, **settings: Any) -> Simulated:
        return responder.evaluate(Architecture.of(Component.make(KINDS[kind], "llama-3.1-8b", **settings)))

    one, adaptive = run("generator"), run("adaptive_stopping", samples=16)
    judged = Component.make(KINDS["best_of_n"], "llama-3.1-8b")
    best = responder.evaluate(Architecture.of(Component.make(KINDS["generator"], "llama-3.1-8b", samples=16), judged))
    gain = (adaptive.score.mean() - one.score.mean()) / (best.score.mean() - one.score.mean())
    assert gain == pytest.approx(0.74, abs=0.01)
    assert adaptive.nodes[0].calls == pytest.approx(2.4)  # 1.2 answers, each with a judgement


def test_every_profile_names_its_sources() -> None:
    for profile in models().values():
        assert profile.price.source
        assert profile.tokens_source
        assert profile.speed_source
        assert set(profile.skill) == set(profile.skill_source)
        assert all(0 < skill < 1 for skill in profile.skill.values())


@pytest.mark.parametrize("k", [0, -1, 2.5, True])
def test_numbers_of_samples_that_cannot_be_are_refused(k: int) -> None:
    for curve in (coverage, majority_of_k, best_of_k, weighted_majority_of_k):
        with pytest.raises(InputError, match="k is"):
            curve("llama-3-8b-instruct", "gsm8k", k)


def test_what_nothing_is_published_of_is_refused() -> None:
    with pytest.raises(InputError, match="gsm8k"):
        coverage("llama-3-8b-instruct", "gsm9k", 1)
    with pytest.raises(InputError, match="llama-3-8b-instruct"):
        coverage("gpt-4o", "gsm8k", 1)
    with pytest.raises(InputError, match="math-oracle"):
        majority_of_k("llama-3-8b-instruct", "minif2f", 3)
    with pytest.raises(InputError, match="math"):
        main(["meth"])


@pytest.mark.parametrize("known", [Chances(1.0, 0.35, 0.6), Chances(0.9, 0.3, 2.0), Chances(0.98, 0.3, 20.0)])
def test_the_fit_finds_a_curve_of_its_own_kind_again(known: Chances) -> None:
    k = np.array([1.0, 10.0, 100.0, 1000.0, 10_000.0])
    found = fitted_chances("math-oracle", k, known.coverage(k))
    np.testing.assert_allclose(found.coverage(k), known.coverage(k), atol=0.012)


def test_fitting_comes_nearer_than_where_it_begins() -> None:
    questions = Questions("code-contests", 64, 5)
    begun = compared(World(questions, Mechanisms()))
    built, _ = fit_benchmark("code-contests", evaluations=2)
    found = compared(World(questions, built))
    errors = [float(((rows["simulated_pct"] - rows["figure_pct"]) ** 2).mean()) for rows in (begun, found)]
    assert errors[1] < errors[0] / 2
