"""How often a functional key takes different designs for one: per merge, and per result that a search is served."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from designgym.core.design import Design
from designgym.core.evaluator import AGREEMENT
from designgym.core.measuring import agree
from designgym.core.workload import Workload
from hashing_tables.accounting import rate
from hashing_tables.laboratory import STRATEGIES, Behaviour, Laboratory, Trajectory
from hashing_tables.search_tables import trajectories

PROBED_AT_ONCE = 100


def false_merges(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return how many classes of canonically equal designs the functional key merged, and how many of those have other metrics.

    A class counts as merged if its functional key is that of an earlier one; all classes are measured. The last row is of many designs
    that no search proposed, of which only those are measured that the key merges.
    """
    rows = []
    for strategy in STRATEGIES:
        classes: dict[str, Behaviour] = {}
        for run in trajectories(laboratory, strategy, seeds):
            classes |= zip(run.canonical, run.behaviours, strict=True)
        elders: dict[str, Behaviour] = {}
        merges = false = 0
        for behaviour in classes.values():
            elder = elders.setdefault(behaviour.functional, behaviour)
            merges += elder is not behaviour
            false += not elder.agrees(behaviour)
        rows.append(_row(strategy, len(classes), merges, false))
    return pd.DataFrame([*rows, _row("none: drawn designs", *drawn_merges(laboratory))])


def _row(source: str, classes: int, merges: int, false: int) -> dict[str, object]:
    return {"search": source, "classes": classes, "merges": merges, "false": false, "false (%)": rate(false, merges)}


def drawn_merges(laboratory: Laboratory) -> tuple[int, int, int]:
    """Return the classes of the designs that are drawn, merges, and false ones."""
    groups: dict[str, list[Design]] = defaultdict(list)
    classes = _classes(laboratory)
    for start in range(0, len(classes), PROBED_AT_ONCE):
        some = classes[start : start + PROBED_AT_ONCE]
        for key, design in zip(laboratory.maker.functional(some) or [], some, strict=True):
            groups[key].append(design)
    merges = false = 0
    workload = _brief(laboratory)
    for group in groups.values():
        if len(group) > 1:
            elder, *others = laboratory.simulator.evaluate(group, workload, fidelity=laboratory.domain.fidelity)
            merges += len(others)
            false += sum(not agree(elder, other, AGREEMENT) for other in others)
    return len(classes), merges, false


def _classes(laboratory: Laboratory) -> list[Design]:
    from hashing_tables.cell_population import cells_with_twins

    rng, drawn = np.random.default_rng(2), laboratory.domain.drawn
    designs: Iterator[Design] = iter(laboratory.space.sample(rng, drawn)) if drawn else cells_with_twins(rng)
    return list({laboratory.maker.keys(design).canonical: design for design in designs}.values())


def _brief(laboratory: Laboratory) -> Workload:
    """Return a workload that is measured sooner, where there is one: equal networks stay equal in the first steps of a training."""
    workload, passes = laboratory.workload, laboratory.domain.brief
    return Workload(f"{workload.name}, briefly", workload.data.head(passes)) if passes else workload


def served(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return how many results a functional cache without audits serves in these searches, and how many of them are wrong."""
    rows = []
    for strategy in STRATEGIES:
        counts = [served_by(run) for run in trajectories(laboratory, strategy, seeds)]
        exact, probable, wrong = (sum(each) for each in zip(*counts, strict=True))
        rows.append({
            "search": strategy, "served": exact + probable, "by canonical key": exact, "by functional key": probable, "wrong": wrong,
            "wrong of all (%)": rate(wrong, exact + probable), "wrong of functional (%)": rate(wrong, probable),
        })  # fmt: skip
    return pd.DataFrame(rows)


def served_by(run: Trajectory) -> tuple[int, int, int]:
    """Return results served for canonical keys, for functional keys, and wrong ones among these."""
    measured: set[str] = set()
    first: dict[str, Behaviour] = {}
    exact = probable = wrong = 0
    for canonical, behaviour in zip(run.canonical, run.behaviours, strict=True):
        if canonical in measured:
            exact += 1
        elif behaviour.functional in first:
            probable += 1
            wrong += not first[behaviour.functional].agrees(behaviour)
        else:
            measured.add(canonical)
            first[behaviour.functional] = behaviour
    return exact, probable, wrong
