"""Laws of every scheduler: no token, block or request is lost or made up, and the engine works while there is work."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from designgym.simulators.serving import ClassicConfig, LinearStepCosts, RequestTrace, ServingRun, VllmConfig, simulate
from designgym.simulators.serving.kernel import run as run_kernel
from designgym.simulators.serving.state import FINISHED, LIVELOCK
from designgym.simulators.serving.workspace import allocate

COSTS = LinearStepCosts(step_s=0.01, token_s=1e-4, context_s=1e-6)
LONGEST = 160
PLAIN: dict[str, Any] = {
    "scheduling_policy": "fcfs", "watermark": 0.0, "enable_prefix_caching": False, "num_speculative_tokens": 0, "pipeline_parallel_size": 1,
    "long_prefill_token_threshold": 0, "scheduler_reserve_full_isl": False, "enable_chunked_prefill": True,
    "host_blocks": 0,
}  # fmt: skip


@st.composite
def traces(draw: st.DrawFn) -> RequestTrace:
    n = draw(st.integers(1, 14))
    gaps = draw(st.lists(st.sampled_from([0.0, 0.0, 0.003, 0.05, 0.7]), min_size=n, max_size=n))
    prompts = draw(st.lists(st.integers(1, 90), min_size=n, max_size=n))
    outputs = draw(st.lists(st.integers(1, 40), min_size=n, max_size=n))
    stops = [draw(st.sampled_from([-1, -1, 0, most // 2])) for most in outputs]
    shared = draw(st.lists(st.sampled_from([0, 4, 16, 60]), min_size=n, max_size=n))
    ids = [
        np.concatenate([np.zeros(min(s, p)), np.full(p - min(s, p), 7 + i)]) for i, (s, p) in enumerate(zip(shared, prompts, strict=True))
    ]
    priorities = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    return RequestTrace.make(np.cumsum(gaps), prompts, outputs, stop_at=stops, priority=priorities, token_ids=ids)


@st.composite
def vllm_configs(draw: st.DrawFn, **fixed: Any) -> VllmConfig:
    tokens = draw(st.sampled_from([8, 33, 64, 512]))
    asynchronous = draw(st.booleans())
    values: dict[str, Any] = {
        "max_num_seqs": draw(st.integers(1, 8)), "max_num_batched_tokens": tokens, "max_model_len": LONGEST,
        "block_size": draw(st.sampled_from([4, 16])), "enable_prefix_caching": draw(st.booleans()),
        "scheduling_policy": draw(st.sampled_from(["fcfs", "priority"])), "long_prefill_token_threshold": draw(st.sampled_from([0, 10])),
        "watermark": draw(st.sampled_from([0.0, 0.1])), "scheduler_reserve_full_isl": draw(st.booleans()),
        "enable_chunked_prefill": tokens < LONGEST or draw(st.booleans()), "async_scheduling": asynchronous,
        "num_speculative_tokens": draw(st.sampled_from([0, 0, 2])), "acceptance_rate": 0.6,
        "speculative_method": draw(st.sampled_from(["eagle", "draft_model"] if asynchronous else ["ngram", "eagle"])),
        "pipeline_parallel_size": draw(st.sampled_from([1, 1, 3])),
        "host_blocks": draw(st.sampled_from([0, 0, 3, 40])), "host_block_s": draw(st.sampled_from([0.0, 0.004])),
    }  # fmt: skip
    values["num_gpu_blocks"] = 1 + -(-LONGEST // values["block_size"]) + draw(st.sampled_from([0, 1, 5, 200]))
    return VllmConfig(**values | fixed)


@st.composite
def classic_configs(draw: st.DrawFn) -> ClassicConfig:
    return ClassicConfig(
        scheduler=draw(st.sampled_from(["vllm_v0", "sarathi", "orca"])),
        max_num_seqs=draw(st.integers(1, 8)),
        num_blocks=draw(st.sampled_from([11, 12, 20, 400])),
        max_num_batched_tokens=draw(st.sampled_from([130, 500])),
        max_model_len=LONGEST,
    )


def expected_outputs(trace: RequestTrace, longest: int) -> Any:
    outputs = np.minimum(trace.output_tokens, longest - trace.prompt_tokens)
    return np.where(trace.stop_at >= 0, np.minimum(outputs, trace.stop_at + 1), outputs)


def whole_run(config: Any, trace: RequestTrace) -> ServingRun:
    run = simulate(config, trace, COSTS, keep_token_times=True, keep_timeline=True)
    assert run.status == "completed"
    return run


def check_times(run: ServingRun) -> None:
    assert run.token_times_s is not None
    assert (run.scheduled_s >= run.trace.arrival_s).all() and (run.first_token_s > run.scheduled_s).all()
    for r, times in enumerate(run.token_times_s):
        assert len(times) == run.output_tokens[r] and (np.diff(times) >= 0).all()
        assert times[0] == run.first_token_s[r] and times[-1] == run.finish_s[r]


def check_engine_is_busy(run: ServingRun) -> None:
    """While a batch may be formed, at least one is under way whenever a request is unfinished, but for the polling of the engine."""
    assert run.timeline is not None
    steps = run.timeline.steps
    ends = np.maximum.accumulate(steps["end_s"])
    for gap in np.flatnonzero(steps["start_s"][1:] > ends[:-1] + 0.01):
        there = run.trace.arrival_s <= ends[gap]
        assert (run.finish_s[there] <= ends[gap]).all(), "the engine was idle with an unfinished request"


@settings(max_examples=150, deadline=None)
@given(vllm_configs(), traces())
def test_vllm_loses_nothing(config: VllmConfig, trace: RequestTrace) -> None:
    run = whole_run(config, trace)
    assert_array_equal(run.output_tokens, expected_outputs(trace, config.max_model_len))
    check_times(run)
    if not (config.host_blocks and config.host_block_s):  # else it may wait for blocks from the host
        check_engine_is_busy(run)
    assert run.timeline is not None
    steps = run.timeline.steps
    assert ((steps["free_blocks"] >= 0) & (steps["free_blocks"] <= config.num_gpu_blocks - 1)).all()
    assert (steps["tokens"] <= config.max_num_batched_tokens).all() and (steps["running"] <= config.max_num_seqs).all()
    scheduled = np.zeros(len(trace), int)
    for i in range(len(steps)):
        batch = run.timeline.batch(i)
        assert len(set(batch[:, 0])) == len(batch) and (batch[:, 1] > 0).all()
        scheduled[batch[:, 0]] += batch[:, 1]
    # Every token but the last is computed once; more only where drafts are rejected, a stop comes too late, or requests are preempted.
    needed = trace.prompt_tokens + run.output_tokens - 1 - run.cached_tokens
    calm = run.preemptions == 0
    if config.num_speculative_tokens == 0:
        surplus = (scheduled - needed)[calm]
        in_flight = config.pipeline_parallel_size + config.async_scheduling - 1 if config.async_scheduling else 0
        assert (surplus >= 0).all() and (surplus <= np.where(trace.stop_at >= 0, in_flight, 0)[calm]).all()
    else:
        assert (scheduled >= needed)[calm].all()
    assert run.totals["batch_tokens"] == scheduled.sum() and run.totals["preemptions"] == run.preemptions.sum()


@settings(max_examples=60, deadline=None)
@given(vllm_configs(), traces())
def test_vllm_returns_every_block(config: VllmConfig, trace: RequestTrace) -> None:
    sim = allocate(config, trace, COSTS, seed=0, token_times=False, timeline=(0, 0, 0))
    run_kernel(sim)
    m = sim.memory
    if m.server[0]["end"] == LIVELOCK:
        # By vLLM's rules requests of one priority and arrival can preempt one another for ever: the first of those running is the victim.
        assert config.scheduling_policy == "priority" and len(np.unique(trace.arrival_s)) < len(trace)
        return
    blocks, ends = m.blocks, config.num_gpu_blocks
    assert (m.requests["state"] == FINISHED).all() and not m.requests["held"].any() and not blocks["users"].any()
    assert not m.requests["in_flight"].any()
    free, block = [], int(blocks[ends]["after"])
    while block != ends:
        assert blocks[blocks[block]["after"]]["before"] == block
        free.append(block)
        block = int(blocks[block]["after"])
    assert sorted(free) == list(range(1, ends)) and m.server[0]["free_blocks"] == ends - 1
    for key, chain in enumerate(m.chains):  # each chain has the blocks that say so, and no others
        held, block = [], int(chain["oldest"])
        while block >= 0:
            held.append(block)
            block = int(blocks[block]["newer"])
        assert held == [] or held[-1] == chain["newest"]
        assert set(held) == set(np.flatnonzero(blocks["key"][:-1] == key).tolist())


def same_run(one: ServingRun, two: ServingRun) -> bool:
    return one.status == two.status and np.array_equal(one.finish_s, two.finish_s, equal_nan=True) and one.totals == two.totals


@settings(max_examples=150, deadline=None)
@given(vllm_configs(pipeline_parallel_size=1, host_blocks=0), traces(), st.sampled_from([0, 0, 1, 3]))
def test_both_policies_are_one_for_requests_of_one_priority_that_arrive_one_by_one(
    config: VllmConfig, trace: RequestTrace, limit: int
) -> None:
    """What `engine_arguments` rewrites."""
    apart = replace(trace, arrival_s=trace.arrival_s + 1e-4 * np.arange(len(trace)), priority=np.zeros_like(trace.priority))
    sent = apart.limited(limit)
    assert same_run(*(simulate(replace(config, scheduling_policy=policy), sent, COSTS) for policy in ("fcfs", "priority")))


def test_both_policies_differ_for_requests_that_arrive_at_once() -> None:
    rng = np.random.default_rng(0)
    trace = RequestTrace.make(np.zeros(20), rng.integers(20, 300, 20), rng.integers(20, 200, 20))
    config = VllmConfig(num_gpu_blocks=60, max_num_seqs=16, max_model_len=640, max_num_batched_tokens=640)
    assert not same_run(*(simulate(replace(config, scheduling_policy=policy), trace, COSTS) for policy in ("fcfs", "priority")))


@settings(max_examples=150, deadline=None)
@given(vllm_configs(), traces(), st.sampled_from([0, 1, 7]))
def test_a_threshold_beyond_the_budget_or_the_longest_request_is_none(config: VllmConfig, trace: RequestTrace, more: int) -> None:
    """What `engine_arguments` rewrites."""
    limits = [config.max_model_len - 1, *([config.max_num_batched_tokens] if config.enable_chunked_prefill else [])]
    runs = [simulate(replace(config, long_prefill_token_threshold=n), trace, COSTS) for n in (0, *(limit + more for limit in limits))]
    assert all(same_run(runs[0], run) for run in runs[1:])


@settings(max_examples=100, deadline=None)
@given(classic_configs(), traces())
def test_classic_schedulers_lose_nothing(config: ClassicConfig, trace: RequestTrace) -> None:
    run = whole_run(config, trace)
    check_engine_is_busy(run)
    assert (run.scheduled_s >= trace.arrival_s).all() and (run.finish_s >= run.first_token_s).all()
    assert run.timeline is not None
    steps = run.timeline.steps
    assert ((steps["free_blocks"] >= 0) & (steps["free_blocks"] <= config.num_blocks)).all()
    assert (steps["requests"] > 0).all()
    if config.scheduler == "sarathi":
        assert (steps["tokens"] <= max(config.max_num_batched_tokens, config.max_num_seqs)).all()
    if run.totals["preemptions"] == 0:
        check_times(run)
        assert_array_equal(run.output_tokens, trace.output_tokens)
        assert run.totals["batch_tokens"] == (trace.prompt_tokens + trace.output_tokens - 1).sum()


@settings(max_examples=60, deadline=None)
@given(vllm_configs(**PLAIN), traces())
def test_vllm_leaves_no_budget_unused_while_the_next_request_fits(config: VllmConfig, trace: RequestTrace) -> None:
    run = whole_run(config, trace)
    assert run.timeline is not None
    if run.totals["preemptions"]:
        return  # the order of the waiting requests is then not that of their arrival
    seen = -1
    for i, step in enumerate(run.timeline.steps):
        seen = max([seen, *run.timeline.batch(i)[:, 0].tolist()])
        left = config.max_num_batched_tokens - step["tokens"]
        if step["waiting"] and left and step["running"] < config.max_num_seqs:
            chunk = min(int(trace.prompt_tokens[seen + 1]), int(left))
            assert -(-chunk // config.block_size) > step["free_blocks"]


@settings(max_examples=40, deadline=None)
@given(vllm_configs(enable_prefix_caching=True), traces(), st.integers(0, 3))
def test_what_has_no_effect_changes_nothing(config: VllmConfig, trace: RequestTrace, seed: int) -> None:
    def steps(config: VllmConfig, trace: RequestTrace) -> Any:
        timeline = simulate(config, trace, COSTS, seed=seed, keep_timeline=True).timeline
        assert timeline is not None
        return timeline

    alone = replace(trace, token_ids=None)
    with_cache, without = steps(config, alone), steps(replace(config, enable_prefix_caching=False), alone)
    if not with_cache.preempted.size:
        assert_array_equal(with_cache.steps, without.steps)
    long_threshold = replace(config, long_prefill_token_threshold=LONGEST)
    assert_array_equal(steps(long_threshold, trace).entries, steps(replace(config, long_prefill_token_threshold=0), trace).entries)
    assert_array_equal(steps(config, trace).steps, steps(config, trace).steps)
    if config.num_speculative_tokens == 0:
        assert_array_equal(with_cache.entries, steps(replace(config, acceptance_rate=0.1), alone).entries)


@settings(max_examples=60, deadline=None)
@given(vllm_configs(enable_prefix_caching=False, scheduling_policy="fcfs"), traces(), st.integers(1, 6))
def test_a_client_with_a_limit_never_has_more_under_way(config: VllmConfig, trace: RequestTrace, limit: int) -> None:
    run = simulate(config, trace.limited(limit), COSTS, keep_timeline=True)
    assert run.status in ("completed", "livelock")
    if run.status == "completed":
        assert_array_equal(run.output_tokens, expected_outputs(trace, config.max_model_len))
        for i in range(len(trace)):  # a request is scheduled only when all but so many before it have finished
            assert i < limit or run.scheduled_s[i] >= np.sort(run.finish_s[:i])[i - limit] - 1e-9
    whole = simulate(config, trace.limited(len(trace)), COSTS)
    assert_array_equal(whole.finish_s, simulate(config, trace, COSTS).finish_s)


@settings(max_examples=60, deadline=None)
@given(vllm_configs(scheduling_policy="fcfs"), traces(), st.integers(1, 6))
def test_a_limit_on_requests_that_are_all_there_is_a_closed_loop(config: VllmConfig, trace: RequestTrace, limit: int) -> None:
    there = replace(trace, arrival_s=np.zeros(len(trace)))
    limited = simulate(config, there.limited(limit), COSTS)
    loop = simulate(config, replace(there, users=limit), COSTS)
    assert limited.status == loop.status
    if limited.status == "completed":
        assert_array_equal(limited.finish_s, loop.finish_s)


@settings(max_examples=80, deadline=None)
@given(vllm_configs(), traces())
def test_offloading_keeps_no_more_than_it_has_room_for_and_reads_only_what_it_was_given(config: VllmConfig, trace: RequestTrace) -> None:
    sim = allocate(replace(config, host_blocks=3), trace, COSTS, seed=0, token_times=False, timeline=(0, 0, 0))
    run_kernel(sim)
    m = sim.memory
    s, ends = m.server[0], m.host.size - 1
    order, key = [], int(m.host[ends]["after"])
    while key != ends:
        order.append(key)
        key = int(m.host[key]["after"])
    assert sorted(order) == np.flatnonzero(m.host["there"][:-1]).tolist() and len(order) == s["host_used"] <= 3
    assert s["n_loading"] == 0 or s["end"] == LIVELOCK
    alone = replace(trace, token_ids=None)
    run = simulate(replace(config, host_blocks=1000, enable_prefix_caching=False), alone, COSTS)
    if run.totals["preemptions"] == 0:  # nobody has the text of another, and nobody loses its own
        assert run.totals["loaded_tokens"] == 0
        assert_array_equal(run.finish_s, simulate(replace(config, host_blocks=0, enable_prefix_caching=False), alone, COSTS).finish_s)


def test_offloading_brings_back_what_the_gpu_has_no_room_for() -> None:
    """Two long texts, asked about in turn, of which the GPU holds one: with offloading each is computed once, and read after that."""
    ids = [np.arange(64) + 1000 * (r % 2) for r in range(8)]
    trace = RequestTrace.make(np.arange(8.0), [65] * 8, [4] * 8, token_ids=ids)
    config = VllmConfig(num_gpu_blocks=6, max_model_len=80, max_num_batched_tokens=256)
    hosts: list[dict[str, Any]] = [{}, {"host_blocks": 40, "host_block_s": 0.1}, {"host_blocks": 40, "host_block_s": 1e-5}]
    without, slow, fast = (simulate(replace(config, **host), trace, COSTS) for host in hosts)
    assert without.totals["loaded_tokens"] == 0 and without.totals["hit_tokens"] == 0
    assert slow.totals["loaded_tokens"] == fast.totals["loaded_tokens"] == 6 * 64
    assert fast.ttft_s[2:].max() < without.ttft_s[2:].min() < slow.ttft_s[2:].min()
    assert (slow.ttft_s[2:] > 4 * 0.1).all()


def test_requests_whose_blocks_came_make_room_for_one_another() -> None:
    """Two that fill the GPU with what was read for them, and both need one block more."""
    ids = [np.arange(20) + 1000 * (r % 2) for r in range(4)]
    trace = RequestTrace.make([0.0, 5.0, 20.0, 20.0], [21] * 4, [3] * 4, token_ids=ids)
    config = VllmConfig(
        num_gpu_blocks=11,
        block_size=4,
        max_model_len=40,
        max_num_batched_tokens=64,
        max_num_seqs=8,
        enable_prefix_caching=False,
        host_blocks=100,
    )
    run = simulate(config, trace, COSTS)
    assert run.status == "completed" and run.totals["loaded_tokens"] >= 40
