"""Step times from operator times: the tables' source, their sum, monotony, formats, and what was never measured."""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import RegularGridInterpolator

from designgym.core.errors import InputError
from designgym.simulators.serving import RequestTrace, VllmConfig, simulate
from designgym.simulators.serving.costs import GPUS, GridStepCosts, gpu_named, model_named, step_costs_for, step_features, step_seconds_by
from designgym.simulators.serving.costs.build import build
from designgym.simulators.serving.costs.grid import CONTEXT, DECODES, OUTPUTS, PAIRS, PROMPTS, TOKENS, increasing
from designgym.simulators.serving.costs.operators import LAUNCH_S, OPERATORS, operators_of

ORACLE = Path(__file__).resolve().parents[4] / "shared" / "oracle" / "llm"
needs_oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason=f"reference outputs are not at {ORACLE}")
FP8: dict[str, Any] = {"quantization": "fp8", "kv_cache_dtype": "fp8"}
ENGINES: list[dict[str, Any]] = [
    {"model": "Meta-Llama-3.1-8B", "gpu": "h100"},
    {"model": "Meta-Llama-3.1-70B", "gpu": "h200", "tensor_parallel": 8, "quantization": "fp8", "kv_cache_dtype": "fp8"},
    {"model": "Llama-2-7b", "gpu": "a100", "tensor_parallel": 2, "quantization": "awq"},
    {"model": "Qwen3-30B-A3B", "gpu": "l40s", "tensor_parallel": 2, "pipeline_parallel": 2},
]


def ms(costs: GridStepCosts, **step: Any) -> float:
    [seconds] = step_seconds_by(costs, step_features(**step))
    return float(seconds * 1e3)


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_steps_are_sums_of_tables_interpolated_linearly(random: Any) -> None:
    rng = np.random.default_rng(random.randrange(1 << 30))
    tables: Any = [
        np.sort(rng.random(TOKENS.points.size)),
        np.sort(rng.random(OUTPUTS.points.size)),
        rng.random((DECODES.points.size, 1)).cumsum(0) + rng.random(CONTEXT.points.size).cumsum(),
        rng.random((PROMPTS.points.size, 1)).cumsum(0) + rng.random(PAIRS.points.size).cumsum(),
    ]
    costs = GridStepCosts.make(tables[0], tables[1], tables[2], tables[3], 0.25)
    decodes, prompts, completed = (int(rng.integers(0, 300)) for _ in range(3))
    context, tokens, past = int(rng.integers(2, 10_000)), int(rng.integers(1, 500)), int(rng.integers(0, 5000))
    completed = min(completed, prompts)
    if decodes + prompts == 0:
        return
    pairs = prompts * (tokens * past + tokens * (tokens + 1) / 2)
    expected = float(np.interp(decodes + prompts * tokens, TOKENS.points, tables[0]))
    if decodes + completed:
        expected += float(np.interp(decodes + completed, OUTPUTS.points, tables[1]))
    if decodes:
        expected += float(RegularGridInterpolator((DECODES.points, CONTEXT.points), tables[2])([[decodes, context]])[0])
    if prompts:
        expected += float(RegularGridInterpolator((PROMPTS.points, PAIRS.points), tables[3])([[prompts, pairs]])[0]) + 0.25 * (
            completed > 0
        )
    step = step_features(decodes=decodes, context=context, prompts=prompts, prompt_tokens=tokens, past=past, completed=completed)
    assert_allclose(step_seconds_by(costs, step), expected, rtol=1e-9)


def test_beyond_the_grids_a_step_takes_what_their_last_points_say() -> None:
    costs = step_costs_for("Meta-Llama-3.1-8B", "h100")
    assert ms(costs, decodes=4096, context=1 << 20) == ms(costs, decodes=4096, context=1 << 22)


