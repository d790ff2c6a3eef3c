"""How near the responder comes to the published figures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pandas as pd

from designgym.simulators.archon.responder.curves import (
    best_of_k,
    majority_of_k,
    particle_filter,
    question_chances,
    weighted_majority_of_k,
)
from designgym.simulators.archon.responder.difficulty import Questions
from designgym.simulators.archon.responder.mechanisms import mechanisms
from designgym.simulators.archon.responder.repeated_sampling import coverage
from designgym.simulators.archon.responder.scenarios import ARCHON, compared
from designgym.simulators.archon.responder.sources import plan_search_chance, plan_verify_code_mean
from designgym.simulators.archon.responder.stages import false_accept
from designgym.simulators.archon.responder.tables import records, table
from designgym.simulators.archon.responder.world import World
from designgym.simulators.archon.statistics import verifier_ceiling

__all__ = ["TOLERANCE_PCT", "fit_table"]

QUESTIONS, SEED = 256, 2024  # other questions than those of the fit
TOLERANCE_PCT = {"coverage": 2.0}
OTHERS_PCT = 3.0
Row = tuple[str, str, str, str, float, float]


def _coverage() -> Iterator[Row]:
    for row in records(table("figures/coverage")):
        simulated = coverage(str(row.model), str(row.task), int(row.samples))
        yield "coverage", str(row.task), str(row.model), f"any of {row.samples}", float(row.coverage_pct), 100 * simulated


def _selection() -> Iterator[Row]:
    methods = {"majority": majority_of_k, "reward": best_of_k, "reward-weighted majority": weighted_majority_of_k}
    for row in records(table("figures/selection")):
        simulated = methods[str(row.method)](str(row.model), str(row.task), int(row.samples))
        yield "selection", str(row.task), str(row.model), f"{row.method} of {row.samples}", float(row.score_pct), 100 * simulated


def _verified() -> Iterator[Row]:
    for row in records(table("figures/verified")):
        p = float(row.pass_at_1_pct) / 100
        simulated = verifier_ceiling(p, false_accept(p, str(row.task)))
        yield "verifier ceilings", str(row.task), str(row.model), "right if accepted", float(row.accepted_right_pct), 100 * simulated


def _particles() -> Iterator[Row]:
    for row in records(table("figures/particles")):
        if row.method == "DVTS":
            continue  # no component does this
        simulated = particle_filter(str(row.model), int(row.budget), stages=None if row.method == "particle filter" else 1.0)
        yield "particles", "math-500", str(row.model), f"{row.method} of {row.budget}", float(row.score_pct), 100 * simulated


def _plans() -> Iterator[Row]:
    for row in records(table("figures/plan_search")):
        p, k = question_chances(str(row.model), str(row.task)), int(row.samples)
        p = plan_search_chance(p) if row.method == "plan_search" else p
        simulated = float((1 - (1 - p) ** k).mean())
        yield "plans", str(row.task), str(row.model), f"{row.method}, any of {k}", float(row.score_pct), 100 * simulated
    for row in records(table("figures/plan_verify_code")):
        simulated = plan_verify_code_mean(float(row.plain_pct) / 100)
        yield "plans", str(row.task), str(row.model), "plan_verify_code", float(row.score_pct), 100 * simulated


@cache
def _rows() -> pd.DataFrame:
    columns = ["group", "task", "model", "composition", "figure_pct", "simulated_pct"]
    sampled = [row for rows in (_coverage(), _selection(), _verified(), _particles(), _plans()) for row in rows]
    found = [pd.DataFrame(sampled, columns=columns)]
    found += [compared(World(Questions(name, QUESTIONS, SEED), mechanisms(name))) for name in ARCHON]
    rows = pd.concat(found, ignore_index=True)
    rows["difference_pct"] = rows["simulated_pct"] - rows["figure_pct"]
    rows["tolerance_pct"] = [TOLERANCE_PCT.get(group, OTHERS_PCT) for group in rows["group"]]
    rows["within"] = rows["difference_pct"].abs() <= rows["tolerance_pct"]
    return rows


def fit_table() -> pd.DataFrame:
    """Return every published figure beside what the responder says, in percent.

    Groups: ``coverage`` (any of k samples is right), ``selection`` (majority, reward), ``verifier ceilings``, ``particles``,
    ``plans``, and, as gains over one sample, ``compositions`` (Archon, tables 5 to 9), ``fusers`` (table 35), ``layers`` (figures 5
    and 8), ``pool sizes`` (figures 3 and 4) and ``small models`` (table 38). The responder is a model for developing and comparing
    search methods, fitted to these figures, not for claims about LLMs.

    Returns:
        Columns ``group, task, model, composition, figure_pct, simulated_pct, difference_pct, tolerance_pct, within``.
    """
    return _rows().copy()
