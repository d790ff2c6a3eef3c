import json
import math

import numpy as np
import pytest

from designgym.core.errors import InputError
from designgym.core.groups import Permutation, Repeated
from designgym.core.parameters import Categorical, Float, Integer, Ordinal, Parameter, PowerOfTwo
from designgym.core.space import DesignSpace


def test_a_categorical_tells_one_from_one_point_zero_from_true() -> None:
    parameter = Categorical(1, 1.0, True, "1")
    for choice in parameter.choices:
        assert type(parameter.validate(choice)) is type(choice)
        back = parameter.decode(parameter.encode(choice))
        assert back == choice and type(back) is type(choice)
    assert Categorical(1, 2).validate(1.0) == 1 and type(Categorical(1, 2).validate(1.0)) is int
    with pytest.raises(InputError):
        Categorical(1, 2).validate(True)
    with pytest.raises(InputError):
        Categorical(True, False).validate(1)
    assert Categorical(True, False, default=False).default is False


@pytest.mark.parametrize(
    ("parameter", "value", "plain"),
    [
        (Integer(1, 9), np.int32(3), 3),
        (Integer(1, 9), 3.0, 3),
        (PowerOfTwo(1, 8), np.float64(4.0), 4),
        (Float(0, 1), np.float32(0.5), 0.5),
        (Float(-1, 1), -0.0, 0.0),
        (Float(0, 1), 1, 1.0),
        (Categorical("a", "b"), np.str_("b"), "b"),
        (Categorical(True, False), np.bool_(True), True),
    ],
)
def test_values_become_plain(parameter: Parameter, value: object, plain: object) -> None:
    seen = parameter.validate(value)
    assert seen == plain and type(seen) is type(plain) and json.dumps(seen) == json.dumps(plain)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Integer(1, 9), 10),
        (Integer(1, 9), 0),
        (Integer(1, 9), 2.5),
        (Integer(1, 9), True),
        (Integer(1, 9), "3"),
        (Integer(1, 9), None),
        (Integer(0, 9, step=3), 4),
        (Integer(1, 9), math.nan),
        (Integer(1, 9), math.inf),
        (Integer(1, 9), 10**400),
        (PowerOfTwo(1, 8), 3),
        (PowerOfTwo(1, 8), 16),
        (PowerOfTwo(2, 8), 0),
        (Float(0, 1), math.nan),
        (Float(0, 1), 1.0000001),
        (Float(0, 1), "0.5"),
        (Float(0, 1), False),
        (Float(0, 1), 10**400),
        (Categorical("a"), "b"),
        (Categorical("a"), ["a"]),
        (Permutation("a", "b"), ["a", "a"]),
        (Permutation("a", "b"), ["a"]),
        (Permutation("a", "b"), "ab"),
        (Permutation(1, 2), [True, 2]),
    ],
)
def test_foreign_values_are_refused_by_name_and_with_what_was_expected(parameter: Parameter, value: object) -> None:
    with pytest.raises(InputError, match=r"got .* expected"):
        parameter.validate(value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Integer(5, 4),
        lambda: Integer(1, 5, step=0),
        lambda: Integer(0, 5, log=True),
        lambda: Integer(1, 5, step=2, log=True),
        lambda: Integer(1.5, 5),  # type: ignore[arg-type]
        lambda: Integer(0, 1 << 60),
        lambda: Integer(1, 1 << 45, log=True),
        lambda: Integer(1, 5, default=9),
        lambda: PowerOfTwo(3, 8),
        lambda: PowerOfTwo(8, 4),
        lambda: PowerOfTwo(0, 4),
        lambda: PowerOfTwo("1", 4),  # type: ignore[arg-type]
        lambda: Float(1, 0),
        lambda: Float(0, 1, log=True),
        lambda: Float(0, math.inf),
        lambda: Float(-1e308, 1e308),
        lambda: Categorical(),
        lambda: Categorical("a", "a"),
        lambda: Categorical(math.nan),
        lambda: Categorical(None),  # type: ignore[arg-type]
        lambda: Categorical("a", default="b"),
        lambda: Permutation("a", "a"),
        lambda: Permutation(1, True),
        lambda: Repeated({"a": Integer(0, 1)}, 1, 2),  # type: ignore[arg-type]
        lambda: Repeated(DesignSpace(a=Integer(0, 1)), 2, 1),
        lambda: Repeated(DesignSpace(a=Integer(0, 1)), 0, 0),
    ],
)
def test_impossible_parameters_are_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]


