"""``designgym/SplitwiseCluster-v0``: workloads, objectives, the paper's designs, and clusters that behave alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.core.testing import check_env
from designgym.core.workload import Workload
from designgym.envs import environment, make_evaluator
from designgym.envs.splitwise_cluster import SERVICE_LEVEL
from designgym.simulators.cluster.designs import PAPER_SIZES
from designgym.simulators.cluster.rates import at_rate, highest_rate, offered_rate_rps
from designgym.simulators.cluster.simulator import SLOWDOWN_METRICS, SplitwiseCluster
from designgym.simulators.cluster.space import cluster_of, paper_design
from designgym.simulators.serving.request_trace import RequestTrace

ID, RATE_ID = "designgym/SplitwiseCluster-v0", "designgym/SplitwiseClusterRate-v0"
FEW = "azure-conv:rate=4,requests=160"


def design(values: dict[str, Any], simulator: Any = None) -> Design:
    """Return a design with these values, and defaults for the others."""
    space = (simulator or SplitwiseCluster()).space
    return space.validate(space.default().to_dict() | values)


def evaluate(values: dict[str, Any], workload: str = FEW, **options: Any) -> Metrics:
    simulator = SplitwiseCluster(**options)
    [found] = simulator.evaluate([design(values, simulator)], environment(ID).workload(workload))
    return found


@pytest.mark.parametrize("id", [ID, RATE_ID])
def test_it_passes_the_kit(id: str) -> None:
    check_env(id)


def test_generated_requests_come_at_thirty_a_second_for_a_minute() -> None:
    spec = environment(ID)
    for name, requests, rate in (
        ("azure-conv", 1800, 30.0), ("azure-code:rate=70", 4200, 70.0), ("azure-conv:requests=500", 500, 30.0),
        ("azure-conv:rate=0.5,requests=100,seed=3", 100, 0.5),
    ):  # fmt: skip
        trace = spec.workload(name).data
        assert len(trace) == requests and offered_rate_rps(trace) == pytest.approx(rate, rel=0.25)
    assert spec.workload("azure-conv").digest != spec.workload("azure-conv:seed=1").digest
    with pytest.raises(InputError, match="rate is 'fast', expected a number"):
        spec.workload("azure-conv:rate=fast")
    with pytest.raises(InputError, match="closed loop"):
        evaluate({}, "azure-conv:users=5,requests=50")


def test_a_trace_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("arrival_timestamp,prompt_size,token_size\n0.5,100,5\n0.7,2000,3\n")
    found = evaluate({}, str(path))
    assert found.ok and found["rate_rps"] == pytest.approx(5.0)
    path.write_text("arrival_timestamp,prompt_size,token_size\n0.7,100,5\n0.5,2000,3\n")
    with pytest.raises(InputError, match="sort the trace by arrival"):
        environment(ID).workload(str(path))


@pytest.mark.parametrize("costs", ["batched", "paper"])
@pytest.mark.parametrize("sizes", PAPER_SIZES)
def test_designs_of_the_paper_are_designs_of_the_space(sizes: str, costs: Any) -> None:
    simulator = SplitwiseCluster(token_costs=costs)
    workload = environment(ID).workload("azure-conv:requests=300")
    designs = [design(paper_design(name, *size)) for name, size in PAPER_SIZES[sizes].items()]
    results = simulator.evaluate(designs, workload)
    assert all(result.ok for result in results)
    assert [result["machines"] for result in results] == [sum(size) for size in PAPER_SIZES[sizes].values()]
    for each, result in zip(designs, results, strict=True):
        assert cluster_of(each).cost_usd_per_h == pytest.approx(result["cost_usd_per_h"])
        assert f"{result['cost_usd_per_h']:,.0f} USD/h" in simulator.describe(each)


def test_metrics_agree_with_one_another() -> None:
    found = evaluate(paper_design("Splitwise-HA", 3, 3))
    assert found["worst_slowdown"] == max(found[name] / limit for name, limit in SLOWDOWN_METRICS.items())
    feasible = environment(ID).objective("low_cost").feasible(found)
    assert feasible == (found["worst_slowdown"] <= 1)
    assert 0 < found["utilisation"] < 1 and 0 < found["memory_share"] <= 1
    assert found["transfers"] == 160 and found["machines"] == 6
    tokens = found["usd_per_million_tokens"] * found["output_tokens_per_s"] * 3600 / 1e6
    assert tokens == pytest.approx(found["cost_usd_per_h"])


def test_decoding_in_large_batches_costs_more_where_it_was_measured() -> None:
    """splitwise-sim's rule hardly sees the batch: with few token machines it is the more optimistic, and most where batches are large."""
    split = paper_design("Splitwise-HH", 8, 2)
    paper, batched = (evaluate(split, "azure-conv:rate=25,requests=1000", token_costs=costs) for costs in ("paper", "batched"))
    assert batched["tbt_p50_s"] > 1.3 * paper["tbt_p50_s"]
    few = [evaluate(split, "azure-conv:rate=1,requests=50", token_costs=costs)["tbt_p50_s"] for costs in ("paper", "batched")]
    assert few[1] == pytest.approx(few[0], rel=0.1)


