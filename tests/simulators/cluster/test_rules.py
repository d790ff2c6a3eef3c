"""The cluster simulation: what splitwise-sim did on its traces, laws, one run by hand, and what cannot be simulated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.core.errors import InputError
from designgym.simulators.cluster import ClusterConfig, MachineType, Pool, ServedModel, TimeCurves, simulate
from designgym.simulators.cluster.build_table import TABLE, build
from designgym.simulators.cluster.designs import DESIGNS, PAPER_SIZES, splitwise_cluster
from designgym.simulators.cluster.machines import measured_curves
from designgym.simulators.cluster.service_level import latencies_of, reference_latencies
from designgym.simulators.cluster.times import iteration_times
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads.files import read_requests

LLM = Path(__file__).resolve().parents[4] / "shared" / "oracle" / "llm"
with_oracle = pytest.mark.skipif(not (LLM / "splitwise_public.csv").is_file(), reason=f"reference outputs are not at {LLM}")

# Of an exact run of splitwise-sim: runs, preemptions, batches of both kinds, overdue tasks, machines lent from the token and the prompt
# list, fallbacks, requests on one machine, transfers tried again.
SPLITWISE_SIM = [
    ("Baseline-H100", "bloom-176b", "conv_70", 40, 0, (11944, 7909, 3602, 0, 0, 0, 0, None, 0)),
    ("Splitwise-HH", "bloom-176b", "conv_110", 25, 15, (16917, 0, 0, 0, 0, 1, 0, 0, 0)),
    ("Splitwise-AA", "llama2-70b", "code_30", 20, 10, (4874, 0, 0, 0, 0, 0, 0, 0, 0)),
    ("Splitwise-HA", "bloom-176b", "code_30", 11, 1, (3057, 2600, 497, 77, 1, 17, 159, 214, 5)),
    ("Splitwise-HHcap", "llama2-70b", "code_30", 8, 1, (3586, 389, 61, 7, 1, 2, 17, 30, 0)),
    ("Splitwise-HA", "bloom-176b", "conv_70", 16, 6, (9506, 1119, 141, 38, 0, 9, 0, 11, 1)),
    ("Splitwise-AA", "llama2-70b", "code_30", 14, 4, (4176, 118, 1, 0, 5, 0, 2, 7, 0)),
]  # fmt: skip
COUNTED = (
    "n_runs", "n_preemptions", "n_mixed_batches", "n_overdue", "n_token_machines_lent", "n_prompt_machines_lent", "n_fallbacks",
    "n_same_machine", "n_retries",
)  # fmt: skip


@with_oracle
@pytest.mark.parametrize("row", range(len(SPLITWISE_SIM)))
def test_everything_happens_as_often_as_in_splitwise_sim(row: int) -> None:
    design, model, name, prompt, token, counts = SPLITWISE_SIM[row]
    trace = read_requests(LLM / f"splitwise_trace_{name}.csv")
    run = simulate(splitwise_cluster(design, prompt, token), trace, model, token_costs="paper")
    ours = [run.counts[name] for name in COUNTED]
    assert [n for n, theirs in zip(ours, counts, strict=True) if theirs is not None] == [n for n in counts if n is not None]
    assert run.counts["n_completed"] == len(trace) == run.counts["n_same_machine"] + run.counts["n_transfers"]


@with_oracle
def test_the_packaged_table_is_made_of_the_measurements() -> None:
    assert build(LLM / "splitwise_perf_model.csv") == json.loads(TABLE.read_text())


def test_check_values_of_the_paper_curves() -> None:
    for model, machine, prompt_ms, token_ms in (
        ("bloom-176b", "a100", (60.325, 174.382, 906.344), (47.518, 47.565, 49.313)),
        ("bloom-176b", "h100_capped", (59.036, 98.984, 567.842), (35.327, 35.532, 36.166)),
        ("llama2-70b", "h100", (64.661, 53.858, 246.819), (31.466, 30.676, 30.562)),
    ):
        sizes = np.array([1, 512, 3000, 64, 512])
        trace = RequestTrace.make(np.zeros(5), sizes, np.full(5, 2))
        alone = reference_latencies(trace, measured_curves(model, machine), "paper")
        np.testing.assert_allclose(alone.ttft[:3] * 1000, prompt_ms, atol=6e-4)
        np.testing.assert_allclose(alone.tbt[[0, 3, 4]] * 1000, token_ms, atol=6e-4)


@pytest.mark.parametrize("machine", ["a100", "h100", "h100_capped"])
@pytest.mark.parametrize("model", ["bloom-176b", "llama2-70b"])
def test_measured_decoding_takes_longer_with_more_requests_and_more_context(model: str, machine: str) -> None:
    curves = measured_curves(model, machine)
    assert list(curves.decode_ms) == sorted(curves.decode_ms) and curves.decode_us_per_context_token > 0
    at_64 = curves.decode_ms[-1] + 64 * 576 * curves.decode_us_per_context_token / 1000
    assert at_64 == pytest.approx(curves.token_ms[-1], rel=1e-4)  # the one measurement of 64 requests is met


CURVES = TimeCurves([100, 200], [10.0, 20.0], [5.0, 5.0], [1, 2], [8.0, 10.0], 1000.0)
MODEL = ServedModel("mine", 1000, 10)
BOX = {"box": MachineType(10**6, 1.0, 1.0)}


def small(*pools: Pool, **settings: Any) -> ClusterConfig:
    arguments: dict[str, Any] = {"machine_types": BOX, "kv_bandwidth_gib_per_s": 2 * 1000 / 2**30} | settings
    return ClusterConfig(pools, **arguments)


def test_two_requests_by_hand() -> None:
    """Prompt of 100 tokens: 10 ms; transfer of 1000 bytes at 2000 bytes/s: 0.5 s; then tokens, each 1 ms longer per context token."""
    trace = RequestTrace.make([0.0, 1.0], [100, 200], [3, 2])
    run = simulate(small(Pool("box", 1, "prompt"), Pool("box", 1, "token")), trace, MODEL, curves={"box": CURVES})
    first = 0.010 + 0.5 + (0.008 + 0.101) + (0.008 + 0.102)
    second = 1.0 + 0.020 + 1.0 + (0.008 + 0.201)
    np.testing.assert_allclose(run.first_token_s, [0.010, 1.020], rtol=1e-12)
    np.testing.assert_allclose(run.finish_s, [first, second], rtol=1e-12)
    np.testing.assert_allclose(run.busy_s, [0.030, 0.219 + 0.209], rtol=1e-12)
    assert run.counts["n_transfers"] == 2 and run.counts["n_runs"] == 4
    assert run.most_used_bytes.tolist() == [1000 + 2010, 1000 + 2010 + 10]


def test_both_decode_together_and_an_arrival_ends_the_run() -> None:
    """On one machine the second prompt waits for the iteration under way, then runs beside the first request's decoding."""
    trace = RequestTrace.make([0.0, 0.2], [100, 100], [4, 2])
    run = simulate(small(Pool("box", 1), scheduler="token_jsq"), trace, MODEL, curves={"box": CURVES})
    after_two = 0.010 + (0.008 + 0.101) + (0.008 + 0.102)  # 0.229
    mixed = 1.1 * (0.010 + 0.0001) + (0.008 + 0.103) - 0.008  # 100 prompt tokens and one decoding request
    np.testing.assert_allclose(run.first_token_s, [0.010, after_two + mixed], rtol=1e-12)
    np.testing.assert_allclose(run.finish_s, [after_two + mixed, after_two + mixed + 0.008 + 0.101], rtol=1e-12)


