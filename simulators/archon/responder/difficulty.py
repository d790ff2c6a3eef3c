"""How hard each question is for each model: chances of a right sample that are alike for models of one family, and less so for others.

The chance of model m at question q is a quantile of its own distribution over questions, at a normal variable
``sqrt(c) z(q) + sqrt(f - c) z_family(q) + sqrt(1 - f) z_m(q)`` (a Gaussian copula). Where only a model's skill s is published, the
distribution is that of ``Phi((Phi^-1(s) + sqrt(r) z) / sqrt(1 - r))`` (Vasicek 1987), whose mean is s; r is the correlation of two samples.
Where coverage is published, it is a mixture of beta distributions (`repeated_sampling`).

Of each model's normal variable, equal parts of its distribution are drawn equally often: 200 questions then have the benchmark's mean
difficulty, and differences between designs are not those of the draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from designgym.core.errors import UnknownNameError
from designgym.simulators.archon.responder.profiles import models
from designgym.simulators.archon.responder.repeated_sampling import chances

__all__ = ["FAMILY", "Questions", "abilities", "variables"]

FAMILY = 0.95  # of models of one family: Pythia 12B with 6.9B and 2.8B on MATH, from counts (arXiv 2502.17578, data)
BOUND = 6.0  # probit of a chance that is as good as 0 or 1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Questions:
    """Questions of a benchmark.

    Attributes:
        benchmark: Its name.
        count: How many.
        seed: Of their difficulty.
    """

    benchmark: str
    count: int
    seed: int

    def generator(self, *about: str) -> np.random.Generator:
        """Return random numbers that depend on the questions and on what they are for, on nothing else."""
        text = "\n".join([self.benchmark, str(self.count), str(self.seed), *about])
        return np.random.default_rng(int.from_bytes(blake3(text.encode()).digest(length=16)))


@lru_cache(maxsize=1024)
def _normal(questions: Questions, *about: str) -> Array:
    places = questions.generator(*about).permutation(questions.count)
    return np.asarray(ndtri((places + 0.5) / questions.count), dtype=np.float64)


def variables(questions: Questions, model: str, family: str, between: float) -> Array:
    """Return the normal variable of each question for a model; larger is easier.

    Args:
        questions: The questions.
        model: The model.
        family: Its family.
        between: Correlation with models of other families.
    """
    shared = np.sqrt(between) * _normal(questions, "all") + np.sqrt(max(FAMILY - between, 0.0)) * _normal(questions, "family", family)
    z = shared + np.sqrt(1 - max(FAMILY, between)) * _normal(questions, "model", model)
    ranks = np.empty(questions.count)
    ranks[np.argsort(z, kind="stable")] = np.arange(questions.count)
    return np.asarray(ndtri((ranks + 0.5) / questions.count), dtype=np.float64)


def abilities(questions: Questions, model: str, *, correlation: float, between: float, published_as: str = "") -> Array:
    """Return the probit of the chance that a sample of a model is right, for each question.

    Args:
        questions: The questions.
        model: Its name.
        correlation: Of two samples of one question, on the scale of the normal variable.
        between: As in `variables`.
        published_as: The benchmark whose figures hold, if it is another.

    Raises:
        InputError: If there is no such model, or nothing is published of it on this benchmark.
    """
    known, benchmark = models(), published_as or questions.benchmark
    if model not in known:
        raise UnknownNameError("model of the simulated responder", model, known)
    profile = known[model]
    if benchmark not in profile.skill:
        having = [name for name, other in known.items() if benchmark in other.skill]
        raise UnknownNameError(f"model with published skill on {benchmark}", model, having)
    z = variables(questions, model, profile.family, between)
    if benchmark in _mixed():
        with np.errstate(divide="ignore"):
            return np.clip(ndtri(chances(model, benchmark).quantiles(ndtr(z))), -BOUND, BOUND)
    return of_skill(profile.skill[benchmark], z, correlation)


def of_skill(skill: float, z: Array, correlation: float) -> Array:
    """Return the probit of chances whose mean over questions is the skill."""
    return np.clip((ndtri(skill) + np.sqrt(correlation) * z) / np.sqrt(1 - correlation), -BOUND, BOUND)


@lru_cache(maxsize=1)
def _mixed() -> frozenset[str]:
    from designgym.simulators.archon.responder.tables import table

    return frozenset(map(str, table("difficulties")["task"]))
