"""The parts that searchers are made of: enumeration, shuffle, ranking, model targets."""

from __future__ import annotations

import itertools
import math
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import designgym as dg
from designgym.searchers import make_searcher
from designgym.searchers.candidates import same_sign_log
from designgym.searchers.enumeration import Enumeration, Shuffle
from designgym.searchers.observations import Observation, best, crowding, fitness, is_multi, model_targets, observe

DESIGN = dg.DesignSpace(a=dg.Integer(0, 1)).default()


def seen(value: float | None, *vector: float, violation: float = 0.0) -> Observation:
    if value is None:
        return Observation(DESIGN, None, None)
    return Observation(DESIGN, value, vector or (value,), (violation,), violation)


@given(st.integers(1, 700), st.integers(0, 10))
@settings(max_examples=60, deadline=None)
def test_shuffle_is_a_permutation(size: int, seed: int) -> None:
    shuffle = Shuffle(size, seed)
    assert sorted(shuffle(i) for i in range(size)) == list(range(size))


def test_shuffle_depends_on_the_seed_and_mixes() -> None:
    orders = [[Shuffle(1000, seed)(i) for i in range(1000)] for seed in (0, 1)]
    assert orders[0] != orders[1]
    assert abs(np.corrcoef(orders[0], range(1000))[0, 1]) < 0.15


@pytest.mark.parametrize("space_name", ["discrete", "ruled", "structured"])
def test_enumeration_lists_every_combination_once(world: dict[str, Any], space_name: str) -> None:
    space = world["SPACES"][space_name]
    every = Enumeration(space, levels=3)
    assert every.size == space.size()
    designs = {every.design(i).literal for i in range(every.size)}
    assert len(designs) == every.size
    for design in itertools.islice(map(every.design, range(0, every.size, 7)), 200):
        assert space.validate(design.to_dict()) == design


def test_grid_is_lazy_in_huge_spaces_and_keeps_bounds_of_floats() -> None:
    space = dg.DesignSpace({f"p{i}": dg.Integer(0, 999) for i in range(20)} | {"x": dg.Float(1.0, 100.0, log=True)})
    started = time.perf_counter()
    designs = make_searcher("grid", space, dg.minimize("cost"), seed=0, levels=3).ask(50)
    assert time.perf_counter() - started < 5
    assert len(designs) == 50
    line = dg.DesignSpace(x=dg.Float(1.0, 100.0, log=True))
    ordered = make_searcher("grid", line, dg.minimize("cost"), seed=0, levels=3, order="sorted").ask(9)
    assert [round(design["x"], 9) for design in ordered] == [1.0, 10.0, 100.0]


def test_single_fitness_puts_feasible_above_infeasible_above_failed() -> None:
    illegal = observe(DESIGN, dg.Metrics.infeasible(["too large"]), dg.minimize("x"))
    order = [seen(5.0), seen(-3.0), seen(-2e301), seen(99.0, violation=0.5), seen(99.0, violation=7.0), illegal, seen(None)]
    values = fitness(order, multi=False)
    assert values == sorted(values, reverse=True)
    assert best(order[::-1], 2, multi=False) == order[:2]
    targets = model_targets(order, False)[:, 0]
    assert (np.diff(targets) < 0).all() and np.isfinite(targets).all()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_multi_fitness_ranks_fronts(vectors: list[tuple[int, int]]) -> None:
    observations = [seen(0.0, *map(float, v)) for v in vectors] + [seen(0.0, 9.0, 9.0, violation=1.0), seen(None)]
    values = fitness(observations, multi=True)

    def dominates(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a != b and a[0] >= b[0] and a[1] >= b[1]

    for i, j in itertools.permutations(range(len(vectors)), 2):
        if dominates(vectors[i], vectors[j]):
            assert values[i] > values[j]
    assert min(values[: len(vectors)]) > values[-2] > values[-1] == -math.inf


def test_crowding_prefers_lonely_points() -> None:
    distance = crowding(np.array([[0.0, 4.0], [1.0, 3.0], [1.1, 2.9], [4.0, 0.0]]))
    assert np.isinf(distance[[0, 3]]).all()
    assert np.isfinite(distance[1:3]).all()


values = st.floats(-1e12, 1e12, allow_nan=False)


@given(st.lists(st.one_of(st.none(), st.tuples(values, st.floats(0, 1e6))), min_size=1, max_size=12), st.booleans())
@settings(max_examples=100, deadline=None)
def test_model_targets_are_finite_and_ordered(rows: list[tuple[float, float] | None], modelled: bool) -> None:
    observations = [seen(None) if row is None else seen(row[0], violation=row[1]) for row in rows]
    targets = model_targets(observations, False, bounds_modelled=modelled)
    assert targets.shape == (len(rows), 1)
    assert np.isfinite(targets).all()
    kept = [i for i, each in enumerate(observations) if not each.failed and (each.feasible or modelled)]
    for i in kept:
        assert targets[i, 0] == observations[i].value
    for i in set(range(len(rows))) - set(kept):
        assert not kept or targets[i, 0] < min(targets[j, 0] for j in kept) + 1e-9 * max(1.0, *(abs(targets[j, 0]) for j in kept))


def test_observation_survives_json_and_bad_objectives() -> None:
    space = dg.DesignSpace(a=dg.Integer(0, 3))
    objective = dg.minimize("x / y", subject_to={"x": "<= 2"})
    fine = observe(space.default(), dg.Metrics({"x": 3.0, "y": 2.0}), objective)
    assert (fine.value, fine.vector, fine.slacks, fine.violation, fine.feasible) == (-1.5, (-1.5,), (0.5,), 0.5, False)
    illegal = observe(space.default(), dg.Metrics.infeasible(["no"]), objective)
    for each in (fine, illegal):
        assert Observation.from_json(each.to_json(), space) == each
    assert illegal.failed and illegal.illegal and not Observation.from_json(illegal.to_json()[:5], space).illegal
    far = observe(space.default(), dg.Metrics({"x": 1e308, "y": 1.0}), dg.minimize("y", subject_to={"x": "<= 1e-9"}))
    assert far.violation == sys.float_info.max
    assert observe(space.default(), dg.Metrics({"x": 3.0, "y": 0.0}), objective).failed  # no number, no crash
    assert observe(space.default(), dg.Metrics.timeout("slow"), objective).failed


def test_weighted_objectives_are_one_score() -> None:
    from designgym.core.objectives import weighted

    assert not is_multi(weighted({"a": 1.0, "b": 2.0}, scales={"a": 1.0, "b": 1.0}))
    assert is_multi(dg.pareto("a", "b", reference={"a": 1, "b": 1}))


def test_same_sign_log_keeps_order() -> None:
    for numbers in ([-1e12, -5.0, -1e-3], [1e-3, 5.0, 1e12], [-1.0, 0.0, 2.0]):
        result = same_sign_log(np.array(numbers))
        assert (np.diff(result) > 0).all()
