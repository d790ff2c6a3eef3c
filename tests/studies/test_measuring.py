"""What a run measured itself is told apart from what it found with others, whatever happens in between."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.errors import InputError
from designgym.core.external import ProgramTimeout
from designgym.core.keys import KeyMaker
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.hashing.local_cache import LocalCache
from designgym.studies.measuring import InProcess, SharedMeasuring
from designgym.studies.pool import Worker
from designgym.studies.store import open_store
from designgym.studies.study import Study

WORKLOAD = dg.Workload("w", 1)


class Squares:
    """cost = a squared; calls ``before`` with each batch first."""

    name, version, deterministic = "squares", "1", True
    space = dg.DesignSpace(a=dg.Integer(0, 15))
    metrics = (dg.metric("cost_ns", goal="min"),)
    resources = dg.Resources()

    def __init__(self, before: Callable[[list[int]], object] = lambda values: None) -> None:
        self.before = before

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        self.before([design["a"] for design in designs])
        return [dg.Metrics({"cost_ns": float(design["a"] ** 2)}) for design in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> None:
        return None


def designs(*values: int) -> list[dg.Design]:
    return [Squares.space.validate({"a": value}) for value in values]


def test_what_another_run_was_measuring_is_a_hit_and_the_rest_of_the_batch_is_not() -> None:
    one, two = designs(1, 2)
    cache = LocalCache()
    keys = [KeyMaker(Squares(), WORKLOAD).keys(design).canonical for design in (one, two)]
    [busy] = cache.lookup(keys[1:])  # another run's reservation, which ends while this one measures the first design
    simulator = Squares(lambda values: cache.fill([(keys[1], busy.token, dg.Metrics({"cost_ns": 4.0}))]) if values == [1] else None)
    with open_store(":memory:") as store:
        measuring = SharedMeasuring(
            simulator, WORKLOAD, fidelity=1.0, seed=0, runner=InProcess(simulator), cache=cache, store=store, reuse=True
        )
        results = measuring([one, two], WORKLOAD, 1.0, 0)
        assert [result["cost_ns"] for result in results] == [1.0, 4.0]
        assert measuring.obtained == {keys[1]: "exact hit"}
        measuring.start_batch()
        measuring([one], WORKLOAD, 1.0, 0)
        assert measuring.obtained == {keys[0]: "exact hit"}  # by now it is known as everybody's


def test_an_exception_in_a_batch_makes_no_hits_of_what_was_measured_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # so that the first call is of one design

    def fall_over(values: list[int]) -> None:
        if 9 in values:
            raise ZeroDivisionError("nine")

    env = EnvironmentSpec("test/Squares-v0", lambda: Squares(fall_over), FixedWorkloads({"w": 1}), {"cost": dg.minimize("cost_ns")}, "w")
    frame = Study("s", env, searchers="grid", budget=16, batch=16, functional="off").run(backend="local", store=":memory:").frame
    assert (frame["obtained"] == "measured").all()
    assert frame["status"].tolist().count("failed") == 1 and (frame[frame["status"] == "failed"]["design.a"] == 9).all()


@pytest.mark.parametrize(
    ("error", "status"),
    [(ProgramTimeout("too slow"), "timeout"), (OSError("gone"), "failed"), (InputError("no such option"), None)],
    ids=str,
)
def test_a_worker_of_a_pool_tells_apart_what_a_run_in_its_own_process_does(error: Exception, status: str | None) -> None:
    def fail(values: list[int]) -> None:
        raise error

    class Payload:
        workloads: dict[str, Any] = {"w": WORKLOAD}  # noqa: RUF012

        def simulator(self) -> Squares:
            return Squares(fail)

    worker = Worker(Payload())
    if status is None:
        with pytest.raises(InputError, match="no such option"):
            worker.evaluate(designs(1)[0], "w", 1.0, 0)
    else:
        assert worker.evaluate(designs(1)[0], "w", 1.0, 0).status == status


def test_what_the_rules_refuse_was_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reckless:
        """Proposes all widths of a cache with 16 ways, of which the last is illegal."""

        def __init__(self, space: dg.DesignSpace, objective: dg.Objective, *, seed: int) -> None:
            self.space, self.at = space, 0

        def ask(self, n: int) -> list[dg.Design]:
            widths = [2**exponent for exponent in range(7)][self.at : self.at + n]
            self.at += len(widths)
            return [self.space.validate({"width": width, "ways": 16, "policy": "lru", "depth": 0}) for width in widths]

        def tell(self, trials: Sequence[dg.Trial]) -> None:
            pass

        def state(self) -> dict[str, Any]:
            return {"at": self.at}

        def restore(self, state: Mapping[str, Any]) -> None:
            self.at = state["at"]

    monkeypatch.setitem(registry._searchers, "test_reckless", Reckless)
    result = Study("s", "test/Counting-v0", searchers="test_reckless", budget=7).run(backend="local", store=":memory:", progress=False)
    assert list(result.frame["obtained"]) == ["measured"] * 6 + ["refused"]
    assert list(result.frame["status"]) == ["ok"] * 6 + ["infeasible"] and result.reports[0].measured == 6
