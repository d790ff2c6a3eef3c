"""``benchmarks/hashing.py``: its accounting is what an evaluator does, and every table can be made."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from designgym.core.evaluator import Evaluator
from designgym.hashing import AuditedFingerprints, LocalCache

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PROPOSALS = 300


@pytest.fixture
def laboratory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    domain = importlib.import_module("hashing_tables.domains").DOMAINS["programs"]
    yield importlib.import_module("hashing_tables.laboratory").Laboratory(
        replace(domain, proposals=PROPOSALS, population=20, fidelity=0.01)
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
    script = importlib.import_module("hashing_tables.catalogue")
    for name, table in script.TABLES.items():
        frame = table(laboratory, 2)
        assert len(frame) > 1, name
    frame = script.search(laboratory, 2, tmp_path)
    assert list(frame["cache"][:3]) == ["none", "literal", "canonical"]
    assert len(list(tmp_path.glob("*.html"))) == len(list(tmp_path.glob("*.csv"))) == 2