def test_requests_of_one_token_end_with_their_prompt() -> None:
    trace = RequestTrace.make([0.0, 0.0, 0.0], [100, 100, 100], [1, 1, 3], stop_at=[-1, -1, 0])
    for scheduler in ("mixed_pool", "token_jsq"):
        config = small(Pool("box", 1, "prompt"), Pool("box", 1, "token"), scheduler=scheduler)
        run = simulate(config, trace, MODEL, curves={"box": CURVES})
        np.testing.assert_array_equal(run.first_token_s, run.finish_s)
        assert run.counts["n_completed"] == 3 and run.counts["n_transfers"] == 0


def random_trace(seed: int, n: int = 400, rate_rps: float = 10.0) -> RequestTrace:
    rng = np.random.default_rng(seed)
    return RequestTrace.make(np.cumsum(rng.exponential(1 / rate_rps, n)), rng.integers(1, 3000, n), rng.integers(1, 300, n))


@pytest.mark.parametrize("costs", ["paper", "batched"])
def test_tokens_and_memory_are_accounted_for(costs: Any) -> None:
    trace = random_trace(1)
    config = ClusterConfig((Pool("h100", 3, "prompt"), Pool("a100", 2, "token")))
    run = simulate(config, trace, token_costs=costs, keep_timeline=True)
    assert (run.finish_s >= run.first_token_s).all() and (run.first_token_s > trace.arrival_s).all()
    assert run.runs is not None and run.counts["n_runs"] == len(run.runs)
    assert run.counts["n_batch_requests"] == run.runs["requests"].sum()
    assert (run.runs["requests"] <= 512).all() and run.runs["prompts"].sum() == len(trace)
    over = run.runs["tokens"] > 2048
    assert (run.runs["requests"][over] == 1).all() and over.sum() == (trace.prompt_tokens > 2048).sum()  # only a long prompt, alone
    types = [config.machine_types["h100"].memory_bytes] * 3 + [config.machine_types["a100"].memory_bytes] * 2
    assert (run.most_used_bytes <= types).all() and (run.busy_s <= np.nanmax(run.finish_s)).all()


