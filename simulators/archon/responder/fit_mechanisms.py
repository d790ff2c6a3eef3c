"""Fits `mechanisms.csv` and `roles.csv` to Archon's figures; part of ``python -m designgym.simulators.archon.responder.fit``.

For each benchmark, fourteen mechanisms and three numbers for every model that judged or fused there, drawn to common values: there are
several times as many figures. Figures that contradict each other, or the mechanisms, weigh less the farther they are off (soft L1).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit, logit

from designgym.simulators.archon.responder.difficulty import Questions
from designgym.simulators.archon.responder.mechanisms import NUMBERS, Mechanisms, Role
from designgym.simulators.archon.responder.scenarios import Figure, compared, figures
from designgym.simulators.archon.responder.world import World

__all__ = ["fit_benchmark"]

Array = NDArray[np.float64]
QUESTIONS, SEED = 96, 1  # of the fit; others are drawn for comparing
SHARES = ("correlation", "between", "rework", "lean")
PRIOR = {
    # centre and deviation of each; shares as logits
    "correlation": (logit(0.75), 0.7), "between": (logit(0.7), 0.5), "rework": (logit(0.5), 0.7),
    "lean": (logit(0.5), 0.7), "pick": (0.5, 0.7), "gain": (0.2, 0.3),
    "rank": (0.0, 1.0), "rank_read": (0.5, 1.0), "verify": (0.0, 1.0), "test": (0.0, 1.0), "critique": (0.1, 0.2), "verified": (0.1, 0.2),
    "tested": (0.1, 0.2), "ordered": (0.1, 0.2),
}  # fmt: skip
ROLE = {"fuse": (0.0, 0.5), "judge": (0.0, 0.4), "read": (1.0, 0.6)}
FUSES_ONLY = 1  # numbers of a model of which only a fuser's figure is published


def _built(values: Array, judges: Sequence[str], fusers: Sequence[str]) -> Mechanisms:
    numbers = {name: float(expit(v)) if name in SHARES else float(v) for name, v in zip(NUMBERS, values, strict=False)}
    rest = values[len(NUMBERS) :]
    roles = {name: Role(*map(float, rest[3 * i : 3 * i + 3])) for i, name in enumerate(judges)}
    roles |= {name: Role(fuse=float(v)) for name, v in zip(fusers, rest[3 * len(judges) :], strict=True)}
    return Mechanisms(**numbers, roles=MappingProxyType(roles))


def _judges(known: Sequence[Figure]) -> tuple[list[str], list[str]]:
    from designgym.simulators.archon.responder.scenarios import FIGURE_JUDGE, JUDGES

    own = JUDGES.get(known[0].task, FIGURE_JUDGE)
    judges = dict.fromkeys(
        own if f.model == "open-8" else f.model for f in known if f.group in ("compositions", "pool sizes", "small models")
    )
    fusers = dict.fromkeys(f.model for f in known if f.group == "fusers" and f.model not in judges)
    return list(judges), list(fusers)


def fit_benchmark(benchmark: str, evaluations: int = 20) -> tuple[Mechanisms, pd.DataFrame]:
    """Return the mechanisms of a benchmark, and its figures with what they lead to."""
    known = figures(benchmark)
    judges, fusers = _judges(known)
    centre = np.array(
        [PRIOR[name][0] for name in NUMBERS] + [ROLE[n][0] for _ in judges for n in ROLE] + [ROLE["fuse"][0]] * len(fusers),
        dtype=np.float64,
    )
    width = np.array([PRIOR[name][1] for name in NUMBERS] + [ROLE[n][1] for _ in judges for n in ROLE] + [ROLE["fuse"][1]] * len(fusers))
    questions = Questions(benchmark, QUESTIONS, SEED)

    def residuals(values: Array) -> Array:
        world = World(questions, _built(values, judges, fusers))
        errors = np.array([(figure.simulate(world) - figure.value) / figure.deviation for figure in known])
        # the root of the soft L1 loss, so that what draws numbers to their centres stays quadratic
        soft = np.sign(errors) * np.sqrt(2 * (np.sqrt(1 + errors**2) - 1))
        return np.concatenate([soft, (values - centre) / width])

    found = least_squares(residuals, centre, diff_step=1e-3, max_nfev=evaluations, x_scale=width, xtol=1e-4, ftol=1e-4)
    built = _built(found.x, judges, fusers)
    return built, compared(World(questions, built))
