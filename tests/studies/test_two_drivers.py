"""Two programs that run studies on one Ray cluster and one store at the same time: what one is measuring, the other waits for."""

import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from designgym.hashing.shared_cache import NAMESPACE
from designgym.studies.results import StudyResult
from designgym.studies.store import open_store

PROGRAM = """
import json, logging, os, sys, time
from pathlib import Path
import ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
import designgym as dg
from designgym.core.registry import EnvironmentSpec, FixedWorkloads

LOG = Path(sys.argv[2])

class Slow:
    name, version, deterministic, resources = "slow", "1", True, dg.Resources(cpus=0.5)
    space = dg.DesignSpace(a=dg.Integer(1, 9), b=dg.Integer(1, 9))
    metrics = (dg.metric("area_mm2", goal="min"),)

    def evaluate(self, designs, workload, *, fidelity=1.0, seed=0):
        return [self._measure(design) for design in designs]

    def _measure(self, design):
        began = time.time()
        time.sleep(0.03)
        with LOG.open("a") as file:
            file.write(json.dumps([design["a"], design["b"], began, time.time(), sys.argv[3]]) + "\\n")
        return dg.Metrics({"area_mm2": float(design["a"] * design["b"])})

    def probe(self, designs, workload, *, seed=0):
        return [str(design["a"] * design["b"]).encode() for design in designs]

env = EnvironmentSpec("mine/Slow-v0", Slow, FixedWorkloads({"w": 1}), {"area": dg.minimize("area_mm2")}, "w")
study = dg.Study(sys.argv[3], env, searchers="random", budget=25, functional=sys.argv[5], duplicate_cap=1000, batch=4)
print("ready", flush=True)
sys.stdin.readline()
study.run(store=sys.argv[4], progress=False, workers=1)
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    import ray

    context: Any = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.mark.parametrize("functional", ["off", "shared"])
def test_studies_of_two_drivers_measure_nothing_twice(cluster: str, tmp_path: Path, functional: str) -> None:
    log, store = tmp_path / "log", tmp_path / "s.db"
    open_store(store).close()
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, cluster, str(log), name, str(store), functional],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for driver in drivers:
        assert driver.stdout is not None and driver.stdout.readline() == "ready\n"
    for driver in drivers:
        assert driver.stdin is not None
        driver.stdin.write("go\n")
        driver.stdin.flush()
    assert [driver.communicate(timeout=300)[0].splitlines()[-1:] for driver in drivers] == [["done"]] * 2
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    designs = Counter((a, b) for a, b, *_ in lines)
    assert set(designs.values()) == {1}
    with open_store(store, read_only=True) as opened:
        frames = [StudyResult.load(opened, name).frame for name in ("one", "two")]
    audits = sum(int((frame["obtained"] == "audited").sum()) for frame in frames)
    assert len(lines) < sum((~frame["duplicate"]).sum() for frame in frames)  # equal seeds: what one measures is news to the other too
    again = len(lines) - len({a * b for a, b, *_ in lines})
    assert 0 < again <= audits if functional == "shared" else again > 0
    assert frames[0]["key_literal"].tolist() == frames[1]["key_literal"].tolist()
    assert (frames[0]["metrics.area_mm2"] == frames[1]["metrics.area_mm2"]).all()
    # the cache ended with the last driver that used it
    from ray.util import list_named_actors

    deadline = time.monotonic() + 30
    while left := [actor for actor in cast(Any, list_named_actors(all_namespaces=True)) if actor["namespace"] == NAMESPACE]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
