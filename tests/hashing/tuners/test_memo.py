"""`Memo`: keys that collide only by equal behaviour, values as they were given, single flight whatever goes wrong."""

from __future__ import annotations

import math
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.fingerprint import Fingerprint, fingerprint
from designgym.hashing import LocalCache, functional_hash
from designgym.hashing.tuners.memo import Counts, Memo, from_metrics, to_metrics

SPACE = dg.DesignSpace(
    first=dg.Integer(0, 9), second=dg.Integer(0, 9), mode=dg.Categorical("fast", "slow"), extra=dg.Integer(1, 5),
    conditions=[dg.Condition("extra", "mode == 'slow'")], symmetries=[dg.Interchangeable("first", "second")],
)  # fmt: skip


# ---- values -------------------------------------------------------------------------------------------------------------

reals = st.floats(allow_nan=True, allow_infinity=True)


@given(reals | st.lists(reals, min_size=1).map(tuple) | st.dictionaries(st.text(max_size=5), reals, min_size=1))
def test_values_come_back_as_they_were_given(value: Any) -> None:
    assert repr(from_metrics(to_metrics(value))) == repr(value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (3, 3.0), (np.float32(0.5), 0.5), (np.int64(2), 2.0), ([1, 2.5], (1.0, 2.5)), (np.array([1.0, 2.0]), (1.0, 2.0)),
        (np.array(4.0), 4.0), ({"a": 1, "b=": math.inf}, {"a": 1.0, "b=": math.inf}), (np.float32("inf"), math.inf),
    ],
)  # fmt: skip
def test_numbers_of_other_kinds(given: Any, expected: Any) -> None:
    assert from_metrics(to_metrics(given)) == expected


@pytest.mark.parametrize("value", [None, "1", True, [], {}, [[1.0]], {"a": "b"}, 1j, 10**400, np.zeros((2, 2)), object(), np.True_])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"(?s)cannot remember .* expected a number, a sequence of numbers, or a mapping"):
        to_metrics(value)


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_a_mean_of_measurements_is_what_arithmetic_says_for_infinities_too(odd: float) -> None:
    memo, values = Memo("f", None, measurements=3), iter([1.0, odd, 2.0])
    for _ in range(3):
        memo.get("k", lambda: next(values))
    [served, _] = memo.get("k", lambda: pytest.fail("it is known"))
    assert repr(served) == repr(odd)


# ---- keys ---------------------------------------------------------------------------------------------------------------


def test_names_and_versions_keep_keys_apart() -> None:
    named = [("a:1", "2"), ("a", "1:2"), ("a", "1"), ("a", "2"), ("b", "1"), ('a", "1', "")]
    assert len({Memo(name, None, version=version).key_text(1) for name, version in named}) == len(named)


def test_candidates_themselves_count_to_the_last_bit() -> None:
    memo = Memo("f", None)
    candidates: list[Any] = [
        0.1, 0.1 + 2**-56, 1, 1.0, "1", True, None, (1, 2), (1, 2.0), {"a": 1}, {"a": 2}, {1, 2}, b"1", (), ((1,), 2), (1, (2,)),
        np.array([1, 2]), np.array([1.0, 2.0]), np.array([[1.0, 2.0]]), np.array([1e20, 1.0]), np.array([1e20, 2.0]),
        {"a": np.array([1e20, 3.0])}, {"a": np.array([1e20, 4.0])}, range(3),
    ]  # fmt: skip
    keys = [memo.key_text(candidate) for candidate in candidates]
    assert len(set(keys)) == len(keys)
    assert keys == [Memo("f", None).key_text(candidate) for candidate in pickle.loads(pickle.dumps(candidates))]
    assert memo.key_text({"a": 1, "b": 2}) == memo.key_text({"b": 2, "a": 1})
    assert memo.key_text((1, 2), x=3) != memo.key_text((1, 2), x=4)


def test_what_has_no_key_is_refused_with_the_remedy() -> None:
    for key in (None, lambda candidate: candidate):
        with pytest.raises(InputError, match=r"no key for f: cannot fingerprint .* Give key=, a function .* self of a method included"):
            Memo("f", key).key_text(object())


