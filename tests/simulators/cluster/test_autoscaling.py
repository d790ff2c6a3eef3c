"""Machines that are switched on and off over a day: nobody is lost, nothing changes where there is no choice, money is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.cluster import ClusterConfig, ClusterRun, Pool, Scaling, ScalingPolicy, simulate
from designgym.simulators.cluster.day import TROUGH_H, arrivals_of_day, day_of_requests
from designgym.simulators.serving.request_trace import RequestTrace

DAY = day_of_requests("conv", rate_rps=4.0, hours=1.0)
QUICK = ScalingPolicy(interval_s=5.0, scale_down_delay_s=60.0, start_up_s=20.0)


def cluster(least: int, most: int, target: float = 0.5, requests: float = 20.0, policy: ScalingPolicy = QUICK) -> ClusterConfig:
    pools = (Pool("h100", most, "prompt", None, Scaling(least, target)), Pool("a100", most, "token", None, Scaling(least, requests)))
    return ClusterConfig(pools, scaling_policy=policy)


def same(a: ClusterRun, b: ClusterRun) -> bool:
    names = ("first_token_s", "finish_s", "prompt_machine", "token_machine", "busy_s", "on_s", "cost_usd", "energy_kwh")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


@given(
    st.integers(1, 3), st.integers(1, 6), st.floats(0.05, 1.0), st.floats(1.0, 60.0), st.sampled_from(["mixed_pool", "token_jsq"]),
    st.builds(ScalingPolicy, *(st.sampled_from(values) for values in ([1.0, 15.0], [0.0, 60.0], [0.0, 0.3], [0.0, 40.0]))),
    st.integers(0, 100),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_every_request_is_served_whatever_the_policy(
    least: int, more: int, target: float, requests: float, scheduler: Any, policy: ScalingPolicy, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rate = np.repeat(rng.choice([0.2, 2.0, 8.0], 6), 60)
    trace = RequestTrace.make(np.cumsum(rng.exponential(1 / rate)), rng.integers(1, 3000, 360), rng.integers(1, 200, 360))
    pools = (
        Pool("h100", least + more, "prompt", None, Scaling(least, target)),
        Pool("a100", least + more, "token", None, Scaling(least, requests)),
        Pool("h100_capped", 1, "mixed"),
    )
    run = simulate(ClusterConfig(pools, scheduler, scaling_policy=policy), trace, "llama2-70b")
    assert run.counts["n_completed"] == 360 and run.left_tokens == 0 and run.left_bytes == 0
    end_s = run.finish_s.max()
    assert (run.on_s >= run.busy_s - 1e-6).all() and (run.on_s <= end_s + 1e-9).all()
    first, second = run.on_s[: least + more], run.on_s[least + more : -1]
    assert min(first.sum(), second.sum()) >= least * end_s - 1e-6  # so many stay on
    assert run.on_s[-1] == end_s  # a pool that is not scaled


@pytest.mark.parametrize("scheduler", ["mixed_pool", "token_jsq"])
def test_limits_that_leave_no_choice_are_the_static_cluster(scheduler: Any) -> None:
    scaled = cluster(4, 4)
    pools = tuple(Pool(pool.machine, pool.count, pool.role) for pool in scaled.pools)
    assert same(*(simulate(ClusterConfig(each, scheduler, scaling_policy=QUICK), DAY) for each in (scaled.pools, pools)))


def test_a_policy_that_never_acts_is_the_static_cluster() -> None:
    """Decisions are taken all day here, and all are for all machines."""
    busy = cluster(1, 3, target=1e-6, requests=1e-6)
    static = ClusterConfig(tuple(Pool(pool.machine, pool.count, pool.role) for pool in busy.pools))
    trace = RequestTrace.make(np.arange(3000) * 0.31, np.full(3000, 1500), np.full(3000, 80))
    runs = [simulate(config, trace) for config in (busy, static)]
    assert same(*runs) and runs[0].starts.sum() == 0


def test_a_static_cluster_costs_its_rent_to_the_last_end() -> None:
    config = ClusterConfig((Pool("h100", 3, "prompt"), Pool("a100", 2, "token")))
    run = simulate(config, DAY.first(500))
    hours = run.finish_s.max() / 3600
    assert run.cost_usd.sum() == pytest.approx(config.cost_usd_per_h * hours)
    idle_kwh = 0.2 * config.power_kw * hours
    busy_kwh = (run.busy_s[:3].sum() * 10.2 + run.busy_s[3:].sum() * 6.5) / 3600
    assert run.energy_kwh.sum() == pytest.approx(idle_kwh + 0.8 * busy_kwh)


def test_cost_grows_with_what_stays_on_and_is_below_that_of_all_machines() -> None:
    costs = [simulate(cluster(least, 8), DAY).cost_usd.sum() for least in range(1, 9)]
    assert costs == sorted(costs) and costs[0] < 0.7 * costs[-1]


def test_fewer_are_on_where_each_should_have_more_to_do() -> None:
    runs = [simulate(cluster(1, 8, target, requests), DAY) for target, requests in ((0.1, 4.0), (0.3, 10.0), (0.9, 40.0))]
    costs, waits = [run.cost_usd.sum() for run in runs], [float(np.percentile(run.ttft_s, 99)) for run in runs]
    assert costs == sorted(costs, reverse=True) and waits == sorted(waits)


def test_a_burst_is_met_after_the_start_up_time() -> None:
    """Nothing, then more than one machine can do: the second one gets requests at the first decision after its model is loaded."""
    arrivals = np.concatenate([[0.0], 200.0 + np.arange(1500) * 0.2])
    trace = RequestTrace.make(arrivals, np.full(1501, 2000), np.full(1501, 50))
    policy = ScalingPolicy(interval_s=10.0, scale_down_delay_s=50.0, start_up_s=35.0)
    run = simulate(ClusterConfig((Pool("a100", 6, "mixed", None, Scaling(1, 5.0)),), "token_jsq", scaling_policy=policy), trace)
    assert run.counts["n_completed"] == 1501 and run.starts.sum() > 0
    [keeps] = np.flatnonzero(run.starts == 0)
    others = arrivals[run.prompt_machine != keeps]
    assert 250.0 <= others.min() < 300.0  # decided at 210 s at the earliest, ready at 245 s, seen at 250 s


def test_a_day_has_its_trough_at_night() -> None:
    n = 200_000
    at = arrivals_of_day(n, 4.0, np.random.default_rng(0))
    counts = np.histogram(at, 24, (0.0, 1.0))[0] / n * 24
    swing = 0.6
    hours = np.arange(24) + 0.5
    np.testing.assert_allclose(counts, 1 - swing * np.cos(2 * np.pi * (hours - TROUGH_H) / 24), atol=0.05)
    flat = np.histogram(arrivals_of_day(n, 1.0, np.random.default_rng(0)), 24, (0.0, 1.0))[0]
    assert flat.min() > 0.95 * n / 24
    assert len(DAY) == 4 * 3600 and DAY.arrival_s[-1] < 3600
    assert day_of_requests("conv", hours=0.1, seed=1).digest != day_of_requests("conv", hours=0.1).digest


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scaling(0, 1.0), "min_machines must be a whole number of 1 or more, but is 0"),
        (lambda: Scaling(1, 0.0), "target of a pool must be a number above 0, but is 0"),
        (lambda: ScalingPolicy(interval_s=0), "interval_s must be a number above 0"),
        (lambda: ScalingPolicy(tolerance=-1), "tolerance must be a number of 0 or more"),
        (lambda: cluster(5, 4), "min_machines of a pool of 4 machines is 5, expected 1 to 4"),
        (lambda: cluster(1, 4, target=2.0), "target of a pool for prompts is 2, expected a share"),
        (lambda: day_of_requests("conv", peak=0.5), "peak of a day must be 1 or more"),
        (lambda: day_of_requests("conv", rate_rps=0.0), "rate of a day must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
