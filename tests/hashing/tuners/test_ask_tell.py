"""`CachedAskTell`: what is asked is new, and the optimizer hears of every candidate."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest

import designgym as dg
from designgym.core.errors import EvaluationError, InputError
from designgym.hashing import CachedAskTell, LocalCache
from designgym.hashing.tuners.memo import Counts


class Listed:
    """Asks what it is given, and writes down what it is told."""

    def __init__(self, *candidates: Any) -> None:
        self.candidates, self.told = list(candidates), list[tuple[Any, Any]]()

    def ask(self) -> Any:
        return self.candidates.pop(0)

    def tell(self, candidate: Any, value: Any) -> None:
        self.told.append((candidate, value))


def cached(optimizer: Any, **options: Any) -> CachedAskTell:
    given: dict[str, Any] = {"key": sorted, **options}
    return CachedAskTell(optimizer, **given)


def test_known_candidates_are_told_at_once() -> None:
    optimizer = Listed([1, 2], [2, 1], [1, 2], [3, 3])
    search = cached(optimizer)
    first = search.ask()
    search.tell(first, 5)
    assert search.ask() == [3, 3]
    assert optimizer.told == [([1, 2], 5.0), ([2, 1], 5.0), ([1, 2], 5.0)]
    assert search.memo.counts == Counts(asked=4, measured=1, duplicates=2)


def test_candidates_equal_to_one_that_is_out_wait_for_it() -> None:
    optimizer = Listed([1, 2], [2, 1], [3, 3], [1, 2], [4, 4])
    search = cached(optimizer)
    out = [search.ask() for _ in range(3)]
    assert out == [[1, 2], [3, 3], [4, 4]] and optimizer.told == []
    search.tell(out[1], 9.0)
    search.tell(out[0], 5.0)
    assert optimizer.told == [([3, 3], 9.0), ([1, 2], 5.0), ([2, 1], 5.0), ([1, 2], 5.0)]


def test_candidates_may_come_back_as_copies_or_from_elsewhere() -> None:
    optimizer = Listed([1, 2], [2, 1], [3, 3], [7, 7], [8, 8])
    search = cached(optimizer)
    search.ask()
    search.ask()
    search.tell([1, 2], 5.0)  # an equal list
    search.tell([7, 7], 1.0)  # never asked
    assert search.ask() == [8, 8]
    assert optimizer.told == [([1, 2], 5.0), ([2, 1], 5.0), ([7, 7], 1.0), ([7, 7], 1.0)]


def test_a_candidate_that_is_given_up_is_tried_again() -> None:
    optimizer = Listed([1, 2], [2, 1], [3, 3], [1, 2])
    search = cached(optimizer)
    first, _ = search.ask(), search.ask()
    search.give_up(first)
    assert search.ask() == [1, 2] and optimizer.told == []
    with pytest.raises(InputError, match="is not out"):
        search.give_up([5, 5])


def test_a_value_that_is_none_is_refused_and_the_candidate_stays_out() -> None:
    search = cached(Listed([1, 2]))
    candidate = search.ask()
    with pytest.raises(InputError, match="cannot remember"):
        search.tell(candidate, "nonsense")
    search.tell(candidate, 1.0)


def test_a_converged_search_ends_cleanly(caplog: pytest.LogCaptureFixture) -> None:
    class Pairs(Listed):
        def ask(self) -> Any:
            return [len(self.told) % 2, len(self.told) % 3]

    search = cached(Pairs(), duplicate_cap=50)
    with caplog.at_level(logging.WARNING, "designgym.hashing"):
        for candidate in search.candidates(100):
            search.tell(candidate, sum(candidate))
    assert search.memo.counts == Counts(asked=search.memo.counts.duplicates + 5, measured=5, duplicates=search.memo.counts.duplicates)
    assert "converged: the last 50 candidates were all equivalent to known ones; the search ends after 5 evaluations" in caplog.text
    waiting = cached(Listed(*[[1, 1]] * 9), duplicate_cap=5)
    waiting.ask()
    with pytest.raises(EvaluationError, match="1 of them are out: tell their values"):
        waiting.ask()


def test_minimize_gives_back_what_it_holds() -> None:
    search = cached(Listed([1, 2], [2, 1]))
    with pytest.raises(KeyboardInterrupt):
        search.minimize(lambda candidate: (_ for _ in ()).throw(KeyboardInterrupt), 1)
    assert search.memo.cache.statistics()["reservations"] == 0
    with pytest.raises(InputError, match="cannot remember"):
        search.minimize(lambda candidate: None, 1)
    assert search.memo.cache.statistics()["reservations"] == 0


def test_two_searches_that_share_a_cache() -> None:
    cache = LocalCache()
    here, there = (Listed(*[[1, 2], [3, 3], [4, 4], [5, 5]], [6, 6]) for _ in range(2))
    one, other = (cached(optimizer, name="f", cache=cache) for optimizer in (here, there))
    first = one.ask()
    assert other.ask() == [3, 3]  # [1, 2] is out in the other search, and kept back in this
    one.tell(first, 5.0)
    assert one.ask() == [4, 4]  # [3, 3] is out there
    assert other.ask() == [5, 5]  # [4, 4] is out
    assert there.told == [([1, 2], 5.0)]
    one.give_up([4, 4])
    assert other.ask() == [4, 4]  # nobody evaluates it any more
    assert other.memo.counts == Counts(asked=4, measured=0, duplicates=1)
    other.tell([3, 3], 2.0)
    other.tell([4, 4], 3.0)
    assert one.ask() == [6, 6]  # [5, 5] is out there
    assert here.told == [([1, 2], 5.0), ([3, 3], 2.0)]


def test_a_search_that_is_saved_goes_on() -> None:
    search = cached(Listed([1, 2], [2, 1], [3, 3], [1, 2], [4, 4]))
    first, _ = search.ask(), search.ask()
    copy = pickle.loads(pickle.dumps(search))
    copy.tell(first, 5.0)
    assert copy.ask() == [4, 4]
    assert copy.optimizer.told == [([1, 2], 5.0), ([2, 1], 5.0), ([1, 2], 5.0)]
    assert search.optimizer.told == []  # type: ignore[attr-defined]


def test_a_noisy_function() -> None:
    optimizer = Listed(*[[1, 1]] * 9)
    search = cached(optimizer, measurements=2)
    for value in (1.0, 3.0):
        search.tell(search.ask(), value)
    with pytest.raises(IndexError):  # the list is at its end: all are known
        search.ask()
    assert [value for _, value in optimizer.told] == [1.0, 2.0] + [2.0] * 7


@pytest.mark.parametrize("cap", [0, -1, 1.5, True, None])
def test_a_cap_that_is_none(cap: Any) -> None:
    with pytest.raises(InputError, match="duplicate_cap is"):
        CachedAskTell(Listed(), duplicate_cap=cap)


def test_other_bad_arguments() -> None:
    with pytest.raises(InputError, match=r"optimizer is 5, expected an object with ask\(\) and tell"):
        CachedAskTell(5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="function to minimise is 5, expected something that can be called"):
        CachedAskTell(Listed()).minimize(5, 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="budget is '3', expected a whole number"):
        list(CachedAskTell(Listed()).candidates("3"))  # type: ignore[arg-type]


# ---- Nevergrad ----------------------------------------------------------------------------------------------------------

ng: Any = pytest.importorskip("nevergrad")


def pair(high: int = 6) -> Any:
    stages = ng.p.Instrumentation(first=ng.p.TransitionChoice(range(high)), second=ng.p.TransitionChoice(range(high)))
    stages.random_state.seed(3)
    return stages


SPACE = dg.DesignSpace(first=dg.Integer(0, 5), second=dg.Integer(0, 5), symmetries=[dg.Interchangeable("first", "second")])


@pytest.mark.parametrize("name", ["NGOpt", "DiscreteOnePlusOne", "PSO", "RandomSearch"])
def test_nevergrads_optimizers(name: str) -> None:
    seen = []

    def loss(candidate: Any) -> float:
        seen.append(tuple(sorted(candidate.kwargs.values())))
        return sum((x - y) ** 2 for x, y in zip(seen[-1], (1, 4), strict=True))

    search = CachedAskTell(ng.optimizers.registry[name](pair(), budget=300), key=SPACE)
    best = search.minimize(loss, 20)
    assert len(seen) == len(set(seen)) == 20
    assert isinstance(best.kwargs["first"], int)
    assert search.optimizer.num_ask == search.optimizer.num_tell == search.memo.counts.asked  # type: ignore[attr-defined]


def test_nevergrads_parallel_candidates() -> None:
    search = CachedAskTell(ng.optimizers.DiscreteOnePlusOne(pair(), budget=300, num_workers=5), key=SPACE, duplicate_cap=200)
    for _ in range(3):
        out = [search.ask() for _ in range(5)]
        assert len({tuple(sorted(candidate.kwargs.values())) for candidate in out}) == 5
        for candidate in reversed(out):
            search.tell(pickle.loads(pickle.dumps(candidate)), sum(candidate.kwargs.values()))  # as a pool of processes returns them
    assert search.optimizer.num_tell == search.memo.counts.asked  # type: ignore[attr-defined]
    assert search.optimizer.num_tell_not_asked == 0  # type: ignore[attr-defined]


def differ(values: Any) -> bool:
    return bool(values[1]["first"] != values[1]["second"])


def test_nevergrads_constraints_and_several_objectives() -> None:
    stages = pair()
    stages.register_cheap_constraint(differ)
    search = CachedAskTell(ng.optimizers.NGOpt(stages, budget=200), key=lambda candidate: sorted(candidate.kwargs.values()))
    assert search.minimize(lambda candidate: (sum(candidate.kwargs.values()), -max(candidate.kwargs.values())), 8) is None
    front = search.optimizer.pareto_front()  # type: ignore[attr-defined]
    assert front and all(candidate.losses.shape == (2,) for candidate in front)
    assert search.memo.counts.measured == 8


def test_nevergrads_candidates_themselves_as_keys() -> None:
    search = CachedAskTell(ng.optimizers.RandomSearch(pair(3), budget=100), duplicate_cap=60)
    seen = list[Any]()
    for candidate in search.candidates(100):
        seen.append(tuple(candidate.kwargs.items()))
        search.tell(candidate, 0.0)
    assert len(seen) == len(set(seen)) == 9
