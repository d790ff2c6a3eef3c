"""`equivalence_report` counts what each key recognises and where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics, metric
from designgym.core.parameters import Categorical, Integer
from designgym.core.protocols import Resources
from designgym.core.rules import Condition
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.hashing.report import equivalence_report


class Small:
    """Outcome: ``a // 2``, plus 100 x (b // 2) if b is on. The probe sees the outcome, but not whether it is above 102."""

    name, version, deterministic, resources = "small", "1", True, Resources()
    space = DesignSpace(a=Integer(0, 7), on=Categorical(False, True), b=Integer(1, 4), conditions=[Condition("b", "on")])
    metrics = (metric("x"),)
    has_probe = True

    def _outcome(self, design: Design) -> int:
        return design["a"] // 2 + 100 * (design["b"] // 2 if design["on"] else 0)

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        return [Metrics({"x": float(self._outcome(design))}) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        return [str(min(self._outcome(design), 102)).encode() for design in designs] if self.has_probe else None


def test_the_whole_space_is_counted_right() -> None:
    """All 64 designs occur: 8 + 32 canonical classes; outcomes 4 values of a // 2 times b // 2 in 0, 1, 2."""
    report = equivalence_report(Small(), Workload("w"), n=4000, seed=1)
    literal, canonical, functional = report.keys
    assert (report.designs, report.outcomes, report.failed) == (4000, 12, 0)
    assert (literal.classes, canonical.classes, functional.classes) == (64, 8 + 32, 4 + 3)
    assert (literal.merges, canonical.merges, functional.merges) == (3936, 3960, 3993)
    assert literal.false_merges == canonical.false_merges == 0
    assert canonical.false_merge_upper_95 == pytest.approx(1 - 0.05 ** (1 / 3960))
    assert canonical.missed == pytest.approx((40 - 12) / (4000 - 12))
    outcomes = [Small()._outcome(design) for design in Small.space.sample(np.random.default_rng(1), 4000)]
    blurred = [outcome for outcome in outcomes if outcome >= 102]  # six outcomes that the probe takes for the first of them it meets
    assert functional.false_merges == sum(outcome != blurred[0] for outcome in blurred) > 0
    assert literal.key_s == canonical.key_s < functional.key_s
    frame = report.to_pandas()
    assert list(frame["key"]) == ["literal", "canonical", "functional"]
    assert frame.attrs["units"]["saved_s"] == "s"
    assert frame.attrs["units"]["recognised"] == "1"


def test_the_same_seed_gives_the_same_counts() -> None:
    reports = [equivalence_report(Small(), Workload("w"), n=50, seed=3) for _ in range(2)]
    counts = [[(key.classes, key.merges, key.false_merges) for key in report.keys] for report in reports]
    assert counts[0] == counts[1]


def test_a_simulator_without_a_probe_has_no_functional_row() -> None:
    simulator = Small()
    simulator.has_probe = False
    report = equivalence_report(simulator, Workload("w"), n=20)
    assert [key.key for key in report.keys] == ["literal", "canonical"]
    assert report.probe_s == 0


def test_bad_input() -> None:
    with pytest.raises(InputError, match="n must be positive"):
        equivalence_report(Small(), Workload("w"), n=0)
    simulator = Small()
    simulator.evaluate = lambda designs, workload, **_: [Metrics.failed("no licence") for _ in designs]  # type: ignore[method-assign]
    with pytest.raises(InputError, match="no licence"):
        equivalence_report(simulator, Workload("w"), n=5)
