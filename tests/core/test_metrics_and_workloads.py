import copy
import dataclasses
import math
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import UNITS, Metrics, metric
from designgym.core.protocols import Resources
from designgym.core.trial import Keys, Provenance, Trial
from designgym.core.workload import Workload, content_digest
from designgym.hashing.local_cache import LocalCache


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("latency_ns", "ns"),
        ("area_mm2", "mm^2"),
        ("energy_pJ", "pJ"),
        ("bandwidth_gbps", "Gb/s"),
        ("rows", "1"),
        ("hit_rate", "1"),
        ("ns", "1"),
    ],
)
def test_units_come_from_names(name: str, unit: str) -> None:
    assert metric(name).unit == unit
    assert metric(name, unit="furlong").unit == "furlong"


def test_all_unit_endings_are_lower_case_and_used() -> None:
    assert all(ending == ending.lower() for ending in UNITS)


def test_bad_declarations_are_refused() -> None:
    for name in ("", "two words", "1st", None):
        with pytest.raises(InputError, match="identifier"):
            metric(name)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="goal"):
        metric("x", goal="up")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unit of metric 'x'"):
        metric("x", unit=1)  # type: ignore[arg-type]
    assert metric("x_ns", goal="min", doc="d").to_json() == {"name": "x_ns", "unit": "ns", "goal": "min", "doc": "d"}


@pytest.mark.parametrize("value", [math.nan, math.inf, True, np.True_, "3", None, [1.0], 1 + 2j])
def test_a_value_that_is_no_finite_number_is_a_failure(value: Any) -> None:
    result = Metrics({"a": value}, cost_s=2.0).checked([metric("a")])
    assert result.status == "failed" and "a = " in result.error and result.cost_s == 2.0 and not result.values


def test_metrics_other_than_declared_are_a_failure() -> None:
    assert "missing ['b']" in Metrics({"a": 1.0}).checked([metric("a"), metric("b")]).error
    assert "undeclared ['a']" in Metrics({"a": 1.0}).checked([]).error
    for good in (Metrics({"a": np.float64(1.0)}), Metrics({"a": 1}), Metrics.failed("x"), Metrics.infeasible(["y"])):
        assert good.checked([metric("a")]) is good
    assert Metrics({"a": 1.0})["a"] == 1.0 and not Metrics.timeout("slow").ok


def test_equality_ignores_the_clock() -> None:
    def trial(wall_s: float, obtained: str) -> Trial:
        provenance = Provenance("s", "1", "1", "w", "d", worker=f"w{wall_s}", started_at_s=wall_s, wall_s=wall_s)
        return Trial(Design({"a": 1}), Metrics({"x": 1.0}, cost_s=wall_s), provenance, Keys("l", "c"), obtained=obtained)  # type: ignore[arg-type]

    assert trial(1.0, "measured") == trial(2.0, "exact hit")
    assert dataclasses.replace(trial(1.0, "measured"), metrics=Metrics({"x": 2.0})) != trial(1.0, "measured")


@dataclasses.dataclass
class Layer:
    width: int
    kind: str


def test_digests_tell_contents_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    one.write_text("x")
    two.write_text("x")
    different: list[Any] = [
        None, 0, 1, 1.0, True, "1", b"1", [1], [[1]], [1, 1], [], {}, {"a": 1}, {"a": [1]}, {1: 1}, {"1": 1}, one,
        Layer(1, "x"), Layer(2, "x"),
        np.array([1, 2]), np.array([1, 2], dtype=np.int32), np.array([[1, 2]]), np.array([1.0, 2.0]), "ab", ["a", "b"], ["ab"],
        np.array([(1, 2)], dtype=[("x", "i4"), ("y", "i4")]), np.array([(1, 2)], dtype=[("y", "i4"), ("x", "i4")]),
    ]  # fmt: skip
    digests = [content_digest(data) for data in different]
    assert len(set(digests)) == len(different)
    assert content_digest(one) == content_digest(two)
    assert content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    assert content_digest(np.int64(3)) == content_digest(3) and content_digest((1, 2)) == content_digest([1, 2])
    assert content_digest(np.arange(10)[::2]) == content_digest(np.array([0, 2, 4, 6, 8]))
    two.write_text("y")
    assert content_digest(one) != content_digest(two)
    assert len(content_digest([1, "a"])) == 32  # hex of 128 bits


def test_contents_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for data in (object(), {1, 2}, np.array([object()]), lambda: 1, tmp_path, tmp_path / "absent", Layer):
        with pytest.raises(InputError):
            content_digest(data)


def test_a_workload_may_bring_its_digest_and_traits() -> None:
    class Trace:
        digest = "abc"

    assert Workload("w", Trace()).digest == Workload("other", Trace()).digest
    assert Workload("w", object(), digest="mine").digest == "mine"
    assert Workload("w", 1, traits=["read_only"]).traits == frozenset({"read_only"})  # type: ignore[arg-type]


def test_a_result_owns_its_values() -> None:
    shared: dict[str, float] = {}
    results = []
    for value in (1.0, 2.0, 3.0):
        shared["cost"] = value
        results.append(Metrics(shared))
    assert [result["cost"] for result in results] == [1.0, 2.0, 3.0]
    with pytest.raises(TypeError, match="cannot be changed"):
        results[0].values["cost"] = -99.0  # type: ignore[index]
    for change in (lambda v: v.clear(), lambda v: v.update(cost=1.0), lambda v: v.pop("cost"), lambda v: v.__delitem__("cost")):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(results[0].values)
    copies: list[Metrics] = [pickle.loads(pickle.dumps(results[0])), copy.deepcopy(results[0])]
    for copied in copies:
        assert copied == results[0]
        with pytest.raises(TypeError, match="cannot be changed"):
            copied.values["cost"] = 1.0  # type: ignore[index]
    assert replace(results[0], cost_s=1.0).values is results[0].values  # copied once, not at every step of its way
    with pytest.raises(TypeError, match="expected a mapping such as"):
        Metrics(3.5)  # type: ignore[arg-type]


def test_nobody_can_change_what_a_cache_serves() -> None:
    space = dg.DesignSpace(a=dg.Integer(0, 3))
    shared: dict[str, float] = {}

    class Reusing:
        """Fills one dict for every design."""

        name, version, metrics, deterministic, resources = "reusing", "1", (metric("cost"),), True, Resources()

        def __init__(self) -> None:
            self.space = space

        def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
            results = []
            for design in designs:
                shared["cost"] = float(design["a"])
                results.append(Metrics(shared))
            return results

        def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
            return None

    designs = [space.validate({"a": a}) for a in range(4)]
    evaluator = dg.Evaluator(Reusing(), Workload("w"), cache=LocalCache())
    trials = evaluator.evaluate(designs)
    with pytest.raises(TypeError, match="cannot be changed"):
        trials[1].metrics.values["cost"] = -99.0  # type: ignore[index]
    assert [trial.metrics["cost"] for trial in evaluator.evaluate(designs)] == [0.0, 1.0, 2.0, 3.0]