@pytest.mark.parametrize("engine", ENGINES)
def test_more_work_never_takes_less_time(engine: dict[str, Any]) -> None:
    costs = step_costs_for(**engine)
    rng = np.random.default_rng(7)
    n = 3000
    step = {
        "decodes": rng.integers(0, 600, n) * rng.integers(0, 2, n),
        "context": np.exp2(rng.uniform(1, 17, n)).astype(int),
        "prompts": rng.integers(1, 40, n) * rng.integers(0, 2, n),
        "prompt_tokens": np.exp2(rng.uniform(0, 13, n)).astype(int),
        "past": np.exp2(rng.uniform(0, 15, n)).astype(int),
    }
    step["prompts"] += (step["decodes"] + step["prompts"]) == 0
    step["completed"] = step["prompts"] // 2
    before = step_seconds_by(costs, step_features(**step))
    assert (before > 1e-4).all()
    for name in step:
        for more in (1, 7, 500):
            raised = {**step, name: step[name] + more}
            raised["completed"] = np.minimum(raised["completed"], raised["prompts"])
            assert (step_seconds_by(costs, step_features(**raised)) >= before * (1 - 1e-12)).all(), name


def test_the_nearest_increasing_values_are_found_and_stay() -> None:
    assert_allclose(increasing(np.array([1.0, 3.0, 2.0, 5.0])), [1.0, 2.5, 2.5, 5.0])
    assert_allclose(increasing(np.array([3.0, 0.0]), np.array([2.0, 1.0])), [2.0, 2.0])
    table = np.random.default_rng(1).random((6, 9))
    for axis in (0, 1):
        assert (np.diff(increasing(table), axis=axis) >= -1e-12).all()


# By aiconfigurator-core 0.12.0 (`EngineHandle`), as all of its latencies in these tests, in milliseconds.
@pytest.mark.parametrize(
    ("model", "gpu", "layout", "step", "expected"),
    [
        ("Meta-Llama-3.1-8B", "h100", {"tensor_parallel": 2}, {"decodes": 64, "context": 1024}, 5.963216),
        ("Meta-Llama-3.1-8B", "h100", {"tensor_parallel": 2}, {"prompts": 1, "prompt_tokens": 1024}, 15.103746),
        ("Meta-Llama-3.1-8B", "h100", {"tensor_parallel": 2}, {"prompts": 1, "prompt_tokens": 2048, "past": 2048}, 29.918153),
        (
            "Meta-Llama-3.1-8B",
            "h100",
            {"tensor_parallel": 2},
            {"decodes": 64, "context": 1152, "prompts": 2, "prompt_tokens": 1024},
            31.187398,
        ),
    ],
)
def test_steps_take_what_aiconfigurator_says(model: str, gpu: str, layout: dict[str, Any], step: dict[str, int], expected: float) -> None:
    assert ms(step_costs_for(model, gpu, **layout), **step) == pytest.approx(expected, rel=0.02)


def test_a_step_is_the_sum_of_its_operators() -> None:
    # Decoding of 32 requests on 4 GPUs, all sizes of Llama-3-8B by hand.
    operators, rows = operators_of(GPUS["h100_sxm"]), np.array([32.0])
    layer = sum(operators.gemm_s(rows, n, k, "fp8")[0] for n, k in ((1536, 4096), (4096, 1024), (7168, 4096), (4096, 3584)))
    layer += 2 * (LAUNCH_S + 32 * 4 * 4096 * 2 / (0.8 * 3.35e12)) + LAUNCH_S + 32 * 3 * 3584 * 2 / (0.8 * 3.35e12)
    layer += (
        2 * operators.all_reduce_s(rows * 4096, 4)[0] + operators.decode_attention_s(rows, np.array([2048.0]), 8, 2, 128, "bfloat16")[0]
    )
    once = LAUNCH_S + 32 * 4096 * 2 / (0.8 * 3.35e12) + operators.all_reduce_s(rows * 4096, 4)[0]
    once += operators.gemm_s(rows, 32064, 4096, "bfloat16")[0]
    costs = step_costs_for("Meta-Llama-3-8B", "h100", tensor_parallel=4, quantization="fp8")
    assert ms(costs, decodes=32, context=2048) == pytest.approx((32 * layer + once) * 1e3, rel=0.02)  # 2 %: made monotone


