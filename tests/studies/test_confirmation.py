"""`Confirm`: what a simulator promised is measured, and what was measured corrects the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.core.errors import InputError, StoreError
from designgym.studies.confirmation import Confirm

CHEAP, REAL = "test/Promises-v0", "test/Measurements-v0"
SPACE: dict[str, Any] = {"depth": dg.Integer(0, 30, default=0), "width": dg.Integer(0, 30, default=0), "mode": dg.Categorical("a", "b")}


def promised(depth: int, width: int, mode: str) -> float:
    return 100.0 - abs(depth - 20) - abs(width - 20) + (3.0 if mode == "b" else 0.0)


@pytest.fixture(autouse=True)
def environments() -> Iterator[None]:
    """A simulator that promises much of deep designs, and the machine, where depth costs, mode b too, and much of all breaks."""
    from designgym.core import registry

    metrics = [dg.metric("speed", goal="max", unit="1/s"), dg.metric("heat", unit="W")]

    def cheap(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        return {"speed": promised(**design), "heat": 1.0}

    def real(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        speed = 0.9 * promised(design["depth"], design["width"], design["mode"]) - 2.0 * max(design["depth"] - 10, 0)
        if design["depth"] > 27 and design["width"] > 27:
            raise RuntimeError("it broke")
        return {"speed": speed - (9.0 if design["mode"] == "b" else 0.0), "heat": 1.0}

    space = dg.DesignSpace(SPACE)
    objectives = {"speed": dg.maximize("speed", subject_to={"heat": "<= 2"})}
    for name, function in ((CHEAP, cheap), (REAL, real)):
        dg.register(name, dg.simulator(space=space, metrics=metrics, version="1")(function), objectives=objectives, workloads={"w": 1})
    yield
    import gymnasium

    for name in (CHEAP, REAL):
        registry._environments.pop(name, None)
        gymnasium.registry.pop(name, None)


def simulated(store: Path, budget: int = 300) -> dg.StudyResult:
    return dg.Study("promises", env=CHEAP, searchers=["random"], budget=budget, store=store).run(backend="local", progress=False)


def confirmed(store: Path, budget: int, **options: Any) -> dg.StudyResult:
    recipe = Confirm.of("promises", store, **options)
    return dg.Study(f"real-{budget}", env=REAL, searchers=[recipe], budget=budget, batch=1, store=store).run(
        backend="local", progress=False
    )


def test_measurements_move_the_search_away_from_what_was_promised_wrongly(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    promises = simulated(store)
    result = confirmed(store, 12)
    frame = result.to_pandas()
    assert tuple(frame.iloc[0][["design.depth", "design.width", "design.mode"]]) == (0, 0, "a")
    first = promises.best().design
    measured = {tuple(row): speed for *row, speed in frame[["design.depth", "design.width", "design.mode", "metrics.speed"]].to_numpy()}
    assert tuple(first.to_dict().values()) in measured
    assert result.best().score > measured[tuple(first.to_dict().values())] + 5
    assert result.best().design["mode"] == "a"


def test_it_resumes_to_the_same_trials_and_ends_with_the_candidates(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    simulated(store, 40)
    whole = confirmed(store, 9, candidates=20).to_pandas()
    again = confirmed(store, 9, candidates=20).to_pandas()
    assert whole["metrics.speed"].tolist() == again["metrics.speed"].tolist() and len(whole) == 9
    everything = confirmed(store, 100, candidates=20).to_pandas()
    assert len(everything) in (20, 21)  # the default is one of them, or comes on top


def test_what_cannot_be_confirmed_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    simulated(store, 10)
    space = dg.DesignSpace(SPACE)
    with pytest.raises(InputError, match="'promise': did you mean 'promises'"):
        Confirm(space, dg.maximize("speed"), seed=0, study="promise", store=str(store))
    with pytest.raises(InputError, match="no design that is legal here with metrics for the objective"):
        other = dg.DesignSpace(depth=dg.Integer(100, 200), height=dg.Integer(1, 2))
        Confirm(other, dg.maximize("speed"), seed=0, study="promises", store=str(store))
    with pytest.raises(InputError, match=r"'beauty'.*known: heat, speed"):
        Confirm(space, dg.maximize("beauty"), seed=0, study="promises", store=str(store))
    with pytest.raises(InputError, match="one score"):
        Confirm(space, dg.pareto("speed", "heat", reference={"speed": 0, "heat": 1}), seed=0, study="promises", store=str(store))
    with pytest.raises(StoreError, match=r"there is no store .*no\.db"):
        Confirm(space, dg.maximize("speed"), seed=0, study="promises", store=str(tmp_path / "no.db"))
