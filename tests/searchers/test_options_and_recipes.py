"""Options, recipes, `make_searcher`, and searchers that are not ours."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.objectives import Objective
from designgym.core.trial import Trial
from designgym.searchers import SearcherRecipe, make_searcher, recipe, searcher_options
from designgym.searchers.base import BaseSearcher, option
from designgym.searchers.options import Option

SPACE = dg.DesignSpace(a=dg.Integer(0, 7), b=dg.Categorical("x", "y"))
OBJECTIVE = dg.minimize("cost")


class Foreign:
    """Somebody's searcher: no base class of ours."""

    def __init__(self, space: dg.DesignSpace, objective: Objective, *, seed: int, stride: int = 1, eager: bool = False) -> None:
        self.space, self.stride, self.eager, self.at = space, stride, eager, seed

    def ask(self, n: int) -> list[dg.Design]:
        return [self.space.default()] * n

    def tell(self, trials: Sequence[Trial]) -> None: ...

    def state(self) -> dict[str, Any]:
        return {"at": self.at}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.at = state["at"]


def test_text_is_converted() -> None:
    searcher: Any = make_searcher("xgboost", SPACE, OBJECTIVE, seed=0, members="4", kappa="2.5", acquisition="ucb")
    assert (searcher.options.members, searcher.options.kappa, searcher.options.acquisition) == (4, 2.5, "ucb")
    sobol: Any = make_searcher("sobol", SPACE, OBJECTIVE, seed=0, scramble="no")
    assert sobol.options.scramble is False
    tpe: Any = make_searcher("tpe", SPACE, OBJECTIVE, seed=0, n_startup_trials="3", multivariate="false")
    assert (tpe.options["n_startup_trials"], tpe.options["multivariate"]) == (3, False)
    cmaes: Any = make_searcher("cmaes", SPACE, OBJECTIVE, seed=0, sigma0="none", with_margin="true")
    assert (cmaes.options["sigma0"], cmaes.options["with_margin"]) == (None, True)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("evolution", {"popul": 5}, "did you mean 'population'.*legal options: population .an integer from 2"),
        ("evolution", {"population": "many"}, "'population' .* is 'many', expected an integer from 2"),
        ("evolution", {"population": 1}, "is 1, expected"),
        ("evolution", {"population": 2.5}, "is 2.5, expected"),
        ("evolution", {"population": True}, "is True, expected"),
        ("genetic", {"mutation": 1.5}, "is 1.5, expected a number from 0 to 1"),
        ("genetic", {"mutation": float("nan")}, "expected a number"),
        ("grid", {"order": "up"}, "expected one of shuffled, sorted"),
        ("sobol", {"scramble": "perhaps"}, "expected true or false"),
        ("random", {"population": 3}, "known|none is known|legal options: none"),
        ("optuna", {"sampler": "tpo"}, "unknown Optuna sampler 'tpo'"),
        ("optuna", {"sampler": "TPESampler", "sigma0": 1.0}, "unknown option .*'sigma0'.*n_startup_trials"),
        ("optuna", {"sampler": 7}, "expected a sampler's name or an Optuna sampler"),
        ("nsgaii", {"population_size": 1}, "NSGAIISampler refuses"),
        ("tpe", {"gamma": "0.1"}, "'gamma' .* expected a Python object"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_searcher(name, SPACE, OBJECTIVE, seed=0, **options)
    with pytest.raises(InputError):
        if name != "nsgaii":  # only Optuna knows, at construction
            recipe(name, **options)
        else:
            raise InputError("as above")


def test_class_without_a_space_is_a_recipe() -> None:
    made: Any = dg.searchers.RegularizedEvolution(population=9)
    assert made == SearcherRecipe("regularized_evolution", {"population": 9})
    assert made.label == "regularized_evolution(population=9)"
    assert SearcherRecipe.from_json(made.to_json()) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert len({made, SearcherRecipe("regularized_evolution", {"population": 9})}) == 1
    searcher: Any = make_searcher(made, SPACE, OBJECTIVE, seed=4, tournament=2)
    assert (searcher.options.population, searcher.options.tournament, searcher.seed) == (9, 2, 4)
    with pytest.raises(UnknownNameError, match="populaton"):
        dg.searchers.RegularizedEvolution(populaton=9)
    with pytest.raises(InputError, match="not a searcher's JSON form"):
        SearcherRecipe.from_json({"name": "tpe"})


def test_recipe_normalises_names_recipes_and_classes() -> None:
    from designgym.searchers import GeneticAlgorithm

    assert recipe("tpe") == SearcherRecipe("tpe", {})
    assert recipe(SearcherRecipe("genetic", {"elites": 1}), population="5") == SearcherRecipe("genetic", {"elites": 1, "population": "5"})
    assert recipe(GeneticAlgorithm) == SearcherRecipe("genetic", {})
    with pytest.raises(UnknownNameError, match="'tpe'"):
        recipe("tpi")
    with pytest.raises(InputError, match="register_searcher"):
        recipe(Foreign)
    with pytest.raises(InputError, match="expected one of the names"):
        make_searcher(5, SPACE, OBJECTIVE, seed=0)


def test_every_registered_searcher_documents_its_options() -> None:
    for name in registry.searchers():
        for each in searcher_options(name) or ():
            assert isinstance(each, Option)
            assert each.describe()
            assert each.doc or name in ("tpe", "cmaes", "nsgaii", "optuna")  # those are documented by Optuna


def test_foreign_searchers_are_checked_by_their_signature() -> None:
    searcher: Any = make_searcher(Foreign, SPACE, OBJECTIVE, seed=3, stride="4", eager="yes")
    assert (searcher.stride, searcher.eager, searcher.at) == (4, True, 3)
    with pytest.raises(UnknownNameError, match="stride"):
        make_searcher(Foreign, SPACE, OBJECTIVE, seed=3, strid=4)
    name = "foreign-for-test"
    registry.register_searcher(name, Foreign)
    try:
        assert recipe(Foreign, stride=2) == SearcherRecipe(name, {"stride": 2})
        assert make_searcher(SearcherRecipe(name, {"stride": 2}), SPACE, OBJECTIVE, seed=0).ask(1) == [SPACE.default()]
    finally:
        del registry._searchers[name]


@dataclass(frozen=True)
class UpwardsOptions:
    low: int = option(0, "where to start", low=0, high=7)


class Upwards(BaseSearcher):
    name = "upwards"
    Options = UpwardsOptions

    def _propose(self) -> dg.Design | None:
        values = iter(range(self.options.low, 8))
        return self._fresh(lambda: self.space.validate({"a": next(values, 7), "b": "x"}))


def test_own_subclass_needs_little() -> None:
    searcher = make_searcher(Upwards, SPACE, OBJECTIVE, seed=0, low="3")
    assert [design["a"] for design in searcher.ask(3)] == [3, 4, 5]
    with pytest.raises(InputError, match="low"):
        make_searcher(Upwards, SPACE, OBJECTIVE, seed=0, low=9)


def test_import_is_light() -> None:
    code = (
        "import sys, designgym.searchers as s; s.recipe('random'); from designgym.core import registry; registry.searchers();"
        "print([m for m in ('torch', 'optuna', 'botorch', 'xgboost', 'ray', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
