"""The equivalence cache against what people use instead, what it costs in memory, what one actor serves to many, and what keys cost.

Run: python benchmarks/cache.py [--keys N] [--seconds S] [--no-ray]

`dict` and `functools.lru_cache` know neither single flight nor bounds in bytes and forget with their process; joblib.Memory and diskcache
keep results on disk for other processes, without single flight. All hold the same results: 12 metrics under a key of 32 characters.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import designgym as dg
from designgym.core.design import Design
from designgym.core.keys import KeyMaker
from designgym.core.metrics import Metrics
from designgym.core.space import DesignSpace
from designgym.hashing.local_cache import LocalCache

METRICS = tuple(f"metric_{i}" for i in range(12))
REPEATS = 5
ON_DISK = 1000  # keys for those that keep results on disk, which are slow to fill
CLIENT_PROCESSES = 4  # that clients are threads of: more would wait for CPUs of this machine rather than for the cache
CLIENTS, BATCHES = (1, 8, 32), (1, 100, 1000)


def result(i: int) -> Metrics:
    """Return a result with numbers of its own, as measured ones are."""
    return Metrics({name: i + 0.5 + position for position, name in enumerate(METRICS)})


def measured_again(key: str) -> Metrics:
    """Stand for an expensive function in those caches that decorate one."""
    return result(int(key, 16))


def rate(work: Callable[[], object], operations: int) -> float:
    """Return operations per second, the best of five runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return operations / min(seconds)


