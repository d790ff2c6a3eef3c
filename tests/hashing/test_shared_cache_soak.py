"""Workers that evaluate overlapping designs through one `SharedCache` are killed at random moments: nothing is lost, doubled or wrong."""

import itertools
import logging
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.evaluator import Evaluator
from designgym.core.metrics import Metrics, metric
from designgym.core.parameters import Categorical, Integer
from designgym.core.protocols import Resources
from designgym.core.rules import Condition
from designgym.core.space import DesignSpace
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import AuditedFingerprints
from designgym.hashing.shared_cache import SharedCache

ray: Any = pytest.importorskip("ray")

CLIENTS = 3
BATCH = 6
WINDOW = 60  # designs are drawn from so many behaviours, so that workers meet; the window moves on with time
NEW_PER_S = 12.0
LEAST_BATCHES = 4  # of a client, and
LEAST_KILLS = 3  # so that a short soak on a busy machine is one too
SPACE = DesignSpace(
    number=Integer(0, 10**9), mode=Categorical("on", "off"), level=Integer(0, 3), twin=Integer(0, 2),
    conditions=[Condition("level", "mode == 'on'")],
)  # fmt: skip
# four designs with equal canonical keys in mode "off"; ``twin`` has no effect, which only fingerprints show


def value_of(design: Mapping[str, Any]) -> float:
    return float(design["number"] * 10 + (design["level"] + 1 if design["mode"] == "on" else 0))


