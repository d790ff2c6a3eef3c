"""Models on GPUs: shapes from config.json, memory per GPU, and what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.serving.costs import GPUS, MODELS, Deployment, Gpu, ModelShape, gpu_named, model_named
from designgym.simulators.serving.costs.assemble import step_costs_of
from designgym.simulators.serving.costs.grid import TOKENS

LLAMA = model_named("Meta-Llama-3-8B")
CONFIG: dict[str, Any] = {
    "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32, "intermediate_size": 14336,
    "vocab_size": 128256, "max_position_embeddings": 8192,
}  # fmt: skip
MIXTRAL = {**CONFIG, "vocab_size": 32000, "max_position_embeddings": 32768, "num_local_experts": 8, "num_experts_per_tok": 2}


def on(gpu: str = "h100", model: str | ModelShape = LLAMA, **layout: Any) -> Deployment:
    return Deployment(model_named(model) if isinstance(model, str) else model, gpu_named(gpu), **layout)


@pytest.mark.parametrize(
    ("name", "billions"),
    [("llama-2-7b", 6.74), ("Llama-2-70b-hf", 68.98), ("Meta-Llama-3-8B-Instruct", 8.03), ("meta-llama/Meta-Llama-3.1-70B", 70.55),
     ("Qwen3-32B", 32.76), ("Qwen3-14B", 14.77), ("Qwen2.5-7B-Instruct", 7.61), ("Qwen2.5-72B", 72.70), ("Meta-Llama-3.1-405B", 405.85),
     ("Qwen3-235B-A22B", 235.09), ("Mixtral-8x22B-v0.1", 140.6), ("Mixtral-8x7B-v0.1", 46.70), ("Qwen/Qwen3-30B-A3B", 30.53)],
)  # fmt: skip
def test_models_have_the_weights_that_their_publishers_count(name: str, billions: float) -> None:
    assert model_named(name).parameters / 1e9 == pytest.approx(billions, rel=0.001)


def test_a_config_is_the_shape_it_describes(tmp_path: Path) -> None:
    assert ModelShape.from_config(CONFIG, LLAMA.name) == LLAMA
    assert ModelShape.from_config({"text_config": CONFIG}, LLAMA.name) == LLAMA
    mixtral = ModelShape.from_config(MIXTRAL, "mistralai/Mixtral-8x7B-v0.1")
    assert dataclasses.replace(mixtral, intermediate=0) == MODELS["mistralai/Mixtral-8x7B-v0.1"]
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, "tie_word_embeddings": True, "quantization_config": {"quant_method": "awq"}, "head_dim": 64}))
    for given_path in (path, tmp_path):
        shape = model_named(given_path)
        assert (shape.tied_embeddings, shape.quantization, shape.head_dim) == (True, "awq", 64)


def test_normalised_queries_and_keys_are_known_by_the_kind_of_model() -> None:
    for change, expected in (
        ({"model_type": "qwen3_moe"}, True),
        ({"model_type": "llama"}, False),
        ({"use_qk_norm": True}, True),
        ({}, False),
    ):
        assert ModelShape.from_config({**CONFIG, **change}).qk_norm is expected


def test_layers_without_experts_and_shared_experts_are_counted() -> None:
    config = {**MIXTRAL, "moe_intermediate_size": 1024, "decoder_sparse_step": 2, "mlp_only_layers": [1, 2]}
    shape = ModelShape.from_config({**config, "shared_expert_intermediate_size": 5632})
    assert (shape.n_dense_layers, shape.shared_intermediate, shape.expert_intermediate) == (17, 5632, 1024)
    shape = ModelShape.from_config({**MIXTRAL, "moe_intermediate_size": 1024, "first_k_dense_replace": 3, "n_shared_experts": 2})
    assert (shape.n_dense_layers, shape.shared_intermediate) == (3, 2048)
    attention = 2 * 4096 * 128 * (32 + 8)
    sparse = 3 * 4096 * (8 * 1024 + 2048) + 4096 * 8
    assert shape.parameters == 32 * attention + 3 * 3 * 4096 * 14336 + 29 * sparse + 2 * 32000 * 4096


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_lora_rank": 512}, "latent attention"),
        ({"is_encoder_decoder": True}, "an encoder"),
        ({"sliding_window": 4096}, "sliding window"),
        ({"hidden_size": None}, "lacks hidden_size"),
        ({"num_hidden_layers": "32"}, "num_hidden_layers of model model must be a whole number, but is '32'"),
        ({"vocab_size": 0}, "vocabulary of model model must be a whole number of 1 or more, but is 0"),
        ({"num_key_value_heads": 5}, "no multiple of its 5"),
        ({"num_experts": 4, "num_experts_per_tok": 5}, "experts_per_token must be 1 to 4"),
    ],
)
def test_configs_of_other_kinds_and_wrong_ones_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModelShape.from_config({**CONFIG, **change})


def test_a_window_that_is_off_or_longer_than_the_sequence_is_no_window() -> None:
    for change in ({"sliding_window": 4096, "use_sliding_window": False}, {"sliding_window": 8192}, {"sliding_window": None}):
        assert ModelShape.from_config({**CONFIG, **change}, LLAMA.name) == LLAMA


def test_files_that_are_no_configuration_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the model configuration .*: No such file"):
        model_named(tmp_path)
    for text, message in (("{", "is not JSON"), ("[1]", r"must hold a JSON object .* holds \[1\]")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InputError, match=message):
            model_named(tmp_path / "config.json")


def test_unknown_names_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownNameError, match="Qwen/Qwen3-8B"):
        model_named("Qwen3-9B")
    with pytest.raises(UnknownNameError, match="h100_sxm"):
        gpu_named("b200")
    for layout, message in (({"quantization": "fp7"}, "fp8"), ({"kv_cache_dtype": "int2"}, "auto")):
        with pytest.raises(UnknownNameError, match=message):
            on(**layout)


@pytest.mark.parametrize(
    ("layout", "message"),
    [({"tensor_parallel": 3}, "32 heads, which 3 GPUs cannot share"), ({"tensor_parallel": 0}, "1 or more, but is 0"),
     ({"pipeline_parallel": 33}, "32 layers, too few for 33")],
)  # fmt: skip
def test_impossible_divisions_are_refused(layout: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        on(**layout)


def test_gpus_must_be_possible() -> None:
    with pytest.raises(InputError, match="memory_bytes of a GPU must be a finite number above 0, but is 0"):
        dataclasses.replace(GPUS["l40s"], memory_bytes=0)


@given(tp=st.sampled_from([1, 2, 4, 8]), pp=st.sampled_from([1, 2, 4, 8]), name=st.sampled_from(sorted(MODELS)))
def test_gpus_together_hold_all_weights_once(tp: int, pp: int, name: str) -> None:
    model = MODELS[name]
    assume(model.heads % tp == 0)
    deployment = Deployment(model, GPUS["h200_sxm"], tp, pp)
    held = deployment.weight_bytes_per_gpu * tp
    embeddings = 2 * model.hidden * model.vocabulary
    whole = 2 * model.parameters
    # Key/value heads may be there several times, routers and norms are, and the first or last stage has an embedding more than others.
    router = 2 * model.layers * model.hidden * (model.experts + 2) * tp
    copies = model.layers * 4 * model.hidden * model.head_dim * (deployment.kv_heads_per_gpu * tp - model.kv_heads)
    if pp == 1:
        assert whole <= held <= whole + router + copies + tp * 4 * model.hidden
    else:
        stage = (whole - 2 * embeddings) * deployment.layers_per_stage / model.layers + embeddings
        assert 0.999 * stage <= held <= 1.001 * (stage + router + copies)
    assert deployment.n_gpus == tp * pp and deployment.tdp_watt == 700 * tp * pp


def test_key_value_memory_follows_heads_dtype_and_stages() -> None:
    assert on().kv_bytes_per_token_per_gpu == 2 * 8 * 128 * 2 * 32
    assert on(kv_cache_dtype="fp8").kv_bytes_per_token_per_gpu == 2 * 8 * 128 * 32
    assert on(tensor_parallel=4, pipeline_parallel=3).kv_bytes_per_token_per_gpu == 2 * 2 * 128 * 2 * 11
    assert on(tensor_parallel=16).kv_bytes_per_token_per_gpu == 2 * 1 * 128 * 2 * 32  # 8 heads on 16 GPUs: each is there twice


def test_quantized_weights_take_their_bytes_and_embeddings_stay() -> None:
    linear = 2 * (LLAMA.parameters - 2 * 4096 * 128256)
    whole = on().weight_bytes_per_gpu
    assert whole - on(quantization="fp8").weight_bytes_per_gpu == linear // 2
    assert whole - on(quantization="awq").weight_bytes_per_gpu == pytest.approx(linear * (1 - 0.51953125 / 2), abs=1)
    checkpoint = dataclasses.replace(LLAMA, quantization="gptq")
    assert on(model=checkpoint).weight_bytes_per_gpu == on(quantization="gptq").weight_bytes_per_gpu


def test_blocks_fill_what_weights_and_work_leave() -> None:
    deployment = on("a100", tensor_parallel=2)
    options: dict[str, Any] = {"max_num_batched_tokens": 4096, "max_num_seqs": 64}
    blocks = deployment.num_gpu_blocks(gpu_memory_utilization=0.9, **options)
    used = deployment.weight_bytes_per_gpu + deployment.working_bytes_per_gpu(**options)
    block = 16 * deployment.kv_bytes_per_token_per_gpu
    assert used + blocks * block <= 0.9 * deployment.gpu.memory_bytes < used + (blocks + 1) * block
    assert deployment.num_gpu_blocks(gpu_memory_utilization=0.9, block_size=32, **options) in (blocks // 2, blocks // 2 - 1)
    assert deployment.num_gpu_blocks(gpu_memory_utilization=0.95, **options) > blocks


def test_memory_is_near_that_of_a_real_engine() -> None:
    # github.com/vllm-project/vllm/pull/10511: `vllm serve meta-llama/Meta-Llama-3-8B`, 79.22 GiB, 0.9: 53.29 GiB for the KV cache.
    gib = 1 << 30
    assert on().weight_bytes_per_gpu / gib == pytest.approx(14.96, abs=0.005)
    assert on(tensor_parallel=2).weight_bytes_per_gpu / gib == pytest.approx(7.48, abs=0.005)
    assert on().num_gpu_blocks(gpu_memory_utilization=0.9) == pytest.approx(53.29 * gib / (16 * 131072), rel=0.03)


def test_a_model_that_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"does not fit on 1 x h100_sxm: each holds 128\.\d GiB of weights .*tensor_parallel"):
        on(model="Llama-2-70b-hf").num_gpu_blocks()
    assert on(model="Llama-2-70b-hf", quantization="awq").num_gpu_blocks() > 1000
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"gpu_memory_utilization": 1.2}, "at most 1, but is 1.2"),
        ({"block_size": 0}, "block_size .* is 0"),
    ]
    for options, message in wrong:
        with pytest.raises(InputError, match=message):
            on().num_gpu_blocks(**options)


def test_gpus_are_found_by_short_names() -> None:
    assert gpu_named("A100") is GPUS["a100_sxm"] and gpu_named("h200-sxm") is GPUS["h200_sxm"]
    assert isinstance(gpu_named("L40S"), Gpu)


@given(st.sampled_from(["Meta-Llama-3-8B", "llama-2-7b", "Mixtral-8x7B-v0.1"]), st.integers(0, 200), st.sampled_from([1, 2, 4]))
def test_weights_left_to_the_host_make_room_and_take_the_time_of_reading_them(name: str, gib: int, tp: int) -> None:
    whole, less = on("h200", name, tensor_parallel=tp), on("h200", name, tensor_parallel=tp, host_weight_bytes=gib << 30)
    left = min(gib << 30, whole.layer_bytes_per_gpu)
    assert less.weight_bytes_per_gpu == whole.weight_bytes_per_gpu - left > 0
    block_bytes = 16 * whole.kv_bytes_per_token_per_gpu
    more = less.num_gpu_blocks() - whole.num_gpu_blocks()
    assert abs(more - left / block_bytes) <= 1
    gpu = whole.gpu
    longer = step_costs_of(less).table - step_costs_of(whole).table
    by_tokens = len(TOKENS.points)
    reading_s = left * (1 / gpu.host_bytes_per_s - 1 / gpu.bandwidth_bytes_per_s)
    assert longer[:by_tokens] == pytest.approx(reading_s, rel=1e-6, abs=1e-9) and not longer[by_tokens:].any()


def test_more_than_there_is_to_leave_to_the_host_is_all_of_it() -> None:
    assert on(host_weight_bytes=64 << 30) == on(host_weight_bytes=LLAMA.layers << 30)
    with pytest.raises(InputError, match="host_weight_bytes must be a whole number of 0 or more, but is -1"):
        on(host_weight_bytes=-1)


def test_a_model_that_does_not_fit_may_once_weights_are_left_to_the_host() -> None:
    with pytest.raises(InputError, match=r"leave weights to the host \(cpu_offload_gb\)"):
        on("h100", "Llama-2-70b-hf").num_gpu_blocks()
    assert on("h100", "Llama-2-70b-hf", host_weight_bytes=80 << 30).num_gpu_blocks() > 100
