"""`LocalCache`: single flight, leases, running mean, bounds, forgetting, snapshots."""

from __future__ import annotations

import json
import math
import re
import statistics
import threading
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.hashing.local_cache import LocalCache, check_options


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def result(value: float, cost_s: float = 0.0) -> Metrics:
    return Metrics({"x": value}, cost_s=cost_s)


def put(cache: LocalCache, key: str, metrics: Metrics) -> Metrics:
    (answer,) = cache.lookup([key])
    assert answer.kind == "reserved"
    return cache.fill([(key, answer.token, metrics)])[0]


def kinds(cache: LocalCache, *keys: str) -> list[str]:
    return [answer.kind for answer in cache.lookup(keys)]


def test_reserve_fill_hit() -> None:
    cache = LocalCache()
    first, second = cache.lookup(["a", "b"])
    assert (first.kind, second.kind) == ("reserved", "reserved")
    assert first.token != second.token
    assert kinds(cache, "a", "b") == ["busy", "busy"]
    assert cache.peek(["a"]) == [None]
    assert cache.fill([("a", first.token, result(1.0))]) == [result(1.0)]
    cache.fail({"b": second.token})
    (hit,) = cache.lookup(["a"])
    assert hit.metrics == result(1.0)
    assert kinds(cache, "b") == ["reserved"]
    figures = cache.statistics()
    assert {name: figures[name] for name in ("entries", "hits", "misses", "busy", "reservations")} == {
        "entries": 1, "hits": 1, "misses": 3, "busy": 2, "reservations": 1,
    }  # fmt: skip


def test_a_foreign_token_ends_nothing() -> None:
    cache = LocalCache()
    cache.lookup(["a"])
    cache.fail({"a": "somebody else's"})
    assert kinds(cache, "a") == ["busy"]
    assert LocalCache().lookup(["a"])[0].token != LocalCache().lookup(["a"])[0].token


@pytest.mark.parametrize("metrics", [Metrics.failed("no"), Metrics.timeout("late"), Metrics({"x": math.nan})], ids=lambda m: m.status)
def test_failures_are_refused_as_results(metrics: Metrics) -> None:
    cache = LocalCache()
    (answer,) = cache.lookup(["a"])
    with pytest.raises(InputError, match="cannot be cached"):
        cache.fill([("a", answer.token, metrics)])
    assert cache.statistics()["entries"] == 0


def test_an_infeasible_result_is_a_result() -> None:
    cache = LocalCache()
    put(cache, "a", Metrics.infeasible(["too large"]))
    assert cache.lookup(["a"])[0].metrics == Metrics.infeasible(["too large"])


def test_a_lapsed_lease_goes_to_the_next_asker_and_a_late_result_counts() -> None:
    clock = Clock()
    cache = LocalCache(lease_s=10, clock=clock)
    (dead,) = cache.lookup(["a"])
    clock.now = 9.9
    assert kinds(cache, "a") == ["busy"]
    clock.now = 10
    (heir,) = cache.lookup(["a"])
    assert heir.kind == "reserved"
    assert cache.statistics()["expired"] == 1
    cache.fail({"a": dead.token})  # the dead one's token has no power over the heir's reservation
    assert kinds(cache, "a") == ["busy"]
    assert cache.fill([("a", dead.token, result(4.0))]) == [result(4.0)]
    assert kinds(cache, "a") == ["hit"]
    assert cache.fill([("a", heir.token, result(4.0))]) == [result(4.0)]
    assert cache.statistics()["reservations"] == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_running_mean_and_spread(values: list[float]) -> None:
    cache = LocalCache(measurements=len(values))
    for count, value in enumerate(values):
        (answer,) = cache.lookup(["a"])
        assert (answer.kind, answer.measurements) == ("reserved", count)
        assert cache.peek(["a"]) == [None]
        (mean,) = cache.fill([("a", answer.token, result(value, cost_s=abs(value)))])
        assert mean["x"] == pytest.approx(statistics.fmean(values[: count + 1]), rel=1e-9, abs=1e-9)
    (hit,) = cache.lookup(["a"])
    assert hit.metrics is not None
    assert hit.metrics.cost_s == pytest.approx(statistics.fmean(map(abs, values)))
    assert cache.peek(["a"]) == [hit.metrics]
    spread = cache.spread("a")
    assert spread is not None
    assert spread["x"] == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)
    assert cache.spread("b") is None


def test_equal_measurements_average_to_exactly_themselves() -> None:
    cache = LocalCache(measurements=7)
    for _ in range(7):
        assert put(cache, "a", result(0.1 + 0.2)) == result(0.1 + 0.2)
    assert cache.spread("a") == {"x": 0.0}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_design_that_was_once_infeasible_is_infeasible_in_any_order(order: tuple[int, ...]) -> None:
    cache = LocalCache(measurements=3)
    measured = [result(1.0), Metrics.infeasible(["no"]), result(2.0)]
    mean = [put(cache, "a", measured[i]) for i in order][-1]
    assert mean == Metrics.infeasible(["no"])


