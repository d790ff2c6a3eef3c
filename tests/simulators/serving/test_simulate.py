"""Times by hand on small cases, acceptance of drafts, and what is refused."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from designgym.core.errors import InputError
from designgym.simulators.serving import ClassicConfig, LinearStepCosts, RequestTrace, VllmConfig, simulate

SECOND = LinearStepCosts(step_s=1.0)  # every step takes a second


def batches(run: Any) -> list[dict[int, int]]:
    return [dict(run.timeline.batch(i).tolist()) for i in range(len(run.timeline.steps))]


def test_without_async_scheduling_an_arrival_waits_for_the_step_under_way() -> None:
    trace = RequestTrace.make([0.0, 0.5], [10, 10], [3, 2])
    run = simulate(VllmConfig(async_scheduling=False), trace, SECOND, keep_timeline=True, keep_token_times=True)
    assert batches(run) == [{0: 10}, {0: 1, 1: 10}, {0: 1, 1: 1}]
    assert_allclose(run.first_token_s, [1, 2])
    assert_allclose(run.finish_s, [3, 3])
    assert run.token_times_s is not None
    assert_allclose(run.token_times_s[0], [1, 2, 3])


def test_with_async_scheduling_it_waits_for_one_more() -> None:
    trace = RequestTrace.make([0.0, 0.5], [10, 10], [4, 2])
    run = simulate(VllmConfig(), trace, SECOND, keep_timeline=True)
    assert batches(run) == [{0: 10}, {0: 1}, {0: 1, 1: 10}, {0: 1, 1: 1}]
    assert_allclose(run.first_token_s, [1, 3])


def test_a_stop_that_nobody_foresees_costs_a_token_with_async_scheduling() -> None:
    trace = RequestTrace.make([0.0], [10], [9], stop_at=[1])
    for asynchronous, tokens in ((False, 11), (True, 12)):
        run = simulate(VllmConfig(async_scheduling=asynchronous), trace, SECOND)
        assert run.output_tokens.tolist() == [2] and run.totals["batch_tokens"] == tokens
        assert_allclose(run.finish_s, [2])


def test_the_stages_of_a_pipeline_work_at_the_same_time() -> None:
    trace = RequestTrace.make([0.0, 0.0], [100, 100], [1, 1])
    config: dict[str, Any] = {"max_num_batched_tokens": 100, "max_num_seqs": 4, "async_scheduling": False}
    one = simulate(VllmConfig(**config), trace, LinearStepCosts(step_s=2.0))
    two = simulate(VllmConfig(**config, pipeline_parallel_size=2), trace, SECOND)
    assert_allclose(one.finish_s, [2, 4])
    assert_allclose(two.finish_s, [2, 3])
    assert two.busy_s == pytest.approx(3.0)


def test_shared_prefixes_are_computed_once() -> None:
    ids = [np.r_[np.zeros(64), np.full(36, r + 1)] for r in range(3)]
    trace = RequestTrace.make([0.0, 5.0, 10.0], [100] * 3, [2] * 3, token_ids=ids)
    run = simulate(VllmConfig(async_scheduling=False), trace, SECOND, keep_timeline=True)
    assert run.cached_tokens.tolist() == [0, 64, 64] and batches(run)[2] == {1: 36}
    assert simulate(VllmConfig(enable_prefix_caching=False), trace, SECOND).cached_tokens.tolist() == [0, 0, 0]


def test_a_later_turn_of_a_conversation_hits_the_output_of_the_one_before() -> None:
    first, answer, second = np.arange(40), np.arange(100, 140), np.arange(200, 216)
    talk = np.concatenate([first, answer, second])
    trace = RequestTrace.make([0.0, 100.0], [40, 96], [40, 4], token_ids=[talk[:80], talk])
    assert simulate(VllmConfig(), trace, SECOND).cached_tokens.tolist() == [0, 64]  # the last output token was never computed
    unknown = RequestTrace.make([0.0, 100.0], [40, 96], [40, 4], token_ids=[first, talk])
    assert simulate(VllmConfig(), unknown, SECOND).cached_tokens.tolist() == [0, 32]


def test_drafts_are_accepted_at_their_rate_whatever_the_schedule() -> None:
    trace = RequestTrace.make(np.arange(40.0), [20] * 40, [200] * 40)
    config: dict[str, Any] = {"num_speculative_tokens": 3, "speculative_method": "eagle", "acceptance_rate": 0.7}
    runs = [
        simulate(VllmConfig(**config, async_scheduling=a, max_num_seqs=n), trace, SECOND, seed=3) for a in (False, True) for n in (2, 64)
    ]
    accepted = [run.totals["accepted"] / run.totals["drafted"] for run in runs]
    assert_allclose(accepted, (0.7 + 0.7**2 + 0.7**3) / 3, atol=0.02)
    drafts = [run.totals["batch_tokens"] for run in runs]
    assert max(drafts) - min(drafts) <= 8 * 40  # the last steps of each request are cut at its length
    assert runs[0].totals["accepted"] != simulate(VllmConfig(**config, async_scheduling=False), trace, SECOND, seed=4).totals["accepted"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_in_a_closed_loop_a_request_comes_when_another_has_finished(asynchronous: bool) -> None:
    rng = np.random.default_rng(0)
    trace = RequestTrace.make(np.zeros(60), rng.integers(1, 300, 60), rng.integers(1, 50, 60), users=5)
    run = simulate(VllmConfig(async_scheduling=asynchronous), trace, LinearStepCosts(step_s=0.01, token_s=1e-4), keep_timeline=True)
    assert run.status == "completed" and run.timeline is not None
    assert_allclose(np.sort(run.arrival_s)[5:], np.sort(run.finish_s)[:-5])
    assert (run.timeline.steps["running"] + run.timeline.steps["waiting"]).max() == 5
    assert (run.ttft_s > 0).all() and (run.e2e_s >= run.ttft_s).all()


def test_urgent_requests_are_admitted_first() -> None:
    trace = RequestTrace.make([0.0, 0.1, 0.2], [10] * 3, [5] * 3, priority=[0, 1, 0])
    run = simulate(VllmConfig(max_num_seqs=1, scheduling_policy="priority"), trace, SECOND)
    assert np.argsort(run.finish_s).tolist() == [0, 2, 1]


def test_vllm_v0_computes_prompts_first_and_alone() -> None:
    trace = RequestTrace.make([0.0, 0.5, 0.6], [100, 100, 300], [4, 2, 2])
    config = ClassicConfig("vllm_v0", num_blocks=1000, max_num_batched_tokens=400, max_num_seqs=8)
    run = simulate(config, trace, SECOND, keep_timeline=True)
    # 2 x 300 tokens are over the budget, which counts the longest prompt for all.
    assert batches(run) == [{0: 100}, {1: 100}, {2: 300}, {0: 1, 1: 1, 2: 1}, {0: 1}, {0: 1}]


def test_sarathi_fills_up_with_chunks() -> None:
    trace = RequestTrace.make([0.0, 0.5], [100, 100], [4, 2])
    run = simulate(ClassicConfig("sarathi", num_blocks=1000, max_num_batched_tokens=60), trace, SECOND, keep_timeline=True)
    assert batches(run) == [{0: 60}, {0: 40, 1: 20}, {0: 1, 1: 59}, {0: 1, 1: 21}, {0: 1, 1: 1}]


def test_orca_mixes_whole_prompts_and_reserves_for_the_longest() -> None:
    trace = RequestTrace.make([0.0, 0.5, 0.6], [100, 100, 5], [3, 2, 1])
    config = ClassicConfig("orca", num_blocks=20, max_model_len=160)
    run = simulate(config, trace, SECOND, keep_timeline=True)
    assert batches(run) == [{0: 100}, {0: 1, 1: 100}, {0: 1, 1: 1}, {2: 5}]


@pytest.mark.parametrize("scheduler", ["vllm_v0", "sarathi"])
def test_classic_schedulers_preempt_the_last(scheduler: Any) -> None:
    trace = RequestTrace.make([0.0, 0.1], [60, 60], [30, 30])
    run = simulate(ClassicConfig(scheduler, num_blocks=9, max_model_len=128), trace, SECOND)
    assert run.preemptions[0] == 0 and run.preemptions[1] > 0 and run.output_tokens.tolist() == [30, 30] and run.status == "completed"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (VllmConfig(max_model_len=100), "request 1 has 100 prompt and 50 output tokens, more than max_model_len"),
        (VllmConfig(num_gpu_blocks=9), r"request 1 \(150 tokens\) needs 10 blocks of KV memory, but there are 8"),
        (ClassicConfig(max_model_len=128), "request 1 has 100 prompt and 50 output tokens"),
        (ClassicConfig("orca", num_blocks=255), "needs 256 blocks of KV memory, but there are 255"),
    ],
)
def test_requests_that_never_fit_are_refused(config: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(config, RequestTrace.make([0.0, 0.0], [10, 100], [5, 50]), SECOND)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], []), "the trace has no requests"),
        (([0.0], [1, 2], [1]), r"prompt_tokens has shape \(2,\), expected \(1,\)"),
        (([0.0], [1.5], [1]), "prompt_tokens must be whole numbers"),
        (([0.0], [1], [0]), "request 0: output_tokens is 0, expected 1 to"),
        (([np.nan], [1], [1]), "arrival times must be finite"),
        (([1.0, 0.5], [1, 1], [1, 1]), r"request 1 arrives at 0.5 s, before the one ahead of it \(1 s\): sort the trace"),
    ],
)
def test_traces_that_make_no_sense_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RequestTrace.make(*arguments)


def test_closed_loops_have_no_arrival_times_of_their_own() -> None:
    with pytest.raises(InputError, match="arrival times of a closed loop must all be 0"):
        RequestTrace.make([0.0, 1.0], [1, 1], [1, 1], users=1)
    with pytest.raises(InputError, match="users of a closed loop must be a whole number"):
        RequestTrace.make([0.0], [1], [1], users=-1)


def test_costs_that_let_time_stand_still_are_refused() -> None:
    for costs in ({}, {"step_s": -1.0}, {"step_s": np.inf}, {"context_s": 1.0}):
        with pytest.raises(InputError, match="a step must take time"):
            LinearStepCosts(**costs)
