import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from designgym.core.errors import ExpressionError, InputError, UnknownNameError
from designgym.core.metrics import Metrics, metric
from designgym.core.objectives import ArchGymReward, Objective, maximize, minimize, pareto, target, weighted
from designgym.core.pareto import hypervolume, non_dominated
from designgym.core.scores import LARGEST, feasible_score, infeasible_score

positive = st.floats(1e-6, 1e9)
finite = st.floats(allow_nan=False, allow_infinity=False)


def ok(**values: float) -> Metrics:
    return Metrics(values)


@given(positive, positive)
def test_minimise_and_maximise(a: float, b: float) -> None:
    assert (minimize("x").score(ok(x=a)) > minimize("x").score(ok(x=b))) == (a < b)
    assert (maximize("x").score(ok(x=a)) > maximize("x").score(ok(x=b))) == (a > b)
    assert minimize("x").vector(ok(x=a)) == (-a,) and minimize("x").shown(ok(x=a)) == {"x": a}


@given(positive, positive, st.floats(1e-3, 1e6), st.floats(0, 1))
def test_beating_a_target_is_never_worse_than_meeting_it(a: float, b: float, limit: float, bonus: float) -> None:
    objective = target({"x": limit}, bonus=bonus)
    better, worse = sorted((a, b))
    assert objective.score(ok(x=better)) >= objective.score(ok(x=worse))
    assert objective.score(ok(x=limit)) == 0 and objective.score(ok(x=limit / 2)) >= 0
    if bonus > 0.01 and better < worse * 0.999:
        assert objective.score(ok(x=better)) > objective.score(ok(x=worse))


def two_targets(p: float, q: float, bonus: float = 0.1) -> float:
    return target({"p": 1000, "q": 10}, bonus=bonus).score(ok(p=p, q=q))


def test_missing_one_target_ranks_below_meeting_all() -> None:
    assert str(two_targets(1000, 10)) == "0.0"
    assert two_targets(1000, 10) > two_targets(500, 10.4) == pytest.approx(-0.04)
    assert (two_targets(500, 10), two_targets(500, 5)) == (pytest.approx(0.05), pytest.approx(0.1))
    assert two_targets(-LARGEST, math.nextafter(10, 11)) < 0 and two_targets(LARGEST, LARGEST) > -math.inf
    assert two_targets(2000, 20) < two_targets(2000, 10) == two_targets(2000, 1) < two_targets(1500, 10) < 0


quantity = st.one_of(finite, st.floats(0, 30))


@given(quantity, quantity, quantity, quantity, st.floats(0, 1))
def test_the_laws_of_several_targets(p: float, q: float, other_p: float, other_q: float, bonus: float) -> None:
    here, there = two_targets(p, q, bonus), two_targets(other_p, other_q, bonus)
    met, other_met = p <= 1000 and q <= 10, other_p <= 1000 and other_q <= 10
    assert (here >= 0) == met, "meeting all is 0 or more, missing any is below"
    if met and not other_met:
        assert here > there
    if p <= other_p and q <= other_q:
        assert here >= there, "less of anything is never worse, whatever is met"


def test_archgyms_reward_prefers_hitting_to_beating() -> None:
    reward = ArchGymReward({"power_mw": 1.0}, {"power_mw": 1e-3})  # 1 W
    meets, beats, misses = ok(power_mw=999.0), ok(power_mw=500.0), ok(power_mw=2000.0)
    assert reward.score(meets) > reward.score(beats)  # the flaw, as published
    assert reward.score(beats) == pytest.approx(1 / 0.5) and reward.score(misses) == pytest.approx(1.0)
    assert target({"power_mw": 1000.0}).score(beats) > target({"power_mw": 1000.0}).score(meets)
    both = ArchGymReward({"power_mw": 1.0, "total_time_ns": 0.1}, {"power_mw": 1e-3, "total_time_ns": 1e-9})
    assert both.score(ok(power_mw=1500.0, total_time_ns=5e4)) == pytest.approx(2.0 * 0.1 / (0.1 - 5e-5))
    assert math.isfinite(reward.score(ok(power_mw=1000.0))) and reward.to_json()["targets"] == {"power_mw": 1.0}
    assert "ArchGym" in reward.describe()


