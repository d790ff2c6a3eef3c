"""Pools of any machines in any role, engines set for each: laws on random clusters, and times by step costs worked out by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.cluster import SERVERS, ClusterConfig, ClusterRun, Engine, Pool, simulate
from designgym.simulators.cluster.config import ROLES
from designgym.simulators.cluster.machines import MACHINES, MODELS
from designgym.simulators.cluster.service_level import tabulated_latencies
from designgym.simulators.serving.costs import Deployment, gpu_named, model_named, step_costs_of, step_features, step_seconds_by
from designgym.simulators.serving.request_trace import RequestTrace

LLAMA = model_named("Llama-2-70b")


@st.composite
def traces(draw: st.DrawFn) -> RequestTrace:
    """Draw requests, in bursts or apart, some with one output token."""
    n, seed = draw(st.integers(1, 60)), draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1 / draw(st.sampled_from([2.0, 20.0, 200.0])), n) * (rng.random(n) < 0.8)
    return RequestTrace.make(np.cumsum(gaps), rng.integers(1, 3000, n), rng.integers(1, draw(st.sampled_from([3, 150])), n))


measured_pools = st.builds(Pool, st.sampled_from(sorted(MACHINES)), st.integers(0, 3), st.sampled_from(sorted(ROLES)))
engines = st.builds(
    Engine,
    st.sampled_from([4, 8]),
    st.sampled_from([1, 4, 256]),
    st.sampled_from([512, 2048, 8192]),
    quantization=st.sampled_from([None, "fp8", "awq"]),
)
tabulated_pools = st.builds(Pool, st.sampled_from(sorted(SERVERS)), st.integers(0, 3), st.sampled_from(sorted(ROLES)), engines)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[ClusterConfig, str, Any]:
    """Draw a cluster that has machines for everything, the model on it, and where times come from."""
    tables = draw(st.booleans())
    pools = draw(st.lists(tabulated_pools if tables else measured_pools, min_size=1, max_size=5))
    last = draw(tabulated_pools if tables else measured_pools)
    pools.append(Pool(last.machine, 1, "mixed", last.engine))
    config = ClusterConfig(
        tuple(pools), draw(st.sampled_from(["mixed_pool", "token_jsq"])), prompt_queue_tokens=draw(st.sampled_from([0, 1000, 8192])),
        max_preemptions=draw(st.sampled_from([1, 4])), machine_types=SERVERS if tables else MACHINES,
    )  # fmt: skip
    return config, "Llama-2-70b" if tables else "llama2-70b", "tables" if tables else draw(st.sampled_from(["batched", "paper"]))


def same(a: ClusterRun, b: ClusterRun) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("first_token_s", "finish_s", "prompt_machine", "busy_s"))


@given(clusters(), traces())
@settings(max_examples=150, deadline=None)
def test_every_request_is_served_once_and_all_memory_is_given_back(cluster: tuple[ClusterConfig, str, Any], trace: RequestTrace) -> None:
    config, model, costs = cluster
    run = simulate(config, trace, model, token_costs=costs, keep_timeline=True)
    assert run.counts["n_completed"] == len(trace) and run.runs is not None
    assert (run.first_token_s > trace.arrival_s).all() and (run.finish_s >= run.first_token_s).all()
    assert ((run.finish_s > run.first_token_s) == (trace.output_tokens > 1)).all()
    assert run.runs["prompts"].sum() == len(trace)  # every prompt is computed once
    moved = (run.prompt_machine != run.token_machine) & (trace.output_tokens > 1)
    assert run.counts["n_transfers"] == moved.sum()
    assert (run.most_used_bytes <= run.memory_bytes).all()
    assert (run.busy_s <= run.finish_s.max() + 1e-9).all()
    assert run.left_tokens == 0 and run.left_bytes == 0


@given(clusters(), traces(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_pool_of_no_machines_is_as_if_it_were_not_there(cluster: tuple[ClusterConfig, str, Any], trace: RequestTrace, data: Any) -> None:
    config, model, costs = cluster
    some = data.draw(st.sampled_from(config.pools))
    more = [*config.pools]
    more.insert(data.draw(st.integers(0, len(more))), Pool(data.draw(st.sampled_from(["a100", "h100"])), 0, some.role, some.engine))
    without = [pool for pool in config.pools if pool.count]
    runs = [
        simulate(ClusterConfig(tuple(pools), config.scheduler, machine_types=config.machine_types), trace, model, token_costs=costs)
        for pools in (more, without)
    ]
    assert same(*runs)


@given(clusters(), traces())
@settings(max_examples=60, deadline=None)
def test_a_pool_may_be_given_in_parts(cluster: tuple[ClusterConfig, str, Any], trace: RequestTrace) -> None:
    config, model, costs = cluster
    parts = tuple(Pool(pool.machine, 1, pool.role, pool.engine) for pool in config.pools for _ in range(pool.count))
    split = ClusterConfig(parts, config.scheduler, machine_types=config.machine_types)
    whole = ClusterConfig(config.pools, config.scheduler, machine_types=config.machine_types)
    assert same(*(simulate(each, trace, model, token_costs=costs) for each in (split, whole)))


def test_a_cluster_is_a_sum_of_its_pools() -> None:
    pools = (
        Pool("h100", 10, "prompt"),
        Pool("a100", 20, "prompt"),
        Pool("a100", 30, "token"),
        Pool("h100_capped", 5, "token"),
        Pool("h100", 4),
    )
    config = ClusterConfig(pools)
    assert config.machines == 69
    assert config.cost_usd_per_h == pytest.approx(8 * (19 * 4.76 + 50 * 2.21))
    assert config.power_kw == pytest.approx(14 * 10.2 + 50 * 6.5 + 5 * 7.14)
    rng = np.random.default_rng(0)
    trace = RequestTrace.make(np.cumsum(rng.exponential(1 / 60, 2000)), rng.integers(1, 3000, 2000), rng.integers(2, 300, 2000))
    run = simulate(config, trace)
    used = [set(np.unique(machines)) for machines in (run.prompt_machine, run.token_machine)]
    assert len(used[0] & set(range(10, 30))) > 0  # the slower kind helps, too
    assert used[1] <= set(range(30, 69)) and used[0] <= set(range(30)) | set(range(65, 69))


def test_times_are_those_of_the_serving_tables() -> None:
    """One request on an otherwise empty machine: its prompt's step, then a decode for each further token at its context."""
    for kind, engine in (("h200", Engine(8)), ("l40s", Engine(4, quantization="fp8", kv_cache_dtype="fp8")), ("a100", Engine(8))):
        gpu = SERVERS[kind].gpu
        assert gpu is not None
        costs = step_costs_of(Deployment(LLAMA, gpu, engine.tensor_parallel_size, 1, engine.quantization, engine.kv_cache_dtype))
        p, n = 1500, 400
        run = simulate(
            ClusterConfig((Pool(kind, 1, "mixed", engine),), "token_jsq", machine_types=SERVERS), RequestTrace.make([0.0], [p], [n]), LLAMA,
            token_costs="tables",
        )  # fmt: skip
        prompt_s = step_seconds_by(costs, step_features(prompts=1, prompt_tokens=p))[0]
        decode_s = step_seconds_by(costs, step_features(decodes=1, context=np.arange(p + 1, p + n)))
        assert run.first_token_s[0] == pytest.approx(prompt_s, rel=1e-12)
        assert run.e2e_s[0] == pytest.approx(prompt_s + decode_s.sum(), rel=2e-3)  # contexts are tabulated: bends in between