def note(log: Path, kind: str, *words: object) -> None:
    """Append a line in one write, which survives the death of the process the moment after."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{kind} {' '.join(map(str, words))}\n".encode())
    os.close(file)


class Measuring:
    """Says what it begins to measure before it does."""

    name, version, deterministic, resources, space, metrics = "measuring", "1", True, Resources(), SPACE, (metric("x"),)

    def __init__(self, log: Path) -> None:
        self._log = log

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        return [self._measure(design) for design in designs]

    def _measure(self, design: Design) -> Metrics:
        note(self._log, "start", int(value_of(design)), os.getpid())
        time.sleep(0.01)
        return Metrics({"x": value_of(design)})

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        return [str(value_of(design)).encode() for design in designs]


def evaluator_of(log: Path, cache: SharedCache, functional: bool) -> Evaluator:
    # what an audit measures twice has its cause, and would hide what has none
    policy = AuditedFingerprints("shared", audit_share=0.0, first_audits=0) if functional else None
    return Evaluator(Measuring(log), Workload("w"), cache=cache, fingerprints=policy)


def check(trials: Sequence[Trial]) -> None:
    for trial in trials:
        assert trial.metrics.ok and trial.metrics["x"] == value_of(trial.design), trial


class Client:
    """One worker, in a process of its own."""

    def pid(self) -> int:
        return os.getpid()

    def work(self, cache: SharedCache, log: Path, functional: bool, seed: int, began_s: float, until_s: float) -> int:
        """Evaluate random designs, most of them met by others too, until the time is over; return how many batches."""
        rng, evaluator = np.random.default_rng(seed), evaluator_of(log, cache, functional)
        for batches in itertools.count():
            now = time.time()
            if now > until_s and batches >= LEAST_BATCHES:
                return batches
            trials = evaluator.evaluate([self._draw(rng, int((now - began_s) * NEW_PER_S), functional) for _ in range(BATCH)])
            check(trials)
            for key in {int(value_of(trial.design)) for trial in trials if trial.obtained == "measured"}:
                note(log, "filled", key, os.getpid())
            note(log, "hits", *(sum(trial.obtained == kind for trial in trials) for kind in ("exact hit", "functional hit")))
        raise AssertionError

    @staticmethod
    def _draw(rng: np.random.Generator, low: int, functional: bool) -> Design:
        number, mode, twin = low + int(rng.integers(WINDOW)), str(rng.choice(["on", "off"])), int(rng.integers(3)) if functional else 0
        return SPACE.validate({"number": number, "mode": mode, "level": int(rng.integers(4)), "twin": twin})


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


def soak(cache: SharedCache, log: Path, functional: bool, duration_s: float, rng: random.Random) -> int:
    """Keep clients at work, killing one after another; return how many were killed."""
    maker, seeds = ray.remote(num_cpus=0)(Client), itertools.count()

    def start() -> tuple[Any, int]:
        client = maker.remote()
        return client, ray.get(client.pid.remote())

    clients = [start() for _ in range(CLIENTS)]
    began_s = time.time()
    until_s, killed = began_s + duration_s, 0
    work = {client: client.work.remote(cache, log, functional, next(seeds), began_s, until_s) for client, _ in clients}
    while killed < LEAST_KILLS or time.time() < until_s:
        time.sleep(rng.uniform(0.05, 0.6))
        victim, pid = clients.pop(rng.randrange(len(clients)))
        note(log, "kill", pid)
        os.kill(pid, signal.SIGKILL)
        killed += 1
        clients.append(start())
        work[clients[-1][0]] = clients[-1][0].work.remote(cache, log, functional, next(seeds), began_s, until_s)
        del work[victim]
    assert all(batches >= LEAST_BATCHES for batches in ray.get(list(work.values())))  # raises what a client found wrong
    return killed


SOAKS = [pytest.param(3.0, id="short"), pytest.param(600.0, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(1500)])]


@pytest.mark.parametrize("functional", [False, True], ids=["canonical", "functional"])
@pytest.mark.parametrize("duration_s", SOAKS)
def test_killed_workers_lose_double_and_falsify_nothing(duration_s: float, functional: bool, tmp_path: Path) -> None:
    # leases far longer than the soak: what the dead held must be freed because they died
    cache, log = SharedCache(f"soak {duration_s} {functional}", lease_s=36_000), tmp_path / "log"
    killed = soak(cache, log, functional, duration_s, random.Random(0))
    lines = [line.split() for line in log.read_text().splitlines()]
    starts: dict[str, list[tuple[int, str]]] = defaultdict(list)  # by key: position in the log, process
    kills = {pid: position for position, (kind, *words) in enumerate(lines) if kind == "kill" for pid in words}
    filled = {(words[0], words[1]) for kind, *words in lines if kind == "filled"}
    for position, (kind, *words) in enumerate(lines):
        if kind == "start":
            starts[words[0]].append((position, words[1]))
    assert len(kills) == killed > 0 and len(starts) > CLIENTS * BATCH

    # measured twice only where the first measurer was killed before it had a result, and then not before its death
    for key, measurers in starts.items():
        for (_, process), (again, _) in itertools.pairwise(measurers):
            assert process in kills and kills[process] < again and (key, process) not in filled, (key, measurers)

    # all can be had: what was measured is served, and what a dead worker held is free
    everything = [
        SPACE.validate({"number": int(key) // 10, "mode": "on" if int(key) % 10 else "off", "level": max(int(key) % 10 - 1, 0), "twin": 0})
        for key in starts
    ]
    evaluator = evaluator_of(tmp_path / "last", cache, functional)
    trials = evaluator.evaluate(everything)
    check(trials)
    for trial in trials:
        key = str(int(value_of(trial.design)))
        if trial.obtained == "measured":  # only if each of its measurers was killed at it
            assert all(process in kills and (key, process) not in filled for _, process in starts[key])

    # whoever was killed between its look-up and its first start holds keys of which the log knows nothing: free within seconds
    deadline = time.monotonic() + 60
    while (figures := cache.statistics())["reservations"] and time.monotonic() < deadline:
        time.sleep(0.2)
    obtained = Counter(trial.obtained for trial in trials)
    served = sum(int(words[0]) for kind, *words in lines if kind == "hits") + obtained["exact hit"]
    assert figures["reservations"] == figures["held_aliases"] == figures["expired"] == figures["evictions"] == 0
    assert figures["entries"] == len(starts)
    # a client that is killed takes the words about its last batch along
    assert served <= figures["hits"] <= served + killed * BATCH
    measured = sum(map(len, starts.values()))
    if functional:  # of what was reserved, much was given back for an equivalent's result
        assert sum(int(words[1]) for kind, *words in lines if kind == "hits") > measured / 10
    else:
        assert measured <= figures["misses"] <= measured + killed * BATCH + obtained["measured"]
    cache.shut_down()