@given(positive, positive, positive, positive)
def test_feasible_beats_infeasible_beats_failed_and_violations_are_ordered(a: float, b: float, over: float, more: float) -> None:
    objective = minimize("x", subject_to={"y": "<= 10", "z": ">= 1"})
    feasible, infeasible = ok(x=a, y=10, z=1), ok(x=b, y=10 + over, z=1)
    worse = ok(x=b, y=10 + over, z=1 - more)
    assert objective.feasible(feasible) and not objective.feasible(infeasible)
    assert objective.score(feasible) > objective.score(infeasible) >= objective.score(worse) > -math.inf
    for failed in (Metrics.failed("x"), Metrics.timeout("x"), Metrics.infeasible(["x"])):
        assert objective.score(failed) < objective.score(worse) and objective.vector(failed) == (-math.inf,)
        assert objective.violations(failed) == {} and not objective.feasible(failed) and objective.shown(failed) == {}


@given(finite, finite, finite, finite)
def test_the_order_of_outcomes_holds_for_all_finite_numbers(good: float, bad: float, limit: float, measured: float) -> None:
    assume(measured > limit)
    objective = minimize("x", subject_to={"y": f"<= {limit!r}"})
    scores = [
        objective.score(result)
        for result in (ok(x=good, y=limit), ok(x=bad, y=measured), Metrics.infeasible(["illegal"]), Metrics.failed("crashed"))
    ]
    assert scores[0] > scores[1] > scores[2] > scores[3] == objective.score(Metrics.timeout("slow")) == -math.inf
    assert objective.violations(ok(x=bad, y=measured))[f"y <= {limit:g}"] < math.inf and math.isfinite(scores[2])


def test_a_huge_cost_beats_a_broken_bound() -> None:
    objective = minimize("x", subject_to={"y": "<= 1"})
    assert objective.score(ok(x=LARGEST, y=0)) > objective.score(ok(x=1, y=2)) > objective.score(ok(x=1, y=LARGEST))
    assert objective.score(ok(x=2e301, y=0)) > objective.score(ok(x=3e301, y=0)) > objective.score(ok(x=3e307, y=0))
    assert objective.score(ok(x=5e298, y=0)) == -5e298 and objective.unbounded_score(ok(x=2e301, y=0)) == -2e301
    many = minimize("x", subject_to={f"y - {i}": "<= 1e-9" for i in range(3)})
    assert many.score(ok(x=1, y=LARGEST)) == infeasible_score(LARGEST)


@given(finite, finite)
def test_feasible_scores_rise_with_the_value(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert feasible_score(low) <= feasible_score(high) and (feasible_score(high) == high or high < -1e299)
    if low < high - 1e-9 * abs(high):
        assert feasible_score(low) < feasible_score(high)


@given(st.floats(5e-324, LARGEST), st.floats(5e-324, LARGEST))
def test_infeasible_scores_fall_with_the_violation(a: float, b: float) -> None:
    less, more = sorted((a, b))
    if less < more * (1 - 1e-9):
        assert infeasible_score(less) > infeasible_score(more)
    assert -1e300 >= infeasible_score(0) > infeasible_score(less) and infeasible_score(more) > infeasible_score(math.inf) == -2e300
    assert infeasible_score(1) == -1.5e300


def test_violations_are_relative_and_named() -> None:
    objective = minimize("x", subject_to={"y * 2": "<= 10", "z": ">= 0"})
    assert objective.violations(ok(x=1, y=10, z=-3)) == {"y * 2 <= 10": 1.0, "z >= 0": 3.0}
    assert "subject to" in objective.describe() and "minimise x" in objective.describe()
    assert objective.score(ok(x=1, y=1e300, z=0)) >= -2e300


def test_equal_json_means_equal_scores() -> None:
    near = [minimize("x", subject_to={"y": f"<= {limit!r}"}) for limit in (1.23456789, 1.23456788)]
    assert near[0].to_json() != near[1].to_json()
    for objective in (
        *near, maximize("x"), weighted({"x": 1.0}, scales={"x": 2.0}), target({"x": 1.0}), pareto("x", "y", reference={"x": 1, "y": 2}),
    ):  # fmt: skip
        assert json.loads(json.dumps(objective.to_json())) == objective.to_json()
        assert objective.describe()


def test_weighted_sums_use_scales_so_that_units_do_not_mix() -> None:
    objective = weighted({"time_ns": 2.0, "area_mm2": 1.0, "hits": -1.0}, scales={"time_ns": 100, "area_mm2": 0.5, "hits": 10})
    assert objective.score(ok(time_ns=50, area_mm2=1.0, hits=5)) == pytest.approx(-(1.0 + 2.0 - 0.5))
    assert objective.vector(ok(time_ns=50, area_mm2=1.0, hits=5)) == (-50, -1.0, 5)
    assert "2 * time_ns / 100" in objective.describe()


@pytest.mark.parametrize(
    "make",
    [
        lambda: weighted({"x": 1}, scales={"y": 1}),
        lambda: weighted({"x": math.nan}, scales={"x": 1}),
        lambda: weighted({"x": 1}, scales={"x": 0}),
        lambda: weighted({}, scales={}),
        lambda: target({"x": -1}),
        lambda: target({"x": math.inf}),
        lambda: target({"x": 1}, bonus=2),
        lambda: target({}),
        lambda: pareto("x", reference={"x": 1}),
        lambda: pareto("x", "y", reference={"x": 1}),
        lambda: pareto("x", "x", reference={"x": 1}),
        lambda: pareto("x", "y", reference={"x": 1, "y": 1}, maximize=["z"]),
        lambda: minimize("x +"),
        lambda: minimize("x", subject_to={"y": "< 3"}),
        lambda: minimize("x", subject_to={"y": "<= much"}),
        lambda: minimize("x", subject_to={"y": "<= nan"}),
        lambda: minimize("x", subject_to={"y": 3}),  # type: ignore[dict-item]
        lambda: minimize("x", subject_to="y <= 3"),  # type: ignore[arg-type]
        lambda: target({"x": "3"}),  # type: ignore[dict-item]
    ],
)
def test_impossible_objectives_are_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]


