"""Look-ups per second: our caches against a plain dict and functools.lru_cache, which know neither single flight nor bounds in bytes.

Run: python benchmarks/cache.py [--keys N] [--no-ray]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from designgym.core.keys import KeyMaker
from designgym.core.metrics import Metrics
from designgym.core.workload import Workload
from designgym.hashing.local_cache import LocalCache

METRICS = tuple(f"metric_{i}" for i in range(12))
REPEATS = 5


def best_rate(work: Callable[[], object], operations: int) -> tuple[float, float]:
    """Return operations per second: the best of five runs, and the median."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return operations / min(seconds), operations / statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=20_000, help="different keys")
    parser.add_argument("--no-ray", action="store_true", help="leave out the shared cache")
    options = parser.parse_args()
    keys = [f"{i:032x}" for i in range(options.keys)]
    results = {key: Metrics(dict.fromkeys(METRICS, float(i))) for i, key in enumerate(keys)}
    rows: list[tuple[str, float, float]] = []

    def add(name: str, work: Callable[[], object], operations: int) -> None:
        rows.append((name, *best_rate(work, operations)))

    add("dict, one key a time", lambda: [results[key] for key in keys], len(keys))
    remember = functools.lru_cache(maxsize=None)(results.__getitem__)
    list(map(remember, keys))
    add("functools.lru_cache, one key a time", lambda: [remember(key) for key in keys], len(keys))
    local = LocalCache()
    local.preload(results.items())
    batches = [keys[i : i + 100] for i in range(0, len(keys), 100)]
    add("LocalCache hit, one key a time", lambda: [local.lookup([key]) for key in keys], len(keys))
    add("LocalCache hit, 100 keys a time", lambda: [local.lookup(batch) for batch in batches], len(keys))

    def reserve_and_fill() -> None:
        cache = LocalCache()
        for batch in batches:
            answers = cache.lookup(batch)
            cache.fill([(key, answer.token, results[key]) for key, answer in zip(batch, answers, strict=True)])

    add("LocalCache miss, reserve and fill, 100 keys a time", reserve_and_fill, len(keys))
    if not options.no_ray:
        add_shared(add, keys, results)
    frame = pd.DataFrame(rows, columns=["what", "keys/s (best of 5)", "keys/s (median)"])
    frame["slower than dict"] = frame["keys/s (best of 5)"].iloc[0] / frame["keys/s (best of 5)"]
    print(frame.to_string(index=False, float_format=lambda x: f"{x:,.1f}"))
    print(f"\nkeys of a 10-parameter design with 3 conditions and 2 rewrites: {key_microseconds():.1f} us (literal and canonical together)")


def add_shared(add: Callable[[str, Callable[[], object], int], None], keys: list[str], results: dict[str, Metrics]) -> None:
    import ray

    from designgym.hashing.shared_cache import SharedCache

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    shared = SharedCache("benchmark")
    shared.preload(results.items())
    few = keys[:500]
    add("SharedCache hit (Ray actor), one key a call", lambda: [shared.lookup([key]) for key in few], len(few))
    for size in (100, 1000):
        batches = [keys[i : i + size] for i in range(0, len(keys), size)]
        add(f"SharedCache hit (Ray actor), {size} keys a call", lambda batches=batches: [shared.lookup(b) for b in batches], len(keys))  # type: ignore[misc]
    shared.shut_down()
    ray.shutdown()


def key_microseconds(designs: int = 5000) -> float:
    """Return the time of both keys of a design of a space shaped like the DRAM controller's."""
    from designgym.core.design import Design
    from designgym.core.parameters import Categorical, Integer, PowerOfTwo
    from designgym.core.rules import Condition, Rewrite
    from designgym.core.space import DesignSpace

    space = DesignSpace(
        {f"policy{i}": Categorical("a", "b", "c") for i in range(6)}
        | {f"count{i}": Integer(1, 8) for i in range(3)}
        | {"p": PowerOfTwo(1, 128)},
        conditions=[Condition("p", "policy0 != 'a'"), Condition("count0", "policy1 != 'b'"), Condition("count1", "policy1 != 'b'")],
        symmetries=[Rewrite("policy2", "'a'", "'read_only' in traits and policy2 == 'b'"), Rewrite("count2", "min(count2, p)")],
    )

    class Simulator:
        name, version, deterministic = "benchmark", "1", True

    Simulator.space = space  # type: ignore[attr-defined]
    maker = KeyMaker(Simulator(), Workload("w", traits=frozenset({"read_only"})))  # type: ignore[arg-type]
    drawn = [space.sample(np.random.default_rng(0), designs)][0]

    def make() -> None:
        for design in drawn:
            maker.keys(Design(design))  # a new design, whose literal form is not known yet

    return 1e6 / best_rate(make, designs)[0]


if __name__ == "__main__":
    main()