def test_impossible_designs_are_refused_with_the_reason() -> None:
    for values, words in (
        ({"scheduler": "token_jsq"}, "set mixed_machines"),
        ({"prompt_machines": 0}, "no machine for prompts"),
        ({"token_machines": 0}, "no machine for output tokens"),
    ):
        found = evaluate(values)
        assert found.status == "infeasible" and words in found.reasons[0]
    assert evaluate({"prompt_machines": 0, "mixed_machines": 2}).ok
    simulator = SplitwiseCluster()
    long = Workload("long", RequestTrace.make([0.0], [90_000], [5]))
    [found] = simulator.evaluate([simulator.space.default()], long)
    assert found.status == "infeasible" and "never fits beside bloom-176b on a machine h100" in found.reasons[0]
    # Four prompts fill the memory before any request has been passed over often enough to go on.
    crowded = RequestTrace.make(np.zeros(4), np.full(4, 20_000), np.full(4, 10_000))
    [found] = simulator.evaluate([design(paper_design("Baseline-A100", 1))], Workload("crowded", crowded))
    assert found.status == "infeasible" and "requests wait for memory that others hold and never free" in found.reasons[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "gpt"}, "model"),
        ({"token_costs": "free"}, "token_costs is 'free', expected batched or paper"),
        ({"rate": 5}, "rate is 5, expected given or highest"),
        ({"most_machines": 0}, "most_machines is 0"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        environment(ID).simulator(**options)


ALIKE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"mixed_machine": "a100"}, {"mixed_machine": "h100_capped"}),
    ({**paper_design("Baseline-A100", 2), "token_machines": 7}, {**paper_design("Baseline-A100", 2), "kv_bandwidth_gib_per_s": 25.0}),
    ({"max_batch_size": 1024, "max_batch_tokens": 512}, {"max_batch_size": 512, "max_batch_tokens": 512}),
    (
        {"prompt_machines": 0, "token_machines": 0, "mixed_machines": 1, "prompt_queue_tokens": 1024},
        {"scheduler": "token_jsq", "mixed_machines": 1},
    ),
]


@pytest.mark.parametrize("pair", ALIKE)
@pytest.mark.parametrize("costs", ["batched", "paper"])
def test_clusters_that_are_alike_are_measured_once(pair: tuple[dict[str, Any], dict[str, Any]], costs: str) -> None:
    evaluator = make_evaluator(ID, workload="azure-conv:rate=2,requests=150", options={"token_costs": costs})
    designs = [design(values) for values in pair]
    trials = evaluator.evaluate(designs)
    assert [trial.obtained for trial in trials] == ["measured", "exact hit"]
    results = [evaluator.simulator.evaluate([each], environment(ID).workload("azure-conv:rate=2,requests=150"))[0] for each in designs]
    assert results[0] == results[1] == trials[0].metrics and results[0].ok