def test_a_metric_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'latency_ns'"):
        minimize("latncy_ns").check([metric("latency_ns")])
    with pytest.raises(UnknownNameError):
        minimize("x", subject_to={"y": "<= 1"}).check([metric("x")])
    named = minimize("x").named("fast")
    assert named.name == "fast" and minimize("x").name == "" and named.score(ok(x=1)) == -1


NO_VALUE = [
    ("1 / x", "division by zero"), ("log(x)", "'log(x)' cannot be evaluated"), ("1e308 * 10 + x", "gives inf"),
    ("exp(1000 + x)", "math range error"), ("0 ** (x - 1)", "'0 ** (x - 1)'"), ("2 ** (x + 65)", "exponent"),
    ("(2 ** 60) ** 64 if x < 1 else x", "finite"),
    ("x if x > 0 else 'none'", "gives 'none'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), NO_VALUE)
def test_a_result_without_a_value_is_the_worst_with_the_reason_and_ends_nothing(text: str, reason: str) -> None:
    result, illegal = ok(x=0.0, y=5.0), ok(x=1.0, y=50.0)
    for objective in (
        minimize(text), maximize(text), minimize("y", subject_to={text: "<= 1"}), weighted({text: 1}, scales={text: 1}), target({text: 1}),
        pareto(text, "y", reference={text: 1, "y": 9}), minimize(text, subject_to={"y": "<= 1"}),
    ):  # fmt: skip
        assert objective.score(result) == -math.inf < minimize("y", subject_to={"y": "<= 1"}).score(illegal)
        assert not objective.feasible(result) and reason in objective.problem(result)
        assert objective.problem(Metrics.failed("x")) == ""
    objective = pareto("y", text, reference={text: 1, "y": 9}, subject_to={text: "<= 1"})
    assert objective.vector(result) == (-math.inf, -math.inf) and objective.shown(result) == {}
    assert objective.hypervolume([result]) == 0 and objective.violations(result) == {f"{text} <= 1": math.inf}


def test_a_result_with_a_value_has_no_problem() -> None:
    objective = minimize("1 / x", subject_to={"log(x)": "<= 1"})
    assert objective.problem(ok(x=2.0)) == "" == objective.problem(ok(x=9.0)) and objective.feasible(ok(x=2.0))
    assert objective.score(ok(x=2.0)) == -0.5 > objective.score(ok(x=9.0)) > -math.inf


def test_terms_that_are_too_large_together_are_no_score() -> None:
    hit = ArchGymReward({"x": 0.0}, {"x": 1.0})
    assert hit.score(ok(x=0.0)) == -math.inf and "division by zero" in hit.problem(ok(x=0.0)) and hit.feasible(ok(x=1.0))
    objective = weighted({"x": 1, "y": 1}, scales={"x": 1e-3, "y": 1})
    assert objective.score(ok(x=1e308, y=0.0)) == -math.inf and "too large together" in objective.problem(ok(x=1e308, y=0.0))


@pytest.mark.parametrize("text", ["'word'", "(1, x)", "1 / 0", "log(0)", "min('a', 'b')"])
def test_an_objective_that_is_no_number_for_any_result_is_refused(text: str) -> None:
    for objective in (minimize(text), minimize("x", subject_to={text: "<= 1"})):
        with pytest.raises(ExpressionError):
            objective.check([metric("x")])
    minimize("1 / (x - 1.5)").check([metric("x")])  # which has values elsewhere


def test_a_nameless_objective_is_abstract() -> None:
    with pytest.raises(NotImplementedError):
        Objective(minimize("x").terms).score(ok(x=1))


def test_pareto_scores_lead_into_the_reference_box() -> None:
    objective = pareto("t", "e", reference={"t": 10, "e": 100})
    assert objective.score(ok(t=5, e=50)) == pytest.approx(0.25)
    assert objective.score(ok(t=20, e=50)) < objective.score(ok(t=11, e=50)) < objective.score(ok(t=9.9, e=99)) < 1
    assert objective.reference_vector == (-10, -100) and objective.vector(ok(t=5, e=50)) == (-5, -50)
    assert objective.hypervolume([ok(t=5, e=50), ok(t=2, e=80), ok(t=50, e=1), Metrics.failed("x")]) == pytest.approx(0.25 + 0.3 * 0.2)
    assert objective.hypervolume([]) == 0
    raw = hypervolume([objective.vector(ok(t=5, e=50)), objective.vector(ok(t=2, e=80))], objective.reference_vector)
    assert objective.hypervolume([ok(t=5, e=50), ok(t=2, e=80)]) == pytest.approx(raw / (10 * 100))  # docs/units.md
    mixed = pareto("t", "hits", reference={"t": 10, "hits": 4}, maximize=["hits"])
    assert mixed.score(ok(t=5, hits=6)) == pytest.approx(0.25) and "maximise hits" in mixed.describe()


@pytest.mark.parametrize("terms", [1, 2, 3, 4])
def test_hypervolume_equals_botorch(terms: int) -> None:
    import torch
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    rng = np.random.default_rng(terms)
    for n in (1, 5, 30):
        points = rng.integers(0, 6, size=(n, terms)).astype(float) if n == 30 else rng.random((n, terms))
        reference = np.full(terms, 0.2)
        front = is_non_dominated(torch.as_tensor(points), deduplicate=False).numpy()
        assert (non_dominated(points) == front).all()
        if terms > 1:
            expected = Hypervolume(torch.as_tensor(reference)).compute(torch.as_tensor(points[front]))
            assert hypervolume(points, reference) == pytest.approx(expected)
        else:
            assert hypervolume(points, reference) == pytest.approx(max(0.0, points.max() - 0.2))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_front_is_what_nothing_dominates(points: list[tuple[int, int, int]]) -> None:
    v = np.array(points, dtype=float).reshape(-1, 3)
    expected = [not any((w >= row).all() and (w > row).any() for w in v) for row in v]
    assert non_dominated(v).tolist() == expected


def test_failures_are_on_no_front() -> None:
    assert non_dominated([[-math.inf, -math.inf], [1.0, 2.0]]).tolist() == [False, True]
    assert non_dominated(np.empty((0, 2))).tolist() == []
    assert hypervolume([[-math.inf, 3]], [0, 0]) == 0


@given(positive, positive)
def test_scores_of_products_are_ordered(energy: float, other: float) -> None:
    assume(energy != other)
    objective = minimize("energy_pj * total_time_ns", name="edp_pj_ns")
    scores = [objective.score(ok(energy_pj=e, total_time_ns=3.0)) for e in (energy, other)]
    assert (scores[0] > scores[1]) == (energy < other)
    assert "edp_pj_ns" in objective.describe()