def test_numpy_bounds_become_plain_and_survive_json() -> None:
    parameter = Integer(np.int64(1), np.int64(8))  # type: ignore[arg-type]
    assert parameter == Integer(1, 8) and json.dumps(parameter.to_json())
    assert json.dumps(PowerOfTwo(np.int64(1), 8).to_json())  # type: ignore[arg-type]


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 2), (1, 1000), (7, 10**6), (2**20, 2**20 + 5), (2**39, 2**39 + 9)])
def test_log_integers_round_trip_at_their_ends_and_inside(low: int, high: int) -> None:
    parameter = Integer(low, high, log=True)
    for value in {low, min(low + 1, high), (low + high) // 2, max(high - 1, low), high}:
        assert parameter.decode(parameter.encode(value)) == value
    assert parameter.decode([0.0]) == low and parameter.decode([1.0]) == high and parameter.decode([-3.0]) == low


@pytest.mark.parametrize("parameter", [Float(1e-300, 1e300, log=True), Float(1e-5, 1e5, log=True), Float(-7, 1e9), Float(3, 3)])
def test_floats_round_trip_within_their_bounds(parameter: Float) -> None:
    for u in (0.0, 1e-9, 0.3, 0.999999, 1.0):
        value = parameter.decode([u])
        assert parameter.low <= value <= parameter.high
        assert parameter.decode(parameter.encode(value)) == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_draws_are_uniform_and_log_uniform() -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount([Integer(0, 3).sample(rng) for _ in range(4000)], minlength=4)
    assert counts.min() > 850
    logs = [math.log10(Float(1e-4, 1e4, log=True).sample(rng)) for _ in range(2000)]
    assert abs(float(np.mean(logs))) < 0.2
    assert 0.4 < np.mean([Integer(1, 10_000, log=True).sample(rng) < 100 for _ in range(2000)]) < 0.6


def test_ordered_kinds_step_to_neighbours_and_unordered_ones_to_any() -> None:
    assert list(Integer(0, 9, step=3).neighbours(3)) == [0, 6]
    assert list(PowerOfTwo(1, 8).neighbours(8)) == [4]
    assert list(Ordinal("lo", "mid", "hi").neighbours("lo")) == ["mid"]
    assert list(Categorical("a", "b", "c").neighbours("b")) == ["a", "c"]
    assert list(Float(0, 1).neighbours(0.5)) == pytest.approx([0.49, 0.51])
    assert list(Float(2, 2).neighbours(2.0)) == []
    assert Ordinal("lo", "hi").kind == "ordinal" and Ordinal("lo", "hi") != Categorical("lo", "hi")


def test_an_upper_bound_off_the_grid_is_lowered_to_it() -> None:
    assert Integer(1, 10, step=4).high == 9 and "in steps of 4" in Integer(1, 10, step=4).describe()
    assert Float(1e-5, 0.1, log=True).describe() == "a number from 1e-05 to 0.1, on a log scale"
    assert Integer(1, 9, log=True).describe() == "an integer from 1 to 9, on a log scale"
    assert "log" not in Float(1, 2).describe() + Integer(1, 2).describe()


def test_one_value_cannot_mutate() -> None:
    rng = np.random.default_rng(0)
    for parameter, value in [(Integer(3, 3), 3), (Permutation("a"), ("a",)), (Categorical("x"), "x")]:
        assert parameter.mutate(value, rng) == value


def test_a_group_may_be_drawn_anew_by_a_mutation() -> None:
    """Of a long group, one mutation changes one element, or with the probability asked for nearly all."""
    element = DesignSpace(k=Integer(0, 10**6))
    value = Repeated(element, 20, 20).sample(np.random.default_rng(0))

    def share(group: Repeated) -> float:
        rng = np.random.default_rng(1)
        return float(np.mean([sum(a != b for a, b in zip(group.mutate(value, rng), value, strict=True)) > 10 for _ in range(400)]))

    never, often, always = (Repeated(element, 20, 20, resample=probability) for probability in (0.0, 0.25, 1.0))
    assert share(never) == 0 and 0.19 < share(often) < 0.31 and share(always) == 1
    spaces = [DesignSpace(g=group) for group in (never, often)]
    assert spaces[0] != spaces[1] and all(DesignSpace.from_json(space.to_json()) == space for space in spaces)
    assert spaces[0].to_json() == DesignSpace(g=Repeated(element, 20, 20)).to_json()  # and so keeps the keys that it had
    for wrong in (-0.1, 1.5, "often", True):
        with pytest.raises(InputError, match="resample"):
            Repeated(element, 0, 2, resample=wrong)  # type: ignore[arg-type]


def test_a_group_moves_within_its_lengths_and_reports_all_problems() -> None:
    group = Repeated(DesignSpace(k=Integer(1, 4), s=Categorical("x", "y")), 1, 3)
    rng = np.random.default_rng(0)
    lengths = set()
    value = group.default
    for _ in range(200):
        value = group.mutate(value, rng)
        lengths.add(len(value))
        assert group.validate(value) == value
        child = group.crossover(value, group.sample(rng), rng)
        assert 1 <= len(child) <= 3
    assert lengths == {1, 2, 3}
    assert group.size() == 8 + 64 + 512
    with pytest.raises(InputError, match=r"element 0: k: .* element 1: .*a mapping"):
        group.validate([{"k": 9, "s": "x"}, 3])
    with pytest.raises(InputError, match="1 to 3"):
        group.validate([])
    with pytest.raises(InputError, match="1 to 3"):
        group.validate("abc")
    empty = Repeated(DesignSpace(k=Integer(1, 4)), 0, 2)
    assert list(empty.neighbours(())) == [(DesignSpace(k=Integer(1, 4)).default(),)]
    assert empty.crossover((), (), rng) == () and empty.decode([0.0, 0.5, 0.5]) == ()
    assert Repeated(DesignSpace(k=Float(0, 1)), 1, 1000).size() == math.inf
    assert Repeated(DesignSpace(k=Integer(0, 9**9)), 1, 100).size() > 1e300
