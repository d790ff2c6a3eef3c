"""Engine arguments as designs: laws of the simulated engine, what is refused, and what figures mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.testing import check_simulator, check_space
from designgym.simulators.serving import RequestTrace
from designgym.simulators.serving.engine import VllmServing
from designgym.simulators.serving.summary import METRICS, Targets, summary
from designgym.simulators.serving.workloads import find_requests, make_workload

ENGINE = VllmServing()
CHAT = make_workload("chat", find_requests("azure-conv:requests=60,rate=20"))


def figures(engine: VllmServing = ENGINE, workload: Any = CHAT, **changes: Any) -> Any:
    (result,) = engine.evaluate([engine.space.validate(engine.space.default().replace(**changes))], workload)
    return result


def test_the_contract_of_simulators_is_kept() -> None:
    check_space(ENGINE.space)
    check_simulator(ENGINE, CHAT, samples=20, twins=10)
    talks = make_workload("talks", find_requests("sharegpt-like:requests=40,users=6"))
    check_simulator(VllmServing(gpu="a100_sxm"), talks, samples=12, twins=6)


def test_figures_fit_together() -> None:
    rng = np.random.default_rng(1)
    for result in ENGINE.evaluate(ENGINE.space.sample(rng, 30), CHAT):
        assert result.ok and set(result.values) == {spec.name for spec in METRICS}
        assert result["goodput_rps"] == pytest.approx(result["slo_attainment"] * result["request_throughput_rps"])
        assert result["ttft_p50_s"] <= result["ttft_p90_s"] <= result["ttft_p99_s"] <= result["e2e_p99_s"]
        assert result["output_throughput_tps"] * result["makespan_s"] == pytest.approx(int(CHAT.data.output_tokens.sum()))
        assert result["tokens_per_s_per_gpu"] * result["gpus"] == pytest.approx(result["output_throughput_tps"])
        assert 0 <= result["kv_utilisation"] <= 1 and 0 <= result["prefix_hit_rate"] <= 1
        hours = result["makespan_s"] / 3600
        rent = result["gpus"] * ENGINE.gpu.usd_per_hour * hours / CHAT.data.output_tokens.sum() * 1e6
        assert result["usd_per_million_tokens"] == pytest.approx(rent)
        most_j = result["gpus"] * ENGINE.gpu.tdp_watt * result["makespan_s"]
        assert result["energy_j_per_token"] * CHAT.data.output_tokens.sum() <= most_j * (1 + 1e-9)


def test_looser_targets_are_met_by_more() -> None:
    shares = [figures(VllmServing(ttft_s=ttft))["slo_attainment"] for ttft in (0.05, 0.2, 1.0, 100.0)]
    assert shares == sorted(shares) and shares[0] < shares[-1]


def test_faster_hardware_is_faster_and_replicas_share_the_load() -> None:
    times = [figures(VllmServing(gpu=gpu))["e2e_p50_s"] for gpu in ("l40s", "a100_sxm", "h100_sxm")]
    assert times == sorted(times, reverse=True)
    busy = make_workload("busy", find_requests("azure-conv:requests=200,rate=60"))
    one, four = (figures(workload=busy, data_parallel_size=n) for n in (1, 4))
    assert four["gpus"] == 4 and four["ttft_p99_s"] < one["ttft_p99_s"] and four["makespan_s"] < one["makespan_s"]
    assert figures(tensor_parallel_size=4)["tpot_p50_s"] < figures()["tpot_p50_s"]


def test_accepted_drafts_save_steps() -> None:
    plain, drafted = (
        figures(VllmServing(eagle_acceptance=0.9), speculative_method=method, num_speculative_tokens=3) for method in ("none", "eagle")
    )
    assert drafted["tpot_p50_s"] < plain["tpot_p50_s"]


def test_shared_prefixes_are_found_if_they_are_looked_for() -> None:
    documents = make_workload("documents", find_requests("long-context:requests=30,rate=2"))
    engine = VllmServing(model="meta-llama/Meta-Llama-3.1-8B")
    with_cache, without = (figures(engine, documents, enable_prefix_caching=on) for on in (True, False))
    assert with_cache["prefix_hit_rate"] > 0.3 and without["prefix_hit_rate"] == 0
    assert with_cache["ttft_p50_s"] < without["ttft_p50_s"]


@pytest.mark.parametrize(
    ("engine", "workload", "changes", "reason"),
    [
        (VllmServing(model="meta-llama/Meta-Llama-3-70B"), "azure-conv:requests=5", {}, "does not fit on 1 x h100_sxm"),
        (VllmServing(model="meta-llama/Meta-Llama-3-8B"), "long-context:requests=5", {}, "more than max_model_len"),
        (ENGINE, "azure-conv:requests=5", {"max_num_batched_tokens": 64, "max_num_seqs": 100}, "greater than or equal to max_num_seqs"),
        (ENGINE, "azure-conv:requests=5", {"tensor_parallel_size": 4, "data_parallel_size": 4}, "more than the 8 GPUs"),
    ],
)
def test_what_cannot_run_is_infeasible_with_the_reason(engine: VllmServing, workload: str, changes: dict[str, Any], reason: str) -> None:
    design = engine.space.default().replace(**changes)
    (result,) = engine.evaluate([Design(design)], make_workload(workload, find_requests(workload)))
    assert result.status == "infeasible" and reason in result.reasons[0]


def test_runs_show_each_request_and_step() -> None:
    runs = ENGINE.runs(ENGINE.space.default().replace(data_parallel_size=2), CHAT)
    assert [len(run.trace) for run in runs] == [30, 30] and all(run.timeline is not None for run in runs)
    design = ENGINE.space.default().replace(data_parallel_size=2)
    assert summary(runs, ENGINE.deployment(design), Targets()) == dict(ENGINE.evaluate([Design(design)], CHAT)[0].values)


def test_fidelity_is_a_share_of_the_requests() -> None:
    (half,) = ENGINE.evaluate([ENGINE.space.default()], CHAT, fidelity=0.5)
    first = make_workload("first", CHAT.data.part(slice(0, 30)))
    assert half.values == ENGINE.evaluate([ENGINE.space.default()], first)[0].values
    with pytest.raises(InputError, match="fidelity, the share of the requests"):
        ENGINE.evaluate([ENGINE.space.default()], CHAT, fidelity=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "gpt"}, "unknown model 'gpt'"),
        ({"gpu": "b100"}, "unknown GPU 'b100'"),
        ({"gpus": 3}, "gpus must be 1, 2, 4, 8 or 16, got 3"),
        ({"tpot_s": 0}, "target tpot_s must be a number of seconds above 0"),
        ({"eagle_acceptance": 2}, "eagle_acceptance must be a probability, got 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        VllmServing(**options)


def test_a_trace_is_known_by_its_content() -> None:
    one, same, other = (RequestTrace.make([0.0], [5], [n]) for n in (6, 6, 7))
    assert one.digest == same.digest != other.digest
    one.block_keys(16)
    assert make_workload("a", one).digest == make_workload("b", same).digest