def test_nobody_alone_is_faster_than_the_uncontended_machine() -> None:
    """Requests so far apart that each has the machine to itself take what the reference says, plus nothing."""
    trace = RequestTrace.make(np.arange(20) * 1000.0, np.arange(100, 2100, 100), np.arange(2, 22))
    run = simulate(ClusterConfig((Pool("a100", 1),), "token_jsq"), trace)
    slowdown = latencies_of(run, "batched").divided_by(reference_latencies(trace, measured_curves("bloom-176b", "a100"), "batched"))
    np.testing.assert_allclose([slowdown.ttft, slowdown.tbt, slowdown.e2e], 1.0, rtol=1e-9)


def test_more_machines_serve_no_worse() -> None:
    trace = random_trace(2, rate_rps=20.0)
    means = [simulate(ClusterConfig((Pool("a100", n),), "token_jsq"), trace).e2e_s.mean() for n in (2, 4, 8, 16, 64)]
    assert means == sorted(means, reverse=True) and means[0] > 2 * means[-1]


def test_a_long_queue_is_no_longer_than_all_requests() -> None:
    """One machine, everything at once: rings, lists and heap hold what can be there, and everybody is served."""
    n = 3000
    rng = np.random.default_rng(0)
    trace = RequestTrace.make(np.zeros(n), rng.integers(1, 1500, n), rng.integers(1, 5, n))
    for config in (ClusterConfig((Pool("h100", 1),), "token_jsq"), ClusterConfig((Pool("h100", 1, "prompt"), Pool("h100", 1, "token")))):
        run = simulate(config, trace)
        assert run.counts["n_completed"] == n and np.isfinite(run.finish_s).all()


def test_memory_that_is_never_freed_ends_the_run() -> None:
    """Prompts fill the memory of a machine, so that none of their other tokens can ever run: requests are left, and time does not go on."""
    types = {"box": MachineType(1000 + 10 * 250, 1.0, 1.0)}
    trace = RequestTrace.make(np.zeros(2), [110, 110], [100, 100])
    run = simulate(ClusterConfig((Pool("box", 1),), "token_jsq", machine_types=types), trace, MODEL, curves={"box": CURVES})
    assert run.counts["n_completed"] == 0 and np.isnan(run.finish_s).all() and np.isfinite(run.first_token_s).all()


