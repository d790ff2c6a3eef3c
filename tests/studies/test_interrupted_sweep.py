"""Ctrl-C, as a real signal, in a sweep: nothing of it goes on, nothing stays reserved, and what is said to be kept is kept."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = """
import designgym as dg


@dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 99_999)), metrics=["cost_ns"], version="1")
def slow(design, workload, *, seed):
    dg.run_program(["sleep", "0.2"])
    return {"cost_ns": float(design["a"])}


dg.register("test/Slow-v0", slow, workloads={"w": 1}, objective=dg.minimize("cost_ns"))
"""

# Like a notebook: Ray was there before and stays, and so does the process
SESSION = """
import json, os, signal, sys, time

import ray
import designgym as dg
from ray._private.state import actors
from slow import slow

study = dg.Study("s", env="test/Slow-v0", searchers="random", seeds=2, budget=10_000, batch=2, store=sys.argv[1])
reports = []


def interrupt(report):
    reports.append(report)
    if len(reports) == 3:
        os.kill(os.getpid(), signal.SIGINT)


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
found = {}
for place in ("run", "pool"):
    reports.clear()
    try:
        study.run(progress=interrupt, evaluate_on=place)
        raise SystemExit("the sweep was not interrupted")
    except KeyboardInterrupt:
        pass
    trials = len(study.result().frame)
    until = time.monotonic() + 60
    while (left := [actor["ActorClassName"] for actor in actors().values() if actor["State"] != "DEAD"]) and time.monotonic() < until:
        time.sleep(0.5)
    time.sleep(2)
    found[place] = {"actors": left, "trials": trials, "later": len(study.result().frame), "free": ray.available_resources().get("CPU")}
print(json.dumps(found))
"""


def test_an_interrupted_sweep_leaves_no_run_no_cache_and_no_worker_on_a_ray_that_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "session.py").write_text(SESSION)
    environment = {name: value for name, value in os.environ.items() if name != "DESIGNGYM_PLUGINS"}
    ended = subprocess.run(
        [sys.executable, "session.py", str(tmp_path / "s.db")], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    for place in ("run", "pool"):
        assert found[place]["actors"] == [] and found[place]["free"] == 2.0
        assert found[place]["later"] == found[place]["trials"] > 0


@pytest.mark.parametrize(
    ("store", "said"),
    [(":memory:", "interrupted: nothing is kept of s, whose store is in memory: --store FILE keeps it"),
     ("kept.db", "interrupted: every finished evaluation is in the store; the same command goes on from there")],
)  # fmt: skip
def test_run_says_truly_what_is_kept(tmp_path: Path, store: str, said: str) -> None:
    (tmp_path / "study.py").write_text(
        SLOW + '\nstudy = dg.Study("s", env="test/Slow-v0", searchers="random", budget=10_000, batch=2, store=":memory:")\n'
    )
    command = [sys.executable, "-m", "designgym", "run", "study.py", "--local", "--store", store]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "10,000 evaluations each" in process.stderr.readline()  # it has begun
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 130 and rest.splitlines() == [said]
