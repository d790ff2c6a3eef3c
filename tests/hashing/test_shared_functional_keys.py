"""Functional keys in a `SharedCache`: who asks for what an equivalent candidate is being measured for waits, as long as that one lives."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from designgym.core.design import Design
from designgym.core.evaluator import Evaluator
from designgym.core.metrics import Metrics, metric
from designgym.core.parameters import Integer
from designgym.core.protocols import Resources
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import AuditedFingerprints
from designgym.hashing.shared_cache import SharedCache

ray: Any = pytest.importorskip("ray")

WORKERS = 3


class Products:
    """``a * b``, slowly; equal products behave alike, which the probe shows. Writes down what it measures, and who does."""

    name, version, deterministic, resources = "products", "1", True, Resources()
    space = DesignSpace(a=Integer(1, 60), b=Integer(1, 60))
    metrics = (metric("product"),)

    def __init__(self, log: Path, *, fails: int = 0, hangs: int = 0, takes_s: float = 0.2) -> None:
        """``fails`` and ``hangs``: the value of ``a`` whose measurement crashes or never ends."""
        self._log, self._fails, self._hangs, self._takes_s = log, fails, hangs, takes_s

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        return [self._measure(design) for design in designs]

    def _measure(self, design: Design) -> Metrics:
        began = time.time()
        if design["a"] == self._hangs:
            self._note(design, began, began)
            time.sleep(600)
        time.sleep(self._takes_s)
        self._note(design, began, time.time())
        if design["a"] == self._fails:
            raise RuntimeError("out of memory")
        return Metrics({"product": float(design["a"] * design["b"])})

    def _note(self, design: Design, began: float, ended: float) -> None:
        with self._log.open("a") as file:
            file.write(f"{design['a'] * design['b']} {design['a']} {began} {ended} {os.getpid()}\n")

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        return [str(design["a"] * design["b"]).encode() for design in designs]


def measured(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


class Client:
    """One worker in a process of its own."""

    def pid(self) -> int:
        return os.getpid()

    def evaluate(self, cache: SharedCache, simulator: Products, pairs: list[tuple[int, int]], start_s: float, audits: int = 0) -> list[Any]:
        """Evaluate designs from a moment on, all workers at once; return how they were obtained and what they are."""
        policy = AuditedFingerprints("shared", audit_share=0.0, first_audits=audits)
        evaluator = Evaluator(simulator, Workload("w"), cache=cache, fingerprints=policy)
        time.sleep(max(start_s - time.time(), 0))
        trials = evaluator.evaluate([simulator.space.validate({"a": a, "b": b}) for a, b in pairs])
        return [(trial.obtained, trial.metrics.values.get("product")) for trial in trials]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture
def cache(cluster: str, request: pytest.FixtureRequest) -> Iterator[SharedCache]:
    cache = SharedCache(request.node.name, lease_s=3600)
    yield cache
    cache.shut_down()


@pytest.fixture(scope="module")
def clients(cluster: str) -> list[Any]:
    made = [ray.remote(num_cpus=0)(Client).remote() for _ in range(WORKERS)]
    ray.get([client.pid.remote() for client in made])
    return made


def test_the_protocol(cache: SharedCache) -> None:
    first, second = cache.lookup(["a", "b"])
    claims = [("f", "a", first.token), ("f", "b", second.token)]
    assert [answer.kind for answer in cache.claim(claims)] == ["reserved", "busy"]
    assert SharedCache(cache.name).claim(claims[1:], audit=True)[0].kind == "busy" and cache.claim([]) == []
    cache.fill([("a", first.token, Metrics({"x": 1.0}))])
    assert cache.resolve(["f"]) == ["a"]
    assert [answer.metrics for answer in cache.claim(claims[1:])] == [Metrics({"x": 1.0})]
    assert cache.claim(claims[1:], audit=True)[0].kind == "reserved"
    cache.fail({"b": second.token})
    assert cache.claim(claims[1:], audit=True)[0].kind == "busy"  # the reservation is over
    cache.wait("f", 60)
    assert cache.statistics()["held_aliases"] == 0


def test_equivalent_candidates_asked_for_at_once_are_measured_once(cache: SharedCache, clients: list[Any], tmp_path: Path) -> None:
    simulator, log = Products(tmp_path / "log"), tmp_path / "log"
    pairs = [[(2, 12), (3, 10)], [(4, 6), (5, 6)], [(30, 1), (24, 1), (7, 7)]]  # 24, 30 and 49, in one order or the other
    start_s = time.time() + 0.5
    answers = ray.get([client.evaluate.remote(cache, simulator, own, start_s) for client, own in zip(clients, pairs, strict=True)])
    assert sorted(int(line[0]) for line in measured(log)) == [24, 30, 49]
    assert [[value for _, value in own] for own in answers] == [[float(a * b) for a, b in own] for own in pairs]
    assert sorted(obtained for own in answers for obtained, _ in own) == ["functional hit"] * 4 + ["measured"] * 3
    assert cache.statistics()["reservations"] == cache.statistics()["held_aliases"] == 0


def test_audits_do_not_overlap_either(cache: SharedCache, clients: list[Any], tmp_path: Path) -> None:
    simulator, log = Products(tmp_path / "log", takes_s=0.05), tmp_path / "log"
    pairs = [[(2, 12), (1, 24)], [(4, 6), (8, 3)], [(24, 1), (12, 2)]]
    start_s = time.time() + 0.5
    calls = [client.evaluate.remote(cache, simulator, own, start_s, 1) for client, own in zip(clients, pairs, strict=True)]
    answers = [answer for own in ray.get(calls) for answer in own]
    assert {value for _, value in answers} == {24.0}
    obtained = sorted(obtained for obtained, _ in answers)
    assert obtained == ["audited"] * 3 + ["functional hit"] * 2 + ["measured"]  # each worker checks its first hit
    spans = sorted((float(began), float(ended)) for _, _, began, ended, _ in measured(log))
    assert len(spans) == 4 and all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_a_killed_measurer_frees_its_functional_keys(cache: SharedCache, clients: list[Any], tmp_path: Path) -> None:
    simulator, log = Products(tmp_path / "log", hangs=2), tmp_path / "log"
    victim = ray.remote(num_cpus=0)(Client).remote()
    pid = ray.get(victim.pid.remote())
    victim.evaluate.remote(cache, simulator, [(2, 12)], 0.0)
    while not measured(log):
        time.sleep(0.02)
    answer = clients[0].evaluate.remote(cache, simulator, [(4, 6)], 0.0)
    while not cache.statistics()["alias_busy"]:
        time.sleep(0.02)
    assert len(measured(log)) == 1  # the other one waits
    os.kill(pid, signal.SIGKILL)
    assert ray.get(answer, timeout=120) == [("measured", 24.0)]
    assert [line[1] for line in measured(log)] == ["2", "4"] and cache.statistics()["expired"] == 0


def test_who_waited_for_a_measurement_that_fails_measures(cache: SharedCache, clients: list[Any], tmp_path: Path) -> None:
    simulator, log = Products(tmp_path / "log", fails=2, takes_s=1.0), tmp_path / "log"
    failing = clients[0].evaluate.remote(cache, simulator, [(2, 12)], 0.0)
    while not cache.statistics()["held_aliases"]:
        time.sleep(0.02)
    others = [clients[1].evaluate.remote(cache, simulator, [(4, 6)], 0.0), clients[2].evaluate.remote(cache, simulator, [(6, 4)], 0.0)]
    assert ray.get(failing) == [("measured", None)]
    assert sorted(map(str, ray.get(others))) == ["[('functional hit', 24.0)]", "[('measured', 24.0)]"]
    lines = sorted(measured(log), key=lambda line: float(line[2]))
    assert len(lines) == 2 and lines[0][1] == "2" and float(lines[0][3]) <= float(lines[1][2])


DRIVER = """
# arguments: address of the cluster, name of the cache, log, folder of this file, Ray namespace, designs, which one hangs
import json, logging, sys, time
from pathlib import Path
import ray
ray.init(address=sys.argv[1], namespace=sys.argv[5], log_to_driver=False, logging_level=logging.ERROR)
sys.path.insert(0, sys.argv[4])
from test_shared_functional_keys import Client, Products
from designgym.hashing.shared_cache import SharedCache
pairs = json.loads(sys.argv[6])
cache = SharedCache(sys.argv[2])
print("ready", flush=True)
start_s = float(sys.stdin.readline())
simulator = Products(Path(sys.argv[3]), hangs=int(sys.argv[7]))
print(json.dumps(Client().evaluate(cache, simulator, pairs, start_s)), flush=True)
"""


def start_driver(cluster: str, name: str, log: Path, number: int, pairs: list[tuple[int, int]], hangs: int = 0) -> subprocess.Popen[str]:
    """Return a program that has joined the cluster, in a Ray namespace of its own, and waits for a moment to begin at."""
    driver = subprocess.Popen(
        [
            sys.executable, "-c", DRIVER, cluster, name, str(log), str(Path(__file__).parent), f"namespace {number}", json.dumps(pairs),
            str(hangs),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert driver.stdout is not None and driver.stdout.readline() == "ready\n"
    return driver


def go(driver: subprocess.Popen[str], start_s: float) -> None:
    assert driver.stdin is not None
    driver.stdin.write(f"{start_s}\n")
    driver.stdin.flush()


def test_two_drivers_of_one_cluster_measure_nothing_twice(cluster: str, tmp_path: Path) -> None:
    """Two programs that know nothing of each other but the cluster and the cache's name."""
    log, name = tmp_path / "log", "of two drivers"
    pairs = [[(2, 12), (3, 10), (7, 7)], [(4, 6), (3, 10), (1, 49)]]  # functionally equal, the same, functionally equal
    drivers = [start_driver(cluster, name, log, i, own) for i, own in enumerate(pairs)]
    start_s = time.time() + 1.0
    for driver in drivers:
        go(driver, start_s)
    answers = [json.loads(driver.communicate(timeout=120)[0].splitlines()[-1]) for driver in drivers]
    assert [[value for _, value in own] for own in answers] == [[24.0, 30.0, 49.0]] * 2
    assert sorted(int(line[0]) for line in measured(log)) == [24, 30, 49]
    counts = [obtained for own in answers for obtained, _ in own]
    assert (counts.count("measured"), counts.count("exact hit"), counts.count("functional hit")) == (3, 1, 2)
    left = SharedCache(name)
    assert left.statistics()["entries"] == 3 and left.statistics()["reservations"] == 0
    left.shut_down()


def test_a_killed_driver_that_made_the_cache_frees_what_it_was_measuring(cluster: str, tmp_path: Path) -> None:
    log, name = tmp_path / "log", "of a killed driver"
    first = start_driver(cluster, name, log, 0, [(2, 12)], hangs=2)  # the cache is its actor
    go(first, 0.0)
    while not measured(log):
        time.sleep(0.02)
    second = start_driver(cluster, name, log, 1, [(4, 6), (2, 12)])
    go(second, 0.0)
    watcher = SharedCache(name)
    while not watcher.statistics()["alias_busy"]:
        time.sleep(0.02)
    first.kill()
    first.communicate()
    answers = json.loads(second.communicate(timeout=120)[0].splitlines()[-1])
    assert sorted(obtained for obtained, _ in answers) == ["functional hit", "measured"] and {value for _, value in answers} == {24.0}
    watcher.shut_down()