def test_what_cannot_be_simulated_is_refused() -> None:
    trace = random_trace(3, 5)
    large = ServedModel("bloom-176b", 700 * 2**30, 1)
    with pytest.raises(InputError, match="bloom-176b does not fit: its weights take 700 GiB, a machine a100 has 640 GiB"):
        simulate(ClusterConfig((Pool("a100", 1),)), trace, large)
    long = RequestTrace.make([0.0, 0.0], [5, 90_000], [5, 5])
    with pytest.raises(InputError, match=r"request 1 \(90000 prompt and 5 output tokens\) never fits beside bloom-176b"):
        simulate(ClusterConfig((Pool("a100", 1),)), long)
    with pytest.raises(InputError, match="unknown model 'gpt'"):
        simulate(ClusterConfig((Pool("a100", 1),)), trace, "gpt")
    with pytest.raises(InputError, match="closed loop"):
        simulate(ClusterConfig((Pool("a100", 1),)), RequestTrace.make([0.0], [5], [5], users=1))
    with pytest.raises(InputError, match="sort the trace by arrival"):
        RequestTrace.make([1.0, 0.0], [5, 5], [5, 5])
    with pytest.raises(InputError, match="has no requests"):
        RequestTrace.make([], [], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pools": ()}, "0 machines, expected 1 to"),
        ({"pools": (Pool("v100", 1),)}, "v100"),
        ({"pools": (Pool("a100", 1, "decode"),)}, "decode"),  # type: ignore[arg-type]
        ({"pools": (Pool("a100", -1),)}, "count of mixed machines must be a whole number of 0 or more"),
        ({"scheduler": "random"}, "scheduler"),
        ({"max_batch_size": 0}, "max_batch_size must be a whole number of 1 or more, but is 0"),
        ({"max_preemptions": 1.5}, "max_preemptions must be a whole number"),
        ({"kv_bandwidth_gib_per_s": 0}, "kv_bandwidth_gib_per_s must be a positive number, but is 0"),
    ],
)
def test_clusters_that_cannot_be_are_refused(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"pools": (Pool("a100", 1),)}
    with pytest.raises(InputError, match=message):
        ClusterConfig(**good | arguments)


def test_curves_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="tokens must be two or more ascending"):
        TimeCurves([2, 1], [1, 2], [1, 2], [1, 2], [1, 2], 0)
    with pytest.raises(InputError, match="prompt_ms must be 2 positive numbers"):
        TimeCurves([1, 2], [1, 0], [1, 2], [1, 2], [1, 2], 0)
    with pytest.raises(InputError, match="decode_ms must not fall at its end"):
        TimeCurves([1, 2], [1, 2], [1, 2], [1, 2], [2, 1], 0)
    with pytest.raises(InputError, match="must be at the same numbers"):
        iteration_times([CURVES, TimeCurves([1, 2], [1, 2], [1, 2], [1, 2], [1, 2], 0)], "paper")


def test_designs_of_the_paper() -> None:
    for sizes in PAPER_SIZES.values():
        assert sizes.keys() == DESIGNS.keys()
    watts = [splitwise_cluster(name, *size).power_units for name, size in PAPER_SIZES["iso_power_conv"].items()]
    assert max(watts) / min(watts) < 1.02
    dollars = [splitwise_cluster(name, *size).cost_usd_per_h for name, size in PAPER_SIZES["iso_cost_conv"].items()]
    assert max(dollars) / min(dollars) < 1.02
    with pytest.raises(InputError, match="token_machines must be 0, not 3"):
        splitwise_cluster("Baseline-A100", 5, 3)
    with pytest.raises(InputError, match="needs machines for prompts and for tokens, got 5 and 0"):
        splitwise_cluster("Splitwise-HA", 5)
    with pytest.raises(InputError, match="Splitwise-HB"):
        splitwise_cluster("Splitwise-HB", 5)
