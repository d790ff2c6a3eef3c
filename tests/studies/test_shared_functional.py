"""``functional="shared"``: what one run measured stands for its equals in all runs, under audit; budgets count as if nothing was shared."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.studies.results import StudyResult
from designgym.studies.run_report import RunReport
from designgym.studies.store import open_store
from designgym.studies.study import Study

SAME = ["run", "design.a", "design.b", "key_canonical", "key_functional", "duplicate", "status"]


class Rectangles:
    """Area of a rectangle, up to rounding that depends on its shape; the probe shows the area, or is a liar's."""

    name, version, deterministic, resources = "rectangles", "1", True, dg.Resources()
    space = dg.DesignSpace(a=dg.Integer(1, 40), b=dg.Integer(1, 40))
    metrics = (dg.metric("area_mm2", goal="min"),)

    def __init__(self, lie: bool = False) -> None:
        self.lie = lie
        self.calls: list[str] = []

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        self.calls += [design.literal for design in designs]
        return [dg.Metrics({"area_mm2": design["a"] * design["b"] * (1 + design["a"] * 1e-14)}) for design in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes]:
        return [str(design["a"] * design["b"] // (3 if self.lie else 1)).encode() for design in designs]


def study_of(simulator: Rectangles, functional: str, *, budget: int = 200) -> Study:
    env = EnvironmentSpec("test/Rectangles-v0", lambda: simulator, FixedWorkloads({"w": 1}), {"area": dg.minimize("area_mm2")}, "w")
    # whose proposals do not depend on results: others may take another course where two results differ by rounding
    return Study("s", env, searchers=["random", "sobol"], seeds=2, budget=budget, functional=functional, duplicate_cap=2000)  # type: ignore[arg-type]


def searched(simulator: Rectangles, functional: str, store: Path, **options: int) -> StudyResult:
    return study_of(simulator, functional, **options).run(backend="local", store=store, progress=False)


def test_runs_share_what_equivalent_designs_did_and_are_otherwise_the_same(tmp_path: Path) -> None:
    alone, shared = Rectangles(), Rectangles()
    one = searched(alone, "on", tmp_path / "on.db").frame
    other = searched(shared, "shared", tmp_path / "shared.db").frame
    pd.testing.assert_frame_equal(one[SAME], other[SAME])  # also what is a duplicate, and so what costs budget
    np.testing.assert_allclose(one["metrics.area_mm2"], other["metrics.area_mm2"], rtol=1e-9)
    found = Counter(other["obtained"])
    assert len(shared.calls) == len(set(shared.calls)) < len(alone.calls) - 40
    # an audit may find that another run has measured the very design
    assert found["measured"] <= len(shared.calls) <= found["measured"] + found["audited"]
    # beyond audits a behaviour is measured once in all runs
    counts = Counter(other.loc[other["obtained"] == "measured", "key_functional"])
    assert max(counts.values()) == 1 and found["audited"] >= 40
    by_design = other["design.a"] * other["design.b"] * (1 + other["design.a"] * 1e-14)
    hits = other["obtained"] == "functional hit"
    assert (other.loc[~hits, "metrics.area_mm2"] == by_design[~hits]).all()  # what counts as measured is the design's own
    assert (other.loc[hits, "metrics.area_mm2"] != by_design[hits]).any()


def test_a_run_that_goes_on_is_the_run_that_would_have_been(tmp_path: Path) -> None:
    whole = searched(Rectangles(), "shared", tmp_path / "whole.db", budget=60)
    simulator = Rectangles()

    class Interrupt(Exception):
        pass

    steps = 0

    def stop(report: RunReport) -> None:
        nonlocal steps
        steps += 1
        if steps % 5 == 0:
            raise Interrupt

    for _ in range(100):
        try:
            study_of(simulator, "shared", budget=60).run(backend="local", store=tmp_path / "parts.db", progress=stop)
            break
        except Interrupt:
            pass
    with open_store(tmp_path / "parts.db", read_only=True) as store:
        parts = StudyResult.load(store, "s")
    columns = [*SAME, "obtained", "metrics.area_mm2"]
    pd.testing.assert_frame_equal(parts.frame[columns], whole.frame[columns])
    assert [found.to_json() | {"probes": 0} for found in parts.fingerprints] == [f.to_json() | {"probes": 0} for f in whole.fingerprints]


def test_a_probe_that_lies_is_found_out_in_shared_runs_too(tmp_path: Path) -> None:
    result = searched(Rectangles(lie=True), "shared", tmp_path / "s.db")
    assert not any(found.trusted or found.served for found in result.fingerprints)
    frame = result.frame
    assert (frame["metrics.area_mm2"] == frame["design.a"] * frame["design.b"] * (1 + frame["design.a"] * 1e-14)).all()


def test_shared_is_refused_where_nothing_is_shared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="functional='shared' takes results from other runs, which reuse=False forbids: use"):
        Study("s", "designgym/AutoMLZero-v0", functional="shared", reuse=False)
    for cache in ("local", None):
        with pytest.raises(InputError, match=r"shares with nobody: give cache=SharedCache\('name'\), or use 'on'"):
            dg.envs.make_evaluator("designgym/AutoMLZero-v0", functional="shared", cache=cache)
    with pytest.raises(InputError, match="'auto', 'on' or 'off', or 'shared'"):
        Study("s", "designgym/AutoMLZero-v0", functional="share")  # type: ignore[arg-type]
