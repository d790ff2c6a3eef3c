"""``benchmarks/hashing.py``: its accounting is what an evaluator does, and every table can be made."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.core.evaluator import Evaluator
from designgym.hashing import AuditedFingerprints, LocalCache
from designgym.studies.store import open_store

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PROPOSALS = 300


@pytest.fixture
def laboratory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    domain = importlib.import_module("hashing_tables.domains").DOMAINS["programs"]
    yield importlib.import_module("hashing_tables.laboratory").Laboratory(
        replace(domain, proposals=PROPOSALS, population=20, fidelity=0.01, drawn=400, paid=20)
    )


@pytest.mark.parametrize("cache", ["none", "canonical", "functional, audited"])
def test_an_evaluator_pays_for_what_the_accounting_says(laboratory: Any, cache: str) -> None:
    account = importlib.import_module("hashing_tables.accounting").account
    run = laboratory.trajectory(0, PROPOSALS)
    evaluator = Evaluator(
        laboratory.simulator,
        laboratory.workload,
        cache=None if cache == "none" else LocalCache(),
        fingerprints=AuditedFingerprints("on") if "functional" in cache else None,
        fidelity=laboratory.domain.fidelity,
    )
    paid = []
    for (design, tell), score in zip(islice(laboratory.propose(0), PROPOSALS), run.scores, strict=True):
        (trial,) = evaluator.evaluate([design])
        paid.append(trial.obtained in ("measured", "audited"))
        tell(score)
        assert trial.metrics["fitness"] == pytest.approx(score, rel=1e-11)
    assert paid == list(account(run, cache).paid)
    assert cache == "none" or 1 < sum(paid) < PROPOSALS / 2


def test_every_table_has_rows(laboratory: Any, tmp_path: Path) -> None:
    for name, table in importlib.import_module("hashing_tables.catalogue").TABLES.items():
        assert len(table(laboratory, 2)) > 1, name
    searches = importlib.import_module("hashing_tables.search_tables")
    frame = searches.search(laboratory, 2)
    assert list(frame["cache"][:3]) == ["none", "literal", "canonical"]
    assert set(frame["target"]) == set(laboratory.domain.targets)
    searches.save_curves(laboratory, 2, tmp_path)
    assert len(list(tmp_path.glob("*.html"))) == len(list(tmp_path.glob("*.csv"))) == 2


@pytest.mark.parametrize("name", ["programs", "cells", "expressions"])
def test_a_study_takes_the_fingerprint_of_the_environment_and_coarser_ones_merge_more(laboratory: Any, name: str) -> None:
    """With the environment's own numbers they merge what its probe merges. Cells of which one merges wrongly are rarer than drawn here."""
    domain = importlib.import_module("hashing_tables.domains").DOMAINS[name]
    simulator, workload = domain.simulator(), domain.load()
    designs = list({design.literal: design for design in simulator.space.sample(np.random.default_rng(3), 150)}.values())
    keys = simulator.probe(designs, workload)
    own, coarse = (
        [domain.fingerprint(design, **setting).key for design in designs] for setting in ({}, {"examples": 1, "mantissa_bits": 2})
    )
    assert len(set(coarse)) < len(set(own)) + (name == "cells")
    assert sum(one == other for one, other in combinations(own, 2)) == sum(one == other for one, other in combinations(keys, 2)) > 0


def test_wrong_keys_are_counted_per_merge_and_per_result_served(laboratory: Any) -> None:
    merges = importlib.import_module("hashing_tables.merge_tables")
    run = laboratory.trajectory(0, PROPOSALS)
    assert merges.served(laboratory, 1)["wrong"].sum() == 0
    liar = replace(run, behaviours=[replace(behaviour, functional="all alike") for behaviour in run.behaviours])
    exact, probable, wrong = merges.served_by(liar)
    assert exact + probable == PROPOSALS - 1
    assert 0 < wrong <= probable
    assert wrong == sum(not run.behaviours[0].agrees(behaviour) for behaviour in run.behaviours)
    _, merged, false = merges.drawn_merges(laboratory)
    assert merged > 0 == false
    laboratory.maker.functional = lambda designs: ["all alike" for _ in designs]
    classes, merged, false = merges.drawn_merges(laboratory)
    assert merged == classes - 1 and 0 < false <= merged


def test_measurements_are_found_again_in_a_store(laboratory: Any, tmp_path: Path) -> None:
    module = importlib.import_module("hashing_tables.laboratory")
    runs: list[Any] = []
    for _ in range(2):
        with open_store(tmp_path / "measured.db") as store:
            again = module.Laboratory(laboratory.domain, store)
            if runs:
                again.simulator.evaluate = None  # nothing is measured anew
            runs.append(again.trajectory(0, 50))
    assert runs[0].scores == runs[1].scores
    assert [one.measure_s for one in runs[0].behaviours] == [one.measure_s for one in runs[1].behaviours]


@pytest.mark.slow
def test_all_cells_that_have_twins_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    population = importlib.import_module("hashing_tables.cell_population")
    assert len(population.all_cells()) == 423_624  # as NAS-Bench-101 reports
    designs = list(population.cells_with_twins(np.random.default_rng(0)))
    cells = designs[: len(designs) - population.OTHERS]
    space = importlib.import_module("designgym.simulators.nas.space").cell_space()
    assert len({space.canonical(design).literal for design in designs}) == len(designs)
    assert len(cells) == 10_546  # 4,579 functions: 5,967 equal another cell, of which 1,436 have twins with a single pooling