def test_measurements_with_other_metrics_are_refused_and_change_nothing() -> None:
    cache = LocalCache(measurements=2)
    put(cache, "a", result(1.0))
    (answer,) = cache.lookup(["a"])
    with pytest.raises(InputError, match="other metrics"):
        cache.fill([("a", answer.token, Metrics({"y": 1.0}))])
    assert cache.fill([("a", answer.token, result(3.0))]) == [result(2.0)]


def test_forgetting_happens_at_its_rate_and_asks_for_another_seed() -> None:
    cache = LocalCache(forget=0.1, seed=3)
    keys = [str(i) for i in range(2000)]
    cache.preload((key, result(1.0)) for key in keys)
    cache.lookup(keys)
    forgotten = cache.statistics()["forgotten"]
    assert 140 <= forgotten <= 260  # 200 expected, standard deviation 13
    gone = [key for key, metrics in zip(keys, cache.peek(keys), strict=True) if metrics is None]
    assert len(gone) == forgotten
    assert {answer.measurements for answer in cache.lookup(gone)} == {1}
    again, other = LocalCache(forget=0.1, seed=3), LocalCache(forget=0.1, seed=4)
    for cache in (again, other):
        cache.preload((key, result(1.0)) for key in keys)
        cache.lookup(keys[::-1])
    assert [key for key, m in zip(keys, again.peek(keys), strict=True) if m is None] == gone
    assert [key for key, m in zip(keys, other.peek(keys), strict=True) if m is None] != gone


def test_nothing_is_forgotten_by_default() -> None:
    cache = LocalCache()
    put(cache, "a", result(1.0))
    assert {kinds(cache, "a")[0] for _ in range(1000)} == {"hit"}