@needs_oracle
@pytest.mark.parametrize("gpu", ["a100", "h100"])
def test_operator_times_are_the_measured_ones(gpu: str) -> None:
    operators = operators_of(gpu_named(gpu))
    gemm: Any
    attention: Any
    reduce: Any
    gemm, attention, reduce = (pd.read_csv(ORACLE / f"aic_vllm_{name}.csv") for name in ("gemm", "attention", "allreduce"))
    rows = gemm[(gemm.system == operators.gpu.name) & gemm.m.isin([1, 16, 128, 512, 1024, 8192]) & gemm.dtype.isin(operators.gemm)]
    for (n, k, dtype), part in rows.groupby(["n", "k", "dtype"]):
        assert_allclose(operators.gemm_s(part.m.to_numpy(float), int(n), int(k), str(dtype)) * 1e3, part.latency_ms, rtol=1e-3)
    rows = attention[attention.system == operators.gpu.name]
    for phase, length, points in (
        ("generation", rows.past_kv + 1, [64, 1024, 16384, 131072]),
        ("context", rows.isl, [16, 512, 2048, 16384]),
    ):
        chosen = rows[(rows.phase == phase) & length.isin(points)]
        keys = ["num_heads", "num_kv_heads", "kv_dtype", "batch_size", "isl", "past_kv"]
        chosen = chosen.groupby(keys, as_index=False).latency_ms.median()
        for (heads, kv_heads, dtype), part in chosen.groupby(keys[:3]):
            batch, tokens = part.batch_size.to_numpy(float), (part.past_kv + 1 if phase == "generation" else part.isl).to_numpy(float)
            attend = operators.decode_attention_s if phase == "generation" else operators.prompt_attention_s
            assert_allclose(attend(batch, tokens, int(heads), int(kv_heads), 128, str(dtype)) * 1e3, part.latency_ms, rtol=1e-3)
    rows = reduce[(reduce.system == operators.gpu.name) & (reduce.backend == "vllm_graph")]
    for gpus, part in rows.groupby("num_gpus"):
        assert_allclose(operators.all_reduce_s(part.message_size.to_numpy(float), int(gpus)) * 1e3, part.latency_ms, rtol=1e-3)


@pytest.mark.skipif(importlib.util.find_spec("aiconfigurator_core") is None, reason="aiconfigurator-core is not installed")
def test_the_packaged_table_is_what_the_script_makes() -> None:
    spec = importlib.util.find_spec("aiconfigurator_core")
    assert spec is not None and spec.submodule_search_locations is not None
    made = build(Path(spec.submodule_search_locations[0]) / "systems")
    with np.load(OPERATORS) as packaged:
        assert set(packaged.files) == set(made)
        for name in packaged.files:
            assert_allclose(packaged[name], made[name], rtol=1e-6, err_msg=name)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no data/a100_sxm/gemm/vllm/\*/gemm_perf.parquet: give the folder"):
        build(tmp_path)


def test_beyond_the_measured_shapes_products_grow_in_proportion() -> None:
    operators, rows = operators_of(GPUS["l40s"]), np.array([16.0, 32768.0, 65536.0])
    edge, wider = (operators.gemm_s(rows, n, 4096, "fp8") for n in (65536, 131072))
    assert_allclose(wider, 2 * edge)
    assert edge[2] == pytest.approx(2 * edge[1])


def test_heads_of_other_numbers_and_widths_lie_between_measured_ones() -> None:
    operators, batch, context = operators_of(GPUS["h100_sxm"]), np.array([64.0]), np.array([4096.0])
    five, four, eight = (operators.decode_attention_s(batch, context, 8 * kv, kv, 128, "bfloat16")[0] for kv in (5, 4, 8))
    assert four < five < eight
    assert operators.decode_attention_s(batch, context, 32, 32, 128, "bfloat16") == pytest.approx(
        operators.decode_attention_s(4 * batch, context, 8, 8, 128, "bfloat16")
    )
    half = operators.decode_attention_s(batch, context, 32, 8, 64, "bfloat16")
    assert half == pytest.approx(operators.decode_attention_s(batch, context / 2, 32, 8, 128, "bfloat16"))


def test_weights_of_fewer_bits_are_read_faster_and_computed_alike() -> None:
    plain, awq, fp8 = (step_costs_for("Meta-Llama-3.1-70B", "a100", tensor_parallel=4, quantization=q) for q in (None, "awq", "fp8"))
    one = [ms(costs, decodes=1, context=128) for costs in (awq, fp8, plain)]
    assert 0.3 < one[0] / one[2] < 0.55 < one[1] / one[2] < 0.75
    many = [ms(costs, prompts=1, prompt_tokens=8192) for costs in (awq, fp8, plain)]
    assert_allclose(many, many[2], rtol=0.01)