def test_a_batch_of_prompts_counts_the_pairs_of_each() -> None:
    trace = RequestTrace.make(np.zeros(3), [1000, 500, 200], [1, 1, 1])
    run = simulate(ClusterConfig((Pool("h100", 1),), "token_jsq", machine_types=SERVERS), trace, LLAMA, token_costs="tables")
    costs = step_costs_of(Deployment(LLAMA, gpu_named("h100"), 8))
    features = step_features(prompts=1, prompt_tokens=1000)
    first = step_seconds_by(costs, features)[0]
    features["tokens"], features["prefills"], features["outputs"] = 700, 2, 2
    features["prefill_tokens"], features["prefill_pairs"] = 700, 500 * 501 // 2 + 200 * 201 // 2
    then = step_seconds_by(costs, features)[0]
    np.testing.assert_allclose(run.first_token_s, [first, first + then, first + then], rtol=1e-12)


def test_several_instances_share_a_machine_and_its_price() -> None:
    one, two = (ClusterConfig((Pool("h200", 3, "mixed", Engine(tp)),), "token_jsq", machine_types=SERVERS) for tp in (8, 4))
    assert one.cost_usd_per_h == two.cost_usd_per_h and one.machines == two.machines == 3
    trace = RequestTrace.make(np.arange(60) / 10, np.full(60, 1000), np.full(60, 100))
    runs = [simulate(config, trace, "Llama-2-70b", token_costs="tables") for config in (one, two)]
    assert [run.busy_s.size for run in runs] == [3, 6]
    assert runs[1].memory_bytes.tolist() == [4 * gpu_named("h200").memory_bytes] * 6
    assert runs[0].ttft_s.mean() < runs[1].ttft_s.mean()


