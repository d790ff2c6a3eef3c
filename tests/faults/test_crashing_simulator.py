"""A simulator that ends its process, without an exception, fails the designs that do so; the run goes on."""

import ctypes
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

import designgym as dg
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.studies.study import Study


def crashing(log: str) -> EnvironmentSpec:
    @dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 15)), metrics=[dg.metric("cost_ns", goal="min")], version="1")
    def simulator(design: dg.Design, workload: int, *, seed: int) -> Mapping[str, float]:
        with open(log, "a") as file:
            file.write(f"{design['a']}\n")
        if design["a"] == 5:
            os._exit(3)
        if design["a"] == 12:
            ctypes.string_at(0)  # reads where nothing is
        return {"cost_ns": float(design["a"] * workload)}

    return EnvironmentSpec("mine/Crashing-v0", lambda: simulator, FixedWorkloads({"w": 3}), {"cost": dg.minimize("cost_ns")}, "w")


@pytest.mark.parametrize("reuse", [True, False])
def test_designs_that_end_the_workers_process_are_failed_trials_and_the_run_goes_on(tmp_path: Path, reuse: bool) -> None:
    log = tmp_path / "calls.log"
    study = Study("s", crashing(str(log)), searchers="grid", budget=16, batch=4, functional="off", reuse=reuse)
    result = study.run(store=tmp_path / "s.db", workers=1)
    frame = result.frame.set_index("design.a")
    assert result.finished and sorted(frame.index) == list(range(16))
    failed = frame[frame["status"] == "failed"]
    assert sorted(failed.index) == [5, 12]
    assert "2 times at this design, which ended with exit code 3" in failed["error"][5]
    assert "2 times at this design, which ended with SIGSEGV" in failed["error"][12]
    assert (frame["metrics.cost_ns"].drop([5, 12]) == 3 * frame.drop([5, 12]).index).all()
    # the first of them took a worker along, and nothing else was measured again
    calls = Counter(map(int, log.read_text().split()))
    assert sorted([calls.pop(5), calls.pop(12)]) == [2, 3]
    assert set(calls.values()) == {1}