def test_the_probe_tells_what_differs_and_not_what_does_not() -> None:
    simulator = SplitwiseCluster(most_machines=4)
    rng = np.random.default_rng(0)
    designs = list(dict.fromkeys(map(simulator.space.canonical, simulator.space.sample(rng, 150))))
    workload = environment(ID).workload("azure-conv:rate=6,requests=200")
    results = simulator.evaluate(designs, workload)
    found: dict[bytes, Metrics] = {}
    merged = 0
    for probe, result in zip(simulator.probe(designs, workload), results, strict=True):
        merged += probe in found
        assert found.setdefault(probe, result) == result
    assert 0 < merged < len(designs) / 2


def test_a_probe_of_a_beginning_takes_limits_by_value() -> None:
    simulator = SplitwiseCluster()
    workload = environment(ID).workload("azure-conv:rate=30,requests=2500")
    designs = [design({"max_preemptions": n}) for n in (32, 64, 64)]
    one, two, three = simulator.probe(designs, workload)
    assert one != two == three


def test_the_highest_rate_is_found() -> None:
    trace = RequestTrace.make(np.arange(2000.0), np.full(2000, 5), np.full(2000, 5))
    for limit in (0.02, 0.7, 1.0, 3.3, 100.0):
        rate, endless = highest_rate(trace, lambda t, limit=limit: rate if (rate := offered_rate_rps(t)) <= limit else None)  # type: ignore[misc]
        assert rate is not None and not endless and limit / 1.05 < rate <= limit
    assert highest_rate(trace, lambda t: None) == (None, False)
    assert highest_rate(trace, lambda t: 1)[1]


def test_a_faster_trace_lasts_as_long() -> None:
    trace = environment(ID).workload(FEW).data
    for factor in (0.25, 1.0, 2.7):
        faster = at_rate(trace, factor)
        assert len(faster) == round(160 * factor)
        assert offered_rate_rps(faster) == pytest.approx(factor * offered_rate_rps(trace), rel=0.15)
        np.testing.assert_array_equal(faster.prompt_tokens[:40], trace.prompt_tokens[:40])
    np.testing.assert_allclose(at_rate(trace, 1.0).arrival_s, trace.arrival_s - trace.arrival_s[0], atol=1e-9)


def test_rates_of_clusters() -> None:
    simulator = environment(RATE_ID).simulator()
    workload = environment(RATE_ID).workload(FEW)
    designs = [design(paper_design("Baseline-H100", n)) for n in (2, 4, 8)]
    rates = [result["rate_rps"] for result in simulator.evaluate(designs, workload)]
    assert rates == sorted(rates) and rates[0] > 1 and rates[2] > 3 * rates[0]
    [same] = SplitwiseCluster().evaluate(
        [designs[1]], Workload("faster", at_rate(workload.data, rates[1] / offered_rate_rps(workload.data)))
    )
    assert same["worst_slowdown"] <= 1.05
    [alone] = simulator.evaluate([design(paper_design("Splitwise-AA", 1, 1) | {"kv_bandwidth_gib_per_s": 12.5})], workload)
    assert alone.status == "infeasible" or alone["rate_rps"] < rates[0]


def test_objectives_have_all_nine_limits() -> None:
    spec = environment(ID)
    assert len(SERVICE_LEVEL) == 9 and spec.default_objective == "low_cost"
    for name in spec.objectives:
        assert len(spec.objective(name).bounds) == 9
    assert environment(RATE_ID).objective("rate_at_cost").describe() == "maximise rate_rps subject to cost_usd_per_h <= 1523.2"


def test_gymnasium_makes_it() -> None:
    env = gymnasium.make(ID, workload=FEW, most_machines=8, model="llama2-70b")
    env.reset(seed=0)
    _, reward, _, _, info = env.step(env.action_space.sample())
    assert np.isfinite(float(reward)) and info["trial"] is not None
    env.close()