def test_formats_decide_on_memory() -> None:
    """FP8 weights leave more room, FP8 keys and values take half of it; the transfer is of what the sender keeps."""
    trace = RequestTrace.make([0.0], [3000], [50])
    bandwidth = 10.0
    waits = []
    for kv in ("auto", "fp8"):
        pools = (Pool("h100", 1, "prompt", Engine(8, kv_cache_dtype=kv)), Pool("h200", 1, "token", Engine(8)))
        config = ClusterConfig(pools, kv_bandwidth_gib_per_s=bandwidth, machine_types=SERVERS)
        run = simulate(config, trace, LLAMA, token_costs="tables", keep_timeline=True)
        assert run.runs is not None
        waits.append(run.runs["start_s"][1] - run.first_token_s[0])
    bytes_per_token = 2 * 8 * 128 * 80 * 2
    np.testing.assert_allclose(waits, np.array([1.0, 0.5]) * 3000 * bytes_per_token / (bandwidth * 2**30), rtol=1e-9)


def test_slowdowns_by_tables_are_relative_to_an_a100_machine() -> None:
    trace = RequestTrace.make(np.arange(5) * 100.0, [100, 1000, 2000, 3000, 4000], [2, 50, 100, 20, 200])
    run = simulate(ClusterConfig((Pool("a100", 1),), "token_jsq", machine_types=SERVERS), trace, LLAMA, token_costs="tables")
    alone = tabulated_latencies(trace, LLAMA)
    np.testing.assert_allclose(run.ttft_s, alone.ttft, rtol=1e-9)
    np.testing.assert_allclose(run.e2e_s, alone.e2e, rtol=2e-3)


@pytest.mark.parametrize(
    ("pool", "model", "costs", "message"),
    [
        (Pool("l40s", 1, "mixed", Engine(2)), "Llama-2-70b", "tables", "does not fit on 2 x l40s"),
        (Pool("a100", 1, "mixed", Engine(8, kv_cache_dtype="fp8")), "Llama-2-70b", "tables", "was not measured on a100_sxm"),
        (Pool("h100", 1, "mixed", Engine(8, quantization="int2")), "Llama-2-70b", "tables", "quantization"),
        (Pool("h100", 1), "bloom-176b", "tables", "model 'bloom-176b'"),
        (Pool("h100", 1), MODELS["llama2-70b"], "tables", "step costs are of a ModelShape"),
        (Pool("h100", 1), "Llama-2-70b", "batched", "unknown model 'Llama-2-70b', expected one of bloom-176b"),
        (Pool("h100", 1, "mixed", Engine(8)), "llama2-70b", "batched", "need step costs: simulate with token_costs='tables'"),
    ],
)
def test_what_cannot_be_served_is_refused(pool: Pool, model: Any, costs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(ClusterConfig((pool,), machine_types=SERVERS), RequestTrace.make([0.0], [10], [10]), model, token_costs=costs)


def test_engines_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="tensor_parallel_size is 3, expected 1, 2, 4 or 8"):
        Engine(3)
    with pytest.raises(InputError, match="max_num_seqs must be a whole number of 1 or more, but is 0"):
        Engine(8, 0)
    with pytest.raises(InputError, match="names no GPU; take machine_types=SERVERS"):
        simulate(ClusterConfig((Pool("h100", 1),)), RequestTrace.make([0.0], [10], [10]), LLAMA, token_costs="tables")


PROGRAM = """
import numpy as np
from designgym.simulators.cluster import SERVERS, ClusterConfig, Engine, Pool, simulate
from designgym.simulators.serving.request_trace import RequestTrace
rng = np.random.default_rng(7)
trace = RequestTrace.make(np.cumsum(rng.exponential(0.05, 300)), rng.integers(1, 3000, 300), rng.integers(1, 300, 300))
pools = (Pool("h200", 1, "prompt", Engine(8)), Pool("l40s", 2, "token", Engine(4, quantization="fp8")), Pool("a100", 1, "mixed"))
run = simulate(ClusterConfig(pools, machine_types=SERVERS), trace, "Llama-2-70b", token_costs="tables")
digest = (run.finish_s.tobytes() + run.token_machine.tobytes()).hex()
"""


def test_another_process_finds_the_same() -> None:
    here: dict[str, Any] = {}
    exec(PROGRAM, here)
    there = subprocess.run([sys.executable, "-c", PROGRAM + "print(digest)"], capture_output=True, text=True, check=True, timeout=300)
    assert there.stdout.strip() == here["digest"]
