"""`SharedCache` and its clients' processes: what the living reserved stays theirs, what the dead reserved is free, and an actor that
nobody can use any more ends."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from designgym.core.metrics import Metrics
from designgym.hashing.shared_cache import NAMESPACE, SharedCache

ray: Any = pytest.importorskip("ray")

LEASE_S = 2.0
DRIVER = """
import logging, sys, time, ray
from designgym.hashing.shared_cache import SharedCache
ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
cache = SharedCache(sys.argv[2], abandoned_s=0.5)
cache.lookup(["a"])
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[str]:
    context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture
def cache(request: pytest.FixtureRequest) -> Iterator[SharedCache]:
    cache = SharedCache(request.node.name, lease_s=LEASE_S)
    yield cache
    cache.shut_down()


class Worker:
    """Reserves, and measures in a call that lets no other thread of its process run."""

    def reserve(self, cache: SharedCache) -> int:
        self.cache = cache
        self.answer = cache.lookup(["a"])[0]
        return os.getpid() if self.answer.kind == "reserved" else -1

    def measure(self) -> None:
        ctypes.PyDLL(None).usleep(round(3 * LEASE_S * 1e6))
        self.cache.fill([("a", self.answer.token, Metrics({"x": 1.0}))])


def exists(name: str) -> bool:
    try:
        ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return False
    return True


def test_a_measurement_longer_than_the_lease_is_waited_for(cache: SharedCache) -> None:
    worker = ray.remote(num_cpus=0)(Worker).remote()
    ray.get(worker.reserve.remote(cache))
    done = worker.measure.remote()
    kinds = []
    while (answer := cache.lookup(["a"])[0]).kind == "busy":
        kinds.append(answer.kind)
        cache.wait("a", 60)
    assert answer.kind == "hit" and kinds == ["busy"]  # one wait, longer than three leases
    ray.get(done)
    assert cache.statistics()["expired"] == 0


def test_what_a_killed_process_reserved_is_free_although_its_lease_is_not_over() -> None:
    cache = SharedCache("long leases", lease_s=3600)
    workers = [ray.remote(num_cpus=0)(Worker).remote() for _ in range(2)]
    assert ray.get(workers[1].reserve.remote(SharedCache("of another", lease_s=3600))) > 0
    pid = ray.get(workers[0].reserve.remote(cache))
    assert cache.lookup(["a"])[0].kind == "busy"
    os.kill(pid, signal.SIGKILL)
    cache.wait("a", 60)
    assert cache.lookup(["a"])[0].kind == "reserved"
    assert SharedCache("of another").lookup(["a"])[0].kind == "busy"
    for name in ("long leases", "of another"):
        SharedCache(name).shut_down()


def test_the_cache_of_a_driver_that_was_killed_ends_and_not_before(cluster: str) -> None:
    name = "left behind"
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, cluster, name], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None and driver.stdout.readline() == "ready\n"
    time.sleep(2.0)  # many times as long as it would outlive its last client
    assert exists(name)
    driver.kill()
    driver.communicate()
    deadline = time.monotonic() + 60
    while exists(name) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not exists(name)