def print_table(title: str, rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> None:
    print(f"\n{title}")
    print(pd.DataFrame(rows, columns=list(columns)).to_string(index=False, float_format=lambda x: f"{x:,.1f}"))


# ---- in one process --------------------------------------------------------------------------------------------------------


def local_rates(keys: list[str]) -> Iterator[tuple[str, float]]:
    """Yield look-ups per second of results that are there."""
    results = {key: result(i) for i, key in enumerate(keys)}
    yield "dict", rate(lambda: [results[key] for key in keys], len(keys))
    remember = functools.lru_cache(maxsize=None)(measured_again)
    list(map(remember, keys))
    yield "functools.lru_cache", rate(lambda: [remember(key) for key in keys], len(keys))
    local = LocalCache(max_bytes=1 << 34)
    local.preload(results.items())
    batches = [keys[i : i + 100] for i in range(0, len(keys), 100)]
    yield "LocalCache, one key a call", rate(lambda: [local.lookup([key]) for key in keys], len(keys))
    yield "LocalCache, 100 keys a call", rate(lambda: [local.lookup(batch) for batch in batches], len(keys))

    def reserve_and_fill() -> None:
        cache = LocalCache()
        for batch in batches:
            answers = cache.lookup(batch)
            cache.fill([(key, answer.token, results[key]) for key, answer in zip(batch, answers, strict=True)])

    yield "LocalCache, miss: reserve and fill, 100 keys a call", rate(reserve_and_fill, len(keys))
    few = keys[:ON_DISK]
    with tempfile.TemporaryDirectory() as folder:
        disk = _diskcache(Path(folder, "diskcache"))
        if disk is None:
            print("diskcache is not installed: pip install diskcache")
        else:
            for key in few:
                disk[key] = results[key]
            yield "diskcache.Cache", rate(lambda: [disk[key] for key in few], len(few))
            disk.close()
        import joblib

        memory = joblib.Memory(folder, verbose=0).cache(measured_again)
        list(map(memory, few))
        yield "joblib.Memory", rate(lambda: [memory(key) for key in few], len(few))


def _diskcache(folder: Path) -> Any:
    try:
        import diskcache
    except ImportError:
        return None
    return diskcache.Cache(folder)


def bytes_per_entry(count: int) -> Iterator[tuple[str, float]]:
    """Yield the bytes that an entry takes in memory, key and result included; of those on disk, on disk."""

    def fill_dict() -> object:
        return {f"{i:032x}": result(i) for i in range(count)}

    def fill_lru() -> object:
        remember = functools.lru_cache(maxsize=None)(measured_again)
        for i in range(count):
            remember(f"{i:032x}")
        return remember

    def fill_local() -> object:
        cache = LocalCache(max_bytes=1 << 34)
        cache.preload((f"{i:032x}", result(i)) for i in range(count))
        return cache

    for name, fill in (("dict", fill_dict), ("functools.lru_cache", fill_lru), ("LocalCache", fill_local)):
        tracemalloc.start()
        kept = fill()
        yield name, tracemalloc.get_traced_memory()[0] / count
        tracemalloc.stop()
        if isinstance(kept, LocalCache):
            yield "LocalCache, what it counts against max_bytes", kept.statistics()["bytes"] / count
    with tempfile.TemporaryDirectory() as folder:
        disk = _diskcache(Path(folder, "diskcache"))
        if disk is not None:
            for i in range(ON_DISK):
                disk[f"{i:032x}"] = result(i)
            yield "diskcache.Cache, on disk", disk.volume() / ON_DISK
            disk.close()
        import joblib

        memory = joblib.Memory(Path(folder, "joblib"), verbose=0).cache(measured_again)
        for i in range(ON_DISK):
            memory(f"{i:032x}")
        yield "joblib.Memory, on disk", sum(file.stat().st_blocks * 512 for file in Path(folder, "joblib").rglob("*")) / ON_DISK


# ---- many clients of one actor ---------------------------------------------------------------------------------------------


class Clients:
    """Clients of a shared cache in one process, a thread each."""

    def __init__(self, name: str, keys: list[str]) -> None:
        from designgym.hashing.shared_cache import SharedCache

        self._cache, self._keys = SharedCache(name), keys

    def ask(self, clients: int, batch: int, seed: int, seconds: float) -> tuple[int, list[float]]:
        """Return the keys looked up, and the seconds that each call took."""
        calls: list[float] = []
        until = time.perf_counter() + seconds

        def client(number: int) -> None:
            rng = np.random.default_rng([seed, number])
            while time.perf_counter() < until:
                start = int(rng.integers(len(self._keys) - batch + 1))
                began = time.perf_counter()
                answers = self._cache.lookup(self._keys[start : start + batch])
                calls.append(time.perf_counter() - began)
                assert answers[-1].metrics == result(start + batch - 1)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return batch * len(calls), calls


def shared_rows(keys: list[str], seconds: float, dict_rate: float) -> Iterator[tuple[Any, ...]]:
    """Yield clients, keys a call, keys per second of all together, times slower than a dict, and latency in milliseconds."""
    import ray

    from designgym.hashing.shared_cache import SharedCache

    ray.init(include_dashboard=False, log_to_driver=False)
    shared = SharedCache("benchmark", max_bytes=1 << 34)
    shared.preload((key, result(i)) for i, key in enumerate(keys))
    maker: Any = ray.remote(num_cpus=0)(Clients)
    processes = [maker.remote("benchmark", keys) for _ in range(CLIENT_PROCESSES)]
    ray.get([process.ask.remote(1, 1, 0, 0.1) for process in processes])
    for clients in CLIENTS:
        for batch in BATCHES:
            used = processes[: min(clients, CLIENT_PROCESSES)]
            began = time.perf_counter()
            answers = ray.get([process.ask.remote(clients // len(used), batch, i, seconds) for i, process in enumerate(used)])
            per_s = sum(count for count, _ in answers) / (time.perf_counter() - began)
            calls_ms = 1e3 * np.concatenate([calls for _, calls in answers])
            yield clients, batch, per_s, dict_rate / per_s, statistics.median(calls_ms), float(np.percentile(calls_ms, 99))
    shared.shut_down()
    ray.shutdown()


# ---- keys ------------------------------------------------------------------------------------------------------------------


def key_rows(designs: int = 2000) -> Iterator[tuple[str, float, float]]:
    """Yield what both keys of a design cost that nobody has seen before: median, and the best tenth, in microseconds."""
    dram = dg.envs.environment("designgym/DramController-v0")
    workload = dram.workload(None)
    yield "DRAM controller, 10 parameters", *_key_us(dram.make_simulator().space, workload, designs)
    component = DesignSpace(
        kind=dg.Categorical("generate", "rank", "fuse", "critic", "verify"), model=dg.Categorical(*(f"model-{i}" for i in range(10))),
        samples=dg.Integer(1, 16), temperature=dg.Float(0.0, 1.0), top_k=dg.Integer(1, 8),
        conditions=[dg.Condition("top_k", "kind == 'rank'"), dg.Condition("samples", "kind == 'generate'")],
    )  # fmt: skip
    ordered = DesignSpace(components=dg.Repeated(component, 40, 40))
    unordered = DesignSpace(components=dg.Repeated(component, 40, 40), symmetries=[dg.Unordered("components")])
    yield "40 components of 5 parameters", *_key_us(ordered, workload, designs // 4)
    yield "40 components, in any order", *_key_us(unordered, workload, designs // 4)


def _key_us(space: DesignSpace, workload: dg.Workload, designs: int) -> tuple[float, float]:
    class Simulator:
        name, version, deterministic = "benchmark", "1", True

    Simulator.space = space  # type: ignore[attr-defined]
    maker = KeyMaker(Simulator(), workload)  # type: ignore[arg-type]
    seconds = []
    for design in map(_fresh, space.sample(np.random.default_rng(0), designs)):
        began = time.perf_counter()
        maker.keys(design)
        seconds.append(time.perf_counter() - began)
    return 1e6 * statistics.median(seconds), 1e6 * float(np.percentile(seconds, 10))


def _fresh(design: Design) -> Design:
    """Return the design without the text that it, or its elements, may have been made into already."""
    return Design({name: tuple(map(Design, value)) if name == "components" else value for name, value in design.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=20_000, help="different keys")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long clients ask, for each number of clients and keys a call")
    parser.add_argument("--no-ray", action="store_true", help="leave out the shared cache")
    options = parser.parse_args()
    keys = [f"{i:032x}" for i in range(options.keys)]
    rates = list(local_rates(keys))
    dict_rate = rates[0][1]
    print_table(
        "Look-ups in one process", [(name, per_s, dict_rate / per_s) for name, per_s in rates], ["what", "keys/s", "slower than dict"]
    )
    print_table("Memory", list(bytes_per_entry(options.keys)), ["what", "bytes per entry"])
    if not options.no_ray:
        columns = ["clients", "keys a call", "keys/s", "slower than dict", "p50 ms", "p99 ms"]
        print_table("Shared cache, one Ray actor", list(shared_rows(keys, options.seconds, dict_rate)), columns)
    print_table("Literal and canonical key of a new design", list(key_rows()), ["what", "median us", "best tenth us"])


if __name__ == "__main__":
    main()
