"""`SharedCache`: one cache for many workers, waiting that blocks nobody, and an actor's death that loses nothing."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.hashing.shared_cache import SharedCache

ray: Any = pytest.importorskip("ray")


def result(value: float) -> Metrics:
    return Metrics({"x": value})


def test_without_a_cluster_the_remedy_is_named() -> None:
    ray.shutdown()  # of a cluster that another test left
    with pytest.raises(InputError, match=r"call ray.init\(\) first, or use LocalCache"):
        SharedCache()


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture
def cache(cluster: None, request: pytest.FixtureRequest) -> Iterator[SharedCache]:
    cache = SharedCache(request.node.name)
    yield cache
    cache.shut_down()


def test_the_protocol(cache: SharedCache) -> None:
    first, second = cache.lookup(["a", "b"])
    assert (first.kind, second.kind) == ("reserved", "reserved")
    assert cache.fill([("a", first.token, result(1.0))]) == [result(1.0)]
    cache.fail({"b": second.token})
    cache.link({"f": "a"})
    assert cache.resolve(["f", "g"]) == ["a", None]
    assert cache.peek(["a", "b"]) == [result(1.0), None]
    assert [answer.kind for answer in cache.lookup(["a", "b"])] == ["hit", "reserved"]
    assert cache.lookup([]) == cache.fill([]) == cache.peek([]) == cache.resolve([]) == []
    assert cache.preload((f"k{i}", result(float(i))) for i in range(25)) == 25
    assert cache.statistics()["entries"] == 26
    with pytest.raises(InputError, match="cannot be cached"):
        cache.fill([("b", "", Metrics.failed("no"))])


def test_clients_of_one_name_share_and_of_another_do_not(cache: SharedCache) -> None:
    cache.preload([("a", result(1.0))])
    assert SharedCache(cache.name).peek(["a"]) == [result(1.0)]
    assert pickle.loads(pickle.dumps(cache)).peek(["a"]) == [result(1.0)]
    other = SharedCache("of another name")
    assert other.peek(["a"]) == [None]
    other.shut_down()


def test_a_waiting_caller_blocks_nobody_and_wakes_with_the_result(cache: SharedCache) -> None:
    (answer,) = cache.lookup(["a"])
    waiters = [threading.Thread(target=SharedCache(cache.name).wait, args=("a", 60)) for _ in range(5)]
    for thread in waiters:
        thread.start()
    while cache.statistics()["waits"] < 5:
        time.sleep(0.01)
    assert all(thread.is_alive() for thread in waiters)
    cache.fill([("a", answer.token, result(1.0))])
    for thread in waiters:
        thread.join(20)
    assert not any(thread.is_alive() for thread in waiters)
    cache.wait("a", 60)
    cache.lookup(["b"])
    cache.wait("b", 0.05)  # ends by its time


def test_single_flight_between_processes(cache: SharedCache) -> None:
    @ray.remote(num_cpus=1)
    def worker(cache: SharedCache, number: int) -> int:
        measured = 0
        for key in map(str, range(20)):
            while (answer := cache.lookup([key])[0]).kind != "hit":
                if answer.kind == "busy":
                    cache.wait(key, 10)
                else:
                    measured += 1
                    cache.fill([(key, answer.token, Metrics({"x": float(key)}))])
        return measured

    assert sum(ray.get([worker.remote(cache, number) for number in range(2)])) == 20


def test_evaluators_of_two_processes_measure_each_design_once(cache: SharedCache) -> None:
    @ray.remote(num_cpus=1)
    def worker(cache: SharedCache, seed: int) -> tuple[int, dict[str, float]]:
        import numpy as np

        from designgym.core.evaluator import Evaluator
        from designgym.core.function_simulator import simulator
        from designgym.core.parameters import Integer
        from designgym.core.space import DesignSpace
        from designgym.core.workload import Workload

        @simulator(space=DesignSpace(a=Integer(0, 40)), metrics=["square"], version="1")
        def squares(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
            time.sleep(0.001)
            return {"square": float(design["a"] ** 2)}

        evaluator = Evaluator(squares, Workload("w"), cache=cache)
        rng = np.random.default_rng(seed)
        trials = [trial for _ in range(20) for trial in evaluator.evaluate(squares.space.sample(rng, 10))]
        return evaluator.counts.measured, {str(trial.design["a"]): trial.metrics["square"] for trial in trials}

    (first, found), (second, also_found) = ray.get([worker.remote(cache, seed) for seed in range(2)])
    assert found | also_found == {str(a): float(a * a) for a in range(41)}
    assert first + second == 41


def test_a_resumed_owner_takes_its_predecessors_reservations_back(cache: SharedCache) -> None:
    SharedCache(cache.name, owner="run 1").lookup(["a"])
    SharedCache(cache.name, owner="run 2").lookup(["b"])
    assert [answer.kind for answer in cache.lookup(["a", "b"])] == ["busy", "busy"]
    resumed = SharedCache(cache.name, owner="run 1")
    assert [answer.kind for answer in resumed.lookup(["a", "b"])] == ["reserved", "busy"]
    pickle.loads(pickle.dumps(resumed))  # a copy of a client is no successor
    assert [answer.kind for answer in cache.lookup(["a"])] == ["busy"]


def test_a_dead_actor_is_replaced_and_reloaded_and_that_is_logged(cluster: None, caplog: pytest.LogCaptureFixture) -> None:
    cache = SharedCache("to be killed", reload=lambda: [("stored", result(7.0))])
    (answer,) = cache.lookup(["a"])
    other = SharedCache("to be killed")
    cache.shut_down()
    with caplog.at_level(logging.WARNING, "designgym.hashing"):
        assert cache.peek(["stored"]) == [result(7.0)]
    assert "'to be killed' was lost" in caplog.text
    assert "creating it anew" in caplog.text
    assert cache.fill([("a", answer.token, result(1.0))]) == [result(1.0)]  # a result that was under way is not lost
    assert other.peek(["a", "stored"]) == [result(1.0), result(7.0)]
    cache.shut_down()


def test_several_measurements_are_averaged_whoever_makes_them_and_forgotten(cluster: None) -> None:
    cache = SharedCache("of a noisy simulator", measurements=2, forget=0.9)
    clients = [cache, SharedCache(cache.name)]
    means = []
    for number, client in enumerate(clients):
        (answer,) = client.lookup(["a"])
        assert (answer.kind, answer.measurements) == ("reserved", number)
        means = client.fill([("a", answer.token, result(float(number)))])
    assert means == [result(0.5)] and cache.spread("a") == {"x": pytest.approx(0.5**0.5)} and cache.spread("b") is None
    answers = [client.lookup(["a"])[0] for _ in range(20) for client in clients]
    served = [answer.kind for answer in answers].index("reserved")
    assert 1 <= served < len(answers) and all(answer.metrics == result(0.5) for answer in answers[:served])
    assert answers[served].measurements == 2 and cache.spread("a") is None and cache.statistics()["forgotten"] == 1
    cache.shut_down()


def test_bad_options_are_refused_by_the_client(cluster: None) -> None:
    with pytest.raises(InputError, match="measurements"):
        SharedCache("never made", measurements=0)
    for name, options, words in (
        ("", {}, "name of a shared cache is '', expected a text"), (5, {}, "name of a shared cache is 5"),
        ("never made", {"owner": 5}, "owner of a shared cache's client is 5"),
        ("never made", {"abandoned_s": "x"}, "abandoned_s of .* is 'x'"),
        ("never made", {"lease": 3}, "unknown option of a cache 'lease': did you mean 'lease_s'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            SharedCache(name, **options)  # type: ignore[arg-type]


def test_options_that_come_too_late_are_told_of(cache: SharedCache, caplog: pytest.LogCaptureFixture) -> None:
    SharedCache(cache.name)
    assert not caplog.messages
    SharedCache(cache.name, measurements=7, forget=0.0)
    [told] = caplog.messages
    assert f"{cache.name!r} is there already, with measurements=1; measurements=7 has no effect" in told


def test_a_lookup_that_is_interrupted_before_its_answer_leaves_nothing_reserved(
    cache: SharedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    answered = ray.get

    def interrupted(*given: Any, **options: Any) -> None:
        answered(*given, **options)
        raise KeyboardInterrupt

    assert [found.kind for found in cache.lookup(["held"])] == ["reserved"]
    with monkeypatch.context() as patch:
        patch.setattr(ray, "get", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cache.lookup(["lost", "gone"])
    other = SharedCache(cache.name, owner="another")
    assert [found.kind for found in other.lookup(["lost", "gone", "held"])] == ["reserved", "reserved", "busy"]
