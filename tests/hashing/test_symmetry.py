import json
import math
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.errors import EvaluationError, InputError
from designgym.hashing.symmetry import Findings, find_equivalences
from designgym.hashing.symmetry_screening import _chance_of_none
from designgym.simulators.dram.simulator import DramController, make_workload
from designgym.simulators.dram.trace import Trace

LAYER = dg.DesignSpace(width=dg.Integer(1, 9), kind=dg.Categorical("a", "b"))
PARAMETERS: dict[str, Any] = {
    "ways": dg.Integer(1, 12), "sets": dg.Integer(1, 12, default=4), "policy": dg.Categorical("lru", "fifo", "plru"),
    "prefetch": dg.Categorical("none", "stride", "next"), "degree": dg.Integer(1, 8), "left": dg.PowerOfTwo(1, 64),
    "right": dg.PowerOfTwo(1, 64), "dead": dg.Float(0.0, 1.0), "mode": dg.Categorical(1, 2, 3), "layers": dg.Repeated(LAYER, 0, 4),
    "stages": dg.Repeated(LAYER, 0, 4),
}  # fmt: skip


def planted(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
    """Return metrics with an equivalence of every kind in them."""
    way = min(design["ways"], design["sets"])
    policy = {"lru": 1.0, "fifo": 2.0, "plru": 1.0}[design["policy"]]
    degree = 0 if design["prefetch"] == "none" else design["degree"]
    mode = 0 if design["prefetch"] == "next" and design["mode"] == 2 else design["mode"] - 1
    layers = sum(layer["width"] ** 2 * (layer["kind"] == "a") for layer in design["layers"])
    stages = sum((i + 1) * stage["width"] for i, stage in enumerate(design["stages"]))
    lanes = math.hypot(design["left"], design["right"])
    traffic = way * 100 + policy * 10 + degree + len(design["prefetch"]) / 7 + lanes / 3 + mode / 11 + layers + stages
    return {"traffic_bytes": traffic, "area_mm2": traffic / 2 + design["sets"]}


PLANTED = {
    "Rewrite('dead', to=\"0.0\")",
    "Condition('degree', when=\"prefetch != 'none'\")",
    "Rewrite('policy', to=\"'lru'\", when=\"policy == 'plru'\")",
    "Rewrite('mode', to=\"1\", when=\"prefetch == 'next' and mode == 2\")",
    "Rewrite('ways', to=\"min(ways, sets)\")",
    "Condition('ways', when=\"sets != 1\")",  # which follows from the line above
    "Interchangeable('left', 'right')",
    "Unordered('layers')",
}


def simulator(function: Any = planted, **rules: Any) -> dg.Simulator:
    space = dg.DesignSpace(PARAMETERS, **rules)
    return dg.simulator(space=space, metrics=["traffic_bytes", "area_mm2"], version="1", name="planted")(function)


PLANTED_INSIDE = {("layers", "Condition('width', when=\"kind == 'a'\")"), ("stages", "Rewrite('kind', to=\"'a'\")")}


def rules_of(found: Findings) -> dict[str, list[Any]]:
    """Return the rules that the suggested Python declares for the space itself."""
    pasted: dict[str, Any] = {}
    exec(found.script(), pasted)
    return {name: pasted.get(name, []) for name in ("conditions", "symmetries")}


@pytest.fixture(scope="module")
def found() -> Findings:
    return find_equivalences(simulator(), dg.Workload("any"), samples=200, budget=30_000)


def test_planted_equivalences_are_found_and_nothing_else_is(found: Findings) -> None:
    assert set(found.suggestions) == PLANTED
    assert {(one.group, one.rule) for one in found.findings if one.group} == PLANTED_INSIDE
    assert all(one.designs >= 50 and one.upper_95 < 0.06 and not one.declared for one in found.findings)
    assert not found.contradictions and not found.undecided and not found.failed and found.declared_pairs == 0
    assert found.screened > len(found.findings) and found.confirmed >= len(found.findings) and found.evaluations <= 30_000
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["suggestions"] == list(found.suggestions)


def test_the_suggested_rules_can_be_declared_and_are_then_known_and_checked(found: Findings) -> None:
    pasted: dict[str, Any] = {}
    exec(found.script(), pasted)
    groups = {
        name: dg.Repeated(
            dg.DesignSpace(
                dict(LAYER.parameters), conditions=pasted.get(f"{name}_conditions", []), symmetries=pasted.get(f"{name}_symmetries", [])
            ), 0, 4,
        ) for name in ("layers", "stages")
    }  # fmt: skip
    space = dg.DesignSpace(PARAMETERS | groups, conditions=pasted["conditions"], symmetries=pasted["symmetries"])
    adopted = dg.simulator(space=space, metrics=["traffic_bytes", "area_mm2"], version="1", name="adopted")(planted)
    again = find_equivalences(adopted, dg.Workload("any"), samples=60, budget=30_000)
    assert again.script() == "" and again.findings and all(one.declared for one in again.findings)
    assert again.declared_pairs > 100 and not again.contradictions
    assert {one.group for one in again.findings} == {"", "layers", "stages"}


def test_another_seed_finds_the_same_and_the_same_seed_exactly_the_same(found: Findings) -> None:
    again = find_equivalences(simulator(), dg.Workload("any"), samples=200, budget=30_000, seed=1)
    assert set(again.suggestions) == PLANTED and again.evaluations != found.evaluations
    small = [find_equivalences(simulator(), dg.Workload("any"), samples=30, budget=5000, seed=3) for _ in range(2)]
    assert small[0] == small[1]


def test_where_everything_makes_a_difference_nothing_is_suggested() -> None:
    rng = np.random.default_rng(0)
    weights = {name: rng.uniform(1, 2) for name in PARAMETERS}

    def everything(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        encoded = dg.DesignSpace(PARAMETERS).encode([design])[0]
        value = float(encoded @ np.linspace(1.0, 2.0, len(encoded)) ** 3)
        return {"traffic_bytes": value, "area_mm2": value * weights["ways"]}

    result = find_equivalences(simulator(everything), dg.Workload("any"), samples=60, budget=20_000)
    assert result.findings == () and result.undecided == ()


def test_a_difference_that_is_rare_is_no_false_condition() -> None:
    def rare(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        special = design["ways"] == 7 and design["sets"] == 3 and design["dead"] > 0.5
        return {"traffic_bytes": design["ways"] + special * design["degree"], "area_mm2": float(design["sets"])}

    result = find_equivalences(simulator(rare), dg.Workload("any"), samples=100, budget=20_000)
    assert not any("degree" in one.words and "where" in one.words for one in result.findings)
    degree = [one.upper_95 for one in result.findings if one.words == "degree makes no difference"]
    assert all(1 / 288 < bound < 0.06 for bound in degree), "that it matters on one design of 288 is within what is stated"


def test_a_wrong_rule_is_shown() -> None:
    wrong = dg.Rewrite("policy", to="'lru'", when="policy == 'fifo'")
    result = find_equivalences(simulator(symmetries=[wrong]), dg.Workload("any"), samples=20, budget=5000)
    assert result.contradictions
    for a, b in result.contradictions:
        assert {a["policy"], b["policy"]} == {"lru", "fifo"} and a != b


def test_traits_of_the_workload_are_part_of_the_rules() -> None:
    workload = dg.Workload("any", traits=frozenset({"read_only", "warm"}))
    result = find_equivalences(simulator(), workload, samples=60, budget=20_000)
    assert "Rewrite('dead', to=\"0.0\", when=\"'read_only' in traits and 'warm' in traits\")" in result.suggestions
    known = find_equivalences(simulator(**rules_of(result)), workload, samples=40, budget=20_000)
    assert all(one.declared for one in known.findings if not one.group) and result.traits == ("read_only", "warm")
    elsewhere = find_equivalences(simulator(**rules_of(result)), dg.Workload("other"), samples=40, budget=20_000)
    assert "Rewrite('dead', to=\"0.0\")" in elsewhere.suggestions
    swapped = next(one for one in result.findings if one.kind == "interchangeable")
    assert f"{swapped.rule},  # found on a workload with traits; this rule is for all workloads" in result.script()


def test_names_that_cannot_stand_in_an_expression_give_no_rule_line() -> None:
    space = dg.DesignSpace({"cache ways": dg.Integer(1, 4), "size": dg.Integer(1, 4), "a policy": dg.Categorical("x", "y", "z")})
    sim = dg.simulator(space=space, metrics=["x"], version="1", name="named")(
        lambda design, workload, *, seed: {"x": design["size"] + 7 * (design["a policy"] == "x")}
    )
    found = find_equivalences(sim, dg.Workload("any"), samples=60, budget=2000)
    rules = {one.words: one.rule for one in found.findings}
    assert rules == {"cache ways makes no difference": "Rewrite('cache ways', to=\"1\")", "a policy acts alike with 'y' and 'z'": ""}
    assert len(rules_of(found)["symmetries"]) == 1


@pytest.mark.parametrize(("low", "rule"), [(0, "Rewrite('layers', to=\"()\")"), (1, "")])
def test_groups_and_orderings_may_be_without_effect(low: int, rule: str) -> None:
    space = dg.DesignSpace(layers=dg.Repeated(LAYER, low, 3), order=dg.Permutation("a", "b", "c"), size=dg.Integer(1, 4))
    sim = dg.simulator(space=space, metrics=["x"], version="1", name="grouped")(lambda design, workload, *, seed: {"x": design["size"]})
    result = find_equivalences(sim, dg.Workload("any"), samples=30, budget=1000)
    found = {one.words: one.rule for one in result.findings}
    assert found == {"layers makes no difference": rule, "order makes no difference": "Rewrite('order', to=\"('a', 'b', 'c')\")"}
    declared = dg.DesignSpace(dict(space.parameters), symmetries=rules_of(result)["symmetries"])
    assert declared.canonical(declared.sample(np.random.default_rng(1))[0])["order"] == ("a", "b", "c")


def test_where_nothing_works_nothing_is_found_out() -> None:
    def broken(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        raise RuntimeError("no licence")

    simulator = dg.simulator(space=dg.DesignSpace(a=dg.Integer(1, 6)), metrics=["x"], version="1")(broken)
    with pytest.raises(EvaluationError, match=r"all \d+ designs failed that were measured, the first one: .*no licence"):
        find_equivalences(simulator, dg.Workload("any"), samples=20, budget=300)


def test_illegal_designs_are_left_out_and_failures_are_differences_if_they_last() -> None:
    space = dg.DesignSpace(
        a=dg.Integer(1, 6), b=dg.Integer(1, 6), c=dg.Categorical("x", "y"), constraints=[dg.Constraint("a + b <= 9", "too large")]
    )
    calls, lasting = 0, False

    def measured(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        nonlocal calls
        calls += 1
        assert design["a"] + design["b"] <= 9
        if lasting and design["a"] == 6:
            raise RuntimeError("six")
        if not lasting and calls % 10 == 0:
            raise RuntimeError("now and then")
        return {"x": design["a"] ** 2 + design["b"] ** 2}

    for words in ({"c makes no difference", "a and b may swap values"}, {"c makes no difference"}):
        simulator = dg.simulator(space=space, metrics=["x"], version="1")(measured)
        result = find_equivalences(simulator, dg.Workload("any"), samples=60, budget=3000)
        assert result.failed > 0 and {one.words for one in result.findings} == words
        lasting = True


def test_the_budget_is_kept() -> None:
    seen: list[int] = []
    result = find_equivalences(simulator(), dg.Workload("any"), samples=10_000, budget=1000, progress=seen.append)
    assert sum(seen) == result.evaluations <= 1000 and result.designs < 20
    assert set(result.suggestions) <= PLANTED
    with pytest.raises(InputError, match=r"a budget of 100 evaluations is too small: .*give \d+ or more"):
        find_equivalences(simulator(), dg.Workload("any"), budget=100)
    wrong: list[dict[str, Any]] = [{"samples": 0}, {"budget": 1.5}, {"seed": -1}]
    for option in wrong:
        with pytest.raises(InputError, match="expected a whole number of"):
            find_equivalences(simulator(), dg.Workload("any"), **option)


def test_the_chance_of_no_difference_is_fishers() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    for total, events, drawn in ((200, 40, 67), (200, 3, 100), (10, 5, 5), (20, 0, 7)):
        expected = scipy_stats.hypergeom(total, events, drawn).pmf(0)
        assert _chance_of_none(drawn, [True] * events + [False] * (total - events)) == pytest.approx(expected)


def read_only_trace(requests: int = 250) -> dg.Workload:
    """Return reads in bursts over few rows: the order in which they are served matters, and so do pauses, to refreshes."""
    rng = np.random.default_rng(0)
    ticks = np.arange(requests) // 25 * 2000
    return make_workload(
        Trace(
            "bursts of reads",
            ticks,
            np.zeros(requests, bool),
            rng.integers(0, 64, requests) * 8192 * 4 + rng.integers(0, 16, requests) * 64,
        )
    )


def test_the_rules_of_the_memory_controller_are_found_again() -> None:
    result = find_equivalences(DramController(allow_no_refresh=True), read_only_trace(), samples=150, budget=8000)
    assert result.traits == ("read_only",) and not result.contradictions and result.declared_pairs > 500
    declared = {one.words for one in result.findings if one.declared}
    assert declared >= {
        "MaxActiveTransactions makes no difference where Arbiter == 'Simple'",
        "Scheduler acts alike with 'FrFcfs' and 'FrFcfsGrp'",
        "SchedulerBuffer acts alike with 'ReadWrite' and 'Shared'",
        "RefreshMaxPostponed makes no difference where RefreshPolicy == 'NoRefresh'",
        "RefreshMaxPulledin makes no difference where RefreshPolicy == 'NoRefresh'",
    }