def test_bytes_are_bounded_by_evicting_the_least_recently_used() -> None:
    one = LocalCache()
    put(one, "k000", result(1.0))
    size = one.statistics()["bytes"]
    cache = LocalCache(max_bytes=int(size * 10.5))
    for i in range(10):
        put(cache, f"k{i:03}", result(float(i)))
    assert kinds(cache, "k000") == ["hit"]  # now the most recently used
    (reserved,) = cache.lookup(["held"])
    for i in range(10, 15):
        put(cache, f"k{i:03}", result(float(i)))
    assert [i for i in range(15) if cache.peek([f"k{i:03}"])[0] is not None] == [0, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    figures = cache.statistics()
    assert (figures["evictions"], figures["entries"]) == (5, 10)
    assert figures["bytes"] <= size * 10.5
    assert kinds(cache, "held") == ["busy"]  # reservations are not evicted
    cache.fill([("held", reserved.token, result(1.0))])
    assert kinds(cache, "held") == ["hit"]


@pytest.mark.parametrize("metrics", [1, 12])
def test_the_estimated_size_is_honest(metrics: int) -> None:
    names = [f"metric_{i}" for i in range(metrics)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        cache = LocalCache(max_bytes=1 << 30)
        for i in range(4000):
            key = f"{i:032x}"
            cache.preload([(key, Metrics({name: float(i) * 1.5 for name in names}))])
        used = tracemalloc.get_traced_memory()[0] - before
        estimated = cache.statistics()["bytes"]
        for i in range(8000):
            cache.link({f"{i:031x}a": f"{i % 4000:032x}"})
        aliases = tracemalloc.get_traced_memory()[0] - before - used
    finally:
        tracemalloc.stop()
    assert 0.8 * used < estimated < 1.35 * used
    assert 0.7 * aliases < cache.statistics()["alias_bytes"] < 1.6 * aliases  # two strings are counted, the canonical one is often shared


def test_aliases() -> None:
    cache = LocalCache()
    assert cache.resolve(["f"]) == [None]
    put(cache, "a", result(1.0))
    put(cache, "b", result(2.0))
    cache.link({"f": "a", "g": "b"})
    cache.link({"f": "b"})
    assert cache.resolve(["f", "g", "h"]) == ["a", "b", None]  # the first link stays


def test_an_alias_of_a_result_that_is_gone_leads_nowhere_and_is_replaced() -> None:
    one = LocalCache()
    put(one, "a", result(1.0))
    cache = LocalCache(max_bytes=int(one.statistics()["bytes"] * 1.5))
    put(cache, "a", result(1.0))
    cache.link({"f": "a"})
    put(cache, "b", result(2.0))  # evicts a
    assert cache.resolve(["f"]) == [None]
    cache.link({"f": "b"})
    assert cache.resolve(["f"]) == ["b"]


def test_aliases_are_bounded() -> None:
    cache = LocalCache(max_alias_bytes=5000)
    put(cache, "a", result(1.0))
    cache.link({f"{i:032x}": "a" for i in range(100)})
    figures = cache.statistics()
    assert figures["alias_bytes"] <= 5000
    assert figures["aliases"] + figures["alias_evictions"] == 100
    assert cache.resolve([f"{99:032x}", f"{0:032x}"]) == ["a", None]


def _wait_in_thread(cache: LocalCache, key: str, timeout_s: float) -> threading.Thread:
    before = cache.statistics()["waits"]
    thread = threading.Thread(target=cache.wait, args=(key, timeout_s))
    thread.start()
    while cache.statistics()["waits"] == before:
        threading.Event().wait(0.001)
    return thread


@pytest.mark.parametrize("how", ["fill", "fail", "release"])
def test_wait_ends_with_the_reservation(how: str) -> None:
    cache = LocalCache()
    (answer,) = cache.lookup(["a"], owner="me")
    thread = _wait_in_thread(cache, "a", 60)
    assert thread.is_alive()
    if how == "fill":
        cache.fill([("a", answer.token, result(1.0))])
    elif how == "fail":
        cache.fail({"a": answer.token})
    else:
        assert cache.release("somebody else") == 0
        assert thread.is_alive()
        assert cache.release("me") == 1
    thread.join(10)
    assert not thread.is_alive()


def test_wait_returns_at_once_without_a_reservation_and_ends_with_the_lease() -> None:
    cache = LocalCache(lease_s=0.05)
    cache.wait("a", 60)
    cache.lookup(["a"])
    cache.wait("a", 60)
    assert kinds(cache, "a") == ["reserved"]
    cache.wait("a", 0.001)
    assert cache.statistics()["waits"] == 2


def test_single_flight_among_many_threads() -> None:
    cache = LocalCache()
    measured: list[str] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait(10)
        for key in map(str, range(50)):
            while (answer := cache.lookup([key])[0]).kind != "hit":
                if answer.kind == "busy":
                    cache.wait(key, 10)
                else:
                    measured.append(key)
                    cache.fill([(key, answer.token, result(float(key)))])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(measured, key=int) == [str(i) for i in range(50)]


def test_snapshot_and_load_through_json() -> None:
    cache = LocalCache(measurements=2)
    put(cache, "a", result(1.0))
    put(cache, "a", result(2.0))
    put(cache, "b", result(5.0))
    put(cache, "c", Metrics.infeasible(["too large"]))
    cache.link({"f": "a"})
    copy = LocalCache(measurements=2)
    copy.load(json.loads(json.dumps(cache.snapshot(), allow_nan=False)))
    assert copy.snapshot() == cache.snapshot()
    assert copy.peek(["a"]) == [result(1.5)]
    assert copy.resolve(["f"]) == ["a"]
    assert copy.spread("a") == cache.spread("a")
    assert put(copy, "b", result(6.0)) == result(5.5)
    assert copy.statistics()["bytes"] > 0
    copy.load(cache.snapshot())  # what is held stays
    assert copy.peek(["b"]) == [result(5.5)]


GOOD_ENTRY = {"key": "a", "status": "ok", "values": {}, "reasons": [], "cost_s": 0, "squares": {}, "count": 1, "taken": 1, "served": 0}


@pytest.mark.parametrize(
    "damage",
    [
        [],
        {"entries": []},
        {"entries": {}, "aliases": {}},
        {"entries": ["text"], "aliases": {}},
        {"entries": [{}], "aliases": {}},
        {"entries": [GOOD_ENTRY | {"status": "failed"}], "aliases": {}},
        {"entries": [GOOD_ENTRY, GOOD_ENTRY | {"values": {"x": math.nan}}], "aliases": {}},
        {"entries": [GOOD_ENTRY | {"count": 2}], "aliases": {}},
    ],
    ids=range(8),
)
def test_what_is_no_snapshot_is_refused(damage: Any) -> None:
    cache = LocalCache()
    with pytest.raises(InputError, match=r"expected what LocalCache\.snapshot writes"):
        cache.load(damage)
    assert cache.statistics()["entries"] == 0


def test_preload_serves_at_once_and_keeps_what_is_held() -> None:
    cache = LocalCache(measurements=3)
    put(cache, "held", result(1.0))
    stored = [
        ("held", result(9.0)),
        ("a", result(1.0)),
        ("a", result(2.0)),
        ("bad", Metrics.failed("no")),
        ("c", Metrics.infeasible(["no"])),
    ]
    assert cache.preload(iter(stored)) == 2
    assert [answer.kind for answer in cache.lookup(["held", "a", "bad", "c"])] == ["reserved", "hit", "reserved", "hit"]
    assert cache.peek(["a"]) == [result(2.0)]
    assert cache.preload(stored) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"measurements": 0}, {"measurements": 1.5}, {"measurements": "3"}, {"measurements": True}, {"forget": 1.0}, {"forget": -0.1},
        {"forget": None}, {"max_bytes": 0}, {"max_bytes": "1MB"}, {"max_alias_bytes": 0}, {"lease_s": 0.0}, {"lease_s": math.nan},
        {"seed": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    [(name, value)] = options.items()
    with pytest.raises(InputError, match=re.escape(f"{name} of a cache is {value!r}, expected a")):
        LocalCache(**options)
    with pytest.raises(InputError, match=f"unknown option of a cache '{name}s': did you mean '{name}'"):
        check_options({f"{name}s": value})
