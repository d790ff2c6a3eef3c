from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.archon.statistics import Race


def raced(chances: Sequence[float], seed: int, *, risk: float = 0.1, queries: int = 320, block: int = 8, alike: float = 0.0) -> Race:
    """Return a race between candidates that are right with given chances; ``alike`` is how much of their luck is the query's."""
    rng = np.random.default_rng(seed)
    race = Race([str(i) for i in range(len(chances))], risk=risk)
    for _ in range(0, queries, block):
        own, common = rng.random((len(chances), block)), np.broadcast_to(rng.random(block), (len(chances), block))
        luck = np.where(rng.random((len(chances), block)) < alike, common, own)
        right = (luck < np.array(chances)[:, None]).astype(float)
        race.tell({name: right[int(name)].tolist() for name in race.alive})
        if len(race.alive) == 1:
            break
    return race


@pytest.mark.parametrize(("chances", "block"), [((0.5,) * 5, 8), ((0.9,) * 3, 2), ((0.6, 0.58, 0.5, 0.3), 8)])
def test_the_best_is_lost_no_more_often_than_said(chances: tuple[float, ...], block: int) -> None:
    games, risk = 60, 0.1
    lost = sum("0" not in raced(chances, seed, risk=risk, queries=160 if block > 1 else 60, block=block).alive for seed in range(games))
    assert stats.binomtest(lost, games, risk, alternative="greater").pvalue > 0.01, lost


def test_clear_losers_fall_out_early() -> None:
    races = [raced((0.8, 0.6, 0.5, 0.4, 0.3), seed) for seed in range(15)]
    assert all(race.leader == "0" for race in races)
    graded = np.mean([sum(race.queries.values()) for race in races])
    assert graded < 0.4 * 5 * 320
    assert np.mean([race.queries["4"] for race in races]) < np.mean([race.queries["1"] for race in races])


def test_what_the_queries_share_helps() -> None:
    chances = (0.7, 0.5, 0.5)
    apart, together = (np.mean([sum(raced(chances, seed, alike=alike).queries.values()) for seed in range(15)]) for alike in (0.0, 0.9))
    assert together < apart


def test_it_does_not_matter_in_which_order_candidates_are_named() -> None:
    grades = np.random.default_rng(4).random((4, 60)) * np.array([1.0, 0.5, 0.7, 0.2])[:, None]
    there, back = Race(["a", "b", "c", "d"]), Race(["d", "c", "b", "a"])
    for race in (there, back):
        race.tell({name: grades["abcd".index(name)].tolist() for name in race.alive})
    assert set(there.alive) == set(back.alive) and there.means == pytest.approx(back.means)
    assert there.leader == back.leader == "a" and "d" not in there.alive


def test_one_candidate_and_equal_ones_stay() -> None:
    alone, equal = Race(["only"]), Race(["a", "b"])
    for _ in range(50):
        alone.tell({"only": [0.0, 1.0]})
        equal.tell({"a": [0.0, 1.0], "b": [0.0, 1.0]})
    assert alone.alive == ("only",) and equal.alive == ("a", "b") and equal.leader == "a"
    assert equal.queries == {"a": 100, "b": 100} and equal.means == {"a": 0.5, "b": 0.5}


def test_what_is_dropped_is_said_and_needs_no_more_grades() -> None:
    race = Race(["good", "bad"], risk=0.05)
    assert race.tell({"good": [1.0] * 3, "bad": [0.0] * 3}) == ()
    assert race.tell({"good": [1.0] * 10, "bad": [0.0] * 10}) == ("bad",)
    race.tell({"good": [1.0]})
    assert race.queries == {"good": 14, "bad": 13}


def test_arguments_that_cannot_be() -> None:
    for names, risk in (([], 0.1), (["a", "a"], 0.1), ("ab", 0.1), (["a"], 0.0), (["a"], 1.0), (["a"], True)):
        with pytest.raises(InputError, match="expected"):
            Race(names, risk=risk)
    race = Race(["a", "b"])
    with pytest.raises(InputError, match="grades of b are missing"):
        race.tell({"a": [1.0]})
    with pytest.raises(InputError, match=r"different numbers of grades \(a 1, b 2\)"):
        race.tell({"a": [1.0], "b": [1.0, 0.0]})
    with pytest.raises(UnknownNameError):
        race.tell({"a": [1.0], "b": [1.0], "c": [1.0]})
    with pytest.raises(InputError, match="from 0 to 1"):
        race.tell({"a": [1.5], "b": [1.0]})
    assert race.queries == {"a": 0, "b": 0}
