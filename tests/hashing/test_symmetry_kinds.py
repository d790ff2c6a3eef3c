"""What the finder finds, one planted kind of equivalence after the other, and that what it suggests can be pasted."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.hashing.symmetry import Findings, find_equivalences
from designgym.hashing.symmetry_regions import Region, find_bound

Values = dict[str, Any]
CORE = ("big", "little", "none")


def search(parameters: Values, cost: Callable[[Any], float], *, budget: int = 6000, seed: int = 0, **options: Any) -> Findings:
    space = dg.DesignSpace(parameters)
    simulator = dg.simulator(space=space, metrics=["cost", "area_mm2"], version="1", name="planted")(
        lambda design, workload, *, seed: {"cost": cost(design), "area_mm2": 2.0 * cost(design)}
    )
    return find_equivalences(simulator, dg.Workload("any"), budget=budget, seed=seed, **options)


def core(design: Any, kind: str, width: str) -> float:
    return float({"big": 3.0, "little": 1.1, "none": 0.0}[design[kind]] * design[width] ** 0.6)


KINDS: dict[str, tuple[Values, Callable[[Any], float], set[str]]] = {
    "beyond a bound of real numbers": (
        {"rate": dg.Float(0.0, 1.0), "burst": dg.Integer(1, 9)},
        lambda d: d["rate"] + 0.7 * (1 if d["rate"] >= 0.4 else d["burst"]), {"burst makes no difference where rate >= 0.4"},
    ),
    "beyond a bound of whole numbers": (
        {"ways": dg.Integer(1, 200), "tail": dg.Float(0.0, 2.0)},
        lambda d: d["ways"] + 0.7 * (1.0 if d["ways"] <= 37 else d["tail"]), {"tail makes no difference where ways <= 37"},
    ),
    "saturation": (
        {"queue": dg.PowerOfTwo(1, 256), "depth": dg.Float(1e-3, 10.0, log=True)},
        lambda d: min(d["queue"], 32) + 3 * max(d["depth"], 0.02), {"queue above 32 acts like 32", "depth below 0.02 acts like 0.02"},
    ),
    "the larger one": (
        {"read": dg.Integer(1, 20), "link": dg.Integer(1, 20)},
        lambda d: max(d["read"], d["link"]) + 0.1 * d["link"], {"read below link acts like read equal to it"}
        | {"read makes no difference where link == 20"},  # which follows from it
    ),
    "several together": (
        {f"{part}{i}": kind for i in range(3) for part, kind in (("core", dg.Categorical(*CORE)), ("width", dg.Integer(1, 8)))},
        lambda d: sum(core(d, f"core{i}", f"width{i}") for i in range(3)) ** 2,
        {f"width{i} makes no difference where core{i} == 'none'" for i in range(3)}
        | {"(core0, width0) and (core1, width1) and (core2, width2) may swap values"},
    ),
    "several together, by names that do not help": (
        {"alpha": dg.Categorical(*CORE[:2]), "s": dg.Integer(1, 6), "beta": dg.Categorical(*CORE[:2]), "u": dg.Integer(1, 6)},
        lambda d: (core(d, "alpha", "s") + core(d, "beta", "u")) ** 2, {"(alpha, s) and (beta, u) may swap values"},
    ),
    "product": (
        {"lanes": dg.Integer(1, 12), "clock": dg.Integer(1, 9)}, lambda d: 50 / (d["lanes"] * d["clock"]),
        {"lanes and clock act through lanes * clock only"},
    ),
    "sum": (
        {"read": dg.Integer(0, 9), "write": dg.Integer(2, 20)}, lambda d: (d["read"] + d["write"]) ** 1.5,
        {"read and write act through read + write only"},
    ),
    "ratio and difference": (
        {"fast": dg.PowerOfTwo(1, 64), "slow": dg.PowerOfTwo(1, 16), "low": dg.Integer(0, 9), "high": dg.Integer(0, 12)},
        lambda d: d["fast"] / d["slow"] * 1.7 ** (d["high"] - d["low"]),
        {"fast and slow act through fast / slow only", "low and high act through low - high only"},
    ),
    "values": (
        {"policy": dg.Categorical("a", "b", "c", "d", default="c"), "size": dg.Integer(1, 9)},
        lambda d: d["size"] + {"a": 0.1, "b": 0.5, "c": 0.1, "d": 0.1}[d["policy"]], {"policy acts alike with 'c', 'a' and 'd'"},
    ),
    "each where the other is 0": (
        {"n": dg.Integer(0, 6), "m": dg.Integer(0, 6)}, lambda d: d["n"] * d["m"] ** 2,
        {"n makes no difference where m == 0", "m makes no difference where n == 0"},
    ),
    "none": (
        {"a": dg.Integer(1, 20), "b": dg.Float(0.0, 1.0), "c": dg.Categorical("x", "y", "z"), "d": dg.PowerOfTwo(1, 128)},
        lambda d: d["a"] ** 1.1 * (1 + d["b"]) + {"x": 1, "y": 2.2, "z": 3.5}[d["c"]] * (d["d"] + 3) ** 0.3, set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "seed"), itertools.product(KINDS, (0, 1)))
def test_what_is_planted_is_found_nothing_else_is_and_the_suggestion_can_be_pasted(kind: str, seed: int) -> None:
    parameters, cost, words = KINDS[kind]
    found = search(parameters, cost, seed=seed)
    assert {one.words for one in found.findings} == words
    assert all(one.rule and not one.note for one in found.findings) and not found.undecided
    pasted: dict[str, Any] = {}
    exec(found.script(), pasted)
    space = dg.DesignSpace(parameters, conditions=pasted.get("conditions", []), symmetries=pasted.get("symmetries", []))
    merged = 0
    for design in space.sample(np.random.default_rng(7), 200):
        form = space.canonical(design)
        assert cost(form) == pytest.approx(cost(design), rel=1e-12)
        merged += form != design
    assert (merged > 5) == bool(words)


def test_real_numbers_that_act_through_their_sum_are_told_without_a_rule() -> None:
    found = search({"x": dg.Float(0.0, 1.0), "y": dg.Float(0.0, 2.0)}, lambda d: (d["x"] + d["y"]) ** 1.3)
    assert {one.words: one.rule for one in found.findings} == {"x and y act through x + y only": ""} and found.script() == ""


def test_inside_of_groups_inside_of_groups() -> None:
    port = dg.DesignSpace(lanes=dg.Integer(1, 4), kind=dg.Categorical("a", "b"), spare=dg.Integer(0, 3))
    node = dg.DesignSpace(size=dg.Integer(1, 9), ports=dg.Repeated(port, 0, 3))
    found = search(
        {"nodes": dg.Repeated(node, 0, 3), "clock": dg.Integer(1, 9)},
        lambda d: (
            d["clock"]
            + sum(
                (i + 1) ** 1.5
                * (n["size"] + sum((j + 2) ** 0.5 * (p["lanes"] if p["kind"] == "a" else 7.3) for j, p in enumerate(n["ports"])))
                for i, n in enumerate(d["nodes"])
            )
        ),
    )
    assert {(one.group, one.words) for one in found.findings} == {
        ("nodes.ports", "in nodes.ports: spare makes no difference"),
        ("nodes.ports", "in nodes.ports: lanes makes no difference where kind == 'b'"),
    }
    pasted: dict[str, Any] = {}
    exec(found.script(), pasted)
    space = dg.DesignSpace(dict(port.parameters), conditions=pasted["nodes_ports_conditions"], symmetries=pasted["nodes_ports_symmetries"])
    assert space.canonical(space.validate({"lanes": 3, "kind": "b", "spare": 2})) == space.validate({"lanes": 1, "kind": "b", "spare": 0})


def noisy(sd: float, *, deterministic: bool) -> dg.Simulator:
    space = dg.DesignSpace(a=dg.Integer(1, 8), c=dg.Categorical("x", "y", "z"), dead=dg.Integer(1, 5))

    @dg.simulator(space=space, metrics=["cost"], version="1", deterministic=deterministic)
    def measured(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        rng = np.random.default_rng([seed, *design.literal.encode()])
        return {"cost": (design["a"] * 10 + {"x": 1, "y": 1, "z": 25}[design["c"]]) * (1 + sd * rng.standard_normal())}

    return measured


def test_noise_is_measured_first_and_no_difference() -> None:
    result = find_equivalences(noisy(0.005, deterministic=False), dg.Workload("any"), budget=6000)
    assert {one.words for one in result.findings} == {"dead makes no difference", "c acts alike with 'x' and 'y'"}
    assert 0.01 < result.noise["cost"] < 0.04, "six standard errors of a difference of means of four"
    exact = find_equivalences(noisy(0.005, deterministic=False), dg.Workload("any"), budget=6000, tolerance=1e-9)
    assert exact.findings == () and exact.noise == {}


def test_a_simulator_that_says_that_it_is_deterministic_and_is_not_is_refused() -> None:
    space = dg.DesignSpace(a=dg.Integer(1, 8), b=dg.Integer(1, 8))
    clock = dg.simulator(space=space, metrics=["cost"], version="1", name="clock")(
        lambda design, workload, *, seed: {"cost": time.perf_counter()}
    )
    with pytest.raises(InputError, match=r"clock says that it is deterministic, but cost differed .*: declare deterministic=False"):
        find_equivalences(clock, dg.Workload("any"))


def test_progress_of_a_slow_simulator_is_told_often_and_the_budget_goes_far() -> None:
    seen: list[int] = []

    def cost(design: Any) -> float:
        time.sleep(0.03)
        return float(design["a"] * 3 + design["b"] ** 2)

    parameters = {"a": dg.Integer(1, 9), "b": dg.Integer(1, 9), "dead": dg.Integer(0, 9)}
    found = search(parameters, cost, budget=200, progress=seen.append)
    assert max(seen) <= 16 and sum(seen) == found.evaluations <= 200
    assert {one.words for one in found.findings} == {"dead makes no difference"}


def test_bounds_are_found_to_the_last_value() -> None:
    whole, real = dg.Integer(0, 1000, step=10), dg.Float(0.001, 10.0, log=True)
    assert find_bound(whole, 0, 1000, lambda value: value < 430) == 430 and find_bound(whole, 1000, 0, lambda value: value > 430) == 430
    assert find_bound(real, 0.001, 10.0, lambda value: value < 0.05) == 0.05
    assert 0.05 < find_bound(real, 0.001, 10.0, lambda value: value <= 0.05) < 0.0502, "0.05 itself is outside"
    above = Region("x", side=">=", bound=0.05)
    drawn = [above.draw(real, np.random.default_rng(i)) for i in range(50)]
    assert min(drawn) == 0.05 and max(drawn) > 1 and above.negation(real) == "x < 0.05"
