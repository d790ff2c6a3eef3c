"""What a store holds is used by later studies where it is the same measurement, and nowhere else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.studies.study import Study


@dataclass
class Fast:
    """cost = a times the workload's content, at any fidelity."""

    version: str = "1"
    fails: bool = False
    calls: int = 0
    name: str = "fast"
    deterministic: bool = True
    space: dg.DesignSpace = field(default_factory=lambda: dg.DesignSpace(a=dg.Integer(0, 9)))
    metrics: tuple[dg.MetricSpec, ...] = (dg.metric("cost_ns", goal="min"),)
    resources: dg.Resources = dg.Resources()  # noqa: RUF009

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        self.calls += len(designs)
        if self.fails:
            return [dg.Metrics.failed("out of licences") for _ in designs]
        return [dg.Metrics({"cost_ns": float(design["a"] * workload.data)}) for design in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> None:
        return None


def search(store: Path, study: str, simulator: Fast, workload: dg.Workload | None = None, **options: Any) -> list[str]:
    """Return how each trial of a study on all ten designs was obtained."""
    env = EnvironmentSpec("test/Fast-v0", lambda: simulator, FixedWorkloads({"w": 3}), {"cost": dg.minimize("cost_ns")}, "w")
    made = Study(study, env, searchers="grid", budget=10, functional="off", workload=workload, **options)
    return [str(how) for how in made.run(backend="local", store=store, progress=False).frame["obtained"]]


LATER: dict[str, tuple[Callable[[Path, Fast], list[str]], bool]] = {
    "the same": (lambda store, simulator: search(store, "two", simulator), True),
    "another seed of the searcher": (lambda store, simulator: search(store, "two", simulator, seeds=[7]), True),
    "equal content under another name": (lambda store, simulator: search(store, "two", simulator, dg.Workload("v", 3)), True),
    "other content under the same name": (lambda store, simulator: search(store, "two", simulator, dg.Workload("w", 4)), False),
    "another fidelity": (lambda store, simulator: search(store, "two", simulator, fidelity=0.5), False),
    "reuse=False": (lambda store, simulator: search(store, "two", simulator, reuse=False), False),
}


@pytest.mark.parametrize("what", LATER)
def test_a_later_study_measures_only_what_is_another_measurement(tmp_path: Path, what: str) -> None:
    simulator, (later, reused) = Fast(), LATER[what]
    assert search(tmp_path / "s.db", "one", simulator) == ["measured"] * 10
    assert later(tmp_path / "s.db", simulator) == (["exact hit"] if reused else ["measured"]) * 10
    assert simulator.calls == (10 if reused else 20)


def test_a_new_version_of_the_simulator_or_the_space_invalidates_what_is_stored(tmp_path: Path) -> None:
    search(tmp_path / "s.db", "one", Fast())
    newer = (Fast(version="2"), Fast(space=dg.DesignSpace(a=dg.Integer(0, 9), version="2")))
    for number, simulator in enumerate(newer):
        assert search(tmp_path / "s.db", f"newer {number}", simulator) == ["measured"] * 10 and simulator.calls == 10
    assert search(tmp_path / "s.db", "old again", old := Fast()) == ["exact hit"] * 10 and old.calls == 0


def test_failures_are_stored_as_trials_and_never_served(tmp_path: Path) -> None:
    assert search(tmp_path / "s.db", "one", Fast(fails=True)) == ["measured"] * 10
    mended = Fast()  # of the same version: what failed was the licence server
    assert search(tmp_path / "s.db", "two", mended) == ["measured"] * 10 and mended.calls == 10