def test_a_design_counts_by_its_canonical_form_and_what_comes_with_it_by_value() -> None:
    memo = Memo("f", SPACE)
    one = {"first": 1, "second": 2, "mode": "fast", "extra": 1}
    key = memo.key_text(one)
    assert memo.key_text({**one, "first": 2, "second": 1}) == memo.key_text({**one, "extra": 4}) == memo.key_text(**one) == key
    assert memo.key_text({name: one[name] for name in ("first", "second", "mode")}) == key
    others = [memo.key_text(one, seed=1), memo.key_text({**one, "seed": 2}), memo.key_text({**one, "mode": "slow"})]
    assert len({key, *others}) == 4
    assert memo.key_text({**one, "seed": 1}) == others[0]
    newer = dg.DesignSpace(SPACE.parameters, version="2", conditions=SPACE.conditions, symmetries=SPACE.symmetries)
    assert Memo("f", newer).key_text(one) != key
    for wrong in ((3, 4), (one, 1), ([("first", 1)],)):
        with pytest.raises(InputError, match="expected one mapping of first, second, mode, extra, or these by name"):
            memo.key_text(*wrong)
    with pytest.raises(InputError, match="second: missing"):
        memo.key_text({"first": 1})


def neighbours() -> tuple[Fingerprint, Fingerprint]:
    """Return the fingerprints of two numbers that differ by rounding, but lie on two sides of an edge of the first grid."""
    x = 0.5
    while True:
        x += 1e-9
        a, b = fingerprint(x), fingerprint(x + 1e-11)
        if a.key != b.key:
            assert a.alternate == b.alternate
            return a, b


def test_fingerprints_match_on_either_grid() -> None:
    a, b = neighbours()
    memo = Memo("f", lambda answer: answer)
    assert memo.get(memo.key_text(a), lambda: 1.0) == (1.0, False)
    assert memo.get(memo.key_text(b), lambda: 2.0) == (1.0, True)
    assert memo.get(memo.key_text(fingerprint(0.7)), lambda: 3.0) == (3.0, False)


def test_fingerprints_match_while_the_first_one_is_being_measured() -> None:
    a, b = neighbours()
    memo = Memo("f", lambda answer: answer)
    key = memo.key_text(a)
    assert memo.reserve(key).kind == "reserved"
    assert memo.key_text(b) == key and memo.reserve(memo.key_text(b)).kind == "busy"


def test_fingerprints_match_through_a_cache_that_is_shared() -> None:
    a, b = neighbours()
    cache = LocalCache()
    here, there = (Memo("f", lambda answer: answer, cache=cache) for _ in range(2))
    here.get(here.key_text(a), lambda: 1.0)
    assert there.get(there.key_text(b), lambda: 2.0) == (1.0, True)


def test_functional_hashes_as_keys() -> None:
    memo = Memo("programs", lambda program: functional_hash(program, [0.5, 2.0]))
    programs: list[Callable[[float], float]] = [lambda x: 2 * x, lambda x: x + x, lambda x: x * x, lambda x: x / 0.5]
    values = [memo.get(memo.key_text(program), lambda: 7.0)[1] for program in programs]
    assert values == [False, True, False, True]


# ---- single flight ------------------------------------------------------------------------------------------------------


def test_threads_measure_each_behaviour_once() -> None:
    memo, calls, lock = Memo("f", None), list[int](), threading.Lock()

    def measure(candidate: int) -> float:
        with lock:
            calls.append(candidate)
        time.sleep(0.002)
        return 10.0 * candidate

    def ask(i: int) -> tuple[Any, bool]:
        return memo.get(memo.key_text(i % 20), lambda: measure(i % 20))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(400)))
    assert sorted(calls) == list(range(20))
    assert [value for value, _ in answers] == [10.0 * (i % 20) for i in range(400)]
    assert memo.counts == Counts(asked=400, measured=20, duplicates=380)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_the_function_raises_ends_the_reservation(error: type[BaseException]) -> None:
    memo = Memo("f", None)

    def fail() -> float:
        raise error("no")

    with pytest.raises(error):
        memo.get("k", fail)
    with pytest.raises(InputError, match="cannot remember"):
        memo.get("k", lambda: "nonsense")
    assert memo.cache.statistics()["reservations"] == 0
    assert memo.get("k", lambda: 1.0) == (1.0, False)
    assert memo.counts == Counts(asked=3, measured=1, duplicates=0)