def test_hardware_fp8_computes_faster_too() -> None:
    plain, fp8 = (step_costs_for("Meta-Llama-3.1-70B", "h100", tensor_parallel=4, quantization=q) for q in (None, "fp8"))
    assert ms(fp8, prompts=1, prompt_tokens=8192) < 0.8 * ms(plain, prompts=1, prompt_tokens=8192)


def test_stages_of_a_pipeline_share_the_work() -> None:
    whole, stage = (step_costs_for("Meta-Llama-3.1-70B", "h100", tensor_parallel=2, pipeline_parallel=pp) for pp in (1, 4))
    for step in ({"decodes": 64, "context": 1000}, {"prompts": 3, "prompt_tokens": 700}):
        sending = 0.75 * 4 * (10e-3 + (64 if "decodes" in step else 2100) * 8192 * 2 / 450e9 * 1e3)
        assert 4 * ms(stage, **step) == pytest.approx(ms(whole, **step) + sending, rel=0.01)


def test_few_tokens_touch_few_experts() -> None:
    mixtral = model_named("Mixtral-8x7B-v0.1")
    dense = dataclasses.replace(mixtral, experts=0, intermediate=2 * 14336)
    sparse_ms, dense_ms = (ms(step_costs_for(model, "h100", tensor_parallel=2), decodes=1, context=128) for model in (mixtral, dense))
    assert sparse_ms == pytest.approx(dense_ms, rel=0.25)  # one token reads two experts, as a dense layer of that width
    many = ms(step_costs_for(mixtral, "h100", tensor_parallel=2), decodes=64, context=128)
    assert many > 2.2 * sparse_ms  # 64 tokens read all eight
    shared = dataclasses.replace(mixtral, shared_intermediate=14336)
    assert ms(step_costs_for(shared, "h100"), decodes=8, context=128) > ms(step_costs_for(mixtral, "h100"), decodes=8, context=128)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"decodes": 32, "context": 2048}, 25.442732),
        ({"decodes": 256, "context": 1024}, 39.284704),
        ({"prompts": 1, "prompt_tokens": 4096}, 136.529034),
    ],
)
def test_experts_take_about_what_aiconfigurator_says(step: dict[str, int], expected: float) -> None:
    assert ms(step_costs_for("Qwen3-235B-A22B", "h100", tensor_parallel=8), **step) == pytest.approx(expected, rel=0.1)


def test_what_was_never_measured_is_refused() -> None:
    with pytest.raises(InputError, match="KV cache in fp8 was not measured on a100_sxm, only with bfloat16: choose"):
        step_costs_for("Meta-Llama-3.1-8B", "a100", kv_cache_dtype="fp8")
    with pytest.raises(InputError, match="no operator times of mi300x"):
        step_costs_for("Meta-Llama-3.1-8B", dataclasses.replace(GPUS["h100_sxm"], name="mi300x"))


@pytest.mark.parametrize("step", [{}, {"decodes": -1}, {"decodes": 1, "context": 0}, {"prompts": 1}, {"decodes": 1, "completed": 1}])
def test_impossible_steps_are_refused(step: dict[str, int]) -> None:
    with pytest.raises(InputError, match="steps must have"):
        step_features(**step)


def test_simulated_steps_take_these_times() -> None:
    costs = step_costs_for("Meta-Llama-3.1-8B", "h100")
    trace = RequestTrace.make([0.0, 0.0], [700, 900], [3, 2])
    config = VllmConfig(num_gpu_blocks=1000, max_num_batched_tokens=1000, async_scheduling=False)
    run = simulate(config, trace, costs, keep_timeline=True)
    assert run.timeline is not None
    took = run.timeline.steps["end_s"] - run.timeline.steps["start_s"]
    first = {"prompts": 2, "prompt_tokens": 500, "completed": 1}
    features = step_features(**first)
    features["prefill_pairs"] = 700 * 701 // 2 + 300 * 301 // 2
    second = step_features(decodes=1, context=701, prompts=1, prompt_tokens=600, past=300)
    third = step_features(decodes=2, context=802)
    third["decode_past"] = 701 + 900
    assert_allclose(took, [step_seconds_by(costs, step)[0] for step in (features, second, third)], rtol=1e-9)


def test_costs_are_the_same_each_time() -> None:
    first = step_costs_for("Qwen3-8B", "l40s")
    step_costs_for.__globals__["step_costs_of"].cache_clear()
    again = step_costs_for("Qwen3-8B", "l40s")
    assert first is not again
    assert_array_equal(first.table, again.table)
