"""``designgym/AutoscaledCluster-v0``: policies as designs, their canonical form, days of requests, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.core.testing import check_env, check_simulator
from designgym.envs import environment, make_evaluator
from designgym.simulators.cluster.autoscaled import AutoscaledCluster
from designgym.simulators.cluster.day import day_of_requests
from designgym.simulators.cluster.heterogeneous import HeterogeneousCluster

ID = "designgym/AutoscaledCluster-v0"
SHORT = "day-conv:rate=8,hours=0.2"
SIMULATOR = AutoscaledCluster(token_costs="batched", start_up_s=20.0)
OPTIONS = {"token_costs": "batched", "start_up_s": 20.0}


def pool(role: str, machine: str, most: int, least: int = 1, **values: Any) -> dict[str, Any]:
    return {"role": role, "machine": machine, "machines": most, "min_machines": least} | values


SPLIT = [pool("prompt", "h100", 8), pool("token", "h100", 8)]


def design(pools: list[dict[str, Any]], simulator: AutoscaledCluster = SIMULATOR, **values: Any) -> Design:
    usual = simulator.space.default().to_dict()
    return simulator.space.validate(usual | {"pools": [usual["pools"][0] | each for each in pools]} | values)


def evaluate(designs: list[Design], workload: str = SHORT, simulator: AutoscaledCluster = SIMULATOR) -> list[Metrics]:
    return simulator.evaluate(designs, environment(ID).workload(workload))


@pytest.mark.slow
def test_it_passes_the_kit_on_whole_days() -> None:
    check_env(ID)


@pytest.mark.parametrize("simulator", [SIMULATOR, AutoscaledCluster(most_pools=3)], ids=["batched", "tables"])
def test_it_passes_the_kit(simulator: AutoscaledCluster) -> None:
    check_simulator(simulator, environment(ID).workload("day-conv:rate=2,hours=0.1"), samples=20, twins=6)


def test_a_policy_saves_money_and_energy() -> None:
    static, scaled = evaluate([design([pool("prompt", "h100", 8, 8), pool("token", "h100", 8, 8)]), design(SPLIT, scale_down_delay_s=60.0)])
    assert static.ok and scaled.ok
    assert scaled["cost_usd"] < 0.8 * static["cost_usd"] and scaled["energy_kwh"] < static["energy_kwh"]
    assert scaled["mean_instances"] < static["mean_instances"] == scaled["most_instances"] == 16
    assert static["starts"] == 0 and scaled["utilisation"] > static["utilisation"]
    assert scaled["worst_part_slowdown"] >= scaled["worst_slowdown"] >= static["worst_slowdown"]


def test_without_a_choice_it_is_the_static_cluster() -> None:
    static = HeterogeneousCluster(token_costs="batched")
    usual = static.space.default().to_dict()
    pools = [{"role": each["role"], "machine": each["machine"], "machines": 5} for each in SPLIT]
    workload = environment(ID).workload(SHORT)
    [theirs] = static.evaluate([static.space.validate(usual | {"pools": pools})], workload)
    [ours] = evaluate([design([each | {"machines": 5, "min_machines": 5} for each in SPLIT])])
    same = (theirs.values.keys() & ours.values.keys()) - {"usd_per_million_tokens", "utilisation"}  # which count from the day's start here
    assert len(same) > 20 and {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    hours = (workload.data.arrival_s[0] + theirs["makespan_s"]) / 3600
    assert ours["cost_usd"] == pytest.approx(theirs["cost_usd_per_h"] * hours)


ALIKE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"pools": [pool("mixed", "h100", 3, 3)]}, {"pools": [pool("mixed", "h100", 3, 50, target_requests=4)], "interval_s": 60.0}),
    ({"pools": SPLIT}, {"pools": [SPLIT[0] | {"target_requests": 2}, SPLIT[1] | {"target_utilisation": 0.25}]}),
    ({"pools": SPLIT[::-1]}, {"pools": SPLIT}),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(ALIKE)))
def test_policies_that_are_alike_are_measured_once(case: int) -> None:
    one, two = (design(**values) for values in ALIKE[case])
    trials = make_evaluator(ID, workload=SHORT, options=OPTIONS).evaluate([one, two])
    assert [trial.obtained for trial in trials] == ["measured", "exact hit"]
    results = evaluate([one, two])
    assert results[0].ok and results[0] == results[1] == trials[0].metrics


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_canonical_form_behaves_alike(seed: int) -> None:
    [some] = SIMULATOR.space.sample(np.random.default_rng(seed), 1)
    canonical = SIMULATOR.space.canonical(some)
    one, two = evaluate([some, canonical], "day-conv:rate=3,hours=0.05")
    assert one == two


def test_a_cluster_that_cannot_keep_up_is_refused_soon() -> None:
    [found] = evaluate([design([pool("mixed", "a100", 1)])], "day-conv:rate=8,hours=2")
    assert found.status == "infeasible" and "even with all machines on it takes" in found.reasons[0]
    assert found.cost_s < 5


def test_policies_are_told_in_words() -> None:
    words = SIMULATOR.describe(design(SPLIT))
    assert "8 x h100 for prompts, 1 or more on, at 50% of the time each; 8 x h100 for tokens, 1 or more on, at 16 requests each" in words
    assert "decided every 15 s, off after 300 s, tolerance 0.1" in words
    assert SIMULATOR.describe(design([pool("mixed", "a100", 2, 2)])) == "2 x a100 for both, always on"


def test_days_by_name() -> None:
    spec = environment(ID)
    assert len(spec.workload("day-code:rate=2,hours=0.5").data) == 3600
    assert spec.workload("day-conv:hours=0.1").digest != spec.workload("day-conv:hours=0.1,seed=1").digest
    for name, message in (
        ("day", "workload"),
        ("day-conv:users=3", "cannot use 'users=3', expected settings such as rate=4"),
        ("day-conv:rate=fast", "rate is 'fast', expected a number"),
        ("day-conv:rate=-1", "rate is -1, expected more than 0"),
        ("day-conv:peak=0.5", "peak is 0.5, expected 1 or more"),
        ("day-conv:seed=-1", "seed is -1, expected 0 or more"),
    ):
        with pytest.raises(InputError, match=message):
            spec.workload(name)
    with pytest.raises(InputError, match="rate of a day must be above 0"):
        day_of_requests("conv", rate_rps=-1.0)
    with pytest.raises(InputError, match="start_up_s must be a number of 0 or more"):
        spec.simulator(start_up_s=-1)


def test_objectives_hold_over_the_day_or_in_each_part() -> None:
    spec = environment(ID)
    assert len(spec.objective("low_cost").bounds) == 9 and len(spec.objective("low_cost_all_day").bounds) == 1