def test_a_waiting_thread_measures_itself_when_the_first_one_fails() -> None:
    memo, waiting = Memo("f", None), threading.Event()

    def fail() -> float:
        waiting.wait(5)
        time.sleep(0.05)  # until the other one sleeps on this
        raise ValueError

    def second() -> tuple[Any, bool]:
        waiting.set()
        return memo.get("k", lambda: 2.0)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: memo.get("k", fail))
        while not memo.cache.statistics()["reservations"]:
            time.sleep(0.001)
        answer = pool.submit(second)
        with pytest.raises(ValueError, match=r"^$"):
            first.result(5)
        assert answer.result(5) == (2.0, False)


def test_a_function_that_asks_for_its_own_behaviour_does_not_wait_for_itself() -> None:
    memo = Memo("f", None)
    assert memo.get("k", lambda: memo.get("k", lambda: 3.0)[0]) == (3.0, False)
    assert memo.get("k", lambda: 4.0) == (3.0, True)
    assert memo.counts == Counts(asked=2, measured=1, duplicates=1)


def test_a_measurement_may_take_longer_than_any_lease() -> None:
    hours = [0.0]
    memo = Memo("f", None, clock=lambda: 3600 * hours[0])
    assert memo.reserve("k").kind == "reserved"
    hours[0] = 1000.0
    assert memo.reserve("k").kind == "busy"


# ---- noise, processes, options -------------------------------------------------------------------------------------------


def test_a_noisy_function_is_measured_several_times_and_forgotten_now_and_then() -> None:
    memo, values = Memo("f", None, measurements=3), iter([1.0, 2.0, 6.0])
    assert [memo.get("k", lambda: next(values)) for _ in range(4)] == [(1.0, False), (1.5, False), (3.0, False), (3.0, True)]
    forgetful = Memo("f", None, forget=0.5, seed=1)
    known = [forgetful.get("k", lambda: 1.0)[1] for _ in range(200)]
    assert 40 < known.count(False) < 90


def test_another_process_gets_the_results_and_no_reservation() -> None:
    memo = Memo("f", None, measurements=1)
    memo.get("k", lambda: {"a": math.nan, "b": 2.0})
    memo.reserve("running")
    copy = pickle.loads(pickle.dumps(memo))
    assert repr(copy.get("k", lambda: pytest.fail("it is known"))) == "({'a': nan, 'b': 2.0}, True)"
    assert copy.reserve("running").kind == "reserved"
    assert copy.counts == Counts(asked=2, measured=1, duplicates=1) and memo.counts.asked == 1


def test_a_given_cache_and_its_options_go_along_and_stay_shared() -> None:
    cache = LocalCache(measurements=2)
    pair = [Memo(name, None, cache=cache) for name in ("f", "g")]
    pair[0].get("k", lambda: 1.0)
    f, g = pickle.loads(pickle.dumps(pair))
    assert f.cache is g.cache and f.cache is not cache
    assert [f.get("k", lambda: 3.0), f.get("k", lambda: 5.0)] == [(2.0, False), (2.0, True)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "f", "key": None, "cache": LocalCache(), "measurements": 3}, "options of a cache that is made here"),
        ({"name": "", "key": None, "cache": LocalCache()}, "give name="),
        ({"name": "f", "key": 3}, "key is 3, expected a function, a DesignSpace, or None"),
        ({"name": "f", "key": None, "measurements": 0}, "measurements of a cache is 0"),
        ({"name": "f", "key": None, "measurement": 3}, "unknown option of a cache 'measurement': did you mean 'measurements'"),
        ({"name": "f", "key": None, "cache": {}}, "cache is {}, expected a LocalCache or a SharedCache"),
        ({"name": 3, "key": None}, "name is 3, expected a text"),
    ],
)
def test_bad_options(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Memo(**arguments)
