"""Searchers: everything with ask and tell, one file each. Names are loaded when first used, so that a random search imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names
from designgym.core.registry import register_searcher
from designgym.searchers.recipe import SearcherRecipe, make_searcher, recipe, searcher_options

if TYPE_CHECKING:
    from designgym.searchers.base import BaseSearcher as BaseSearcher
    from designgym.searchers.base import option as option
    from designgym.searchers.botorch_search import BoTorchSearcher as BoTorchSearcher
    from designgym.searchers.evolution import RegularizedEvolution as RegularizedEvolution
    from designgym.searchers.genetic import GeneticAlgorithm as GeneticAlgorithm
    from designgym.searchers.grid import Grid as Grid
    from designgym.searchers.optuna_sampler import CMAES as CMAES
    from designgym.searchers.optuna_sampler import NSGAII as NSGAII
    from designgym.searchers.optuna_sampler import TPE as TPE
    from designgym.searchers.optuna_sampler import OptunaSearcher as OptunaSearcher
    from designgym.searchers.random_search import Random as Random
    from designgym.searchers.random_walk import RandomWalk as RandomWalk
    from designgym.searchers.sobol import Sobol as Sobol
    from designgym.searchers.tune_search import TuneSearch as TuneSearch
    from designgym.searchers.xgboost_surrogate import XGBoostSurrogate as XGBoostSurrogate

_HOMES = {
    "BaseSearcher": "base", "option": "base", "Random": "random_search", "RandomWalk": "random_walk", "Sobol": "sobol", "Grid": "grid",
    "GeneticAlgorithm": "genetic", "RegularizedEvolution": "evolution", "OptunaSearcher": "optuna_sampler", "TPE": "optuna_sampler",
    "CMAES": "optuna_sampler", "NSGAII": "optuna_sampler", "BoTorchSearcher": "botorch_search", "XGBoostSurrogate": "xgboost_surrogate",
    "TuneSearch": "tune_search",
}  # fmt: skip

register_searcher("random", "designgym.searchers.random_search:Random")
register_searcher("random_walk", "designgym.searchers.random_walk:RandomWalk")
register_searcher("sobol", "designgym.searchers.sobol:Sobol")
register_searcher("grid", "designgym.searchers.grid:Grid")
register_searcher("genetic", "designgym.searchers.genetic:GeneticAlgorithm")
register_searcher("evolution", "designgym.searchers.evolution:RegularizedEvolution")
register_searcher("regularized_evolution", "designgym.searchers.evolution:RegularizedEvolution")
register_searcher("tpe", "designgym.searchers.optuna_sampler:TPE")
register_searcher("cmaes", "designgym.searchers.optuna_sampler:CMAES")
register_searcher("nsgaii", "designgym.searchers.optuna_sampler:NSGAII")
register_searcher("optuna", "designgym.searchers.optuna_sampler:OptunaSearcher")
register_searcher("botorch", "designgym.searchers.botorch_search:BoTorchSearcher")
register_searcher("xgboost", "designgym.searchers.xgboost_surrogate:XGBoostSurrogate")
register_searcher("confirm", "designgym.studies.confirmation:Confirm")  # it reads a study, so it is at home there

__all__ = [*_HOMES, "SearcherRecipe", "make_searcher", "recipe", "searcher_options"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
